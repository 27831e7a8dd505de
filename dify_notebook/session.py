"""Who holds a conversation: its turns, those that are running (`net.background`), and how to stop them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from .app.entry_points import EntryPoint, as_input_error
from .app.files import Picked
from .app.known import Fitted, KnownApp
from .app.origin import Value
from .errors import APIError, InputError
from .i18n import t
from .logs import logger
from .net.app_cache import AppCache, Part, learn
from .net.ask import Asked, ask
from .net.background import Run as Run
from .net.client import AsyncDify
from .net.files import FileInput
from .net.forms import SUBMITTED
from .net.portal import portal
from .net.resumed_stream import resume
from .net.stream import ChatStream
from .net.sync import Dify
from .printable import MESSAGE, one_line
from .tape import RunStore, Tape, Turns
from .tape.keeper import TapeKeeper
from .tape.store import runs_wanted
from .turn.state import Form, Placing, Turn

T = TypeVar("T")
log = logger()


async def _all_of(answers: Sequence[concurrent.futures.Future[bool]]) -> bool:
    return all(await asyncio.gather(*map(asyncio.wrap_future, answers)))


class SessionLink:
    """What the forms of a session's turn are submitted through: its run goes on in the session, wherever that is shown.

    Args:
        turn: gives the turn that waits.
    """

    def __init__(self, session: Session, turn: Callable[[], Turn]) -> None:
        self._session = session
        self.turn = turn
        self.variable: str | None = None
        """What holds the turn in a notebook, as an expression; "" where nothing does, None where that is not known."""

    def __repr__(self) -> str:
        return f"<Link {self._session!r}>"

    def submit(self, form: Form, action: str, inputs: Mapping[str, Any]) -> Turn:
        """Answer the form; the turn at the end of its run, or at its next pause."""
        return self._session.call(self._session._submit(form, action, inputs, awaited=True)).outcome()


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
        self._tapes = TapeKeeper(store)
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._resuming = threading.RLock()

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
            parts: "parameters" (its form), "mode" (and so "info"), "info", "site", "meta".
            again: ask for it whatever is known: the app may have changed.

        Raises:
            AuthenticationError, ConfigError, ConnectError: asking a question would fail in the same way.
        """
        client = self.client
        if self._cache is not client._cache:
            self._cache, self._unavailable = client._cache, set()
        self.app = await learn(client, *(parts or ("parameters", "mode")), again=again, unavailable=self._unavailable)
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
            door: where the values were entered (`app.entry_points`: CELL, PYTHON or PANEL), which has its own messages.
            given, before, later, filled, picked: as for `KnownApp.fit`.

        Raises:
            InputError: a value is not in the form, does not fit, would be ignored, or is missing.
        """
        return as_input_error(door, self.app.fit, given, before, later=later, filled=filled, picked=picked)

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
        """Put `turn` in place of the one with the same message (which was rated, say), or run where it has none."""
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
        query: str | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        files: Sequence[FileInput] | None = None,
        conversation_id: str | None = "",
        keep: bool = True,
        timeout: float | None = None,
        auto_generate_name: bool = True,
        conversation_name: str | None = None,
        workflow_id: str | None = None,
        placing: Placing | None = None,
    ) -> Run:
        """Ask, in the way of the app's mode, and return at once; the answer streams in the portal's thread.

        Args:
            query: the question; None for apps that take their text as an input (workflows and completions).
            inputs, files, auto_generate_name, workflow_id: as for `chat.send`.
            conversation_id: another conversation than the session's, which is ""; None begins a new one.
            keep: whether the session goes on with that conversation afterwards.
            timeout: seconds for the whole turn, uploads included; then it is stopped. None is no limit.
            conversation_name: what the turn calls its conversation; the server is not told.
            placing: what the turn says of how it came to stand where it stands.

        Raises:
            InputError: an argument cannot be sent. What the server refuses later is `error` of the run.
            ConfigError: `DIFY_NOTEBOOK_RUNS` says neither yes nor no.
        """
        target = self.conversation_id if conversation_id == "" else conversation_id
        runs_wanted()  # raises what is wrong with that setting
        if query is None and self.client._cache.app.mode is None:
            self.call(self.learn("mode"))
        stream = ask(
            self.client,
            Asked(
                query=query,
                inputs=inputs,
                conversation_id=target,
                files=files,
                timeout=timeout,
                auto_generate_name=auto_generate_name,
                workflow_id=workflow_id,
            ),
        )
        number = self.turn_number(target) if query is not None else None
        return self._start(
            stream, number, conversation_name, placing, query=query or "", target=target, keep=keep
        )

    def resume(
        self, run: Turn | str, *, keep: bool = False, timeout: float | None = None, awaited: bool = False
    ) -> Run:
        """Go on with a run that paused, or whose connection was lost, and return at once (see `chat.resume`).

        The run's turn is put in place of the one in `turns`; where the server refuses, that stays as it is.

        Args:
            run: the turn, or the id of its run.
            keep: whether the session goes on with that conversation afterwards.
            timeout: as for `ask`.
            awaited: whether a cell does nothing but wait for it.

        Returns:
            One that runs already where there is one.

        Raises:
            InputError: the turn has no run. What the server refuses later is `error` of the run.
            ConfigError: `DIFY_NOTEBOOK_RUNS` says neither yes nor no.
        """
        runs_wanted()
        turn = Turn(workflow_run_id=run) if isinstance(run, str) else run
        with self._resuming:
            for running in self._runs:
                if running.resumes is not None and running.resumes.workflow_run_id == turn.workflow_run_id:
                    return running
            return self._start(
                resume(self.client, run, timeout=timeout),
                turn.turn_number,
                turn.conversation_name,
                turn.placing,
                query=turn.query or "",
                target=turn.conversation_id,
                keep=keep,
                resumes=turn,
                awaited=awaited,
            )

    def submit(
        self, form: Form, *, action: str, inputs: Mapping[str, Any] | None = None, turn: Turn | None = None
    ) -> concurrent.futures.Future[Run]:
        """Answer a form, and return at once; its run goes on as of `resume`.

        Args:
            form: a form of one of its turns.
            action, inputs: as for `forms.submit`.
            turn: the turn that waits, where it is none of those that were had here.

        Returns:
            A future: the run that goes on. It raises what `forms.submit` raises, where the form was not taken. Where
            that is since somebody else answered it, its run goes on all the same.
        """
        return portal().submit(self._submit(form, action, inputs, turn))

    async def _submit(
        self,
        form: Form,
        action: str,
        inputs: Mapping[str, Any] | None,
        turn: Turn | None = None,
        *,
        awaited: bool = False,
    ) -> Run:
        run = form.workflow_run_id or (turn and turn.workflow_run_id)
        if not run:
            raise InputError(t("forms.no_run"), code="run")
        runs_wanted()  # before anything is sent
        known = self.turns.of_run(run) or turn or (form.link.turn() if isinstance(form.link, SessionLink) else run)
        try:
            await self.client.forms.submit(form, action=action, inputs=inputs)
        except APIError as problem:
            if problem.code == SUBMITTED:
                await asyncio.to_thread(self.resume, known)
            raise
        return await asyncio.to_thread(self.resume, known, awaited=awaited)

    def _start(
        self,
        stream: ChatStream,
        number: int | None,
        conversation_name: str | None,
        placing: Placing | None,
        **known: Any,
    ) -> Run:
        """The run of that stream, begun; `number`: which turn of its conversation it is."""
        if stream.tape is not None:  # nothing has come yet
            stream.tape = Tape(spool=self._tapes.spool)

        def decorate(turn: Turn) -> Turn:
            info = self.client.app_info
            return msgspec.structs.replace(
                turn,
                turn_number=number,
                conversation_name=conversation_name,
                placing=placing,
                app=turn.app or (info.name if info else None),
                server=turn.server or self.client.base_url,  # this and the mode are shown before anything was sent
                app_mode=turn.app_mode or self.client._cache.app.mode or None,
            )

        def on_end(run: Run) -> None:
            try:
                self._ended(run, number)
            finally:
                self._announce(run, True)

        run = Run(stream, decorate=decorate, on_end=on_end, **known)
        stream.link = SessionLink(self, lambda: run.turn)
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
        refused = run.resumes is not None and run.error is not None  # it could not be read on: the turn waits as it did
        if run.tape is not None and not refused:
            self._tapes.keep(run.tape, turn)  # a turn that is kept by reference refers to it
        with self._lock:
            if turn.conversation_id and turn.message_id and not refused:
                if number is not None and run.resumes is None:
                    self._counts[turn.conversation_id] = number
                if run.keep:
                    self.conversation_id = turn.conversation_id
            if (run.resumes is None or not self.turns.put(turn)) and not refused:
                self.turns.append(turn)
            self._forget(run)
        answered = self.client._answered
        waiting = turn.status == "paused" and not refused
        if waiting and any(form.status == "waiting" and form.id in answered for form in turn.forms):
            run.next = self.resume(turn, awaited=run.awaited)

    @property
    def store(self) -> RunStore:
        """Where its tapes are kept."""
        return self._tapes.store
