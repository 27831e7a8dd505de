"""The answers of an older Dify (0.15) where they differ: what it lacks, and how it says the rest.

What the two say alike is made in one place, in the newer form; here it is said anew before it is encoded, events by
`dialect_015.py`. What the older one took and the newer one refuses is let through by
`server/payloads.py` and the routes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..engine.app import App
from ..responses import html_not_found, reply
from . import dialect_015
from .items import Change

VERSION = "0.15.3"
_MISSING = re.compile(
    r"/v1/(?:site|app/feedbacks|end-users/[^/]+|files/[^/]+/preview|apps/annotations(?:/.*)?"
    r"|apps/annotation-reply/.*|conversations/[^/]+/variables(?:/[^/]+)?)"
)
_OF_UPLOAD = ("id", "name", "size", "extension", "mime_type", "created_by", "created_at")
_NO_FILE = ("no_file_uploaded", "no_audio_uploaded")
_BAD_REQUEST = "The browser (or proxy) sent a request that this server could not understand."


class DialectMiddleware:
    """Answers as Dify 0.15 does: refuses what that lacks; the rest finds a `Dialect015` in the `state` of its scope."""

    def __init__(self, app: ASGIApp, app_of: Callable[[str], App | None], *, played: bool) -> None:
        """Args:
        app_of: gives the app that an Authorization header opens.
        played: streams are recorded ones, and pass as they are.
        """
        self._app = app
        self._app_of = app_of
        self._played = played
        self._runs = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, path = self._app, scope["path"]
        if _MISSING.fullmatch(path):
            answer = html_not_found()
        elif path == "/v1/" and scope["method"] == "GET":
            answer = reply({"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": VERSION})
        elif path.startswith("/v1/"):
            app = self._app_of(Headers(scope=scope).get("authorization", ""))
            change = None if self._played else dialect_015.Stream(self._runs)
            dialect = Dialect015(path, app is not None and app.is_flow, change)
            scope = {**scope, "state": {**scope.get("state", {}), "dialect": dialect}}

        async def versioned(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _versioned(message["headers"])}
            await send(message)

        await answer(scope, receive, versioned)


class Dialect015:
    """How 0.15 gives what 1.12 answers to one request."""

    def __init__(self, path: str, flow: bool, events: Change | None) -> None:
        """Args:
        flow: whether the app is a chatflow.
        events: what changes the events of a stream; None leaves them as they are.
        """
        self._path = path
        self._flow = flow
        self.events = events

    def json(self, status: int, content: Any) -> tuple[int, Any]:
        """Status and content of a JSON response."""
        path = self._path
        if status == 204:
            return 200, {"result": "success"}
        if not isinstance(content, dict):
            return status, content
        if status >= 400:
            return status, _error(content)
        if path == "/v1/info":
            return status, {name: content[name] for name in ("name", "description", "tags")}
        if path == "/v1/files/upload":
            return status, {name: content[name] for name in _OF_UPLOAD}
        if path == "/v1/messages":
            return status, {**content, "data": [_message(row, flow=self._flow) for row in content["data"]]}
        if path == "/v1/chat-messages":
            answer, metadata = dialect_015.text(content["answer"]), dialect_015.metadata(content["metadata"])
            return status, {**content, "answer": answer, "metadata": metadata}
        return status, content


def _versioned(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # 0.15 names no scheme in a 401.
    headers = [(name, value) for name, value in headers if name != b"www-authenticate"]
    return [(name, VERSION.encode() if name == b"x-version" else value) for name, value in headers]


def _error(content: dict[str, Any]) -> dict[str, Any]:
    """Its errors of parameters name the field and no status; its 500 has another code."""
    if content.get("code") == "internal_server_error":
        return {"message": "Internal Server Error", "code": "unknown"}
    if content.get("code") in _NO_FILE:
        return {**content, "code": "bad_request_key_error", "message": _BAD_REQUEST}
    message = str(content.get("message", ""))
    match = re.match(r"\d+ validation errors? for \w+\n(\w+)\n\s*+(.*?) \[type=", message)
    if content.get("code") == "invalid_param" and match:
        return {"code": "invalid_param", "message": match[2], "params": match[1]}
    return content


def _message(row: dict[str, Any], *, flow: bool) -> dict[str, Any]:
    """A message of the history; those of a chatflow have no retriever resources."""
    thoughts = [
        {**{name: value for name, value in thought.items() if name != "files"}, "message_files": []}
        for thought in row["agent_thoughts"]
    ]
    files = [
        {name: value for name, value in file.items() if name != "upload_file_id"} for file in row["message_files"]
    ]
    resources = [
        {**{name: value for name, value in resource.items() if name != "summary"}, "created_at": row["created_at"]}
        for resource in row["retriever_resources"]
    ]
    return {
        **row,
        "answer": dialect_015.text(row["answer"]),
        "agent_thoughts": thoughts,
        "message_files": files,
        "retriever_resources": [] if flow else resources,
    }
