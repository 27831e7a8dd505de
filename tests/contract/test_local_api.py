"""Asking, stopping, and what an app tells of itself: statuses, bodies and error envelopes, over a real socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_helpers import NOWHERE, Client, events_of, names, ran, told

from dify_notebook.local.engine.app import FILE_LIMITS
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

# -- asking ------------------------------------------------------------------------------------

TAKEN_BEFORE: tuple[dict[str, Any], ...] = ({"query": None}, {"query": 5}, {"inputs": None}, {"inputs": []}, {"files": {}})
"""What Dify 0.15 takes; see test_local_older.py."""
ASKING: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("no query", {"query": ...}, 400, "invalid_param", "query"),
    ("null query", {"query": None}, 400, "invalid_param", "valid string"),
    ("number as query", {"query": 5}, 400, "invalid_param", "valid string"),
    ("blank query", {"query": " "}, 400, "invalid_param", "query is required"),
    ("no inputs", {"inputs": ...}, 400, "invalid_param", "Field required"),
    ("null inputs", {"inputs": None}, 400, "invalid_param", "valid dictionary"),
    ("list as inputs", {"inputs": []}, 400, "invalid_param", "valid dictionary"),
    ("no user", {"user": ...}, 400, "invalid_param", "Arg user must be provided."),
    ("empty user", {"user": ""}, 400, "invalid_param", "Arg user must be provided."),
    ("long user", {"user": "u" * 256}, 400, "invalid_param", "at most 255"),
    ("other mode", {"response_mode": "sideways"}, 400, "invalid_param", "'blocking' or 'streaming'"),
    ("files no list", {"files": {}}, 400, "invalid_param", "valid list"),
    ("malformed conversation", {"conversation_id": "nope"}, 400, "invalid_param", "valid UUID"),
    ("unknown conversation", {"conversation_id": NOWHERE}, 404, "not_found", "Conversation Not Exists."),
    ("odd naming", {"auto_generate_name": "yes"}, 400, "invalid_param", "valid boolean"),
]


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
@pytest.mark.parametrize(
    ("change", "status", "code", "part"), [case[1:] for case in ASKING], ids=[case[0] for case in ASKING]
)
def test_bad_questions(
    guide: Client, dialect: Dialect, mode: str, change: dict[str, Any], status: int, code: str, part: str
) -> None:
    """The same JSON in both modes: what is refused is refused before a stream begins."""
    if dialect == "0.15" and change in TAKEN_BEFORE:
        return
    body = {
        key: value
        for key, value in {**guide.body("x", response_mode=mode), **change}.items()
        if value is not ...
    }
    found = told(guide.post("/chat-messages", body))
    assert found[:2] == (status, code)
    assert part in found[2]


INPUTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "not an option",
        {"style": "rude"},
        "style in input form must be one of the following: ['list', 'table']",
    ),
    ("empty option", {"style": ""}, "style in input form must be one of the following"),
    ("wrong type", {"items": ["a"]}, "(type 'paragraph') items in input form must be a string"),
    ("too long", {"items": "x" * 20_001}, "items in input form must be less than 20000 characters"),
]


@pytest.mark.parametrize(("inputs", "part"), [case[1:] for case in INPUTS], ids=[case[0] for case in INPUTS])
def test_bad_inputs(pipeline: Client, dialect: Dialect, inputs: dict[str, Any], part: str) -> None:
    """Since 1.13 a chatflow's stream has begun when its inputs are looked at."""
    status, code, message = told(
        pipeline.post("/chat-messages", pipeline.body("x", inputs=inputs, response_mode="blocking"))
    )
    assert (status, code) == (400, "invalid_param")
    assert part in message
    streaming = pipeline.post("/chat-messages", pipeline.body("x", inputs=inputs))
    if dialect != "1.16":
        assert told(streaming) == (status, code, message)
        return
    events = list(events_of(streaming.iter_bytes()))
    assert names(events) == ["workflow_started", "workflow_finished"]
    assert ran(events)["error"] == message
    unknown = pipeline.post("/chat-messages", pipeline.body("x", inputs=inputs, conversation_id=NOWHERE))
    assert told(unknown)[:2] == (404, "not_found")
    assert pipeline.get("/conversations").json()["data"] == []


def test_required_inputs() -> None:
    """None of the three apps has one; the rule is there for forms that have."""
    from dify_notebook.local.api_error import ApiError
    from dify_notebook.local.engine.forms import Control, check_inputs

    form = (
        Control("text-input", "city", "City", required=True, max_length=12),
        Control("number", "age", "Age"),
    )
    assert check_inputs(form, {"city": "", "age": "3.5", "other": 1}) == {"city": "", "age": 3.5}
    assert check_inputs(form, {"city": "x" * 12, "age": ""}) == {"city": "x" * 12, "age": None}
    for inputs, part in (
        ({}, "city is required in input form"),
        ({"city": None}, "city is required in input form"),
        ({"city": "x" * 13}, "less than 12 characters"),
        ({"city": 5}, "(type 'text-input') city"),
        ({"city": "x", "age": "abc"}, "age in input form must be a valid number"),
    ):
        with pytest.raises(ApiError, match=part.replace("(", r"\(").replace(")", r"\)")) as caught:
            check_inputs(form, inputs)
        assert (caught.value.status, caught.value.code) == (400, "invalid_param")


def test_blocking(guide: Client, dialect: Dialect) -> None:
    response = guide.post("/chat-messages", guide.body("How do I send a file?", response_mode="blocking"))
    assert response.status_code == 200
    charset = "" if dialect == "0.15" else "; charset=utf-8"
    assert response.headers["content-type"] == f"application/json{charset}"
    assert response.text.isascii()
    assert not response.text.endswith("\n")
    body = response.json()
    assert list(body) == (
        [
            "event",
            "task_id",
            "id",
            "message_id",
            "conversation_id",
            "mode",
            "answer",
            "metadata",
            "created_at",
        ]
    )
    assert (body["event"], body["mode"]) == ("message", "chat")
    assert body["answer"] == guide.messages(body["conversation_id"])[0]["answer"]
    assert body["metadata"]["retriever_resources"][0]["position"] == 1
    assert body["metadata"].keys() - {"usage", "retriever_resources"} == {
        "1.16": {"annotation_reply", "reasoning"}, "1.12": {"annotation_reply"}, "0.15": set(),
    }[dialect]  # fmt: skip


def test_blocking_is_the_default(pipeline: Client) -> None:
    body = pipeline.body("alpha, beta")
    del body["response_mode"]
    assert pipeline.post("/chat-messages", body).json()["mode"] == "advanced-chat"


@pytest.mark.parametrize("mode", [{"response_mode": "blocking"}, {}])
def test_agents_refuse_blocking(toolbox: Client, mode: dict[str, str]) -> None:
    body = toolbox.body("6*7")
    del body["response_mode"]
    found = told(toolbox.post("/chat-messages", {**body, **mode}))
    assert found == (400, "invalid_param", "Agent Chat App does not support blocking mode")


def test_other_kinds_of_app(guide: Client) -> None:
    assert told(guide.post("/completion-messages", {}))[:2] == (400, "app_unavailable")
    assert told(guide.post("/workflows/run", {}))[:2] == (400, "not_workflow_app")


def test_conversations_belong_to_app_and_user(server: LocalServer, guide: Client, toolbox: Client) -> None:
    conversation = guide.ask("hi")[0]["conversation_id"]
    for stranger in (Client(server, "guide", "thief"), Client(server, "toolbox", guide.user)):
        asked = stranger.post("/chat-messages", stranger.body("6*7", conversation_id=conversation))
        assert told(asked)[:2] == (404, "not_found")
        assert told(stranger.get("/messages", conversation_id=conversation))[:2] == (404, "not_found")
        assert stranger.get("/conversations").json()["data"] == []
        path = f"/conversations/{conversation}"
        assert told(stranger.post(f"{path}/name", {"name": "x", "user": stranger.user}))[:2] == (
            404,
            "not_found",
        )
        gone = stranger.http.request("DELETE", path, json={"user": stranger.user})
        assert told(gone)[:2] == (404, "not_found")
    assert len(guide.messages(conversation)) == 1


def test_a_nul_in_a_question_does_no_harm(guide: Client) -> None:
    events = guide.ask("hi\x00")
    assert guide.messages(events[0]["conversation_id"])[0]["query"] == "hi"


def test_queries_come_back_as_they_were(guide: Client) -> None:
    """Line ends, tabs, joined emoji, right to left: byte for byte."""
    query = "=1+1\r\n\t👩‍👩‍👧 \u200b שלום " + "x" * 1000
    events = guide.ask(query)
    assert guide.messages(events[0]["conversation_id"])[0]["query"] == query
    assert json.loads(json.dumps(query)) == query


# -- stop --------------------------------------------------------------------------------------


def test_stop_wants_a_user_and_json(guide: Client) -> None:
    for body in ({}, {"user": ""}):
        found = told(guide.post("/chat-messages/x/stop", body))
        assert found == (400, "invalid_param", "Arg user must be provided.")
    assert told(guide.http.post("/chat-messages/x/stop"))[:2] == (415, "unsupported_media_type")


# -- about -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "mode"), [("guide", "chat"), ("toolbox", "agent-chat"), ("pipeline", "advanced-chat")]
)
def test_about(server: LocalServer, dialect: Dialect, app: str, mode: str) -> None:
    client = Client(server, app)
    info = client.get("/info").json()
    assert list(info) == ["name", "description", "tags", *([] if dialect == "0.15" else ["mode", "author_name"])]
    assert (info["name"], info.get("mode", mode)) == (app, mode)
    parameters = client.get("/parameters").json()
    assert list(parameters) == [
        "opening_statement",
        "suggested_questions",
        "suggested_questions_after_answer",
        "speech_to_text",
        "text_to_speech",
        "retriever_resource",
        "annotation_reply",
        "more_like_this",
        "user_input_form",
        "sensitive_word_avoidance",
        "file_upload",
        "system_parameters",
    ]
    assert parameters["system_parameters"] == FILE_LIMITS
    icons = client.get("/meta").json()["tool_icons"]
    assert icons.get("calculator") == ({"background": "#E6F0FF", "content": "🧮"} if app == "toolbox" else None)
    if dialect == "0.15":  # see test_local_older.py
        return
    assert list(client.get("/site").json()) == [
        "title",
        "chat_color_theme",
        "chat_color_theme_inverted",
        "icon_type",
        "icon",
        "icon_background",
        "description",
        "copyright",
        "privacy_policy",
        *(["input_placeholder"] if dialect == "1.16" else []),
        "custom_disclaimer",
        "default_language",
        "show_workflow_steps",
        "use_icon_as_answer_icon",
        "icon_url",
    ]


def test_forms_are_told(pipeline: Client, toolbox: Client) -> None:
    form = pipeline.get("/parameters").json()["user_input_form"]
    assert [list(control) for control in form] == [["paragraph"], ["select"]]
    assert form[1]["select"] == {
        "variable": "style",
        "label": "Style of the answer",
        "type": "select",
        "required": False,
        "options": ["list", "table"],
    }
    upload = toolbox.get("/parameters").json()["file_upload"]
    assert (upload["enabled"], upload["number_limits"]) == (True, 3)
    assert ".CSV" in upload["allowed_file_extensions"]
