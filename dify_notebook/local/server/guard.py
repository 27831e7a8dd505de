"""What stands before all routes: the Host must be this machine, and bodies have an end."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..api_error import ApiError
from ..engine.app import FILE_LIMITS, MEGABYTE
from ..options import LOOPBACK
from ..responses import error_reply

HOSTS = frozenset(f"[{name}]" if ":" in name else name for name in LOOPBACK)
"""As a Host header has them."""
MAX_BODY = 10 * MEGABYTE
"""Bytes of a JSON body."""
MAX_UPLOAD = (max(limit for name, limit in FILE_LIMITS.items() if name.endswith("size_limit")) + 1) * MEGABYTE
"""Bytes of a multipart body: the largest file that is allowed, and what goes around it."""
DRAIN = 128 * MEGABYTE
"""Bytes of a body that is too large that are read and dropped, so that its sender hears the answer."""


class TooLarge(Exception):
    """More came than may come."""


class Guard:
    """Refuses endless bodies, and other hosts: a web page must not get here by a name of its own."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1") -> None:
        self._app = app
        self._host = host.strip("[]").lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._answers_to(headers.get("host", "")):
            refused = ApiError(403, "forbidden", "This server answers to 127.0.0.1, localhost and [::1] only.")
            await error_reply(refused)(scope, receive, send)
            return
        limit = MAX_UPLOAD if scope["path"] in ("/v1/files/upload", "/v1/audio-to-text") else MAX_BODY
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            await self._too_large(scope, receive, send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except TooLarge:
            if started:
                raise
            await self._too_large(scope, receive, send)

    def _answers_to(self, header: str) -> bool:
        if loopback(header):
            return True
        if self._host in LOOPBACK:
            return False
        name = hostname(header)
        if name == self._host:
            return True
        # Who listens everywhere is reached by numbers. A name could be anyone's, and a page's own.
        return self._host in ("0.0.0.0", "::") and _is_address(name)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A client that is still writing when the connection closes sees an error of the socket, not ours.
        dropped = 0
        while dropped < DRAIN:
            message = await receive()
            dropped += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        error = ApiError(413, "file_too_large", "The request is too large.", {"Connection": "close"})
        await error_reply(error)(scope, receive, send)


def loopback(host: str) -> bool:
    """Whether a Host header names this machine."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or host.strip().endswith("]"):
        name, port = host.strip().lower(), ""
    return name in HOSTS and (port == "" or port.isdigit())


def hostname(header: str) -> str:
    """The name or number of a Host header, in lower case, without port and brackets."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
