"""The faults of `local.faults`, done to one request: refusals, events that are changed, bytes that are held or lost."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...logs import logger
from ...wire.sse import MEDIA_TYPE, PING
from ..api_error import ApiError, internal_error, invalid
from ..faults import HEADER, FaultPlan
from ..responses import VERSION_HEADERS, error_reply
from .items import Event, Item, Written

_OF_EVENTS = {"error", "no_end", "duplicate", "unknown", "replace", "cut"}
_ASKED = re.compile(r"/v1/(?:(?:chat|completion)-messages|workflows/(?:[^/]+/)?run)")
_ENDS = ("message_end", "error", "workflow_finished")
_OF_MESSAGE, _OF_RUN = ("conversation_id", "message_id", "created_at"), ("workflow_run_id", "task_id")
"""What says whose event it is."""
_BAD_GATEWAY = b"""<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""


class Dropped(Exception):
    """Raised into the HTTP server, which answers it by closing the connection."""


def _quiet(record: logging.LogRecord) -> bool:
    return not (record.exc_info and record.exc_info[0] is Dropped)


# What was asked for is no news; uvicorn would log it with a traceback, as it does with what an app raises.
logger("uvicorn.error").addFilter(_quiet)


class FaultMiddleware:
    """The outermost layer. What changes events goes to the event stream, in the `state` of the scope."""

    def __init__(self, app: ASGIApp, plan: FaultPlan, ping_interval: float) -> None:
        self._app = app
        self._plan = plan
        self._interval = ping_interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = Headers(scope=scope).get(HEADER)
        question = scope["method"] == "POST" and _ASKED.fullmatch(scope["path"]) is not None
        try:
            faults = self._plan.take(question, header)
        except ValueError as error:
            await error_reply(invalid(str(error)))(scope, receive, send)
            return
        if "latency" in faults:
            await asyncio.sleep(faults["latency"])
        refusal = _refusal(faults)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif "ping" in faults:
            await self._ping(int(faults["ping"]), send)
        else:
            await self._spoiled(faults, scope, receive, send)

    async def _ping(self, times: int, send: Send) -> None:
        for number in range(times):
            await asyncio.sleep(self._interval)
            if number == 0:
                headers = [(b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode())]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": PING, "more_body": True})
        raise Dropped

    async def _spoiled(self, faults: dict[str, float], scope: Scope, receive: Receive, send: Send) -> None:
        stalled = Stall(faults["stall"], send) if "stall" in faults else None
        send = stalled or send
        if "drop" in faults:
            send = Drop(int(faults["drop"]), send)
        if faults.keys() & _OF_EVENTS:
            changes = EventFaults(faults)
            scope = {**scope, "state": {**scope.get("state", {}), "faults": changes}}
            if "cut" in faults:
                send = Cut(faults["cut"], changes, send)
        try:
            await self._app(scope, receive, send)
        except Dropped:
            if stalled is not None:
                await stalled.over()
            raise


def _refusal(faults: dict[str, float]) -> Response | None:
    if "429" in faults:
        headers = {"Retry-After": format(faults["429"], "g")}
        text = "Too many requests. Please try again later."
        return error_reply(ApiError(429, "too_many_requests", text, headers))
    if "500" in faults:
        return error_reply(internal_error())
    if "502" in faults:
        return Response(_BAD_GATEWAY, 502, dict(VERSION_HEADERS), media_type="text/html")
    return None


class EventFaults:
    """A `Change`: the events of one stream as the faults leave them."""

    def __init__(self, faults: dict[str, float]) -> None:
        self._faults = faults
        self.count = 0
        """Events that came, also those that were not sent."""

    def __call__(self, item: Item) -> Iterator[Item]:
        event = item.event if isinstance(item, Written) else item
        if event is None:
            yield item
            return
        faults, name = self._faults, event.get("event")
        self.count += 1
        of_run = "workflow_run_id" in event and "message_id" not in event
        head = {key: event.get(key) for key in (_OF_RUN if of_run else _OF_MESSAGE)}
        if "error" in faults and self.count > faults["error"]:
            yield _error(head)
            yield None
            return
        if "no_end" in faults and name in _ENDS:
            return
        if "unknown" in faults:
            yield {"event": "event_of_tomorrow", **head, "data": {"number": self.count}}
        times = 2 if "duplicate" in faults else 1
        if "replace" in faults and name == "message_end":
            replaced = {"event": "message_replace", **head, "task_id": event.get("task_id")}
            yield from [{**replaced, "answer": "replaced by a fault", "reason": ""}] * times
        yield from [item] * times


def _error(head: Event) -> Event:
    problem = {"code": "internal_server_error", "status": 500, "message": "asked for by a fault"}
    return {"event": "error", **head, **problem}


class Stall:
    """A `send` that holds back all messages for some seconds from the first one on."""

    def __init__(self, seconds: float, send: Send) -> None:
        self._seconds = seconds
        self._send = send
        self._held: deque[Message] = deque()
        self._release: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        if self._release is None:
            self._release = asyncio.ensure_future(self._after())
        if self._release.done():
            await self._send(message)
            return
        self._held.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await self._release

    async def over(self) -> None:
        """Wait until what was held is sent."""
        if self._release is not None:
            await self._release

    async def _after(self) -> None:
        await asyncio.sleep(self._seconds)
        while self._held:
            await self._send(self._held.popleft())


class Drop:
    """A `send` that closes the connection after some bytes of the body."""

    def __init__(self, limit: int, send: Send) -> None:
        self._rest = limit
        self._send = send

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        if body and len(body) >= self._rest:
            await _last(self._send, body[: self._rest])
        self._rest -= len(body)
        await self._send(message)


class Cut:
    """A `send` that closes the connection inside a character, once more than so many events came."""

    def __init__(self, limit: float, events: EventFaults, send: Send) -> None:
        self._limit = limit
        self._events = events
        self._send = send

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        if self._events.count > self._limit:
            inside = next((at for at, byte in enumerate(body) if byte >= 0xC0), None)
            if inside is not None:
                await _last(self._send, body[: inside + 1])
        await self._send(message)


async def _last(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})
    raise Dropped
