"""Statuses, bodies and error envelopes of the embedded server, over a real socket."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from local_helpers import Client, answer_of

from dify_notebook import local
from dify_notebook.local import guard
from dify_notebook.local.apps.app import FILE_LIMITS
from dify_notebook.local.server import LocalServer

NOWHERE = "00000000-0000-4000-8000-000000000000"
TABLE = b"a,b\n1,2\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("local"), pace=0) as running:
        yield running


@pytest.fixture
def guide(server: LocalServer) -> Client:
    return Client(server, "guide", f"user-{uuid.uuid4()}")


@pytest.fixture
def toolbox(server: LocalServer) -> Client:
    return Client(server, "toolbox", f"user-{uuid.uuid4()}")


@pytest.fixture
def pipeline(server: LocalServer) -> Client:
    return Client(server, "pipeline", f"user-{uuid.uuid4()}")


def told(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of an error; its envelope must be whole."""
    body = response.json()
    assert set(body) == {"code", "message", "status"}
    assert body["status"] == response.status_code
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-version"] == "1.12.1"
    assert response.content.endswith(b"}\n")
    return response.status_code, body["code"], body["message"]


# -- keys, routes, bodies ----------------------------------------------------------------------

AUTH = [
    ("none", None, "must be provided"),
    ("no scheme", "KEY", "must be provided"),
    ("basic", "Basic KEY", "scheme must be 'Bearer'"),
    ("empty", "Bearer", "must be provided"),
    ("wrong", "Bearer app-aaaaaaaaaaaaaaaaaaaaaaaa", "invalid"),
    ("dataset key", "Bearer dataset-aaaaaaaaaaaaaaaaaaaaaaaa", "invalid"),
    ("bytes", "Bearer \u00e9", "invalid"),
]
ROUTES = [
    ("POST", "/chat-messages"),
    ("POST", "/chat-messages/x/stop"),
    ("POST", "/files/upload"),
    ("GET", f"/files/{NOWHERE}/preview"),
    ("GET", "/messages"),
    ("GET", f"/messages/{NOWHERE}/suggested"),
    ("POST", f"/messages/{NOWHERE}/feedbacks"),
    ("GET", "/conversations"),
    ("DELETE", f"/conversations/{NOWHERE}"),
    ("POST", f"/conversations/{NOWHERE}/name"),
    ("GET", f"/conversations/{NOWHERE}/variables"),
    ("PUT", f"/conversations/{NOWHERE}/variables/{NOWHERE}"),
    ("GET", "/info"),
    ("GET", "/parameters"),
    ("GET", "/meta"),
    ("GET", "/site"),
]


@pytest.mark.parametrize(("header", "part"), [case[1:] for case in AUTH], ids=[case[0] for case in AUTH])
def test_wrong_keys(server: LocalServer, header: str | None, part: str) -> None:
    headers: dict[bytes, bytes] = {}
    if header is not None:
        headers[b"Authorization"] = header.replace("KEY", server.api_key("guide")).encode("latin-1")
    response = httpx.get(f"{server.base_url}/info", headers=headers)
    status, code, message = told(response)
    assert (status, code) == (401, "unauthorized")
    assert part in message
    assert response.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_a_key(server: LocalServer, method: str, path: str) -> None:
    assert told(httpx.request(method, server.base_url + path))[:2] == (401, "unauthorized")


def test_bearer_in_lower_case_works(server: LocalServer) -> None:
    headers = {"Authorization": f"bearer {server.api_key('guide')}"}
    assert httpx.get(f"{server.base_url}/info", headers=headers).status_code == 200


UNKNOWN = [
    "/nope",
    "/parameters/",
    "/messages/nope/suggested",
    "/conversations/nope/name",
    "/files/nope/preview",
    "/",
]


@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_addresses_are_html(guide: Client, path: str) -> None:
    response = guide.http.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_other_methods(guide: Client) -> None:
    assert told(guide.http.get("/chat-messages"))[:2] == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:9", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("localhost:evil", 403),
        ("0.0.0.0", 403),
        ("", 403),
    ],
)
def test_host_must_be_this_machine(guide: Client, host: str, status: int) -> None:
    """A web page that points a name of its own at 127.0.0.1 must not reach the server."""
    assert guide.http.get("/info", headers={"Host": host}).status_code == status


def test_no_cors(guide: Client) -> None:
    response = guide.http.get("/info", headers={"Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert guide.http.options("/info", headers={"Origin": "https://evil.example"}).status_code == 405


def test_root_says_what_it_is(server: LocalServer) -> None:
    body = httpx.get(server.url).json()
    assert body["apps"] == ["guide", "pipeline", "toolbox"]
    assert "proof" not in body


BODIES = [
    ("no content type", b"{}", None, 415, "unsupported_media_type"),
    ("form", b"query=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ("empty", b"", "application/json", 400, "bad_request"),
    ("not JSON", b"{nope", "application/json", 400, "bad_request"),
    ("an array", b"[]", "application/json", 400, "bad_request"),
    ("NaN", b'{"query": NaN}', "application/json", 400, "bad_request"),
    ("not UTF-8", b'{"query": "\xff"}', "application/json", 400, "bad_request"),
    ("half a surrogate pair", b'{"query": "\\ud800"}', "application/json", 400, "bad_request"),
    ("very deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json", 400, "bad_request"),
]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"), [case[1:] for case in BODIES], ids=[c[0] for c in BODIES]
)
def test_bodies(guide: Client, content: bytes, kind: str | None, status: int, code: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = guide.http.post("/chat-messages", content=content, headers=headers)
    assert told(response)[:2] == (status, code)


@pytest.mark.parametrize("told_length", [True, False], ids=["told", "chunked"])
def test_bodies_are_bounded(guide: Client, told_length: bool) -> None:
    block = b" " * 1024 * 1024
    many = [block] * (guard.MAX_BODY // len(block) + 1)
    content: Any = b"".join(many) if told_length else iter(many)
    response = guide.http.post(
        "/chat-messages", content=content, headers={"Content-Type": "application/json"}
    )
    assert told(response)[:2] == (413, "file_too_large")


# -- asking ------------------------------------------------------------------------------------

ASKING: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("no query", {"query": ...}, 400, "invalid_param", "query"),
    ("null query", {"query": None}, 400, "invalid_param", "valid string"),
    ("number as query", {"query": 5}, 400, "invalid_param", "valid string"),
    ("blank query", {"query": " "}, 400, "invalid_param", "query is required"),
    ("no inputs", {"inputs": ...}, 400, "invalid_param", "inputs\n  Field required"),
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
    guide: Client, mode: str, change: dict[str, Any], status: int, code: str, part: str
) -> None:
    """The same JSON in both modes: what is refused is refused before a stream begins."""
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
def test_bad_inputs(pipeline: Client, inputs: dict[str, Any], part: str) -> None:
    status, code, message = told(pipeline.post("/chat-messages", pipeline.body("x", inputs=inputs)))
    assert (status, code) == (400, "invalid_param")
    assert part in message


def test_required_inputs() -> None:
    """None of the three apps has one; the rule is there for forms that have."""
    from dify_notebook.local.forms import Control, check_inputs
    from dify_notebook.local.replies import ApiError

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


def test_blocking(guide: Client) -> None:
    response = guide.post("/chat-messages", guide.body("How do I send a file?", response_mode="blocking"))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
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


def test_blocking_is_the_default(pipeline: Client) -> None:
    body = pipeline.body("alpha, beta")
    del body["response_mode"]
    assert pipeline.post("/chat-messages", body).json()["mode"] == "advanced-chat"


@pytest.mark.parametrize("mode", ["blocking", None])
def test_agents_refuse_blocking(toolbox: Client, mode: str | None) -> None:
    found = told(toolbox.post("/chat-messages", toolbox.body("6*7", response_mode=mode)))
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
def test_about(server: LocalServer, app: str, mode: str) -> None:
    client = Client(server, app)
    info = client.get("/info").json()
    assert list(info) == ["name", "description", "tags", "mode", "author_name"]
    assert (info["name"], info["mode"]) == (app, mode)
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


# -- history -----------------------------------------------------------------------------------


def asked(client: Client, count: int) -> str:
    conversation = ""
    for number in range(count):
        conversation = client.ask(f"hi {number}" if number else "hi", conversation_id=conversation)[0][
            "conversation_id"
        ]
    return conversation


def test_messages_page_backwards_and_lose_nothing(guide: Client) -> None:
    """Seven answers in one second: paging goes by order, so none is lost or mixed up."""
    conversation = asked(guide, 7)
    first = guide.get("/messages", conversation_id=conversation, limit=3).json()
    assert (first["limit"], first["has_more"]) == (3, True)
    assert [one["query"] for one in first["data"]] == ["hi 4", "hi 5", "hi 6"]
    second = guide.get(
        "/messages", conversation_id=conversation, limit=3, first_id=first["data"][0]["id"]
    ).json()
    assert [one["query"] for one in second["data"]] == ["hi 1", "hi 2", "hi 3"]
    third = guide.get(
        "/messages", conversation_id=conversation, limit=3, first_id=second["data"][0]["id"]
    ).json()
    assert ([one["query"] for one in third["data"]], third["has_more"]) == (["hi"], False)
    assert guide.get("/messages", conversation_id="").json() == {"limit": 20, "has_more": False, "data": []}


def test_a_message_of_the_history(toolbox: Client) -> None:
    events = toolbox.ask("What is 6*7?")
    (message,) = toolbox.messages(events[0]["conversation_id"])
    assert list(message) == [
        "id",
        "conversation_id",
        "parent_message_id",
        "inputs",
        "query",
        "answer",
        "feedback",
        "retriever_resources",
        "created_at",
        "agent_thoughts",
        "message_files",
        "status",
        "error",
    ]
    assert message["answer"] == answer_of(events)
    assert message["parent_message_id"] == "00000000-0000-0000-0000-000000000000"
    assert [list(one) for one in message["agent_thoughts"]] == [
        [
            "id",
            "chain_id",
            "message_id",
            "position",
            "thought",
            "tool",
            "tool_labels",
            "tool_input",
            "created_at",
            "observation",
            "files",
        ]
    ] * 2
    streamed = {event["id"]: event for event in events if event["event"] == "agent_thought"}
    for thought in message["agent_thoughts"]:
        for name in ("position", "thought", "tool", "tool_labels", "tool_input", "observation"):
            assert thought[name] == streamed[thought["id"]][name]


def test_citations_of_the_history(guide: Client) -> None:
    events = guide.ask("How do I send a file?")
    (message,) = guide.messages(events[0]["conversation_id"])
    live = events[-1]["metadata"]["retriever_resources"]
    assert [one["content"] for one in message["retriever_resources"]] == [one["content"] for one in live]
    assert set(message["retriever_resources"][0]) == set(
        [
            "id",
            "message_id",
            "position",
            "dataset_id",
            "dataset_name",
            "document_id",
            "document_name",
            "data_source_type",
            "segment_id",
            "score",
            "hit_count",
            "word_count",
            "segment_position",
            "index_node_hash",
            "content",
            "summary",
            "created_at",
        ]
    )


LISTS = [
    ("/messages", {"conversation_id": NOWHERE}, 404, "not_found", "Conversation Not Exists."),
    ("/messages", {"conversation_id": "nope"}, 400, "invalid_param", "must be a valid UUID"),
    ("/messages", {}, 400, "invalid_param", "conversation_id\n  Field required"),
    (
        "/messages",
        {"conversation_id": NOWHERE, "limit": "0"},
        400,
        "invalid_param",
        "greater than or equal to 1",
    ),
    (
        "/messages",
        {"conversation_id": NOWHERE, "limit": "101"},
        400,
        "invalid_param",
        "less than or equal to 100",
    ),
    ("/messages", {"conversation_id": NOWHERE, "limit": "abc"}, 400, "invalid_param", "valid integer"),
    ("/messages", {"conversation_id": NOWHERE, "first_id": "x"}, 400, "invalid_param", "first_id"),
    ("/conversations", {"limit": "0"}, 400, "invalid_param", "limit"),
    ("/conversations", {"sort_by": "name"}, 400, "invalid_param", "sort_by"),
    ("/conversations", {"sort_by": ""}, 400, "invalid_param", "sort_by"),
    ("/conversations", {"last_id": "x"}, 400, "invalid_param", "last_id"),
    ("/conversations", {"last_id": NOWHERE}, 404, "not_found", "Last Conversation Not Exists."),
]


@pytest.mark.parametrize(("path", "query", "status", "code", "part"), LISTS)
def test_bad_lists(
    guide: Client, path: str, query: dict[str, str], status: int, code: str, part: str
) -> None:
    found = told(guide.get(path, **query))
    assert found[:2] == (status, code)
    assert part in found[2]


def test_unknown_first_message(guide: Client) -> None:
    found = told(guide.get("/messages", conversation_id=asked(guide, 1), first_id=NOWHERE))
    assert found[:2] == (404, "not_found")
    assert found[2].startswith("First Message Not Exists.")


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "updated_at", "-updated_at"])
def test_conversations_sort_and_page(guide: Client, sort: str) -> None:
    made = [guide.ask("hi", auto_generate_name=False)[0]["conversation_id"] for _ in range(5)]
    guide.ask("hi", conversation_id=made[1])
    wanted = {"created": made, "updated": [made[0], *made[2:], made[1]]}[
        "created" if "created" in sort else "updated"
    ]
    if sort.startswith("-"):
        wanted = wanted[::-1]
    found: list[str] = []
    last = ""
    for _ in range(3):
        page = guide.get("/conversations", sort_by=sort, limit=2, last_id=last).json()
        found += [one["id"] for one in page["data"]]
        last = found[-1]
        assert page["has_more"] == (len(found) < 5)
    assert found == wanted
    assert set(page["data"][0]) == set(
        ["id", "name", "inputs", "status", "introduction", "created_at", "updated_at"]
    )


def test_names(guide: Client) -> None:
    guide.ask("Please tell me how conversations work, and also how files do?")
    guide.ask("Please tell me how conversations work", auto_generate_name=False)
    found = [one["name"] for one in guide.get("/conversations").json()["data"]]
    assert found == ["Please tell me how conversations work", "How conversations work, and also how…"]


def test_lists_without_a_user_are_the_default_users(guide: Client) -> None:
    asked(guide, 1)
    assert guide.http.get("/conversations").json()["data"] == []


def test_rename(guide: Client) -> None:
    conversation = asked(guide, 1)
    path = f"/conversations/{conversation}/name"

    def rename(**body: Any) -> httpx.Response:
        return guide.post(path, {"user": guide.user, **body})

    assert rename(name="我的会话").json()["name"] == "我的会话"
    assert guide.get("/conversations").json()["data"][0]["name"] == "我的会话"
    assert rename(name="kept?", auto_generate=True).json()["name"] == "Hi"
    for body in (
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 256},
        {"name": 5},
        {"auto_generate": False},
    ):
        assert told(rename(**body))[:2] == (400, "invalid_param")
    unknown = guide.post(f"/conversations/{NOWHERE}/name", {"user": guide.user, "name": "x"})
    assert told(unknown)[:2] == (404, "not_found")


def test_delete(guide: Client) -> None:
    conversation = asked(guide, 1)
    path = f"/conversations/{conversation}"
    assert told(guide.http.request("DELETE", path))[:2] == (415, "unsupported_media_type")
    response = guide.http.request("DELETE", path, json={"user": guide.user})
    assert (response.status_code, response.content) == (204, b"")
    assert told(guide.http.request("DELETE", path, json={"user": guide.user}))[:2] == (404, "not_found")
    assert told(guide.get("/messages", conversation_id=conversation))[:2] == (404, "not_found")


def test_feedback(guide: Client, server: LocalServer) -> None:
    events = guide.ask("hi")
    path = f"/messages/{events[0]['message_id']}/feedbacks"

    def rate(**body: Any) -> httpx.Response:
        return guide.post(path, {"user": guide.user, **body})

    def seen() -> Any:
        return guide.messages(events[0]["conversation_id"])[0]["feedback"]

    missing = (400, "invalid_param", "rating cannot be None when feedback not exists")
    assert told(rate(rating=None)) == missing
    assert rate(rating="like", content="好").json() == {"result": "success"}
    assert seen() == {"rating": "like"}
    rate(rating="dislike")
    assert seen() == {"rating": "dislike"}
    assert rate(rating=None).status_code == 200
    assert seen() is None
    assert told(rate(content="only")) == missing
    assert told(rate(rating=""))[:2] == (400, "invalid_param")
    stranger = guide.post(path, {"user": "zz", "rating": "like"})
    assert told(stranger) == (404, "not_found", "Message Not Exists.")


def test_suggested(guide: Client, toolbox: Client, pipeline: Client) -> None:
    for client, query in ((guide, "How do I send a file?"), (toolbox, "6*7"), (pipeline, "你好，世界")):
        message = client.ask(query)[0]["message_id"]
        body = client.get(f"/messages/{message}/suggested").json()
        assert body["result"] == "success"
        assert len(body["data"]) == 3
        assert told(client.http.get(f"/messages/{message}/suggested"))[2] == "Arg user must be provided."
        other = client.http.get(f"/messages/{message}/suggested", params={"user": "zz"})
        assert told(other) == (404, "not_found", "Message Not Exists.")


def test_conversation_variables(pipeline: Client, guide: Client) -> None:
    conversation = pipeline.ask("alpha, beta")[0]["conversation_id"]
    pipeline.ask("How do I set a timeout?", conversation_id=conversation)
    path = f"/conversations/{conversation}/variables"
    page = pipeline.get(path).json()
    assert [(one["name"], one["value_type"], one["value"]) for one in page["data"]] == [
        ("questions", "number", "2"),
        ("last_kind", "string", "lookup"),
        ("last_items", "array[string]", '["alpha", "beta"]'),
    ]
    assert set(page["data"][0]) == set(
        ["id", "name", "value_type", "value", "description", "created_at", "updated_at"]
    )
    one = pipeline.get(path, limit=1).json()
    assert one["has_more"] is True
    rest = pipeline.get(path, last_id=one["data"][0]["id"]).json()
    assert [each["name"] for each in rest["data"]] == ["last_kind", "last_items"]
    assert [each["name"] for each in pipeline.get(path, variable_name="last_kind").json()["data"]] == [
        "last_kind"
    ]
    number, _, texts = (each["id"] for each in page["data"])

    def put(variable: str, value: Any) -> httpx.Response:
        return pipeline.http.put(f"{path}/{variable}", json={"user": pipeline.user, "value": value})

    assert put(number, 42).json()["value"] == "42"
    assert put(texts, ["x"]).json()["value"] == '["x"]'
    mismatch = "Type mismatch: variable 'questions' expects number, but got string type"
    assert told(put(number, "42")) == (400, "bad_request", mismatch)
    for value in (None, 5, {"a": 1}, [1]):
        assert told(put(texts, value))[:2] == (400, "bad_request")
    assert told(put(NOWHERE, 1)) == (404, "not_found", "Conversation Variable Not Exists.")
    chat = asked(guide, 1)
    assert guide.get(f"/conversations/{chat}/variables").json()["data"] == []
    assert told(guide.get(f"/conversations/{NOWHERE}/variables"))[:2] == (404, "not_found")


# -- files -------------------------------------------------------------------------------------


def test_upload_and_signed_url(toolbox: Client, server: LocalServer) -> None:
    response = toolbox.upload("数据 1.csv", TABLE)
    assert response.status_code == 201
    body = response.json()
    assert set(body) == set(
        [
            "id",
            "name",
            "size",
            "extension",
            "mime_type",
            "created_by",
            "created_at",
            "preview_url",
            "source_url",
            "original_url",
            "user_id",
            "tenant_id",
            "conversation_id",
            "file_key",
        ]
    )
    assert (body["name"], body["size"], body["extension"], body["mime_type"]) == (
        "数据 1.csv",
        8,
        "csv",
        "text/csv",
    )
    stored = server.data_dir / "files" / body["id"]
    assert stored.read_bytes() == TABLE
    if os.name == "posix":
        assert stored.stat().st_mode & 0o777 == 0o600
    url = httpx.URL(body["source_url"])
    got = httpx.get(url)
    assert (got.status_code, got.content) == (200, TABLE)
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    for name, value in (("sign", "x"), ("timestamp", "1"), ("nonce", "0" * 32), ("sign", "é")):
        changed = url.copy_set_param(name, value)
        assert told(httpx.get(changed))[:2] == (403, "file_access_denied")
    other = toolbox.upload("b.csv", b"x").json()["id"]
    assert httpx.get(str(url).replace(body["id"], other)).status_code == 403


def test_signed_urls_age(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from dify_notebook.local import signing

    signer = signing.Signer("secret", "http://127.0.0.1:1")
    query = httpx.URL(signer.url("f")).params
    assert signer.good("f", query["timestamp"], query["nonce"], query["sign"])
    later = time.time() + signing.LIFETIME + 2
    monkeypatch.setattr(time, "time", lambda: later)
    assert not signer.good("f", query["timestamp"], query["nonce"], query["sign"])


UPLOADS: list[tuple[str, dict[str, Any], int, str]] = [
    (
        "no file",
        {"data": {"user": "u"}, "files": {"other": ("a", b"x", "text/plain")}},
        400,
        "no_file_uploaded",
    ),
    ("JSON", {"json": {"user": "u"}}, 400, "no_file_uploaded"),
    (
        "two files",
        {"files": [("file", ("a", b"x", "text/plain")), ("file", ("b", b"x", "text/plain"))]},
        400,
        "too_many_files",
    ),
    ("slash in the name", {"files": {"file": ("a/b.png", b"x", "image/png")}}, 400, "invalid_param"),
    ("climbing name", {"files": {"file": ("..\\x.png", b"x", "image/png")}}, 400, "invalid_param"),
    ("image of 11 MB", {"files": {"file": ("a.png", b"x" * 11_000_000, "image/png")}}, 413, "file_too_large"),
    ("text of 16 MB", {"files": {"file": ("a.txt", b"x" * 16_000_000, "text/plain")}}, 413, "file_too_large"),
]


@pytest.mark.parametrize(
    ("request_", "status", "code"), [case[1:] for case in UPLOADS], ids=[c[0] for c in UPLOADS]
)
def test_bad_uploads(toolbox: Client, request_: dict[str, Any], status: int, code: str) -> None:
    assert told(toolbox.http.post("/files/upload", **request_))[:2] == (status, code)


RAW_UPLOADS = [
    (
        "no name",
        'form-data; name="file"; filename=""',
        "Content-Type: image/png\r\n",
        400,
        "filename_not_exists_error",
    ),
    ("no type", 'form-data; name="file"; filename="a.png"', "", 415, "unsupported_file_type"),
]


@pytest.mark.parametrize(
    ("disposition", "kind", "status", "code"),
    [case[1:] for case in RAW_UPLOADS],
    ids=[c[0] for c in RAW_UPLOADS],
)
def test_odd_uploads(toolbox: Client, disposition: str, kind: str, status: int, code: str) -> None:
    content = f"--b\r\nContent-Disposition: {disposition}\r\n{kind}\r\nx\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert told(toolbox.http.post("/files/upload", content=content, headers=headers))[:2] == (status, code)


@pytest.mark.parametrize(
    ("name", "extension"), [("README", ""), (".env", ""), ("a.TAR.GZ", "gz"), ("x" * 250 + ".csv", "csv")]
)
def test_names_of_uploads(toolbox: Client, name: str, extension: str) -> None:
    body = toolbox.upload(name, b"").json()
    assert body["extension"] == extension
    assert len(body["name"]) <= 205


def named(key: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "document", "transfer_method": "local_file", "upload_file_id": key, **more}]


FILES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("unknown", named(NOWHERE), "Invalid upload file"),
    ("malformed id", named("nope"), "Invalid upload file id format"),
    ("number as id", named(5), "Invalid upload file id format"),
    ("no id", named(None), "Invalid upload file id"),
    ("other way", named(NOWHERE, transfer_method="pigeon"), "No matching enum found for value 'pigeon'"),
    (
        "remote",
        [{"type": "document", "transfer_method": "remote_url", "url": "http://127.0.0.1:9/x.csv"}],
        "remote_url",
    ),
    ("four files", named(NOWHERE) * 4, "exceeds the maximum limit 3"),
]


@pytest.mark.parametrize(("files", "part"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_bad_files(toolbox: Client, files: list[dict[str, Any]], part: str) -> None:
    status, code, message = told(toolbox.post("/chat-messages", toolbox.body("6*7", files=files)))
    assert (status, code) == (400, "invalid_param")
    assert part in message


def test_apps_choose_their_files(toolbox: Client, guide: Client) -> None:
    picture = toolbox.upload("a.png", b"x", "image/png").json()["id"]
    refused = toolbox.post("/chat-messages", toolbox.body("6*7", files=named(picture, type="image")))
    assert told(refused) == (400, "invalid_param", "File validation failed for file: a.png")
    other = guide.upload("a.csv", TABLE).json()["id"]
    assert (
        told(toolbox.post("/chat-messages", toolbox.body("6*7", files=named(other))))[2]
        == "Invalid upload file"
    )
    assert guide.ask("hi", files=named(NOWHERE))[-1]["event"] == "message_end", "takes none and looks at none"


def test_preview(toolbox: Client) -> None:
    key = toolbox.upload("表.csv", TABLE).json()["id"]
    path = f"/files/{key}/preview"
    assert told(toolbox.get(path)) == (404, "file_not_found", "File not found in message context")
    toolbox.ask("Summarise", files=named(key))
    shown = toolbox.get(path)
    assert (shown.status_code, shown.content, shown.headers["content-type"]) == (
        200,
        TABLE,
        "text/csv; charset=utf-8",
    )
    saved = toolbox.get(path, as_attachment="true")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"] == "attachment; filename*=UTF-8''%E8%A1%A8.csv"


def test_a_nul_in_a_question_does_no_harm(guide: Client) -> None:
    events = guide.ask("hi\x00")
    assert guide.messages(events[0]["conversation_id"])[0]["query"] == "hi"


def test_queries_come_back_as_they_were(guide: Client) -> None:
    """Line ends, tabs, joined emoji, right to left: byte for byte."""
    query = "=1+1\r\n\t👩‍👩‍👧 \u200b שלום " + "x" * 1000
    events = guide.ask(query)
    assert guide.messages(events[0]["conversation_id"])[0]["query"] == query
    assert json.loads(json.dumps(query)) == query
