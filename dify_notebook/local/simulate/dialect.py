"""The answers of an older Dify (0.15) where they differ: what it lacks, and how it says the rest.

What the two say alike is made in one place, in the newer form; here it is said again in the older one, events by
`dialect_015.py`. What the older one took and the newer one refuses is let through by `payloads.py` and the routes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import count
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...wire.sse import KIND, written
from ..engine.app import App
from ..responses import html_not_found, reply
from ..server.event_stream import event_of
from . import dialect_015

VERSION = "0.15.3"
_MISSING = re.compile(
    r"/v1/(?:site|app/feedbacks|end-users/[^/]+|files/[^/]+/preview|apps/annotations(?:/.*)?"
    r"|apps/annotation-reply/.*|conversations/[^/]+/variables(?:/[^/]+)?)"
)
_OF_UPLOAD = ("id", "name", "size", "extension", "mime_type", "created_by", "created_at")


_NO_FILE = ("no_file_uploaded", "no_audio_uploaded")
_BAD_REQUEST = "The browser (or proxy) sent a request that this server could not understand."


class Dialect015:
    """Answers as Dify 0.15 does."""

    def __init__(self, app: ASGIApp, asked: Callable[[str], App | None], *, played: bool) -> None:
        """Args:
        asked: gives the app that an Authorization header opens.
        played: streams are recorded ones, and pass as they are.
        """
        self._app = app
        self._asked = asked
        self._played = played
        self._runs = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _MISSING.fullmatch(scope["path"]):
            await html_not_found()(scope, receive, _Versioned(send))
        elif scope["path"] == "/v1/" and scope["method"] == "GET":
            welcome = {"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": VERSION}
            await reply(welcome)(scope, receive, _Versioned(send))
        elif not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, _Versioned(send))
        else:
            app = self._asked(Headers(scope=scope).get("authorization", ""))
            flow = app is not None and app.is_flow
            stream = None if self._played else dialect_015.Stream(self._runs)
            await self._app(scope, receive, _Said(scope, send, flow, stream))


class _Versioned:
    """A `send` that names the older version."""

    def __init__(self, send: Send) -> None:
        self._to = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": _versioned(message["headers"])}
        await self._to(message)


class _Said:
    """A `send` that says JSON and events in the older form; all else passes."""

    def __init__(self, scope: Scope, send: Send, flow: bool, stream: dialect_015.Stream | None) -> None:
        self._flow = flow
        self._stream = stream
        self._path: str = scope["path"]
        self._to = send
        self._start: Message = {}
        self._body = b""
        self._kind = ""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = _versioned(message["headers"])
            self._start = {**message, "headers": headers}
            kind = dict(headers).get(b"content-type", b"").decode()
            self._kind = kind.partition(";")[0]
            if self._kind != "application/json":
                await self._to(self._start)
            return
        if self._kind == KIND and self._stream is not None:
            await self._events(self._stream, message)
            return
        if self._kind == "application/json":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._json()
            return
        await self._to(message)

    async def _events(self, stream: dialect_015.Stream, message: Message) -> None:
        """Each event goes by itself, as faults expect it."""
        body = message.get("body", b"")
        event = event_of(body)
        if event is None:
            told = () if message.get("more_body") else stream.end()
        else:
            told, body = stream.tell(event), b""
        for older_event in told:
            piece = written(("", json.dumps(older_event).encode()))
            await self._to({**message, "body": piece, "more_body": True})
        if body or not message.get("more_body"):
            await self._to({**message, "body": body})

    async def _json(self) -> None:
        status, body = self._start["status"], self._body
        if status == 204:
            status, body = 200, b'{"result": "success"}\n'
        elif body:
            told = self._older(status, json.loads(body))
            body = json.dumps(told).encode() + (b"\n" if self._body.endswith(b"\n") else b"")
        away = (b"content-length", b"content-type")
        headers = [(name, value) for name, value in self._start["headers"] if name not in away]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._to({**self._start, "status": status, "headers": headers})
        await self._to({"type": "http.response.body", "body": body, "more_body": False})

    def _older(self, status: int, told: Any) -> Any:
        path = self._path
        if not isinstance(told, dict):
            return told
        if status >= 400:
            return _error(told)
        if path == "/v1/info":
            return {name: told[name] for name in ("name", "description", "tags")}
        if path == "/v1/files/upload":
            return {name: told[name] for name in _OF_UPLOAD}
        if path == "/v1/messages":
            return {**told, "data": [_message(one, flow=self._flow) for one in told["data"]]}
        if path == "/v1/chat-messages":
            answer, metadata = dialect_015.text(told["answer"]), dialect_015.metadata(told["metadata"])
            return {**told, "answer": answer, "metadata": metadata}
        return told


def _versioned(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # 0.15 names no scheme in a 401.
    kept = [(name, value) for name, value in headers if name != b"www-authenticate"]
    return [(name, VERSION.encode() if name == b"x-version" else value) for name, value in kept]


def _error(told: dict[str, Any]) -> dict[str, Any]:
    """Its errors of parameters name the field and no status; its 500 has another code."""
    if told.get("code") == "internal_server_error":
        return {"message": "Internal Server Error", "code": "unknown"}
    if told.get("code") in _NO_FILE:
        return {**told, "code": "bad_request_key_error", "message": _BAD_REQUEST}
    message = str(told.get("message", ""))
    found = re.match(r"\d+ validation errors? for \w+\n(\w+)\n\s*+(.*?) \[type=", message)
    if told.get("code") == "invalid_param" and found:
        return {"code": "invalid_param", "message": found[2], "params": found[1]}
    return told


def _message(told: dict[str, Any], *, flow: bool) -> dict[str, Any]:
    """A message of the history; those of a chatflow do not tell what was found."""
    thoughts = [
        {**{name: value for name, value in one.items() if name != "files"}, "message_files": []}
        for one in told["agent_thoughts"]
    ]
    files = [{name: value for name, value in one.items() if name != "upload_file_id"} for one in told["message_files"]]
    found = [
        {**{name: value for name, value in one.items() if name != "summary"}, "created_at": told["created_at"]}
        for one in told["retriever_resources"]
    ]
    return {
        **told,
        "answer": dialect_015.text(told["answer"]),
        "agent_thoughts": thoughts,
        "message_files": files,
        "retriever_resources": [] if flow else found,
    }
