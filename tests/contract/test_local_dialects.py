"""What differs between the dialects since Dify 1: what a chatflow's stream tells last, codes, titles.

The package's own client must make the same of all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_helpers import NOWHERE, Client, Event, Sounds, answer_of, end_of, names, ran
from support.fake_model import FakeModel, Said, delta, end, usage, words

from dify_notebook import Dify, local
from dify_notebook.errors import DifyError
from dify_notebook.local.engine.models.model import ModelFailed
from dify_notebook.local.engine.run import RunFailed
from dify_notebook.local.engine.runs import TITLE_PAUSE
from dify_notebook.local.options import DIALECTS, Dialect
from dify_notebook.local.server import asking
from dify_notebook.local.server.process import LocalServer
from dify_notebook.local.simulate import dialect_112
from dify_notebook.tape import Tape

FLOW: dict[str, Any] = {
    "name": "flow",
    "mode": "advanced-chat",
    "moderation": {"words": ["secret"], "question": "Not asked.", "answer": "Not said."},
    "voice": {"name": "v", "auto_play": True},
    "nodes": [
        {"type": "start", "next": "llm"},
        {"id": "llm", "type": "llm", "reasoning_format": "separated", "next": "answer"},
        {"type": "answer", "answer": "Reply: {{llm.text}}"},
    ],
}
PLAIN = {"name": "plain", "mode": "chat"}
THINKS = [delta(reasoning="Hm,\n"), delta(reasoning="hm."), delta(content="Yes"), delta(content="."), end(), usage(3, 4)]
UNBEGUN = "Workflow stream ended without a terminal event"


def script(body: dict[str, Any]) -> Said:
    asked = str(body["messages"][-1]["content"])
    if "slow down" in asked:
        return Said(status=429, body={"error": {"message": "slow down"}})
    if "say it" in asked:
        return words("the secret")
    return Said(THINKS) if "think" in asked else words(f"You said: {asked}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[LocalServer]:
    where = tmp_path_factory.mktemp("dialects")
    with (
        FakeModel(script) as model,
        local.serve(
            data_dir=where, pace=0, dialect=dialect, apps=[FLOW, PLAIN], model_url=model.url, model="m", speech=Sounds()
        ) as running,
    ):
        yield running


@pytest.fixture
def flow(server: LocalServer) -> Iterator[Client]:
    with Client(server, "flow") as client:
        yield client


def last(events: list[Event]) -> list[str]:
    """Names from the end of the last node on, pieces of sound as one."""
    found = list(dict.fromkeys(name for name in names(events)))
    return [name for name in found if not name.startswith(("node_", "reasoning_")) and name != "workflow_started"]


def test_what_comes_last_of_a_chatflow(flow: Client, dialect: Dialect) -> None:
    """Since 1.13 nothing is read behind the end of the run: no error, and no sound."""
    before, sound = ["message", "workflow_finished", "message_end"], ["tts_message", "tts_message_end"]
    after = ["message", "message_end", "workflow_finished"]
    assert last(flow.ask("hello")) == (after if dialect == "1.16" else before + sound)
    failing = last(flow.ask("slow down"))
    assert failing == (["message", "workflow_finished"] if dialect == "1.16" else ["message", "workflow_finished", "error"])


def test_an_answer_that_may_not_be_said(flow: Client, dialect: Dialect) -> None:
    events = flow.ask("say it")
    told = ["message_replace", "message_end"]
    ends = [*told, "workflow_finished"] if dialect == "1.16" else ["workflow_finished", *told]
    assert last(events)[1:4] == ends
    (whole,) = [event["data"] for event in events if event["event"] == "workflow_finished"]
    assert whole["outputs"]["answer"] == "Reply: the secret", "the run has what its model said"
    assert flow.messages(events[0]["conversation_id"])[0]["answer"] == "Not said."


def test_a_question_that_may_not_be_asked(flow: Client, dialect: Dialect) -> None:
    """The chatflow never began, and since 1.13 that is told as the failure of a run without an end."""
    events = flow.ask("the secret?")
    assert answer_of(events) == "Not asked."
    assert names(events)[:2] == ["message", "message_end"]
    if dialect != "1.16":
        assert "workflow_started" not in names(events)
        return
    assert names(events)[2:] == ["workflow_started", "workflow_finished"]
    assert [event.get("message_id") for event in events[-2:]] == [None, None]
    whole = ran(events)
    assert (whole["status"], whole["error"], whole["outputs"]) == ("failed", UNBEGUN, None)
    assert flow.messages(events[0]["conversation_id"])[0]["status"] == "normal"


def test_a_question_without_words(flow: Client, dialect: Dialect) -> None:
    reply = flow.post("/chat-messages", flow.body(" "))
    if dialect == "1.16":
        assert reply.status_code == 200
        assert reply.text.startswith("event: ping\n\ndata: ")
        assert "query is required" in reply.text
    else:
        assert (reply.status_code, reply.json()["message"]) == (400, "query is required")


def test_a_version_of_a_chatflow(flow: Client, server: LocalServer, dialect: Dialect) -> None:
    """Chats and Dify 0.15 do not look at it."""
    began = next(event for event in flow.ask("hello") if event["event"] == "workflow_started")
    own = began["data"]["workflow_id"]
    assert answer_of(flow.ask("hello", workflow_id=own)) == "Reply: You said: hello"
    for wrong, status, code in (("nope", 400, "bad_request"), (NOWHERE, 404, "not_found")):
        with Client(server, "plain") as chat:
            assert answer_of(chat.ask("hello", workflow_id=wrong))
        reply = flow.post("/chat-messages", flow.body("hello", workflow_id=wrong))
        if dialect != "0.15":
            assert (reply.status_code, reply.json()["code"]) == (status, code)
        else:
            assert reply.status_code == 200


def test_what_a_model_thought_apart_from_its_text(flow: Client, dialect: Dialect) -> None:
    events = flow.ask("think")
    assert answer_of(events) == "Reply: Yes."
    chunks = [event["data"] for event in events if event["event"] == "reasoning_chunk"]
    metadata = next(event["metadata"] for event in events if event["event"] == "message_end")
    node = next(one["data"] for one in events if one["event"] == "node_finished" and one["data"]["node_id"] == "llm")
    assert node["outputs"]["text"] == "Yes."
    if dialect == "1.16":
        assert "".join(chunk["reasoning"] for chunk in chunks).strip() == "Hm,\nhm."
        assert [chunk["is_final"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        assert {chunk["node_id"] for chunk in chunks} == {"llm"}
        assert metadata["reasoning"] == {"llm": "Hm,\nhm."}
        assert node["outputs"]["reasoning_content"] == "Hm,\nhm."
    else:
        assert chunks == []
        assert "reasoning" not in metadata
    blocking = flow.post("/chat-messages", flow.body("think", response_mode="blocking")).json()
    assert blocking["answer"] == "Reply: Yes."
    assert blocking["metadata"].get("reasoning") == ({"llm": "Hm,\nhm."} if dialect == "1.16" else None)


def test_a_model_that_is_asked_too_often(server: LocalServer, dialect: Dialect) -> None:
    with Client(server, "plain") as client:
        code = ("rate_limit_error", 429) if dialect == "1.16" else ("completion_request_error", 400)
        error = client.ask("slow down")[-1]
        assert (error["event"], error["code"], error["status"]) == ("error", *code)
        refused = client.post("/chat-messages", client.body("slow down", response_mode="blocking"))
        assert (refused.json()["code"], refused.status_code) == code


def test_a_failure_has_the_status_of_its_code() -> None:
    assert ModelFailed("x").code == "completion_request_error"
    codes = ("completion_request_error", "rate_limit_error", "internal_server_error")
    assert [RunFailed("x", code).status for code in codes] == [400, 429, 500]


def test_sound_that_is_off(server: LocalServer, dialect: Dialect) -> None:
    with Client(server, "plain") as client:
        refused = client.http.post("/audio-to-text", files={"file": ("a.mp3", b"x", "audio/mp3")}).json()
    told = ("speech_to_text_disabled", "Speech to text is disabled.")
    assert (refused["code"], refused["message"]) == (
        told if dialect == "1.16" else ("invalid_param", "Speech to text is not enabled")
    )


def test_newer_routes_are_not_there_before(server: LocalServer, dialect: Dialect) -> None:
    with Client(server, "flow") as client:
        for path in ("/form/human_input/x", f"/workflow/{NOWHERE}/events"):
            reply = client.get(path)
            if dialect != "1.16":
                assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
        version = {"1.16": "1.16.1", "1.12": "1.12.1", "0.15": "0.15.3"}[dialect]
        assert client.get("/info").headers["x-version"] == reply.headers["x-version"] == version


def test_the_client_makes_the_same_of_each(server: LocalServer) -> None:
    with Dify(server.api_key("flow"), server.base_url, user="u") as dify:
        turn = dify.chat.send("hello")
        assert (turn.status, turn.complete, turn.answer) == ("succeeded", True, "Reply: You said: hello")
        assert turn.usage is not None
        assert turn.usage.total_tokens == 18
        assert [node.status for node in turn.nodes or ()] == ["succeeded"] * 3
        with pytest.raises(DifyError, match="slow down"):
            dify.chat.send("slow down")
        replaced = dify.chat.send("say it")
        assert (replaced.status, replaced.answer) == ("succeeded", "Not said.")
        moderated = dify.chat.send("the secret?")
        assert (moderated.status, moderated.answer) == ("succeeded", "Not asked.")
        with pytest.raises(DifyError, match="query is required"):
            dify.chat.send(" ")
        blocking = dify.chat.send("hello", response_mode="blocking")
        assert (blocking.status, blocking.answer) == ("succeeded", turn.answer)
        messages = dify.messages.list(str(turn.conversation_id)).to_list()
        assert [message.answer for message in messages] == [turn.answer]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_title_comes_after_the_answer(tmp_path: Path, dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    """About a second later since 1.13, also where the server ends meanwhile; never over a name that a user gave."""
    query = "Please tell me how conversations work"
    monkeypatch.setattr(asking, "TITLE_PAUSE", TITLE_PAUSE * 10)
    with local.serve(data_dir=tmp_path, pace=0.1, dialect=dialect) as server, Client(server, "pipeline") as client:
        conversation = client.ask(query)[0]["conversation_id"]
        named = client.get("/conversations").json()["data"][0]["name"]
        later = dialect == "1.16"
        assert named == (query if later else "How conversations work")
        other = client.ask(query)[0]["conversation_id"]
        client.post(f"/conversations/{other}/name", {"user": client.user, "name": "mine"})
        left = 500
        while client.get("/conversations").json()["data"][-1]["name"] == query:
            time.sleep(0.02)
            left -= 1
            assert left
    with local.serve(data_dir=tmp_path, pace=0, dialect=dialect) as server, Client(server, "pipeline") as client:
        found = {one["id"]: one["name"] for one in client.get("/conversations").json()["data"]}
        assert found == {conversation: "How conversations work", other: "mine"}


def test_a_title_is_kept_where_the_server_ends_before_it(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=1) as server, Client(server, "pipeline") as client:
        client.ask("Please tell me how conversations work")
    with local.serve(data_dir=tmp_path, pace=0) as server, Client(server, "pipeline") as client:
        assert client.get("/conversations").json()["data"][0]["name"] == "How conversations work"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_played_is_that_of_its_own_server(tmp_path: Path, dialect: Dialect) -> None:
    """Also as one answer, and where a tape has no end."""
    tape = Tape()
    ids = {"task_id": "t", "message_id": NOWHERE, "conversation_id": NOWHERE, "created_at": 1}
    tape.append(0.0, ("", json.dumps({"event": "message", "answer": "<think>a</think>", **ids}).encode()))
    with local.serve(data_dir=tmp_path, play=tape, speed=0, dialect=dialect) as server, Client(server) as client:
        assert [event["event"] for event in client.ask("x")] == ["message"]
        reply = client.post("/chat-messages", client.body("x", response_mode="blocking"))
        assert (reply.status_code, reply.json()["answer"]) == (200, "<think>a</think>")
        assert "metadata" not in reply.json()


def test_older_answers_lose_what_only_the_newer_has() -> None:
    row = {"status": "paused", "agent_thoughts": [{"id": "t", "answer": "a"}], "total_tokens": 3, "extra_contents": []}
    status, page = dialect_112.answer("/v1/messages", 200, {"data": [row]}, flow=True)
    assert (status, page) == (200, {"data": [{"status": "normal", "agent_thoughts": [{"id": "t"}]}]})
    answered = {"metadata": {"usage": {"time_to_first_token": 0.1}, "reasoning": {}}}
    _, changed = dialect_112.answer("/v1/chat-messages", 200, answered, flow=False)
    times = {"time_to_first_token": None, "time_to_generate": None}
    assert changed == {"metadata": {"annotation_reply": None, "usage": times}}
    assert end_of([{"event": "message_end"}])
