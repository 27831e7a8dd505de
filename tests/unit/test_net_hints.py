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
    ("invalid_param", "Run failed: [stub] error 429", 400, "hint.run_failed"),
    ("invalid_param", "Run failed: Reached maximum retries (0) for URL http://x", 400, "hint.run_failed"),
    ("invalid_param", "Reached maximum retries (3) for URL http://127.0.0.1:9/x.png", 400, "hint.remote_file"),
    ("invalid_param", "3 validation errors for X\nembedding_provider_name\n  Field required", 400, "hint.invalid_param"),
    ("invalid_param", "Arg user must be provided.", 400, "hint.user"),
    ("invalid_param", "Invalid upload file", 400, "hint.upload_id"),
    ("invalid_param", "File validation failed for file: a.mp3", 400, "hint.unsupported_file_type"),
    ("invalid_param", "Speech to text is not enabled", 400, "hint.speech_off"),
    ("invalid_param", "TTS is not enabled", 400, "hint.sound_off"),
    ("bad_request", "Suggested Questions Is Disabled.", 400, "hint.suggested_off"),
    ("invalid_param", "rating cannot be None when feedback not exists", 400, "hint.no_rating"),
    ("not_found", "Annotation not found", 404, "hint.not_found"),
    ("not_json", "web page", 403, "hint.blocked"),
    ("not_json", "web page", 418, "hint.not_json"),
    # Dify 1.13 to 1.17
    ("human_input_form_submitted", "This form has already been submitted by another user, form_id=0", 412,
     "hint.human_input_form_submitted"),
    ("human_input_form_expired", "This form has expired, form_id=0", 412, "hint.human_input_form_expired"),
    ("not_found", "Form not found. You have requested this URI", 404, "hint.human_input_form_not_found"),
    ("invalid_form_data", "Invalid value for select input 'kind': zz", 400, "hint.invalid_form_data"),
    ("speech_to_text_disabled", "Speech to text is disabled.", 400, "hint.speech_to_text_disabled"),
    ("agent_run_limit_exceeded", "too many steps (agent_run_id=7)", 400, "hint.agent_run_limit_exceeded"),
    ("agent_not_published", "x", 400, "hint.agent_not_published"),
    ("invalid_param", "Agent App has no bound Agent", 400, "hint.agent_not_published"),
    ("bad_request", "Agent App only supports streaming response mode.", 400, "hint.agent_blocking"),
    ("workflow_version_execution_not_allowed", "x", 403, "hint.workflow_version_execution_not_allowed"),
    ("rate_limit_error", "[stub] rate limited", 429, "hint.rate_limit_error"),
    ("not_found", "Workflow run not found", 404, "hint.unknown_run"),
    ("not_found", "Workflow not found with id: 5d3f1a52", 404, "hint.unknown_version"),
    ("workflow_failed", "must is required in input form", None, "hint.inputs"),
    ("workflow_failed", "query is required", None, "hint.query"),
    ("invalid_param", "Run failed: must is required in input form", 400, "hint.inputs"),
    ("invalid_param", '{"error_type": "ValueError", "message": "no", "args": {}}', 400, "hint.completion_request_error"),
    ("workflow_failed", 'PluginInvokeError: {"error_type": "X", "message": "no"}', None, "hint.completion_request_error"),
]

#: Every code that the API document names for its errors.
DOCUMENTED = [
    "app_unavailable", "not_chat_app", "conversation_completed", "provider_not_initialize", "provider_quota_exceeded",
    "model_currently_not_support", "completion_request_error", "too_many_requests", "rate_limit_error", "bad_request",
    "no_file_uploaded", "too_many_files", "filename_not_exists_error", "file_too_large", "unsupported_file_type",
    "file_access_denied", "file_not_found", "end_user_not_found", "no_audio_uploaded", "audio_too_large",
    "provider_not_support_speech_to_text", "unsupported_audio_type", "invalid_param", "unsupported_preview",
    "unsupported_estimate", "bad_request_key_error", "not_found", "unauthorized", "unsupported_media_type",
]  # fmt: skip


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_has_its_own_sentence(code: str) -> None:
    assert hint_for(code, "x", 400) == sentences("en")[f"hint.{code}"]


@pytest.mark.parametrize(
    ("kind", "body", "code", "message"),
    [
        ("application/json", b'{"code": "invalid_param", "message": "", "status": 400}', "invalid_param",
         "the server gave no reason"),
        ("text/plain", b'{"code": "invalid_param", "message": "no"}', "invalid_param", "no"),
        ("", b'\n{"code": "invalid_param", "params": "limit"}', "invalid_param", "limit"),
        ("application/json", b"{broken", "", "{broken"),
        ("application/json", b"[]", "", "[]"),
        ("application/json", b"\xff\xfe", "", "\ufffd\ufffd"),
        ("text/plain", b"  ", "", "the server answered 400 and nothing else"),
    ],
)  # fmt: skip
def test_errors_in_other_forms(kind: str, body: bytes, code: str, message: str) -> None:
    error = from_response("GET /x", 400, kind, body, None)
    assert (error.code, error.message) == (code, message)


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
        "Open the app in Dify and publish it.",
    ]
