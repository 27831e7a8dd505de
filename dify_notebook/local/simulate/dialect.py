"""The answers of an older Dify (1.12, 0.15) where they differ: what it lacks, and how it says the rest.

What versions say alike is made in one place, in the newest form; here it is said anew before it is encoded: by
`dialect_112.py`, and what that gives by `Dialect015` with the events of `dialect_015.py`. What 0.15 took and the newer
ones refuse is let through by `server/payloads.py` and the routes.
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
from . import dialect_015, dialect_112, dialect_runs
from .items import Change

VERSIONS: dict[str, str] = {"1.12": "1.12.1", "0.15": "0.15.3"}
_NEWER = r"form/human_input/.*|workflow/.*"
_MISSING: dict[str, re.Pattern[str]] = {
    "1.12": re.compile(rf"/v1/(?:{_NEWER})"),
    "0.15": re.compile(
        rf"/v1/(?:{_NEWER}|workflows/[^/]+/run|site|app/feedbacks|end-users/[^/]+|files/[^/]+/preview|apps/annotations(?:/.*)?"
        r"|apps/annotation-reply/.*|conversations/[^/]+/variables(?:/[^/]+)?)"
    ),
}
_OF_UPLOAD = ("id", "name", "size", "extension", "mime_type", "created_by", "created_at")
_NO_FILE = ("no_file_uploaded", "no_audio_uploaded")
_BAD_REQUEST = "The browser (or proxy) sent a request that this server could not understand."


ASKED = (*dialect_112.MESSAGES, dialect_runs.RUN)
"""Where an answer is asked for, which may be a recorded one."""


class DialectMiddleware:
    """Answers as an older Dify does: refuses what that lacks; the rest finds a dialect in the `state` of its scope."""

    def __init__(
        self, app: ASGIApp, app_of: Callable[[str], App | None], version: str, *, played: bool
    ) -> None:
        """Args:
        app_of: gives the app that an Authorization header opens.
        version: an older one.
        played: streams are recorded ones, and pass as they are.
        """
        self._app = app
        self._app_of = app_of
        self._version = version
        self._played = played
        self._runs = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, path = self._app, scope["path"]
        if _MISSING[self._version].fullmatch(path):
            answer = html_not_found()
        elif self._version == "0.15" and path == "/v1/" and scope["method"] == "GET":
            answer = reply({"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": VERSIONS["0.15"]})
        elif path.startswith("/v1/"):
            app = self._app_of(Headers(scope=scope).get("authorization", ""))
            dialect = self._dialect(path, app)
            scope = {**scope, "state": {**scope.get("state", {}), "dialect": dialect}}

        async def versioned(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._headers(message["headers"])}
            await send(message)

        await answer(scope, receive, versioned)

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if self._version == "0.15":  # which names no scheme in a 401
            headers = [(name, value) for name, value in headers if name != b"www-authenticate"]
        version = VERSIONS[self._version].encode()
        return [(name, version if name == b"x-version" else value) for name, value in headers]

    def _dialect(self, path: str, app: App | None) -> Dialect112:
        flow = app is not None and app.is_flow
        newer: Change = dialect_112.Stream(flow=flow)
        older: Change = dialect_015.Stream(self._runs)
        if app is not None and app.is_workflow:
            newer, older = dialect_runs.Stream112(), dialect_runs.Stream015(self._runs)
        if self._version == "1.12":
            return Dialect112(path, flow, () if self._played else (newer,))
        return Dialect015(path, flow, () if self._played else (newer, older))


class Dialect112:
    """How 1.12 gives what 1.16 answers to one request."""

    charset = True

    def __init__(self, path: str, flow: bool, events: tuple[Change, ...]) -> None:
        """Args:
        flow: whether the app is a chatflow.
        events: what changes the events of a stream, one after another; none leave what is played as it is.
        """
        self._path = path
        self._flow = flow
        self.events = events

    def json(self, status: int, content: Any) -> tuple[int, Any]:
        """Status and content of a JSON response."""
        if not isinstance(content, dict) or self.played:
            return status, content
        status, content = dialect_runs.answer_112(self._path, status, content)
        return dialect_112.answer(self._path, status, content, flow=self._flow)

    @property
    def played(self) -> bool:
        """Whether it is an answer from a tape."""
        return self._path in ASKED and not self.events


class Dialect015(Dialect112):
    """How 0.15 gives it."""

    charset = False

    def json(self, status: int, content: Any) -> tuple[int, Any]:
        """Status and content of a JSON response."""
        path = self._path
        if isinstance(content, dict) and not self.played:
            status, content = dialect_runs.answer_015(path, status, content)
        if dialect_runs.about_runs(path):
            return status, _error(content) if status >= 400 else content
        status, content = super().json(status, content)
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
        if path in dialect_112.MESSAGES and not self.played:
            answer, metadata = dialect_015.text(content["answer"]), dialect_015.metadata(content["metadata"])
            return status, {**content, "answer": answer, "metadata": metadata}
        return status, content


def _error(content: dict[str, Any]) -> dict[str, Any]:
    """Its errors of parameters name the field and no status; its 500 has another code."""
    if content.get("code") in ("internal_server_error", "unknown"):
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
