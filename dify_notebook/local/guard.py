"""What stands before all routes: the Host must be this machine, and bodies have an end."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .apps.app import FILE_LIMITS, MEGABYTE
from .replies import ApiError

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
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

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not loopback(headers.get("host", "")):
            refused = ApiError(
                403, "forbidden", "This server answers to 127.0.0.1, localhost and [::1] only."
            )
            await refused.response()(scope, receive, send)
            return
        limit = MAX_UPLOAD if scope["path"] == "/v1/files/upload" else MAX_BODY
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            await self._too_large(scope, receive, send)
            return
        came = 0
        begun = False

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > limit:
                raise TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except TooLarge:
            if begun:
                raise
            await self._too_large(scope, receive, send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A client that is still writing when the connection closes sees an error of the socket, not ours.
        dropped = 0
        while dropped < DRAIN:
            message = await receive()
            dropped += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        error = ApiError(413, "file_too_large", "The request is too large.", {"Connection": "close"})
        await error.response()(scope, receive, send)


def loopback(host: str) -> bool:
    """Whether a Host header names this machine."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or host.strip().endswith("]"):
        name, port = host.strip().lower(), ""
    return name in HOSTS and (port == "" or port.isdigit())
