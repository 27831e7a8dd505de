"""What an answer means that came in one piece: an answer, an error, or nothing of Dify's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec

from ..errors import DifyError, ServerError, from_response
from ..i18n import t
from ..wire import events as ev
from ..wire.calls import Call
from ..wire.decoder import decode
from ..wire.loose import loads, read, strict
from ..wire.sse import BEGINNINGS, Splitter
from ..wire.surrogates import Surrogates
from .bodies import iter_decoded
from .bounds import size_text
from .files import host_of


def content_type_of(response: httpx.Response) -> str:
    """The type of a body, in lower case."""
    return str(response.headers.get("content-type", "")).lower()


def is_event_stream(response: httpx.Response) -> bool:
    """Whether a body is of events, by its type."""
    return "event-stream" in content_type_of(response)


async def events_body(response: httpx.Response) -> tuple[AsyncIterator[bytes], bool]:
    """A body, decoded, and whether it is of events: by its type, or where a gateway lost that, by how it begins."""
    body, content_type, head = iter_decoded(response), content_type_of(response), b""
    if response.status_code >= 300 or "html" in content_type or "json" in content_type:
        return body, False
    if is_event_stream(response):
        return body, True
    async for chunk in body:
        head += chunk
        if len(head) >= len(max(BEGINNINGS, key=len)):
            break
    return _after(head, body), head.startswith(BEGINNINGS)


async def _after(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for chunk in rest:
        yield chunk


def blocking_events(body: bytes, at: float) -> list[ev.Event]:
    """A whole answer in one JSON, told as the events that it stands for; also one that paused (Dify 1.14).

    The run of a workflow app is one event, its end or its pause; that it failed is told under HTTP 200 as well.

    Raises:
        ValueError: it is no answer.
    """
    try:
        data, unread = read(body)
    except RecursionError as problem:
        raise ValueError(str(problem)) from None
    if not isinstance(data, dict):
        raise ValueError
    inner = data["data"] if isinstance(data.get("data"), dict) else {}
    paused = data.get("event") == "workflow_paused"
    if not paused and "answer" not in data:
        return [_end_of_run(data, inner.get("status"), at, unread)]
    reported = {**(inner if paused else {}), **{name: value for name, value in data.items() if value is not None}}
    common = {key: reported.get(key) for key in ("task_id", "message_id", "conversation_id", "created_at")}
    messages: list[dict[str, Any]] = [
        {"event": "message", "answer": reported.get("answer")},
        {"event": "message_end", "metadata": reported.get("metadata"), "files": reported.get("files")},
    ]
    if paused:
        run = reported.get("workflow_run_id")
        messages.append({"event": "workflow_paused", "workflow_run_id": run, "data": inner})
    events = [decode(("", msgspec.json.encode(common | fields)), at) for fields in messages]
    events[0].unread = unread
    return events


def _end_of_run(data: dict[str, Any], status: object, at: float, unread: int) -> ev.Event:
    """How the run of a workflow app ended, or that it waits."""
    if not isinstance(status, str):
        raise ValueError
    name = "workflow_paused" if status == "paused" else "workflow_finished"
    event = decode(("", msgspec.json.encode({**data, "event": name})), at)
    event.unread = unread
    return event


def streamed_events(body: bytes, at: float) -> list[ev.Event]:
    """A whole answer that came as a stream where it should have come in one piece."""
    splitter, surrogates = Splitter(), Surrogates()
    events = [decode(frame, at, surrogates) for frame in splitter.feed(body)]
    return [*events, ev.StreamEnd(at=at, rest=splitter.rest())]


def error_of(response: httpx.Response, body: bytes, call: Call[Any]) -> DifyError:
    """The error that an answer means which is not what was asked for."""
    content_type = response.headers.get("content-type", "")
    request_id = response.headers.get("x-trace-id") or response.headers.get("x-request-id")
    status = response.status_code
    if response.is_redirect:
        code, message = "redirect", t("net.redirect", host=host_of(response.headers.get("location", "")))
    elif status >= 300:
        return from_response(call.attempted, status, content_type, strict(body), request_id)
    elif "json" in content_type_of(response) or body.lstrip()[:1] == b"{":  # gateways lose the type
        if (error := error_in_body(body, call, request_id)) is not None:
            return error
        code, message = "unreadable", t("net.unreadable", problem=body[:200].decode("utf-8", "replace"))
    else:
        code, message = "not_json", t("net.not_dify", kind=content_type or "?")
    return ServerError(message, code=code, status=status, request_id=request_id, attempted=call.attempted)


def error_in_body(body: bytes, call: Call[Any], request_id: str | None = None) -> DifyError | None:
    """The error that Dify's own error body means under HTTP 200, as some gateways pass it on; None for any other."""
    if len(body) > 10_000 or b'"code"' not in body or b'"message"' not in body:
        return None
    try:
        fields = msgspec.convert(loads(body), _ErrorBody)
    except (ValueError, RecursionError):
        return None
    if fields.status < 400 or fields.status > 599:
        return None
    return from_response(call.attempted, fields.status, "application/json", strict(body), request_id)


def too_large(limit: int, status: int | None, attempted: str) -> DifyError:
    """The error for an answer that is longer than is taken."""
    message = t("net.too_large", limit=size_text(limit), name="body")
    return ServerError(message, code="too_large", status=status, attempted=attempted)


class _ErrorBody(msgspec.Struct):
    code: str
    message: str
    status: int
