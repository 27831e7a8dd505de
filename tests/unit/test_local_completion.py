"""Declared completion apps in the engine: the filled prompt, what is told, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.engine_runs import Engine, Ran
from support.fake_model import FakeModel, Said, always, words

from dify_notebook.local.engine.app import App
from dify_notebook.local.engine.declare.apps import resolve
from dify_notebook.local.engine.models.choice import Wanted

FORM = [{"type": "paragraph", "variable": "query"}, {"type": "text-input", "variable": "lang", "default": "French"}]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as model:
        yield model


def completion(model: FakeModel, **more: Any) -> App:
    prompt = "Into {{ lang }}: {{ query }}"
    app = {"name": "c", "mode": "completion", "prompt": prompt, "form": FORM, **more}
    (resolved,) = resolve([app], Wanted(url=model.url, name="m"))
    return resolved


def said(ran: Ran) -> str:
    return "".join(event["answer"] for event in ran.events if event["event"] == "message")


def test_the_events_of_a_completion(engine: Engine, model: FakeModel) -> None:
    ran = engine.run(completion(model), {"query": "Hello"})
    assert model.asked[0]["messages"] == [{"role": "user", "content": "Into French: Hello"}]
    assert set(ran.names[:-1]) == {"message"}
    head = ["event", "message_id", "created_at", "task_id", "id"]
    assert all(list(event)[:5] == head for event in ran.events)
    assert not any("conversation_id" in event for event in ran.events)
    assert list(ran.events[0]) == [*head, "answer", "from_variable_selector"]
    assert said(ran) == "You said: Into French: Hello"
    end = ran.events[-1]
    assert list(end) == [*head, "metadata", "files"]
    assert list(end["metadata"]) == ["retriever_resources", "usage", "reasoning"]
    assert end["metadata"]["usage"]["total_tokens"] == 18


def test_what_a_blocking_client_gets(engine: Engine, model: FakeModel) -> None:
    answer = engine.run(completion(model), {"query": "Hello"}, streaming=False).run.blocking_answer()
    assert list(answer) == ["event", "task_id", "id", "message_id", "mode", "answer", "metadata", "created_at"]
    assert (answer["event"], answer["mode"], answer["answer"]) == ("message", "completion", "You said: Into French: Hello")


def test_a_query_of_its_own_takes_the_place_of_the_prompt(engine: Engine, model: FakeModel) -> None:
    engine.run(completion(model), {"query": "Hello"}, query="TOPLEVEL")
    assert model.asked[0]["messages"] == [{"role": "user", "content": "TOPLEVEL"}]


def test_a_model_that_refuses(engine: Engine, model: FakeModel) -> None:
    model.script = always(Said(status=500, body={"error": {"message": "overloaded"}}))
    ran = engine.run(completion(model), {"query": "Hello"})
    assert ran.names == ["error"]
    assert list(ran.events[0]) == ["event", "message_id", "created_at", "code", "status", "message"]
    assert (ran.events[0]["code"], ran.events[0]["status"]) == ("completion_request_error", 400)


def test_a_model_that_breaks_off(engine: Engine, model: FakeModel) -> None:
    begun = list(words("one two").chunks)[:3]
    model.script = always(Said([*begun, {"error": {"message": "broke"}}], done=False))
    ran = engine.run(completion(model), {"query": "Hello"})
    assert ran.names[-1] == "error"
    assert said(ran) == "one two"


@pytest.mark.parametrize("where", ["query", "lang"])
def test_words_that_may_not_be_asked_stand_in_the_inputs(engine: Engine, model: FakeModel, where: str) -> None:
    app = completion(model, moderation={"words": ["forbidden"], "question": "BLOCKED"})
    ran = engine.run(app, {"query": "x", where: "it is Forbidden"})
    assert said(ran) == "BLOCKED"
    assert model.asked == []
    assert ran.events[-1]["metadata"]["usage"]["total_tokens"] == 0


def test_words_that_may_not_be_said(engine: Engine, model: FakeModel) -> None:
    ran = engine.run(completion(model, moderation={"words": ["said"], "answer": "HUSHED"}), {"query": "x"})
    assert ran.names[-2:] == ["message_replace", "message_end"]
    assert ran.events[-2]["answer"] == "HUSHED"
    assert "conversation_id" not in ran.events[-2]


def test_an_input_says_what_is_looked_up(engine: Engine, model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "facts.txt").write_text("Lamps cost three coins.\n\nChairs are made of oak.", "utf-8")
    monkeypatch.chdir(tmp_path)
    app = completion(model, knowledge=[{"name": "k", "files": "facts.txt"}], search={"query": "query", "top_k": 1})
    ran = engine.run(app, {"query": "lamps"})
    system, user = model.asked[0]["messages"]
    assert "three coins" in system["content"]
    assert user["content"] == "Into French: lamps"
    (found,) = ran.events[-1]["metadata"]["retriever_resources"]
    assert "three coins" in found["content"]


def test_what_it_tells_of_itself(model: FakeModel) -> None:
    app = completion(model)
    assert (app.mode, app.is_flow, app.holds_conversations) == ("completion", False, False)
    assert app.parameters()["user_input_form"][0] == {
        "paragraph": {"variable": "query", "label": "query", "required": False, "max_length": 10_000, "default": ""}
    }
