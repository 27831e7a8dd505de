"""Every refusal that servers are known for says what to do, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from dify_notebook.errors import from_response, hint_for
from dify_notebook.i18n import sentences, set_language

HINTS = [
    ("unauthorized", "Access token is invalid", 401, "hint.unauthorized"),
    ("forbidden", "The API is disabled.", 403, "hint.403"),
    ("not_found", "Conversation Not Exists. You have requested this URI [/v1/messages]", 404, "hint.conversation"),
    ("not_found", "Message Not Exists.", 404, "hint.message"),
    ("not_json", "web page", 404, "hint.404"),
    ("not_json", "web page", 502, "hint.502"),
    ("not_json", "web page", 413, "hint.413"),
    ("not_json", "web page", 504, "hint.504"),
    ("not_json", "no Dify", 200, "hint.not_json"),
    ("invalid_param", "Too many requests. Please try again later. The current maximum is 1.", 400, "hint.too_many_requests"),
    ("too_many_requests", "wait", 429, "hint.too_many_requests"),
    ("not_chat_app", "Please check if your app mode matches the right API route.", 400, "hint.not_chat_app"),
    ("not_workflow_app", "Please check", 400, "hint.not_workflow_app"),
    ("app_unavailable", "App unavailable", 400, "hint.app_unavailable"),
    ("invalid_param", "Workflow not published", 400, "hint.unpublished"),
    ("invalid_param", "Provider x does not exist.", 400, "hint.provider"),
    ("provider_not_initialize", "No valid model provider credentials found.", 400, "hint.provider_not_initialize"),
    ("provider_quota_exceeded", "Your quota for the Model Provider is exhausted", 400, "hint.provider_quota_exceeded"),
    ("invalid_param", "Agent Chat App does not support blocking mode", 400, "hint.agent_blocking"),
    ("invalid_param", "city is required in input form", 400, "hint.inputs"),
    ("invalid_param", "1 validation error for ChatRequestPayload", 400, "hint.invalid_param"),
    ("bad_request", "The browser sent a request", 400, "hint.bad_request"),
    ("unsupported_media_type", "no", 415, "hint.unsupported_media_type"),
    ("file_too_large", "File size exceeded.", 413, "hint.file_too_large"),
    ("unknown", "Internal Server Error", 500, "hint.500"),
    ("internal_server_error", "x", 500, "hint.500"),
    ("", "", 405, "hint.405"),
    ("tls", "certificate", None, "hint.tls"),
    ("timeout", "x", None, "hint.timeout"),
    ("redirect", "x", 308, "hint.redirect"),
]


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
@pytest.mark.parametrize(("code", "message", "status", "key"), HINTS)
def test_what_to_do(code: str, message: str, status: int | None, key: str, lang: Any) -> None:
    set_language(lang)
    try:
        assert hint_for(code, message, status) == sentences(lang)[key]
    finally:
        set_language(None)


def test_an_error_says_all() -> None:
    body = b'{"code": "invalid_param", "message": "Workflow not published", "status": 400}'
    said = str(from_response("POST /chat-messages", 400, "application/json", body, "req-1"))
    assert said.splitlines() == [
        "POST /chat-messages: 400 invalid_param: Workflow not published",
        "request id: req-1",
        "Open the chatflow in Dify and publish it.",
    ]
