"""A question whose answer streams in the portal's thread, while whoever shows it takes snapshots at its own pace."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable

import msgspec

from ..errors import DifyError, raise_for_turn
from ..i18n import t
from ..tape import Tape
from ..turn.state import MessageFile, Turn, TurnError
from ..wire.events import Ping
from .bounds import size_text
from .portal import portal
from .stream import ChatStream

#: Seconds that fetching an answer's images may take, all together.
PICTURE_SECONDS = 10.0
PICTURES, PICTURES_BYTES, PICTURES_AT_ONCE = 100, 50_000_000, 8
#: Seconds that those who show a run may take to show its end, for whoever waits for that.
SHOWN_SECONDS = 5.0
#: Seconds that a stop may take after an Interrupt; the run itself gives up after 3.
STOPPED_SECONDS = 4.0


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
        resumes: Turn | None = None,
        awaited: bool = False,
    ) -> None:
        self.query = query
        """What was asked."""
        self.target = target
        """The conversation that it was asked in; None began a new one."""
        self.keep = keep
        """Whether the session goes on with that conversation afterwards; may be changed until the end."""
        self.resumes = resumes
        """The turn that it goes on with, which was paused or lost; None where it is a question of its own."""
        self.awaited = awaited
        """Whether a cell does nothing but wait for it."""
        self.next: Run | None = None
        """The run that goes on with it where it ended at a pause whose form had been answered meanwhile."""
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
        self._shown: tuple[threading.Event, ...] = ()
        self._started = time.monotonic()
        self.error: DifyError | None = None
        """Why the question was refused, where it was; the turn tells it too."""

    def _begin(self) -> None:
        portal().submit(self._stream_all())

    def watch(self, event: threading.Event) -> None:
        """Set `event` with each change from now on, the end included; several may watch."""
        self._watchers += (event,)
        event.set()

    def show(self) -> threading.Event:
        """For whoever shows it beside its caller: an event to set once its end is shown, which `outcome` waits for."""
        shown = threading.Event()
        self._shown += (shown,)
        return shown

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
        """The stream's turn; of a question that was refused before any of it was sent, a turn that says so.

        Of a run that could not be read on, it is the turn as it was, with the forms that were answered meanwhile.
        """
        turn = self._stream.turn
        if self.error is not None and self.resumes is not None and self.resumes.status != "running":
            return msgspec.structs.replace(self.resumes, forms=turn.forms)
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
        client, slots, taken = self._stream.client, asyncio.Semaphore(PICTURES_AT_ONCE), 0
        too_many = t("net.too_many_pictures", count=PICTURES, limit=size_text(PICTURES_BYTES))

        async def fetch(file: MessageFile) -> MessageFile:
            nonlocal taken
            async with slots:
                if taken >= PICTURES_BYTES:
                    return msgspec.structs.replace(file, data_error=too_many)
                found = await client.files.fetch(file)
                taken += len(found.data or b"")
                return found

        under_way = {file: asyncio.ensure_future(fetch(file)) for file in pictures[:PICTURES]}
        try:
            done, pending = await asyncio.wait(under_way.values(), timeout=PICTURE_SECONDS)
        finally:
            for task in under_way.values():
                task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        why = t("net.timeout", host=client.settings.host)
        fetched = {file: msgspec.structs.replace(file, data_error=too_many) for file in pictures[PICTURES:]}
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

    def wait_shown(self) -> None:
        """Wait until those who show it beside its caller show its end: some seconds at most."""
        deadline = time.monotonic() + SHOWN_SECONDS
        for shown in self._shown:
            shown.wait(max(0.0, deadline - time.monotonic()))

    def outcome(self) -> Turn:
        """Wait until it has ended, with all that followed, and is shown; the turn, whatever it came to.

        An Interrupt stops it, and is raised once it has ended.

        Raises:
            DifyError: the server refused it or could not be reached.
        """
        run = self
        while True:
            try:
                run.result()
            except KeyboardInterrupt:
                run.stop()
                run._done.wait(STOPPED_SECONDS)
                raise
            if run.next is None:
                break
            run = run.next
        run.wait_shown()
        if run.error is not None:
            raise run.error
        return run.turn

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
