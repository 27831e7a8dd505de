"""Conversations, messages, feedback and variables of the embedded server: pages, names, what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from local_helpers import NOWHERE, SINCE_1, Client, answer_of, end_of, told

from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer


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


NEWER = [
    "message_tokens", "answer_tokens", "total_tokens", "total_price", "currency", "provider_response_latency",
]  # fmt: skip


@SINCE_1
def test_a_message_of_the_history(toolbox: Client, dialect: Dialect) -> None:
    newest = dialect == "1.16"
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
        *(NEWER if newest else []),
        "status",
        "error",
        *(["extra_contents"] if newest else []),
    ]
    if newest:
        usage = end_of(events)["metadata"]["usage"]
        assert [message[name] for name in NEWER] == [
            usage[name]
            for name in ("prompt_tokens", "completion_tokens", "total_tokens", "total_price", "currency", "latency")
        ]
        assert message["extra_contents"] == []
    assert message["answer"] == answer_of(events)
    assert message["parent_message_id"] == "00000000-0000-0000-0000-000000000000"
    assert [list(one) for one in message["agent_thoughts"]] == [
        [
            "id",
            "chain_id",
            "message_id",
            "position",
            "thought",
            *(["answer"] if newest else []),
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


@SINCE_1
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
    ("/messages", {}, 400, "invalid_param", "conversation_id"),
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


@SINCE_1
def test_names(guide: Client) -> None:
    guide.ask("Please tell me how conversations work, and also how files do?")
    guide.ask("Please tell me how conversations work", auto_generate_name=False)
    found = [one["name"] for one in guide.get("/conversations").json()["data"]]
    assert found == ["Please tell me how conversations work", "How conversations work, and also how…"]


def test_lists_without_a_user_are_the_default_users(guide: Client) -> None:
    asked(guide, 1)
    assert guide.http.get("/conversations").json()["data"] == []


@SINCE_1
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


@SINCE_1
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


@SINCE_1
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
