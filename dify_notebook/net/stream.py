"""One answer as it comes: events, the turn so far, and how to stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from ..errors import DifyError
from ..i18n import t
from ..logs import say_once
from ..tape import Header, Tape
from ..turn.state import Turn
from ..wire import events as ev
from ..wire.calls import Call, follow_run, stop_chat_message
from ..wire.decoder import decode
from ..wire.sse import BEGINNINGS, KIND, Frame, Splitter
from ..wire.surrogates import Surrogates
from .bodies import joined, pieces
from .bounds import spoken
from .interrupting import Interrupts
from .responses import blocking_events, is_stream, kind_of, too_large
from .resume import Resume
from .retry import RetryBudget
from .shared import SharedBuilder
from .thread import who_waits
from .transport import as_error, place_of

if TYPE_CHECKING:
    from .client import AsyncDify

#: Seconds that a stop may take: to learn the task's id, to be confirmed, to end the stream.
STOP_SECONDS = 3.0

#: Seconds that a stream has to end at least once its stop is confirmed, however long that took.
LAST_SECONDS = 0.5

#: How often a run is followed again after a loss, and the seconds that each may take to begin.
FOLLOWS = 3
FOLLOW_SECONDS = 5.0


class ChatStream:
    """The events of one answer, in order; a context manager and an async iterator.

    It never raises for what the stream says: errors, lost connections and time running
    out are part of `turn`. Entering it raises `DifyError` where the server refuses the
    question or cannot be reached; `exc.turn` is then the failed turn.

    async with dify.chat.stream("hi") as stream:
        async for event in stream:
            print(event)
    stream.turn
    """

    def __init__(
        self, dify: AsyncDify, call: Call[Any], sent: ev.Sent, *, timeout: float | None = None, tape: bool = True
    ) -> None:
        self._dify = dify
        self._call = call
        self._sent = sent
        self._timeout = timeout
        self._spent = 0.0  # seconds of it that went by before the question was sent
        self._builder = SharedBuilder()
        self._response: httpx.Response | None = None
        self._opened: httpx.Response | None = None  # the same, also where a cancelling kept us from taking it
        self._body: AsyncIterator[bytes] | None = None
        self._events: AsyncGenerator[ev.Event, None] | None = None
        self._t0 = 0.0
        self._ended = asyncio.Event()
        self._known = asyncio.Event()  # the task's id is known, or never will be
        self._stopping: asyncio.Task[bool] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._grace: asyncio.Task[None] | None = None
        self._interrupts = Interrupts()
        self._opening: asyncio.Future[Any] | None = None  # what is waited for before there is a response
        self._leaves = False  # whether the question was sent, or is about to be
        self._at_hand = 0
        self._cut: ev.Event | None = None  # why this side ended it
        self.tape: Tape | None = Tape() if tape else None

    # -- reading -------------------------------------------------------------------

    @property
    def client(self) -> AsyncDify:
        """The client that asks."""
        return self._dify

    @property
    def turn(self) -> Turn:
        """The turn as it is now; its tape is attached once it has ended."""
        return self.seen()[1]

    def seen(self) -> tuple[int, Turn]:
        """`version` and the `turn` that belongs to it, for whoever looks from another thread."""
        version, turn = self._builder.seen()
        if self._ended.is_set() and self.tape is not None and turn.tape is None:
            turn = msgspec.structs.replace(turn, tape=self.tape)
        return version, turn

    @property
    def now(self) -> float:
        """Seconds since the question was sent."""
        return time.monotonic() - self._t0 if self._t0 else 0.0

    @property
    def version(self) -> int:
        """Grows with every change of `turn`."""
        return self._builder.version

    @property
    def task_id(self) -> str | None:
        """Dify's id of the running task, known with the first event."""
        return self._builder.task_id

    @property
    def more_at_hand(self) -> bool:
        """Whether the next event has come already, with the last one's bytes."""
        return self._at_hand > 0

    def __aiter__(self) -> AsyncIterator[ev.Event]:
        if self._events is None:
            raise RuntimeError(t("net.stream_not_open"))
        return self._events

    async def read(self) -> Turn:
        """Read to the end and give the turn. Raises nothing for what the stream says."""
        async for _ in self:
            pass
        return self.turn

    # -- opening and closing ---------------------------------------------------------

    async def __aenter__(self) -> ChatStream:
        self._t0 = time.monotonic()
        self._sent.created_at = datetime.now(UTC)
        self._apply(self._sent)
        if self.tape is not None:
            sent = self._sent
            self.tape.header = Header(
                created_at=sent.created_at.isoformat(),
                query=sent.query,
                server=sent.server,
                app=sent.app,
                user=sent.user,
            )
        if self._cut is not None:  # it was stopped before
            self._apply(ev.StopRequested(at=self.now))
            self._apply(self._cut)
            return await self._with_nothing()
        self._leaves = True
        if (left := self._remaining) is not None:
            if left <= 0:
                self._apply(ev.DeadlineExceeded(at=self.now, seconds=self._timeout or 0.0))
                return await self._with_nothing()
            self._watchdog = asyncio.create_task(self._watch(left))
        self._interrupts.begin()
        problem: DifyError | None = None
        # A task of its own, so that a stop can end the waiting without touching the caller.
        self._opening = self._open(self._call)
        try:
            self._response = await self._opening
            self._apply(ev.Opened(at=self.now))
            self._body = pieces(self._response)
            if not await self._is_stream(self._response):
                problem = await self._other_than_a_stream(self._response)
        except DifyError as raised:  # no place for one more
            problem = raised
        except (httpx.HTTPError, httpx.StreamError, OSError) as raised:
            if self._cut is None:
                problem = as_error(raised, self._call.attempted, self._dify.settings.host)
            else:
                self._apply(self._cut)
        except asyncio.CancelledError as cancelled:
            if self._cut is None:
                self._apply(ev.Cancelled(at=self.now))
                await self._close()
                raise self._interrupts.told(cancelled, self.turn) from None
            self._apply(self._cut)
        if problem is not None:
            self._apply(ev.Rejected(at=self.now, code=problem.code, message=problem.message, status=problem.status))
            await self._close()
            problem.turn = self.turn
            raise problem
        if self._builder.status == "running":
            self._events = self._read()
            return self
        return await self._with_nothing()

    async def _with_nothing(self) -> ChatStream:
        """It has ended before there was any event to read."""
        self._events = _nothing()
        await self._close()
        return self

    @property
    def _remaining(self) -> float | None:
        """Seconds that the turn may take from the question on; None where there is no limit."""
        return None if self._timeout is None else self._timeout - self._spent

    def _open(self, call: Call[Any]) -> asyncio.Future[httpx.Response]:
        owner = who_waits()

        async def opening() -> httpx.Response:
            self._opened = await self._dify._open(call, accept=KIND, owner=owner)
            return self._opened

        return asyncio.ensure_future(opening())

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A closed socket is not a stop: who leaves early tells the server (3 s at most).
        if self._builder.status == "running":
            if self._stopping is None and self.task_id:
                await self._post_stop()
            self._apply(ev.Cancelled(at=self.now))
        await self._close()
        if isinstance(problem, asyncio.CancelledError):
            told = self._interrupts.told(problem, self.turn)
            if told is not problem:
                raise told from None

    async def _close(self) -> None:
        self._ended.set()
        self._known.set()
        self._interrupts.end()
        for task in (self._watchdog, self._grace):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if self._events is not None:
            await self._events.aclose()
        for response in (self._response, self._opened):
            if response is not None:
                await response.aclose()
        if self.tape is not None:
            turn = self._builder.turn()
            head = self.tape.header
            head.conversation_id, head.message_id, head.status = turn.conversation_id, turn.message_id, turn.status

    async def _is_stream(self, response: httpx.Response) -> bool:
        """Whether the body is events: by its type, or where a gateway lost that, by how it begins."""
        kind = kind_of(response)
        if response.status_code >= 300 or "html" in kind or "json" in kind:
            return False
        if is_stream(response):
            return True
        assert self._body is not None
        begun = b""
        async for chunk in self._body:
            begun += chunk
            if len(begun) >= len(max(BEGINNINGS, key=len)):
                break
        self._body = _after(begun, self._body)
        return begun.startswith(BEGINNINGS)

    async def _other_than_a_stream(self, response: httpx.Response) -> DifyError | None:
        as_told = response.status_code < 300 and "json" in kind_of(response)
        most = self._dify.bounds.body if as_told else self._dify.bounds.error
        assert self._body is not None
        body, whole = await joined(self._body, most)
        body = self._dify.settings.api_key.taken_out_of(body)
        if as_told and not whole:
            return too_large(most, response.status_code, self._call.attempted)
        if as_told:
            # A gateway, or an app that answers whole: take it as a blocking answer.
            try:
                events = blocking_events(body, self.now)
            except ValueError:
                pass
            else:
                for event in events:
                    self._apply(event)
                self._events = _nothing()
                return None
        return await self._dify._error_of(response, body, self._call, whole=whole)

    # -- events ----------------------------------------------------------------------

    def _apply(self, event: ev.Event) -> None:
        self._builder.apply(event)
        if not self._known.is_set() and self._builder.task_id:
            self._known.set()

    async def _read(self) -> AsyncGenerator[ev.Event, None]:
        """The events of the body, and of the run where it is followed; sees to the end whatever that is."""
        clean, key = self._dify.settings.api_key.taken_out_of, self._dify.settings.api_key.reveal().encode()
        rejoin, again, left = Resume(), 0, self._dify.bounds.stream
        end: ev.Event | None = None
        try:
            while True:
                splitter, halves = Splitter(self._dify.bounds.line), Surrogates()
                try:
                    self._holds()
                    assert self._body is not None
                    async for chunk in self._body:
                        at = time.monotonic() - self._t0
                        frames = splitter.feed(chunk)
                        self._at_hand = len(frames)
                        for frame in frames:
                            self._at_hand -= 1
                            if frame[1] is not None and key in frame[1]:
                                frame = (frame[0], clean(frame[1]))
                            event = decode(frame, at, halves)
                            if not again:
                                rejoin.note(event)
                                self._keep(frame, event)
                                yield event
                                continue
                            for new in rejoin.take(event):
                                self._keep(frame if new is event else None, new)
                                if not isinstance(new, ev.Resumed):
                                    yield new
                        left -= len(chunk)
                        if splitter.too_long or left < 0:
                            break
                        self._holds()
                    rest = clean(splitter.rest())
                    if splitter.too_long or left < 0:
                        end = self._cut or await self._left(rest, "line" if splitter.too_long else "stream")
                        break
                    for event in (last := self._last(rest, halves, rejoin if again else None)):
                        yield event
                    end = self._cut or ev.StreamEnd(at=self.now, rest=b"" if last else rest)
                except httpx.ReadTimeout:
                    end = self._cut or ev.DeadlineExceeded(at=self.now)
                except (httpx.HTTPError, httpx.StreamError, OSError) as problem:
                    words = str(problem) or type(problem).__name__
                    end = self._cut or ev.Disconnected(at=self.now, message=words, rest=clean(splitter.rest()))
                if again >= FOLLOWS or not await self._follow():
                    break
                again += 1
                end = None
                turn = self._builder.turn()
                rejoin.follow(turn.answer_raw, turn.reasoning_chunks)
                self._apply(ev.Resumed(at=self.now, message=t("net.followed")))
            if self._stopping is not None:  # the stream may end before the stop is confirmed
                await asyncio.wait([self._stopping], timeout=STOP_SECONDS)
            if rejoin.following and self._builder.status == "running":
                for new in rejoin.end(self.now):
                    self._apply(new)
        finally:
            # Whoever was cancelled, or leaves early, says so on leaving (`__aexit__`).
            if end is not None:
                self._apply(end)
                self._ended.set()
                self._known.set()

    def _holds(self) -> None:
        """Whoever waits for the body's next part is who holds the connection."""
        place = place_of(self._response) if self._response is not None else None
        if place is not None:
            place.owner = who_waits()

    async def _left(self, rest: bytes, name: str) -> ev.Event:
        """An event or the stream is longer than is taken: the answer ends here, and the server is told."""
        if self._builder.status == "running" and self._stopping is None and self.task_id:
            await self._post_stop()
        told = t("net.too_large", limit=spoken(getattr(self._dify.bounds, name)), name=name)
        return ev.Disconnected(at=self.now, code="too_large", message=told, rest=rest)

    def _last(self, rest: bytes, halves: Surrogates, rejoin: Resume | None) -> list[ev.Event]:
        """The last event where it is whole and only the blank line behind it was lost, and the body ended well."""
        whole = rest.startswith((b"data", b"{")) and self._cut is None
        frames = Splitter().feed(rest + b"\n\n") if whole else []
        if len(frames) != 1 or isinstance(event := decode(frames[0], self.now, halves), ev.Unknown):
            return []
        found = [event] if rejoin is None else rejoin.take(event)
        for new in found:
            self._keep(frames[0] if new is event else None, new)
        return [new for new in found if not isinstance(new, ev.Resumed)]

    def _keep(self, frame: Frame | None, event: ev.Event) -> None:
        """Take an event in, and on the tape. One that was made up here has no frame of its own."""
        if self.tape is not None:
            try:
                self.tape.append(event.at, frame or ("", msgspec.json.encode(event)))
            except Exception as problem:  # whatever a disk does: the answer goes on
                told = t("tape.failed", problem=str(problem) or type(problem).__name__)
                say_once("tape", told)
                self.tape.forget(told)
        self._apply(event)

    async def _follow(self) -> bool:
        """After a loss: read on where the server tells the run's events again (newer than Dify 1.12).

        Not when this side ended it, not for chat and agent apps, which have no run, and not when the
        run is over. Whether the server knows how is found by asking.
        """
        run = self._builder.unfinished_run
        if run is None or self._cut is not None or self._stopping is not None:
            return False
        assert self._response is not None
        await self._response.aclose()
        self._response = None
        call = follow_run(run, user=self._sent.user or "")
        patience = RetryBudget(FOLLOW_SECONDS)
        while self._cut is None and self._stopping is None:
            self._opening = self._open(call)
            try:
                response = await self._opening
            except (httpx.HTTPError, OSError, DifyError):
                wait = patience.after_failure()
            except asyncio.CancelledError:
                if self._cut is None:
                    raise
                return False
            else:
                if response.status_code == 200 and is_stream(response):
                    self._response, self._body = response, pieces(response)
                    return True
                await response.aclose()
                wait = patience.after_status(response.status_code, response.headers.get("retry-after"))
            if wait is None:
                return False
            await patience.rest(wait)
        return False

    async def _watch(self, seconds: float) -> None:
        """When the time for the whole turn is over: stop as a person would, then say why."""
        await asyncio.sleep(seconds)
        if self._builder.status == "running":
            over = ev.DeadlineExceeded(at=self.now, seconds=seconds)
            self._apply(over)
            if self.task_id:
                self._stopping = asyncio.create_task(self._stop())
            else:  # nothing that could be stopped by its name, and no time to learn it
                await self._end_here(over)

    async def _end_here(self, why: ev.Event) -> None:
        """End the reading from this side, wherever it waits."""
        if self._ended.is_set() or self._cut is not None:
            return
        self._cut = why
        if self._response is not None:
            await self._response.aclose()  # whoever reads meets the end
        elif self._opening is not None:
            self._opening.cancel()

    # -- stopping --------------------------------------------------------------------

    async def stop(self) -> bool:
        """Ask the server to stop, with the user who asked; the partial answer stays in `turn`.

        Returns whether the server confirmed. Dify says yes to any task, also to one that it
        does not know; what a real stop does is end the stream, usually within 0.2 s. Go on
        reading to see that end. Where it does not come within 3 s, the connection is closed.
        Before the first event the task has no name yet: the stop waits for it, 3 s at most. While files
        are uploaded nothing runs on the server: then the question is not sent at all.
        """
        if self._ended.is_set() or self._builder.status != "running":
            return False
        if not self._leaves:
            await self._end_here(ev.Cancelled(at=self.now))
            return False
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        return await asyncio.shield(self._stopping)

    async def _stop(self) -> bool:
        # Said before it is confirmed: the stream may end while the confirmation is on its way.
        begun = time.monotonic()
        self._apply(ev.StopRequested(at=self.now))
        confirmed = await self._post_stop()
        self._apply(ev.StopRequested(at=self.now, confirmed=confirmed))
        if not self._ended.is_set():
            left = STOP_SECONDS - (time.monotonic() - begun) if self.task_id else 0.0
            self._grace = asyncio.create_task(self._after_grace(max(left, LAST_SECONDS if confirmed else 0.0)))
        return confirmed

    async def _after_grace(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._end_here(ev.Cancelled(at=self.now))

    async def _post_stop(self) -> bool:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._known.wait()
                if self.task_id is None:
                    return False
                answer = await self._dify._send(
                    stop_chat_message(self.task_id, user=self._sent.user or ""), aside=True
                )
                return bool(answer.result == "success")
        except (DifyError, TimeoutError):
            return False  # told as `stop_confirmed` False


async def _nothing() -> AsyncGenerator[ev.Event, None]:
    nothing: tuple[ev.Event, ...] = ()
    for event in nothing:
        yield event


async def _after(begun: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if begun:
        yield begun
    async for chunk in rest:
        yield chunk
