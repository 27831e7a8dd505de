"""The answers of an older Dify (0.15) where they differ: what it lacks, and how it says the rest.

What the two say alike is made in one place, in the newer form; here it is said again in the older
one. Order of events and validation stay those of the newer version.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .replies import html_not_found

_MISSING = re.compile(
    r"/v1/(?:site|app/feedbacks|end-users/[^/]+|files/[^/]+/preview|apps/annotations(?:/.*)?"
    r"|conversations/[^/]+/variables(?:/[^/]+)?)"
)
_NEW_IN_NODES = (
    "inputs_truncated", "process_data_truncated", "outputs_truncated", "loop_id", "agent_strategy",
)  # fmt: skip
_OF_UPLOAD = ("id", "name", "size", "extension", "mime_type", "created_by", "created_at")


class Older:
    """Answers as Dify 0.15 does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _MISSING.fullmatch(scope["path"]):
            await html_not_found()(scope, receive, _Versioned(send))
        else:
            await self._app(scope, receive, _Said(scope, send))


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

    def __init__(self, scope: Scope, send: Send) -> None:
        self._path: str = scope["path"]
        self._method: str = scope["method"]
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
        if self._kind == "text/event-stream":
            message = {**message, "body": _event(message.get("body", b""))}
        elif self._kind == "application/json":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._json()
            return
        await self._to(message)

    async def _json(self) -> None:
        status, body = self._start["status"], self._body
        if status == 204:
            status, body = 200, b'{"result": "success"}\n'
        elif body:
            told = _older(self._path, self._method, status, json.loads(body))
            body = json.dumps(told).encode() + (b"\n" if self._body.endswith(b"\n") else b"")
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._to({**self._start, "status": status, "headers": headers})
        await self._to({"type": "http.response.body", "body": body, "more_body": False})


def _versioned(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # 0.15 names no scheme in a 401.
    return [
        (name, b"0.15.3" if name == b"x-version" else value) for name, value in headers if name != b"www-authenticate"
    ]


def _older(path: str, method: str, status: int, told: Any) -> Any:
    if not isinstance(told, dict):
        return told
    if status >= 400:
        return _error(told)
    if path == "/v1/info":
        return {name: told[name] for name in ("name", "description", "tags")}
    if path == "/v1/files/upload":
        return {name: told[name] for name in _OF_UPLOAD}
    if path == "/v1/messages":
        return {**told, "data": [_message(one) for one in told["data"]]}
    if path == "/v1/chat-messages":
        return {**told, "metadata": _metadata(told["metadata"])}
    return told


def _error(told: dict[str, Any]) -> dict[str, Any]:
    """Its errors of parameters name the field and no status; its 500 has another code."""
    if told.get("code") == "internal_server_error":
        return {"message": "Internal Server Error", "code": "unknown"}
    message = str(told.get("message", ""))
    found = re.match(r"\d+ validation errors? for \w+\n(\w+)\n\s*(.*?) \[type=", message)
    if told.get("code") == "invalid_param" and found:
        return {"code": "invalid_param", "message": found[2], "params": found[1]}
    return told


def _message(told: dict[str, Any]) -> dict[str, Any]:
    """A message of the history."""
    thoughts = [
        {**{name: value for name, value in one.items() if name != "files"}, "message_files": []}
        for one in told["agent_thoughts"]
    ]
    files = [{name: value for name, value in one.items() if name != "upload_file_id"} for one in told["message_files"]]
    return {**told, "agent_thoughts": thoughts, "message_files": files}


def _metadata(told: dict[str, Any]) -> dict[str, Any]:
    """Only what there is, and no times of a model."""
    kept = {name: value for name, value in told.items() if value}
    if isinstance(usage := kept.get("usage"), dict):
        kept["usage"] = {name: value for name, value in usage.items() if not name.startswith("time_to_")}
    return kept


def _event(body: bytes) -> bytes:
    """An event in its JSON: spaces, and nothing but ASCII."""
    if not body.startswith(b"data: {"):
        return body
    event: dict[str, Any] = msgspec.json.decode(body[6:])
    name = event["event"]
    if name == "message_end":
        event["metadata"] = _metadata(event["metadata"])
    elif name == "message_replace":
        event.pop("reason", None)
    elif isinstance(data := event.get("data"), dict):
        event["data"] = {key: value for key, value in data.items() if key not in _NEW_IN_NODES}
        if name == "workflow_started":
            event["data"]["sequence_number"] = 1
        elif name == "iteration_started":
            metadata = event["data"]["metadata"]
            event["data"]["metadata"] = {"iterator_length": metadata.get("iteration_length")}
    return b"data: " + json.dumps(event).encode() + b"\n\n"
