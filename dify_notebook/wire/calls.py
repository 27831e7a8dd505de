"""Each endpoint of the Service API once: how it is called and what comes back.

A `Call` is a value; `net` sends it. Values that the API documents limit are checked
here, so that a mistake is told before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec

from ..errors import InputError
from ..i18n import t
from . import models

T = TypeVar("T")
SortBy = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One request, ready to be sent."""

    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"]
    path: str
    """Below the base URL, with everything escaped."""
    result: Any
    """The type that the answer's JSON is read as."""
    params: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    """Sent as JSON."""
    idempotent: bool = False
    """Whether it may be sent again after a failure."""

    @property
    def attempted(self) -> str:
        """What to call it in an error message."""
        return f"{self.method} {self.path}"


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(t("net.one_of", name=name, value=repr(value), allowed=", ".join(allowed)), code=name)


def check_limit(limit: int) -> int:
    """Page sizes run from 1 to 100 (API document)."""
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 100:
        raise InputError(t("net.bad_limit", value=repr(limit)), code="limit")
    return limit


def segment(name: str, value: str) -> str:
    """One path segment, escaped; refuses what would mean another path."""
    if not isinstance(value, str) or not value.strip() or value in (".", ".."):
        raise InputError(t("net.bad_id", name=name, value=repr(value)), code=name)
    return quote(value, safe="")


def chat_messages(
    query: str,
    *,
    user: str,
    inputs: Mapping[str, Any] | None = None,
    conversation_id: str | None = None,
    files: list[dict[str, Any]] | None = None,
    response_mode: Literal["streaming", "blocking"] = "streaming",
    auto_generate_name: bool = True,
) -> Call[models.ChatCompletion]:
    """POST /chat-messages."""
    if not isinstance(query, str):
        raise InputError(t("net.bad_query", kind=type(query).__name__), code="query")
    one_of("response_mode", response_mode, ("streaming", "blocking"))
    if inputs is not None and not isinstance(inputs, Mapping):
        raise InputError(t("net.bad_inputs", kind=type(inputs).__name__), code="inputs")
    body: dict[str, Any] = {
        "query": query,
        "inputs": dict(inputs or {}),
        "response_mode": response_mode,
        "user": user,
        "conversation_id": conversation_id or "",
        "auto_generate_name": auto_generate_name,
    }
    if files:
        body["files"] = files
    return Call(method="POST", path="/chat-messages", body=body, result=models.ChatCompletion)


def stop_chat_message(task_id: str, *, user: str) -> Call[models.Result]:
    """POST /chat-messages/{task_id}/stop. Dify says success to anything: see `ChatStream.stop`."""
    path = f"/chat-messages/{segment('task_id', task_id)}/stop"
    return Call(method="POST", path=path, body={"user": user}, result=models.Result, idempotent=True)


def list_conversations(
    *, user: str, last_id: str | None = None, limit: int = 20, sort_by: SortBy = "-updated_at"
) -> Call[models.ConversationPage]:
    """GET /conversations."""
    one_of("sort_by", sort_by, ("created_at", "-created_at", "updated_at", "-updated_at"))
    params = {"user": user, "limit": str(check_limit(limit)), "sort_by": sort_by}
    if last_id:
        params["last_id"] = last_id
    return Call(method="GET", path="/conversations", params=params, result=models.ConversationPage, idempotent=True)


def list_messages(
    conversation_id: str, *, user: str, first_id: str | None = None, limit: int = 20
) -> Call[models.MessagePage]:
    """GET /messages: the newest page first, ascending within the page."""
    segment("conversation_id", conversation_id)
    params = {"user": user, "conversation_id": conversation_id, "limit": str(check_limit(limit))}
    if first_id:
        params["first_id"] = first_id
    return Call(method="GET", path="/messages", params=params, result=models.MessagePage, idempotent=True)


def app_info() -> Call[models.AppInfo]:
    """GET /info."""
    return Call(method="GET", path="/info", result=models.AppInfo, idempotent=True)


def app_parameters(*, user: str) -> Call[models.Parameters]:
    """GET /parameters."""
    return Call(method="GET", path="/parameters", params={"user": user}, result=models.Parameters, idempotent=True)


def app_meta(*, user: str) -> Call[models.AppMeta]:
    """GET /meta."""
    return Call(method="GET", path="/meta", params={"user": user}, result=models.AppMeta, idempotent=True)


def app_site() -> Call[models.Site]:
    """GET /site (Dify 1.x)."""
    return Call(method="GET", path="/site", result=models.Site, idempotent=True)


def upload_file(*, user: str) -> Call[models.UploadedFile]:
    """POST /files/upload; the file itself travels as multipart beside this."""
    return Call(method="POST", path="/files/upload", body={"user": user}, result=models.UploadedFile)
