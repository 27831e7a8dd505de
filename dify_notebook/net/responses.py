"""What an answer means that came in one piece: an answer, an error, or nothing of Dify's."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from ..errors import DifyError, ServerError, from_response
from ..i18n import t
from ..wire import events as ev
from ..wire.calls import Call
from ..wire.decoder import decode
from ..wire.loose import loads, read, strict
from ..wire.sse import Splitter
from ..wire.surrogates import Surrogates
from .bounds import spoken
from .files import host_of


def kind_of(response: httpx.Response) -> str:
    """The type of a body, in lower case."""
    return str(response.headers.get("content-type", "")).lower()


def is_stream(response: httpx.Response) -> bool:
    """Whether a body is of events, by its type."""
    return "event-stream" in kind_of(response)


def blocking_events(body: bytes, at: float) -> list[ev.Event]:
    """A whole answer in one JSON, told as the events that it stands for.

    Raises:
        ValueError: it is no answer.
    """
    try:
        data, unread = read(body)
    except RecursionError as problem:
        raise ValueError(str(problem)) from None
    if not isinstance(data, dict) or "answer" not in data:
        raise ValueError
    common = {key: data.get(key) for key in ("task_id", "message_id", "conversation_id", "created_at")}
    told: list[dict[str, Any]] = [
        {"event": "message", "answer": data["answer"]},
        {"event": "message_end", "metadata": data.get("metadata"), "files": data.get("files")},
    ]
    events = [decode(("", msgspec.json.encode(common | one)), at) for one in told]
    events[0].unread = unread
    return events


def streamed_events(body: bytes, at: float) -> list[ev.Event]:
    """A whole answer that came as a stream where it should have come in one piece."""
    splitter, halves = Splitter(), Surrogates()
    events = [decode(frame, at, halves) for frame in splitter.feed(body)]
    return [*events, ev.StreamEnd(at=at, rest=splitter.rest())]


def error_of(response: httpx.Response, body: bytes, call: Call[Any]) -> DifyError:
    """The error that an answer means which is not what was asked for."""
    kind = response.headers.get("content-type", "")
    request_id = response.headers.get("x-trace-id") or response.headers.get("x-request-id")
    status = response.status_code
    if response.is_redirect:
        code, words = "redirect", t("net.redirect", host=host_of(response.headers.get("location", "")))
    elif status >= 300:
        return from_response(call.attempted, status, kind, strict(body), request_id)
    elif "json" in kind_of(response) or body.lstrip()[:1] == b"{":  # gateways lose the type
        if (error := refused(body, call, request_id)) is not None:
            return error
        code, words = "unreadable", t("net.unreadable", problem=body[:200].decode("utf-8", "replace"))
    else:
        code, words = "not_json", t("net.not_dify", kind=kind or "?")
    return ServerError(words, code=code, status=status, request_id=request_id, attempted=call.attempted)


def refused(body: bytes, call: Call[Any], request_id: str | None = None) -> DifyError | None:
    """The error that Dify's own error body means under HTTP 200, as some gateways pass it on; None for any other."""
    if len(body) > 10_000 or b'"code"' not in body or b'"message"' not in body:
        return None
    try:
        told = msgspec.convert(loads(body), _Refusal)
    except (ValueError, RecursionError):
        return None
    if told.status < 400 or told.status > 599:
        return None
    return from_response(call.attempted, told.status, "application/json", strict(body), request_id)


def too_large(limit: int, status: int | None, attempted: str) -> DifyError:
    """The error for an answer that is longer than is taken."""
    told = t("net.too_large", limit=spoken(limit), name="body")
    return ServerError(told, code="too_large", status=status, attempted=attempted)


class _Refusal(msgspec.Struct):
    code: str
    message: str
    status: int
