"""One answer as it comes: events, the turn so far, and how to stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from ..errors import DifyError
from ..i18n import t
from ..logs import warn_once
from ..tape import Header, Tape
from ..turn.price import price_of
from ..turn.state import Turn
from ..wire import events as ev
from ..wire.calls import Call, follow_run
from ..wire.decoder import encoded, own_frame
from ..wire.sse import MEDIA_TYPE, Frame
from .bodies import iter_decoded, read_chunks
from .bounds import size_text
from .event_reader import EventReader, Framed
from .exceptions import bare
from .follower import Follower
from .forms import Link, linked
from .interrupting import Interrupts
from .portal import on_portal
from .responses import blocking_events, content_type_of, events_body, too_large
from .shared_builder import SharedBuilder
from .silence import Silence
from .stored_message import stored_message
from .stored_run import end_bytes, has_ended, stored_run, unknown_end, unless_left
from .thread import current_owner
from .transport import as_error, permit_of
from .ways import CHAT, Way

if TYPE_CHECKING:
    from ..turn.forms import FormLink
    from .client import AsyncDify

#: Seconds that a stop may take: to learn the task's id, to be confirmed, to end the stream.
STOP_SECONDS = 3.0

#: Seconds that a stream has to end at least once its stop is confirmed, however long that took.
LAST_SECONDS = 0.5


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
        self,
        dify: AsyncDify,
        call: Call[Any],
        sent: ev.Sent,
        *,
        timeout: float | None = None,
        tape: bool = True,
        way: Way = CHAT,
    ) -> None:
        self._dify = dify
        self._call = call
        self._sent = sent
        self._way = way
        self._timeout = timeout
        self._spent = 0.0  # seconds of it that went by before the question was sent
        self._builder = SharedBuilder()
        self._response: httpx.Response | None = None
        self._latest_response: httpx.Response | None = None  # the same, also where a cancelling kept us from taking it
        self._body: AsyncIterator[bytes] | None = None
        self._events: AsyncGenerator[ev.Event, None] | None = None
        self._t0 = 0.0
        self._ended = asyncio.Event()
        self._task_known = asyncio.Event()  # the task's id is known, or never will be
        self._stopping: asyncio.Task[bool] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._silence = Silence(dify.bounds.silence)
        self._silence_over: asyncio.Task[None] | None = None
        self._grace_timer: asyncio.Task[None] | None = None
        self._interrupts = Interrupts()
        self._opening: asyncio.Future[Any] | None = None  # what is waited for before there is a response
        self._sending = False
        self._reader = EventReader(dify.bounds, dify.settings.api_key, alone=way.keeps_runs)
        self._end_reason: ev.Event | None = None  # why this side ended it
        self._link: FormLink | None = None
        self._plain = False  # whether who asked does not await
        self.obeys_interrupts = True
        """Whether an Interrupt in IPython ends it by itself; whoever reads many at once sees to that."""
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
        version, turn = self._builder.snapshot()
        if self._ended.is_set():
            if self.tape is not None and turn.tape is not self.tape:
                turn = msgspec.structs.replace(turn, tape=self.tape)
            if turn.forms:
                turn = linked(turn, self.link, self._dify._answered)
        return version, turn

    @property
    def link(self) -> FormLink:
        """What the turn's forms are submitted through."""
        if self._link is None:
            self._link = Link(self._dify, lambda: self.turn, plain=self._plain)
        return self._link

    @link.setter
    def link(self, link: FormLink) -> None:
        self._link = link

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
    def opened(self) -> bool:
        """Whether a connection is open on which the answer comes: the server took the question."""
        return self._response is not None

    @property
    def sent(self) -> bool:
        """Whether the question was sent, or is about to be; False while its files are uploaded."""
        return self._sending

    @property
    def more_at_hand(self) -> bool:
        """Whether the next event has come already, with the last one's bytes."""
        return self._reader.buffered > 0

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
        self._plain = on_portal()
        self._begin()
        if self._end_reason is not None:  # it was stopped before
            self._tell(ev.StopRequested(at=self.now))
            self._tell(self._end_reason)
            return await self._ended_early()
        remaining = self._remaining
        if remaining is not None and remaining <= 0:
            self._tell(ev.DeadlineExceeded(at=self.now, seconds=self._timeout or 0.0))
            return await self._ended_early()
        self._sending = True
        if remaining is not None:
            self._watchdog = asyncio.create_task(self._watch(remaining))
        self._silence.goes_on(news=True)
        self._silence_over = asyncio.create_task(self._watch_silence())
        if self.obeys_interrupts:
            self._interrupts.begin()
        problem: DifyError | None = None
        # A task of its own, so that a stop can end the waiting without touching the caller.
        self._opening = self._open(self._call)
        try:
            self._response = await self._opening
            self._apply(ev.Opened(at=self.now))
            self._body, is_stream = await events_body(self._response)
            if not is_stream:
                problem = await self._read_other(self._response)
        except DifyError as raised:  # no permit for one more
            problem = raised
        except (httpx.HTTPError, httpx.StreamError, OSError) as raised:
            if self._end_reason is None:
                problem = as_error(raised, self._call.attempted, self._dify.settings.host)
            else:
                self._tell(self._end_reason)
        except asyncio.CancelledError as cancelled:
            if self._end_reason is None:
                self._tell(ev.Cancelled(at=self.now))
                await self._close()
                raise self._interrupts.exception_for(cancelled, self.turn) from None
            self._tell(self._end_reason)
        if problem is not None:
            self._apply(ev.Rejected(at=self.now, code=problem.code, message=problem.message, status=problem.status))
            await self._close()
            problem.turn = self.turn
            raise problem
        if self._builder.status == "running":
            pools = self._dify._pools
            follower = Follower(pools, self._builder, left=self._is_left, opening=self._open_again)
            self._events = self._read(follower)
            return self
        return await self._ended_early()

    def _begin(self) -> None:
        """Say what is asked, to the turn and to the tape."""
        sent = self._sent
        sent.created_at = datetime.now(UTC)
        self._apply(sent)
        if self.tape is not None:
            self.tape.header = Header(
                created_at=sent.created_at.isoformat(),
                query=sent.query,
                server=sent.server,
                app=sent.app,
                user=sent.user,
                app_mode=sent.app_mode,
            )

    async def _ended_early(self) -> ChatStream:
        """It has ended before there was any event to read."""
        self._events = _nothing()
        await self._close()
        return self

    @property
    def _remaining(self) -> float | None:
        """Seconds that the turn may take from the question on; None where there is no limit."""
        return None if self._timeout is None else self._timeout - self._spent

    def _open(self, call: Call[Any]) -> asyncio.Future[httpx.Response]:
        owner = current_owner()

        async def opening() -> httpx.Response:
            self._latest_response = await self._dify._open(call, accept=MEDIA_TYPE, owner=owner)
            return self._latest_response

        return asyncio.ensure_future(opening())

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A closed socket is not a stop: who leaves early tells the server (3 s at most).
        if self._builder.status == "running":
            if self._stopping is None and self.task_id and self._stops_on_leaving:
                await self._post_stop()
            self._tell(ev.Cancelled(at=self.now))
        await self._close()
        if isinstance(problem, asyncio.CancelledError):
            raised = self._interrupts.exception_for(problem, self.turn)
            if raised is not problem:
                raise raised from None

    @property
    def _stops_on_leaving(self) -> bool:
        return True

    async def _close(self) -> None:
        self._ended.set()
        self._task_known.set()
        self._interrupts.end()
        for task in (self._watchdog, self._silence_over, self._grace_timer):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if self._events is not None:
            await self._events.aclose()
        for response in (self._response, self._latest_response):
            if response is not None:
                await response.aclose()
        if self.tape is not None:
            turn = self._builder.turn()
            head = self.tape.header
            head.conversation_id, head.message_id, head.status = turn.conversation_id, turn.message_id, turn.status
            currency = price_of(turn)[1]
            if currency:
                self._dify._cache.update(currency=currency)

    async def _read_other(self, response: httpx.Response) -> DifyError | None:
        expected = response.status_code < 300 and "json" in content_type_of(response)
        limit = self._dify.bounds.body if expected else self._dify.bounds.error
        assert self._body is not None
        body, complete = await read_chunks(self._body, limit)
        body = self._dify.settings.api_key.taken_out_of(body)
        if expected and not complete:
            return too_large(limit, response.status_code, self._call.attempted)
        if expected:
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
        return await self._dify._error_of(response, body, self._call, complete=complete)

    # -- events ----------------------------------------------------------------------

    def _apply(self, event: ev.Event) -> None:
        self._builder.apply(event)
        if not self._task_known.is_set() and self._builder.task_id:
            self._task_known.set()

    async def _read(self, follower: Follower) -> AsyncGenerator[ev.Event, None]:
        """The events of the body, and of the run where it is followed; sees to the end whatever that is."""
        reader = self._reader
        end: ev.Event | None = None
        try:
            while True:
                try:
                    self._take_permit()
                    assert self._body is not None
                    async for chunk in self._body:
                        at, news = time.monotonic() - self._t0, False
                        self._silence.interrupted()
                        for frame in reader.split(chunk):
                            for part, event in reader.read(frame, at):
                                self._record(part, event)
                                news = news or type(event) is not ev.Ping
                                if type(event) is not ev.Resumed:
                                    yield event
                        self._silence.goes_on(news=news)
                        if reader.exceeded or self._builder.status == "paused":
                            break
                        self._take_permit()
                    if reader.exceeded:
                        end = self._end_reason or await self._too_long(reader.rest(), reader.exceeded)
                        break
                    if self._builder.status == "paused":  # a stream that was opened to go on beyond it stays open
                        end = ev.StreamEnd(at=self.now)
                        break
                    last = reader.last(self.now) if self._end_reason is None else []
                    for part, event in last:
                        self._record(part, event)
                    for _, event in last:
                        if not isinstance(event, ev.Resumed):
                            yield event
                    end = self._end_reason or ev.StreamEnd(at=self.now, rest=b"" if last else reader.rest())
                except asyncio.CancelledError as cancelled:
                    chunk, frame = b"", ("", None)
                    raise bare(cancelled) from None
                except httpx.ReadTimeout:
                    end = self._end_reason or ev.DeadlineExceeded(at=self.now)
                except (httpx.HTTPError, httpx.StreamError, OSError) as problem:
                    words = str(problem) or type(problem).__name__
                    end = self._end_reason or ev.Disconnected(at=self.now, message=words, rest=reader.rest())
                if not follower.wants(end):
                    break
                lost, end = end, None  # whoever is cancelled while it is followed, leaves a run that goes on
                if await self._follow(follower, lost):
                    continue
                kept = await self._kept_end(self._builder.unfinished_run)
                for part, event in kept:
                    self._record(part, event)
                    yield event
                end = ev.StreamEnd(at=self.now) if kept else lost
                break
            if self._stopping is not None:  # the stream may end before the stop is confirmed
                await asyncio.wait([self._stopping], timeout=STOP_SECONDS)
            if self._end_reason is None:
                await self._settle()
        finally:
            # Whoever was cancelled, or leaves early, says so on leaving (`__aexit__`).
            if end is not None:
                self._tell(end)
                self._ended.set()
                self._task_known.set()

    async def _settle(self) -> None:
        """Compare what was read with what the run's end tells, and the server's history where that is needed."""
        run = self._reader.followed
        if run is None:
            return
        stored = None
        if run.wants_message:
            if self._response is not None:
                await self._response.aclose()  # it told what it had to tell, and holds a connection
            stored = await stored_message(self._dify, self._builder.turn(), run, self.now)
        for event in run.finish(self.now, stored):
            self._tell(event)

    def _take_permit(self) -> None:
        """Whoever waits for the body's next part is who holds the connection."""
        permit = permit_of(self._response) if self._response is not None else None
        if permit is not None:
            permit.owner = current_owner()

    async def _too_long(self, rest: bytes, name: str) -> ev.Event:
        """An event or the stream is longer than is taken: the answer ends here, and the server is told."""
        if self._builder.status == "running" and self._stopping is None and self.task_id:
            await self._post_stop()
        message = t("net.too_large", limit=size_text(getattr(self._dify.bounds, name)), name=name)
        return ev.Disconnected(at=self.now, code="too_large", message=message, rest=rest)

    def _tell(self, event: ev.Event) -> None:
        """Take in what happened on this side; on the tape too where the run is followed, which would tell less else."""
        if self._reader.followed is not None and isinstance(event, ev.own_events()):
            self._record(None, event)
        else:
            self._apply(event)

    def _record(self, frame: Frame | None, event: ev.Event) -> None:
        """Take an event in, and on the tape. One that was made up here has no frame of its own."""
        if self.tape is not None:
            try:
                self.tape.append(event.at, frame or _made_frame(event))
            except Exception as problem:  # whatever a disk does: the answer goes on
                message = t("tape.failed", problem=str(problem) or type(problem).__name__)
                warn_once("tape", message)
                self.tape.forget(message)
        self._apply(event)

    def _follow_call(self, run: str) -> Call[Any]:
        return follow_run(run, user=self._sent.user or "")

    async def _follow(self, follower: Follower, lost: ev.Event) -> bool:
        """Read on by another connection, where there is one."""
        run = self._builder.unfinished_run
        assert run is not None
        assert self._response is not None
        await self._response.aclose()
        self._response = None
        response = await follower.response(self._follow_call(run), lost)
        if response is None:
            return False
        self._response, self._body = response, iter_decoded(response)
        self._reader.reconnect(self._builder.turn())
        self._tell(ev.Resumed(at=self.now, message=t("net.followed")))
        return True

    async def _kept_end(self, run: str | None) -> Sequence[Framed]:
        """How that run ended, by what the server keeps of it; nothing where that is not to be had."""
        if run is None or not self._way.keeps_runs:
            return ()
        self._opening = asyncio.ensure_future(stored_run(self._dify, run, left=self._is_left))
        kept = await unless_left(self._opening, self._is_left)
        if kept is None or self._is_left():
            return ()
        self._reader.reconnect(self._builder.turn())
        if not has_ended(kept):
            self._tell(ev.Resumed(at=self.now, whole=False, message=unknown_end(old=bool(self._dify._cache.app.old))))
            return ()
        self._tell(ev.Resumed(at=self.now, message=t("net.run_read")))
        return [read for frame in self._reader.split(end_bytes(kept)) for read in self._reader.read(frame, self.now)]

    def _open_again(self, call: Call[Any]) -> asyncio.Future[httpx.Response]:
        self._opening = self._open(call)
        return self._opening

    def _is_left(self) -> bool:
        """Whether this side has ended it, or is about to."""
        return self._end_reason is not None or self._stopping is not None

    async def _watch(self, seconds: float) -> None:
        """When the time for the whole turn is over: stop as a person would, then say why."""
        await asyncio.sleep(seconds)
        if self._builder.status == "running":
            over = ev.DeadlineExceeded(at=self.now, seconds=seconds)
            self._tell(over)
            if self.task_id:
                self._stopping = asyncio.create_task(self._stop())
            else:  # nothing that could be stopped by its name, and no time to learn it
                await self._end_here(over)

    async def _watch_silence(self) -> None:
        """When nothing but pings came for too long: leave, and say so. The run is not stopped, it may still work."""
        await self._silence.over()
        message = t("net.silence", seconds=f"{self._silence.limit:,}")
        await self._end_here(ev.Disconnected(at=self.now, code="silence", message=message))

    async def _end_here(self, why: ev.Event) -> None:
        """End the reading from this side, wherever it waits."""
        if self._ended.is_set() or self._end_reason is not None:
            return
        self._end_reason = why
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
        if not self._sending:
            await self._end_here(ev.Cancelled(at=self.now))
            return False
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        return await asyncio.shield(self._stopping)

    async def _stop(self) -> bool:
        # Said before it is confirmed: the stream may end while the confirmation is on its way.
        started = time.monotonic()
        self._tell(ev.StopRequested(at=self.now))
        confirmed = await self._post_stop()
        self._tell(ev.StopRequested(at=self.now, confirmed=confirmed))
        if not self._ended.is_set():
            remaining = STOP_SECONDS - (time.monotonic() - started) if self.task_id else 0.0
            grace = max(remaining, LAST_SECONDS if confirmed else 0.0)
            self._grace_timer = asyncio.create_task(self._after_grace(grace))
        return confirmed

    async def _after_grace(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._end_here(ev.Cancelled(at=self.now))

    async def _post_stop(self) -> bool:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._task_known.wait()
                if self.task_id is None:
                    return False
                answer = await self._dify._send(self._way.stops(self.task_id, user=self._sent.user or ""), bypass=True)
                return bool(answer.result == "success")
        except (DifyError, TimeoutError):
            return False  # told as `stop_confirmed` False


def _made_frame(event: ev.Event) -> Frame:
    return own_frame(event) if isinstance(event, ev.own_events()) else ("", encoded(event))


async def _nothing() -> AsyncGenerator[ev.Event, None]:
    nothing: tuple[ev.Event, ...] = ()
    for event in nothing:
        yield event
