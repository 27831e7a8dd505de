"""Events on the wire: `data: {json}` and a blank line, pings, and headers with the first of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from itertools import chain

import msgspec
from starlette.types import Message, Receive, Scope, Send

from ...wire.sse import MEDIA_TYPE, PING, encode
from ..responses import VERSION_HEADERS
from ..simulate.items import Change, Event, Item, Written

_encode = msgspec.json.Encoder().encode


RUN_ENDS = ("workflow_finished", "workflow_paused")
"""Behind these nothing is read of a chatflow's run."""


def frame(event: Event) -> bytes:
    """One event: compact JSON in raw UTF-8."""
    return encode(("", _encode(event)))


_AT_ONCE = 4
"""Events between two looks at whether the client is still there: asyncio warns of more that are for nobody."""


class EventStream:
    """The response to a streaming question: events, as the request's dialect and faults change them, and pings.

    Nothing is sent, not even the status, before there is something to say. Pings come at multiples
    of the interval since the start, between events too. When the client goes away, `on_disconnect` is called
    and the run is left to itself: closing a connection is not stopping.

    The stream of a chatflow's run (since Dify 1.13) begins with a ping, at once, and ends with the run or its pause.
    """

    def __init__(
        self,
        events: asyncio.Queue[Event | None] | asyncio.Queue[Item],
        ping_interval: float,
        on_disconnect: Callable[[], None],
        *,
        workflow: bool = False,
        ping_first: bool = False,
    ) -> None:
        """Args:
        ping_interval: seconds.
        workflow: of a chatflow's run.
        ping_first: whether a ping comes before the first event, also of another stream.
        """
        self._ping_first = ping_first
        self._events = events
        self._interval = ping_interval
        self._on_disconnect = on_disconnect
        self._workflow = workflow
        self._started = False
        self._sent = 0
        self.ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listening = asyncio.ensure_future(_disconnected(receive))
        sending = asyncio.ensure_future(self._send_all(send, _changes(scope)))
        try:
            await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sending
        finally:
            listening.cancel()
            sending.cancel()
            if not self.ended:
                self._on_disconnect()

    async def _send_all(self, send: Send, changes: list[Change]) -> None:
        start = time.monotonic()
        pings = 1
        over = read = False
        if self._workflow or self._ping_first:
            await self._send(send, PING)
        while not over:
            seconds = start + pings * self._interval - time.monotonic()
            try:
                item = None if read else await self._next(seconds)
            except TimeoutError:
                pings += 1
                await self._send(send, PING)
                continue
            for changed in _changed(item, changes):
                if changed is None:
                    over = True
                    break
                await self._send(send, encode(changed.frame) if isinstance(changed, Written) else frame(changed))
            event = item["event"] if isinstance(item, dict) else ""
            read = self._workflow and event in RUN_ENDS
            if over or read or event in ("message_end", "error"):
                self.ended = True
        if not self._started:
            await send(_headers())
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, seconds: float) -> Item:
        if seconds <= 0:
            raise TimeoutError
        try:
            # A task and a timer for each event would cost more than the event.
            return self._events.get_nowait()
        except asyncio.QueueEmpty:
            return await asyncio.wait_for(self._events.get(), seconds)

    async def _send(self, send: Send, body: bytes) -> None:
        if not self._started:
            self._started = True
            await send(_headers())
        await send({"type": "http.response.body", "body": body, "more_body": True})
        self._sent += 1
        if self._sent % _AT_ONCE == 0:
            await asyncio.sleep(0)


def _changes(scope: Scope) -> list[Change]:
    """What changes the events of this request, in order: first how the dialect says them, then what goes wrong."""
    state = scope.get("state", {})
    faults = [state["faults"]] if "faults" in state else []
    return [*(state["dialect"].events if "dialect" in state else ()), *faults]


def _changed(item: Item, changes: list[Change]) -> Iterable[Item]:
    """One by one: what comes behind the end is never asked for."""
    items: Iterable[Item] = (item,)
    for change in changes:
        items = chain.from_iterable(map(change, items))
    return items


def _headers() -> Message:
    headers = {"content-type": f"{MEDIA_TYPE}; charset=utf-8", **VERSION_HEADERS}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": encoded}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
