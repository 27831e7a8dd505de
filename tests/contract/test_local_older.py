"""The older dialect, where it differs: what it lacks, how it says the rest, what it takes.

All that was recorded of it is asked again in `test_local_replay.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from local_helpers import NOWHERE, Client, Event, answer_of

from dify_notebook import Dify, local
from dify_notebook.local.engine.app import App
from dify_notebook.local.engine.forms import Control
from dify_notebook.local.engine.run import Run
from dify_notebook.local.server.process import LocalServer
from dify_notebook.local.simulate.dialect_015 import Stream
from dify_notebook.local.simulate.items import Written
from dify_notebook.tape import Tape


def check(item: str) -> dict[str, str]:
    """Raise for what is bad."""
    if "bad" in item:
        raise ValueError(item)
    return {"r": item.upper()}


def each(name: str, *, parallel: int = 1, on_item_error: str = "terminated") -> dict[str, Any]:
    work = {"id": f"{name}_check", "type": "code", "function": "check", "inputs": {"item": f"{name}.item"}}
    return {
        "id": name, "type": "iteration", "over": "cut.items", "output": f"{name}_check.r", "parallel": parallel,
        "on_item_error": on_item_error, "nodes": [work], "next": f"{name}_answer",
    }  # fmt: skip


FLOW = {
    "name": "flow",
    "mode": "advanced-chat",
    "functions": [check],
    "nodes": [
        {"type": "start", "next": "cut"},
        {"id": "cut", "type": "code", "function": "split_text", "inputs": {"text": "sys.query"}, "next": "route"},
        {"id": "route", "type": "if-else", "else": "stern", "cases": [
            {"id": "few", "next": "mild", "when": [{"value_of": "sys.query", "is": "start with", "value": "mild"}]},
            {"id": "many", "next": "quick", "when": [{"value_of": "sys.query", "is": "start with", "value": "quick"}]},
        ]},
        each("stern"),
        each("mild", on_item_error="continue-on-error"),
        each("quick", parallel=3, on_item_error="remove-abnormal-output"),
        *({"id": f"{name}_answer", "type": "answer", "answer": f"{{{{{name}.output}}}}"}
          for name in ("stern", "mild", "quick")),
    ],
}  # fmt: skip


async def think(run: Run) -> None:
    for piece in ("<think>", "\nHm.", "\n</think>", f"\n{run.inputs['city']}"):
        run.delta(piece)


FORM = App(
    name="form", mode="chat", description="", icon="", opening="", suggested_questions=(), answer=think,
    suggest=lambda message: [], form=(Control("text-input", "city", "City", required=True),),
)  # fmt: skip


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("older"), pace=0, dialect="0.15", apps=[FLOW, FORM]) as running:
        yield running


def test_what_the_older_version_lacks_is_a_page(older: LocalServer) -> None:
    client = Client(older)
    missing = [
        "/site", "/app/feedbacks", f"/end-users/{NOWHERE}", f"/files/{NOWHERE}/preview", "/apps/annotations",
        f"/conversations/{NOWHERE}/variables", f"/apps/annotation-reply/enable/status/{NOWHERE}",
    ]  # fmt: skip
    for path in missing:
        reply = client.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=utf-8"), path
        assert reply.headers["x-version"] == "0.15.3"


def test_the_older_answers(older: LocalServer) -> None:
    client = Client(older, "toolbox")
    assert set(client.get("/info").json()) == {"name", "description", "tags"}
    uploaded = client.upload("a.csv", b"a\n1\n")
    assert uploaded.status_code == 201
    assert "source_url" not in uploaded.json()
    assert client.http.get("/info", headers={"Authorization": "Bearer x"}).headers.get("www-authenticate") is None
    wrong = client.post("/chat-messages", {**client.body("hi"), "response_mode": "sideways"}).json()
    assert set(wrong) == {"code", "message", "params"}
    assert wrong["params"] == "response_mode"
    with client.http.stream("POST", "/chat-messages", json=client.body("What is 6*7? 你好")) as response:
        body = response.read()
    assert body.isascii()
    first = body.split(b"\n\n")[0]
    assert b'{"event": "' in first
    events = [json.loads(part[6:]) for part in body.split(b"\n\n") if part]
    assert "annotation_reply" not in events[-1]["metadata"]
    assert "time_to_first_token" not in events[-1]["metadata"]["usage"]
    conversation = events[0]["conversation_id"]
    assert "files" not in client.messages(conversation)[0]["agent_thoughts"][0]
    gone = client.http.request("DELETE", f"/conversations/{conversation}", json={"user": client.user})
    assert (gone.status_code, gone.json()) == (200, {"result": "success"})
    again = client.http.request("DELETE", f"/conversations/{conversation}", json={"user": client.user})
    assert again.status_code == 404


def test_the_older_workflow_events(older: LocalServer) -> None:
    events = Client(older, "pipeline").ask("alpha, beta, gamma")
    started = next(one for one in events if one["event"] == "workflow_started")
    assert started["data"]["sequence_number"] >= 1
    assert started["data"]["inputs"]["sys.dialogue_count"] == 0
    iteration = next(one for one in events if one["event"] == "iteration_started")
    assert iteration["data"]["metadata"] == {"iterator_length": 3}
    node = next(one for one in events if one["event"] == "node_finished")
    assert not {"inputs_truncated", "loop_id"} & node["data"].keys()
    assert node["data"].keys() >= {"parallel_id", "parent_parallel_start_node_id"}
    finished = next(one["data"] for one in events if one["event"] == "workflow_finished")
    assert finished["sequence_number"] == started["data"]["sequence_number"]
    assert finished["outputs"].keys() == {"answer"}


def test_what_is_no_number_is_null_in_an_event() -> None:
    """As the newer version writes it: NaN and Infinity are no JSON."""
    (item,) = Stream(count(1))({"event": "other", "data": {"numbers": [1.5, float("nan"), float("inf")], "text": "é"}})
    assert isinstance(item, Written)
    assert item.frame == ("", b'{"event": "other", "data": {"numbers": [1.5, null, null], "text": "\\u00e9"}}')


def test_this_client_reads_the_older_dialect(older: LocalServer) -> None:
    with Dify(older.api_key("pipeline"), older.base_url, user="u") as dify:
        turn = dify.chat.send("alpha, beta")
        assert (turn.status, turn.complete) == ("succeeded", True)
        assert turn.conversation_id is not None
        dify.conversations.delete(turn.conversation_id)
        assert dify.conversations.list().to_list() == []


def steps(events: list[Event]) -> list[tuple[str, int | None, str | None]]:
    """What was told of nodes and iterations: name, number, and the node before."""
    found = []
    for event in events:
        kind, data = event["event"], event.get("data") or {}
        if kind.startswith(("node_", "iteration_")):
            name = f"{kind.partition('_')[2]} {data['node_id']}"
            found.append((name, data.get("index"), data.get("predecessor_node_id")))
    return found


def test_nodes_are_numbered_and_know_the_one_before(older: LocalServer) -> None:
    assert steps(Client(older, "flow").ask("a, b")) == [
        ("started start", 1, None), ("finished start", 1, None),
        ("started cut", 2, "start"), ("finished cut", 2, "start"),
        ("started route", 3, "cut"), ("finished route", 3, "cut"),
        ("started stern", None, None), ("next stern", 0, None),
        ("started stern_check", 5, "sternstart"), ("finished stern_check", 5, "sternstart"),
        ("next stern", 1, None),
        ("started stern_check", 6, "sternstart"), ("finished stern_check", 6, "sternstart"),
        ("next stern", 2, None), ("completed stern", None, None),
        ("started stern_answer", 7, "stern"), ("finished stern_answer", 7, "stern"),
    ]  # fmt: skip


def test_an_iteration_tells_the_result_of_each_item(older: LocalServer) -> None:
    events = Client(older, "flow").ask("mild, bad, c")
    told = [one["data"] for one in events if one["event"] == "iteration_next"]
    assert [(one["index"], one["pre_iteration_output"]) for one in told] == [
        (0, None), (1, "MILD"), (2, None), (3, "C")
    ]  # fmt: skip
    assert told[0]["duration"] is None
    assert all(one["duration"] >= 0 for one in told[1:])
    done = next(one["data"] for one in events if one["event"] == "iteration_completed")
    assert done["execution_metadata"] == {"total_tokens": 0}
    finished = next(one["data"] for one in events if one["event"] == "workflow_finished")
    assert finished["total_steps"] == 8


def test_items_at_the_same_time_are_all_told(older: LocalServer) -> None:
    events = Client(older, "flow").ask("quick, bad, c")
    told = [one["data"]["index"] for one in events if one["event"] == "iteration_next"]
    assert told == [0, 1, 2, 3]
    names = [name for name, _, _ in steps(events)]
    assert names.count("started quick_check") == names.count("finished quick_check") == 3
    assert events[-1]["event"] == "message_end"


def test_an_iteration_that_fails_ends_before_its_node(older: LocalServer) -> None:
    events = Client(older, "flow").ask("a, bad, c")
    kinds = [one["event"] for one in events]
    assert kinds[-5:] == ["node_started", "iteration_completed", "node_finished", "workflow_finished", "error"]
    completed, node, flow = (one["data"] for one in events[-4:-1])
    assert (completed["status"], completed["outputs"]) == ("failed", {"output": None})
    assert (node["status"], node["outputs"]) == ("failed", None)
    assert (flow["status"], flow["outputs"], flow["total_steps"]) == ("failed", None, 6)


def test_reasoning_is_told_as_the_older_version_does(older: LocalServer) -> None:
    with Client(older, "form") as client:
        events = client.ask("hi", inputs={"city": "Paris"})
        told = answer_of(events)
        assert told.startswith("<details style=")
        assert told.endswith("\n</details>\nParis")
        assert client.messages(events[0]["conversation_id"])[0]["answer"] == told
    with Dify(older.api_key("form"), older.base_url, user="u") as dify:
        turn = dify.chat.send("hi", inputs={"city": "Paris"})
        assert (turn.answer.strip(), (turn.reasoning or "").strip()) == ("Paris", "Hm.")


def test_later_turns_have_the_inputs_of_the_first(older: LocalServer) -> None:
    with Client(older, "form") as client:
        first = client.ask("hi", inputs={"city": "Paris"})[0]["conversation_id"]
        later: list[dict[str, str]] = [{}, {"city": "Rome"}, {"city": "x" * 99}]
        for inputs in later:
            events = client.ask("and?", inputs=inputs, conversation_id=first)
            assert answer_of(events).endswith("\nParis")
        gone = client.post("/chat-messages", client.body("x", conversation_id=NOWHERE))
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
        missing = client.post("/chat-messages", client.body("x"))
        assert missing.json() == {"code": "invalid_param", "message": "city is required in input form", "status": 400}


def test_what_the_older_version_takes(older: LocalServer) -> None:
    with Client(older) as client:
        body = {**client.body("x"), "response_mode": "blocking"}
        odd: dict[str, Any]
        for odd in ({"query": 5}, {"inputs": None}, {"inputs": []}, {"files": {}}):
            assert client.post("/chat-messages", {**body, **odd}).status_code == 200, odd
        answer = client.post("/chat-messages", {**body, "auto_generate_name": False})
        assert answer.headers["content-type"] == "application/json"
        conversation = answer.json()["conversation_id"]
        assert client.get("/conversations").json()["data"][0]["name"] == "New conversation"
        for name in ("", "  ", 5):
            renamed = client.post(f"/conversations/{conversation}/name", {"user": client.user, "name": name})
            assert (renamed.status_code, renamed.json()["name"]) == (200, str(name))


def test_the_page_of_the_api(older: LocalServer) -> None:
    with Client(older) as client:
        welcome = {"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": "0.15.3"}
        assert client.http.get("/").json() == welcome


def test_what_is_no_answer_of_the_api_passes_as_it_is(older: LocalServer, tmp_path: Path) -> None:
    """A file of JSON keeps its bytes, and a recorded stream is that of its own server."""
    with local.serve(data_dir=tmp_path / "newer") as newer:
        link = Client(newer).upload("a.json", b'{ "a": 1.0 }', "application/json").json()["source_url"]
        path = link.removeprefix(newer.url)
    with local.serve(data_dir=tmp_path / "newer", dialect="0.15") as again:
        assert Client(again).http.get(f"{again.url}{path}").content == b'{ "a": 1.0 }'
    with Dify(older.api_key("flow"), older.base_url, user="u") as dify:
        tape = dify.chat.send("a, b").tape
    broken = Tape(tape.header)
    broken.entries.extend([*tape.entries, (9.0, ("", b'{"event": "message"')), (9.0, ("", b'{"event":"message_end"}'))])
    with local.serve(data_dir=tmp_path / "played", dialect="0.15", play=broken, speed=0) as played:
        with Client(played).http.stream("POST", "/chat-messages", json=Client(played).body("x")) as response:
            body = response.read()
        assert body.endswith(b'data: {"event": "message"\n\ndata: {"event":"message_end"}\n\n')
