"""Events on the wire: `data: {json}` and a blank line, pings, and headers with the first of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from ...wire.sse import KIND, PING, frames, written
from ..responses import VERSION_HEADERS

HEADERS = ((b"content-type", f"{KIND}; charset=utf-8".encode()),)
_encode = msgspec.json.Encoder().encode


def frame(event: dict[str, Any]) -> bytes:
    """One event: compact JSON in raw UTF-8."""
    return written(("", _encode(event)))


def event_of(piece: bytes) -> dict[str, Any] | None:
    """The event in a piece of a body, as `frame` writes one; None for anything else, as a tape may hold."""
    for name, data in frames([piece]):
        if data is not None and not name:
            with contextlib.suppress(msgspec.DecodeError):
                return msgspec.json.decode(data, type=dict[str, Any])
    return None


class EventStream:
    """The response to a streaming question.

    Nothing is sent, not even the status, before there is something to say. Pings come at multiples
    of the interval since the start, between events too. When the client goes away, `gone` is called
    and the run is left to itself: closing a connection is not stopping.
    """

    def __init__(
        self,
        events: asyncio.Queue[dict[str, Any] | None] | asyncio.Queue[bytes | None],
        ping_interval: float,
        gone: Callable[[], None],
    ) -> None:
        self._events = events
        self._interval = ping_interval
        self._gone = gone
        self._started = False
        self.ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listening = asyncio.ensure_future(_disconnected(receive))
        speaking = asyncio.ensure_future(self._speak(send))
        try:
            await asyncio.wait({listening, speaking}, return_when=asyncio.FIRST_COMPLETED)
            if not speaking.done():
                speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await speaking
        finally:
            listening.cancel()
            speaking.cancel()
            if not self.ended:
                self._gone()

    async def _speak(self, send: Send) -> None:
        start = time.monotonic()
        pings = 1
        while True:
            patience = start + pings * self._interval - time.monotonic()
            try:
                event = await self._next(patience)
            except TimeoutError:
                pings += 1
                await self._send(send, PING)
                continue
            if event is None:
                break
            if isinstance(event, bytes):
                await self._send(send, event)
                continue
            await self._send(send, frame(event))
            if event["event"] in ("message_end", "error"):
                self.ended = True
        self.ended = True
        if not self._started:
            await send(_headers())
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, patience: float) -> dict[str, Any] | bytes | None:
        if patience <= 0:
            raise TimeoutError
        try:
            # A task and a timer for each event would cost more than the event.
            return self._events.get_nowait()
        except asyncio.QueueEmpty:
            return await asyncio.wait_for(self._events.get(), patience)

    async def _send(self, send: Send, body: bytes) -> None:
        if not self._started:
            self._started = True
            await send(_headers())
        await send({"type": "http.response.body", "body": body, "more_body": True})


def _headers() -> Message:
    headers = [*HEADERS]
    headers += [(name.lower().encode(), value.encode()) for name, value in VERSION_HEADERS.items()]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
