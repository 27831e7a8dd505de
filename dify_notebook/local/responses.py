"""Responses of the server: JSON in Dify's two styles, the error envelope, and headers."""

from __future__ import annotations

import json
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .api_error import ApiError

VERSION_HEADERS = {"X-Version": "1.16.1", "X-Env": "LOCAL"}
"""The contract that is spoken; clients read the version from here."""

_NOT_FOUND = """<!doctype html>
<html lang=en>
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>Nothing is served at this address.</p>
"""


class Dialect(Protocol):
    """How another version answers one request; middleware puts it into the `state` of the scope."""

    charset: bool
    """Whether it names the charset of a blocking answer."""

    def json(self, status: int, content: Any) -> tuple[int, Any]:
        """Status and content as that version has them."""
        ...


class JSONReply(Response):
    """A JSON response. It is encoded when it is sent: a dialect may change what it says before."""

    def __init__(
        self, content: Any, status: int = 200, headers: dict[str, str] | None = None, charset: str = "", end: str = ""
    ) -> None:
        self.content = content
        self.status_code = status
        self.background = None
        self._extra = headers or {}
        self._charset = charset
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        dialect: Dialect | None = scope.get("state", {}).get("dialect")
        status, content, charset = self.status_code, self.content, self._charset
        if dialect is not None:
            (status, content), charset = dialect.json(status, content), charset if dialect.charset else ""
        body = None if status == 204 else (json.dumps(content) + self._end).encode()
        headers = {**VERSION_HEADERS, **self._extra, "Content-Type": f"application/json{charset}"}
        await Response(body, status, headers)(scope, receive, send)


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; text outside ASCII is escaped and the body ends with a line feed, as Dify's do."""
    return JSONReply(body, status, headers, end="\n")


def blocking_reply(body: Any) -> Response:
    """The one JSON answer that Dify writes otherwise: a charset, and no line feed."""
    return JSONReply(body, charset="; charset=utf-8")


def empty_reply() -> Response:
    """204."""
    return JSONReply(None, 204, end="\n")


def error_reply(error: ApiError) -> Response:
    """The error envelope."""
    return reply({"code": error.code, "message": error.message, "status": error.status}, error.status, error.headers)


def html_not_found() -> Response:
    """What an unknown address gives: not JSON, as with the real one."""
    kind = "text/html; charset=utf-8"
    return Response(_NOT_FOUND.encode(), 404, {**VERSION_HEADERS, "Content-Type": kind})
