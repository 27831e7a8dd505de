"""Things going wrong on demand, so that tests can see what a client makes of them.

A fault is a word, most with a number: `drop=200`. Several are joined by commas. They come from
`serve(faults=...)` for every question, from `server.faults.once(...)` for the next one, or, where
`faults=` is not False, from the request's header `X-Dify-Fault`, for any route.

    latency=S    wait S seconds before the request is looked at
    stall=S      hold back the headers, pings too, for S seconds, then send what came meanwhile
    drop=N       close the connection after N bytes of the body
    cut=N        close it inside the first character beyond ASCII that comes after N events
    ping=N       send N pings and nothing else, then close the connection
    error=N      after N events an error event, and the end
    no_end=1     leave out message_end, error and workflow_finished
    duplicate=1  send each event twice
    unknown=1    put an event that no one knows before each
    replace=1    a message_replace before message_end, as a moderation would
    429=S        refuse with `Retry-After: S`
    500=1        refuse with an internal error
    502=1        refuse as a proxy does whose server is down: HTML

The question itself is answered and kept as always by `drop`, `cut` and all that change events:
only what reaches the client is spoilt.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..logs import logger
from ..wire.sse import PING
from .responses import VERSION_HEADERS, ApiError
from .server.event_stream import HEADERS, event_of, frame

HEADER = "X-Dify-Fault"
KINDS = frozenset(
    [
        "latency",
        "stall",
        "drop",
        "cut",
        "ping",
        "error",
        "no_end",
        "duplicate",
        "unknown",
        "replace",
        "429",
        "500",
        "502",
    ]
)
_ENDS = ("message_end", "error", "workflow_finished")
_LONGEST = 600.0
"""Seconds, or pings."""
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


def parse(text: str) -> dict[str, float]:
    """Faults out of a text.

    >>> parse("drop=200, duplicate")
    {'drop': 200.0, 'duplicate': 1.0}

    Raises:
        ValueError: it names none that exists, or its number is none.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in KINDS:
            raise ValueError(f"unknown fault {name!r}; there are {', '.join(sorted(KINDS))}")
        try:
            value = float(number) if number else 1.0
        except ValueError:
            raise ValueError(f"the number of fault {name!r} is not one: {number!r}") from None
        least = 1.0 if name == "ping" else 0.0
        if not value >= least or (name in ("latency", "stall", "ping") and value > _LONGEST):
            raise ValueError(f"fault {name!r} cannot be {number}")
        found[name] = value
    return found


@dataclass
class FaultPlan:
    """The faults of one server; may be used from any thread."""

    enabled: bool = False
    """Whether the header is obeyed."""
    always: dict[str, float] = field(default_factory=dict)
    """For every question."""
    _next: deque[dict[str, float]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, told: bool | tuple[str, ...]) -> FaultPlan:
        """Raises: ValueError."""
        if isinstance(told, bool):
            return cls(enabled=told)
        box = cls(enabled=True)
        for text in told:
            box.always |= parse(text)
        return box

    def once(self, text: str) -> None:
        """Let the next question go wrong; said several times, the next several, in order.

        Raises:
            ValueError: there is no such fault.
        """
        faults = parse(text)
        with self._lock:
            self._next.append(faults)

    def take(self, question: bool, header: str | None) -> dict[str, float]:
        """The faults of a request. Raises: ValueError, for a header that says nonsense."""
        if header is not None and self.enabled:
            return parse(header)
        if not question:
            return {}
        with self._lock:
            return self._next.popleft() if self._next else dict(self.always)


class Faults:
    """The outermost layer: spoils what the application says."""

    def __init__(self, app: ASGIApp, box: FaultPlan, ping_interval: float) -> None:
        self._app = app
        self._box = box
        self._interval = ping_interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = Headers(scope=scope).get(HEADER)
        question = scope["method"] == "POST" and scope["path"] == "/v1/chat-messages"
        try:
            faults = self._box.take(question, header)
        except ValueError as error:
            await ApiError(400, "invalid_param", str(error)).response()(scope, receive, send)
            return
        if not faults:
            await self._app(scope, receive, send)
            return
        if "latency" in faults:
            await asyncio.sleep(faults["latency"])
        refused = _refusal(faults)
        if refused is not None:
            await refused(scope, receive, send)
        elif "ping" in faults:
            await self._ping(int(faults["ping"]), send)
        else:
            await self._app(scope, receive, Spoiler(faults, send))

    async def _ping(self, times: int, send: Send) -> None:
        for number in range(times):
            await asyncio.sleep(self._interval)
            if number == 0:
                await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
            await send({"type": "http.response.body", "body": PING, "more_body": True})
        raise Dropped


def _refusal(faults: dict[str, float]) -> Response | None:
    if "429" in faults:
        headers = {"Retry-After": format(faults["429"], "g")}
        text = "Too many requests. Please try again later."
        return ApiError(429, "too_many_requests", text, headers).response()
    if "500" in faults:
        text = "The server encountered an internal error."
        return ApiError(500, "internal_server_error", text).response()
    if "502" in faults:
        return Response(_BAD_GATEWAY, 502, dict(VERSION_HEADERS), media_type="text/html")
    return None


class Spoiler:
    """A `send` that lets through what the faults leave."""

    def __init__(self, faults: dict[str, float], send: Send) -> None:
        self._faults = faults
        self._to = send
        self._sent = 0
        """Bytes of the body."""
        self._events = 0
        self._over = False
        self._held: list[Message] | None = None
        self._stall: asyncio.Task[None] | None = None
        self._released = asyncio.Event()

    async def __call__(self, message: Message) -> None:
        if "stall" not in self._faults:
            await self._spoil(message)
            return
        if self._stall is None:
            self._held = []
            self._stall = asyncio.ensure_future(self._release())
        if self._held is not None:
            self._held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await self._stall
            return
        await self._released.wait()
        await self._spoil(message)

    async def _release(self) -> None:
        await asyncio.sleep(self._faults["stall"])
        held, self._held = self._held or [], None
        for message in held:
            await self._spoil(message)
        self._released.set()

    async def _spoil(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._to(message)
            return
        if self._over:
            return
        body = message.get("body", b"")
        more = message.get("more_body", False)
        for part in self._changed(body):
            await self._body(part)
            if self._over:
                await self._to({"type": "http.response.body", "body": b"", "more_body": False})
                return
        if not more:
            await self._to({"type": "http.response.body", "body": b"", "more_body": False})

    def _changed(self, body: bytes) -> list[bytes]:
        """What is sent in place of a piece of the body; the server's stream sends one event a piece."""
        event = event_of(body)
        if event is None:
            return [body] if body else []
        faults = self._faults
        head = {name: event.get(name) for name in ("conversation_id", "message_id", "created_at")}
        self._events += 1
        if "error" in faults and self._events > faults["error"]:
            self._over = True
            told = {"code": "internal_server_error", "status": 500, "message": "asked for by a fault"}
            return [frame({"event": "error", **head, **told})]
        if "no_end" in faults and event["event"] in _ENDS:
            return []
        parts = [body]
        if "replace" in faults and event["event"] == "message_end":
            replaced = {"event": "message_replace", **head, "task_id": event["task_id"]}
            parts.insert(0, frame({**replaced, "answer": "replaced by a fault", "reason": ""}))
        if "duplicate" in faults:
            parts = [part for part in parts for _ in (1, 2)]
        if "unknown" in faults:
            parts.insert(0, frame({"event": "event_of_tomorrow", **head, "data": {"number": self._events}}))
        return parts

    async def _body(self, part: bytes) -> None:
        faults = self._faults
        if "cut" in faults and self._events > faults["cut"]:
            inside = next((at for at, byte in enumerate(part) if byte >= 0xC0), None)
            if inside is not None:
                await self._close_after(part[: inside + 1])
        if "drop" in faults and self._sent + len(part) >= faults["drop"]:
            await self._close_after(part[: int(faults["drop"]) - self._sent])
        self._sent += len(part)
        await self._to({"type": "http.response.body", "body": part, "more_body": True})

    async def _close_after(self, part: bytes) -> None:
        if part:
            await self._to({"type": "http.response.body", "body": part, "more_body": True})
        raise Dropped
