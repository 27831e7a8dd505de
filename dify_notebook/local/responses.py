"""How the server speaks: JSON in Dify's two styles, the error envelope, and headers."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

VERSION_HEADERS = {"X-Version": "1.12.1", "X-Env": "LOCAL"}
"""The contract that is spoken; clients read the version from here."""

_NOT_FOUND = """<!doctype html>
<html lang=en>
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>Nothing is served at this address.</p>
"""


class ApiError(Exception):
    """A request that is answered with the error envelope `{code, message, status}`."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self) -> Response:
        body = {"code": self.code, "message": self.message, "status": self.status}
        return reply(body, self.status, self.headers)


def invalid(message: str) -> ApiError:
    """400 invalid_param."""
    return ApiError(400, "invalid_param", message)


def not_found(message: str) -> ApiError:
    """404 not_found."""
    return ApiError(404, "not_found", message)


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; text outside ASCII is escaped and the body ends with a line feed, as Dify's do."""
    content = json.dumps(body).encode() + b"\n"
    return Response(content, status, {**VERSION_HEADERS, **(headers or {})}, media_type="application/json")


def blocking_reply(body: Any) -> Response:
    """The one JSON answer that Dify writes otherwise: a charset, and no line feed."""
    kind = "application/json; charset=utf-8"
    return Response(json.dumps(body).encode(), 200, {**VERSION_HEADERS, "Content-Type": kind})


def empty_reply() -> Response:
    """204."""
    return Response(None, 204, {**VERSION_HEADERS, "Content-Type": "application/json"})


def html_not_found() -> Response:
    """What an unknown address gives: not JSON, as with the real one."""
    kind = "text/html; charset=utf-8"
    return Response(_NOT_FOUND.encode(), 404, {**VERSION_HEADERS, "Content-Type": kind})
