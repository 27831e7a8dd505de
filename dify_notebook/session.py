"""Who holds a conversation: its turns, the running one, and how to stop it.

A `Run` streams in the portal's thread; whoever displays it waits for changes and takes
snapshots at its own pace, on its own thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from .app.files import Picked
from .app.known import Fitted, KnownApp
from .app.origin import Value
from .app.words import EntryPoint, in_words
from .errors import DifyError, TapeGone, raise_for_turn
from .i18n import t
from .logs import logger
from .net.app_cache import AppCache, Part, learn
from .net.client import AsyncDify
from .net.files import FileInput
from .net.portal import portal
from .net.stream import ChatStream
from .net.sync import Dify
from .printable import MESSAGE, one_line
from .tape import RunStore, Tape, Turns, run_store
from .tape.store import not_kept, runs_wanted
from .turn.state import Turn, TurnError
from .wire.events import Ping

T = TypeVar("T")
#: Seconds that fetching an answer's images may take, all together.
PICTURE_SECONDS = 10.0
#: Tapes of runs that are not stored: how many of the newest a session holds in memory, and how many bytes of them.
UNSTORED, UNSTORED_BYTES = 50, 64_000_000
log = logger()


class Run:
    """One question that is being answered."""

    def __init__(
        self,
        stream: ChatStream,
        *,
        query: str = "",
        target: str | None = None,
        keep: bool = True,
        decorate: Callable[[Turn], Turn],
        on_end: Callable[[Run], None],
    ) -> None:
        self.query = query
        """What was asked."""
        self.target = target
        """The conversation that it was asked in; None began a new one."""
        self.keep = keep
        """Whether the session goes on with that conversation afterwards; may be changed until the end."""
        self._stream = stream
        self._decorate = decorate
        self._on_end = on_end
        self._changed = threading.Event()
        self._done = threading.Event()
        self._snapshot: tuple[int, Turn] | None = None
        """The version of the stream and the turn at that time, together for readers on several threads."""
        self._final: Turn | None = None
        self._failure: BaseException | None = None
        self._watchers: tuple[threading.Event, ...] = ()
        self._started = time.monotonic()
        self.error: DifyError | None = None
        """Why the question was refused, where it was; the turn tells it too."""

    def _begin(self) -> None:
        portal().submit(self._stream_all())

    def watch(self, event: threading.Event) -> None:
        """Set `event` with each change from now on, the end included; several may watch."""
        self._watchers += (event,)
        event.set()

    def _notify(self) -> None:
        self._changed.set()
        for event in self._watchers:
            event.set()

    async def _stream_all(self) -> None:
        try:
            try:
                async with self._stream:
                    async for event in self._stream:
                        if type(event) is not Ping:
                            self._notify()
            except DifyError as problem:
                self.error = problem
            self._final = await self._with_pictures(self._decorate(self._turn_or_rejected()))
        except BaseException as problem:
            self._failure = problem
            raise
        finally:
            try:
                await asyncio.to_thread(self._on_end, self)
            finally:
                self._done.set()
                self._notify()

    def _turn_or_rejected(self) -> Turn:
        """The stream's turn; of a question that was refused before any of it was sent, a turn that says so."""
        turn = self._stream.turn
        if self.error is None or turn.status != "running":
            return turn
        message = " ".join(part for part in (self.error.message, self.error.hint) if part)
        refused = TurnError(code=self.error.code or "", message=message)
        return msgspec.structs.replace(turn, query=self.query, status="failed", end="error", error=refused)

    async def _with_pictures(self, turn: Turn) -> Turn:
        """The images of the answer, fetched for whoever displays it; signed URLs do not live long."""
        pictures = [file for file in turn.files or () if file.type == "image" and file.url]
        if not pictures:
            return turn
        client = self._stream.client
        under_way = {file: asyncio.ensure_future(client.files.fetch(file)) for file in pictures}
        try:
            done, pending = await asyncio.wait(under_way.values(), timeout=PICTURE_SECONDS)
        finally:
            for task in under_way.values():
                task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        why = t("net.timeout", host=client.settings.host)
        fetched = {}
        for file, task in under_way.items():
            problem = task.exception() if task in done and not task.cancelled() else None
            if task in done and problem is None:
                fetched[file] = task.result()
            else:  # no picture is worth the answer
                problem_text = why if problem is None else f"{type(problem).__name__}: {problem}"
                fetched[file] = msgspec.structs.replace(file, data_error=problem_text)
        return msgspec.structs.replace(turn, files=tuple(fetched.get(file, file) for file in turn.files or ()))

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not, and the session has its turn."""
        return self._done.is_set()

    @property
    def now(self) -> float:
        """Seconds since the question was sent."""
        return self._stream.now or time.monotonic() - self._started

    @property
    def tape(self) -> Tape | None:
        """What came over the wire so far; None where the stream keeps none."""
        return self._stream.tape

    @property
    def turn(self) -> Turn:
        """The turn as it is now; the same object until something changes."""
        if self._failure is not None:
            raise self._failure
        if self._final is not None:
            return self._final
        snapshot = self._snapshot
        if snapshot is None or snapshot[0] != self._stream.version:
            version, turn = self._stream.seen()
            self._snapshot = snapshot = (version, self._decorate(turn))
        return snapshot[1]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until something changed since the last wait, or it ended.

        Args:
            timeout: seconds; None waits for ever.

        Returns:
            False when the time passed.
        """
        changed = self._changed.wait(timeout)
        if changed and not self.done:
            self._changed.clear()
        return changed

    def stop(self) -> concurrent.futures.Future[bool]:
        """Ask the server to stop and return at once; the run ends within about 3 s.

        Returns:
            A future: whether the server confirmed.
        """
        return portal().submit(self._stream.stop())

    def result(self, timeout: float | None = None) -> Turn:
        """Wait for the end and return the turn, whatever it came to.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            TimeoutError: it did not end in time.
        """
        if not self._done.wait(timeout):
            raise TimeoutError
        return self.turn

    def raise_for_status(self) -> Turn:
        """Wait for the end and return the turn.

        Raises:
            DifyError: the server refused the question or could not be reached.
            TurnFailed: the answer ended in an error, or before its end (`TurnIncomplete`). `.turn` has what came.
        """
        turn = self.result()
        if self.error is not None:
            self.error.turn = turn
            raise self.error
        raise_for_turn(turn)
        return turn


async def _all_of(answers: Sequence[concurrent.futures.Future[bool]]) -> bool:
    return all(await asyncio.gather(*map(asyncio.wrap_future, answers)))


class Session:
    """A conversation with one app, as one user.

    Questions that are asked before the last was answered are answered side by side, each in the conversation that
    it was asked in; the session goes on with the conversation of the answer that ended last.

    Args:
        client: a `Dify` or an `AsyncDify`.
        conversation_id: go on with that one; None begins with the first question.
        store: where tapes are kept; None means this user's store.
        keep: how many of the newest turns are held in memory; one before these is read from its tape in the store
            when it is asked for (see `tape.Turns`). None holds them all.
    """

    def __init__(
        self,
        client: Dify | AsyncDify,
        conversation_id: str | None = None,
        *,
        store: RunStore | None = None,
        keep: int | None = None,
    ) -> None:
        self.client: AsyncDify = client.as_async if isinstance(client, Dify) else client
        self.conversation_id = conversation_id
        self.app = KnownApp()
        """What is known of the app (`KnownApp`): see `learn`."""
        self._unavailable: set[Part] = set()
        """What was asked for here in vain, of the client whose `_cache` that is."""
        self._cache: AppCache | None = None
        self.turns = Turns(keep)
        """The turns that were had here, oldest first."""
        self._runs: tuple[Run, ...] = ()
        self.shared: dict[str, Any] = {}
        """What those who show this session have in common, by their own names."""
        self._listeners: tuple[Callable[[Run, bool], object], ...] = ()
        self._store = store
        self._unstored: deque[Tape] = deque()
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return one_line(f"<Session {self.client!r} conversation={self.conversation_id}>", MESSAGE)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work`, one of the client's coroutines, on the portal's thread, and wait for its result.

        Raises:
            RuntimeError: this is the portal's own thread, which would wait for itself.
        """
        return portal().call(work)

    async def learn(self, *parts: Part, again: bool = False) -> KnownApp:
        """Ask the server what is not known yet of the app, its form and its name unless other parts are asked for.

        Args:
            parts: "parameters" (its form), "info", "site", "meta".
            again: ask for it whatever is known: the app may have changed.

        Raises:
            AuthenticationError, ConfigError, ConnectError: asking a question would fail in the same way.
        """
        client = self.client
        if self._cache is not client._cache:
            self._cache, self._unavailable = client._cache, set()
        self.app = await learn(client, *(parts or ("parameters", "info")), again=again, unavailable=self._unavailable)
        return self.app

    def fit(
        self,
        door: EntryPoint,
        given: Mapping[str, Value],
        before: Mapping[str, Value] | None = None,
        *,
        later: bool = False,
        filled: bool = False,
        picked: Picked | None = None,
    ) -> Fitted:
        """The inputs of a question as they will be sent, checked by the app's form as far as it is known.

        Args:
            door: where the values were entered (`app.words`: CELL, PYTHON or PANEL), which has its own messages.
            given, before, later, filled, picked: as for `KnownApp.fit`.

        Raises:
            InputError: a value is not in the form, does not fit, would be ignored, or is missing.
        """
        return in_words(door, self.app.fit, given, before, later=later, filled=filled, picked=picked)

    def new(self) -> None:
        """The next question begins a new conversation."""
        self.conversation_id = None

    def subscribe(self, listener: Callable[[Run, bool], object]) -> Callable[[], None]:
        """Call `listener` as `listener(run, False)` before each run begins, and as `listener(run, True)` when it has
        ended and its turn is in `turns`. On the thread where that happens, so it sets or starts something and returns.

        Returns:
            A function that ends the subscription.
        """
        self._listeners += (listener,)

        def unsubscribe() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    @property
    def running(self) -> Run | None:
        """The answer that is running; of several the one that was asked for last. None when nothing runs."""
        runs = self._runs
        return runs[-1] if runs else None

    def stop(self) -> concurrent.futures.Future[bool] | None:
        """Stop all that is running and return at once.

        Returns:
            A future: whether the server confirmed each stop. None when nothing runs.
        """
        stopping = [run.stop() for run in self._runs]
        if len(stopping) < 2:
            return stopping[0] if stopping else None
        return portal().submit(_all_of(stopping))

    def replace(self, turn: Turn) -> None:
        """Put `turn` in place of the one with the same message (which was rated, say)."""
        with self._lock:
            self.turns.put(turn)

    def turn_number(self, conversation_id: str | None) -> int | None:
        """Which turn of the conversation `conversation_id` the next would be, from 1; None where it is not known."""
        if conversation_id is None:
            return 1
        count = self._counts.get(conversation_id)
        return None if count is None else count + 1

    def ask(
        self,
        query: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        files: Sequence[FileInput] | None = None,
        conversation_id: str | None = "",
        keep: bool = True,
        timeout: float | None = None,
        auto_generate_name: bool = True,
        conversation_name: str | None = None,
    ) -> Run:
        """Ask, and return at once; the answer streams in the portal's thread.

        Args:
            query, inputs, files, auto_generate_name: as for `chat.send`.
            conversation_id: another conversation than the session's, which is ""; None begins a new one.
            keep: whether the session goes on with that conversation afterwards.
            timeout: seconds for the whole turn, uploads included; then it is stopped. None is no limit.
            conversation_name: what the turn calls its conversation; the server is not told.

        Raises:
            InputError: an argument cannot be sent. What the server refuses later is `error` of the run.
            ConfigError: `DIFY_NOTEBOOK_RUNS` says neither yes nor no.
        """
        target = self.conversation_id if conversation_id == "" else conversation_id
        runs_wanted()  # raises what is wrong with that setting
        stream = self.client.chat.stream(
            query,
            inputs=inputs,
            conversation_id=target,
            files=files,
            timeout=timeout,
            auto_generate_name=auto_generate_name,
        )
        if stream.tape is not None:  # nothing has come yet
            stream.tape = Tape(spool=(self._store or run_store()).spool)
        number = self.turn_number(target)

        def decorate(turn: Turn) -> Turn:
            info = self.client.app_info
            return msgspec.structs.replace(
                turn,
                turn_number=number,
                conversation_name=conversation_name,
                app=turn.app or (info.name if info else None),
            )

        def on_end(run: Run) -> None:
            try:
                self._ended(run, number)
            finally:
                self._announce(run, True)

        run = Run(stream, query=query, target=target, keep=keep, decorate=decorate, on_end=on_end)
        with self._lock:
            self._runs += (run,)
        self._announce(run, False)
        run._begin()
        return run

    def _announce(self, run: Run, ended: bool) -> None:
        for listener in self._listeners:
            try:
                listener(run, ended)
            except Exception:  # somebody's callback: the answer goes on
                log.exception("a listener of the session failed")

    def _forget(self, run: Run) -> None:
        self._runs = tuple(other for other in self._runs if other is not run)

    def _ended(self, run: Run, number: int | None) -> None:
        """Put a finished turn away. Runs in a worker thread, once for each run."""
        try:
            turn = run.turn
        except BaseException:
            with self._lock:
                self._forget(run)
            raise
        with self._lock:
            if turn.conversation_id and turn.message_id:
                if number is not None:
                    self._counts[turn.conversation_id] = number
                if run.keep:
                    self.conversation_id = turn.conversation_id
            self.turns.append(turn)
            self._forget(run)
        if run.tape is not None:
            self._store_tape(run.tape, turn)

    def _store_tape(self, tape: Tape, turn: Turn) -> None:
        """Store the tape and read it from there from now on; where it is not stored, it stays in memory for a while."""
        path = store = None
        try:
            if not tape.entries:
                return
            tape.header = msgspec.structs.replace(
                tape.header, message_id=turn.message_id, app=turn.app, status=turn.status
            )
            store = self._store or run_store()
            path = store.add(tape, turn.message_id or "run")
        except TapeGone:  # it failed while the answer came, and that was said
            return
        except Exception as problem:  # whatever a disk or a clock does: the answer is there
            not_kept(problem, store.directory if store else None)
        if path is not None:
            tape.stored(path)
            return
        with self._lock:
            self._unstored.append(tape)
            size = sum(tape_.entries.size for tape_ in self._unstored)
            while len(self._unstored) > UNSTORED or (size > UNSTORED_BYTES and len(self._unstored) > 1):
                oldest = self._unstored.popleft()
                size -= oldest.entries.size
                oldest.forget(t("tape.not_stored", count=UNSTORED))
