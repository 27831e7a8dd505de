"""Declared workflow apps in the engine: what their runs tell and what they come to, without HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.engine_runs import Engine, Ran, heard
from support.fake_model import FakeModel, Said, always, words

import dify_notebook
from dify_notebook.local.engine.app import App
from dify_notebook.local.engine.declare.apps import resolve
from dify_notebook.local.engine.functions import describe
from dify_notebook.local.engine.models.choice import Wanted
from dify_notebook.local.engine.template import shown_in_output

Declared = dict[str, Any]
FILE: Declared = {
    "dify_model_identity": "__dify__file__", "id": None, "type": "image", "transfer_method": "local_file",
    "related_id": "f", "filename": "a.png", "url": "http://h/a.png", "remote_url": "",
}  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


def workflow(*nodes: Declared, form: tuple[str, ...] = (), wanted: Wanted | None = None, **more: Any) -> App:
    fields = [{"type": "paragraph", "variable": name} for name in form]
    (app,) = resolve([{"name": "w", "mode": "workflow", "nodes": list(nodes), "form": fields, **more}], wanted)
    return app


def start(*following: str) -> Declared:
    return {"type": "start", "next": list(following)}


def end(id_: str = "end", **outputs: str) -> Declared:
    return {"id": id_, "type": "end", "outputs": outputs}


def code(id_: str, function: Any, following: Any, **more: Any) -> tuple[Declared, Any]:
    return {"id": id_, "type": "code", "function": id_, "next": following, **more}, function


def values() -> dict[str, Any]:
    return {"s": "你好", "n": 42, "f": 3.5, "o": {"k": [1, None]}, "texts": ["a", "b"], "rows": [{"a": 1}], "none": None,
            "yes": True, "empty": [], "file": FILE, "files": [FILE, {**FILE, "type": "document", "filename": "b.txt"}]}  # fmt: skip


def boom() -> dict[str, Any]:
    raise ValueError("boom")


SIMPLE = [
    start("t"),
    {"id": "t", "type": "template-transform", "template": "<{{ text }}>", "next": "end"},
    end(text="text", wrapped="{{#t.output#}}"),
]


def test_the_events_of_a_run(engine: Engine) -> None:
    ran = engine.run(workflow(*SIMPLE, form=("text", "n")), {"text": "hi"})
    run = ran.run.message_id
    assert ran.names == [
        "workflow_started", "node_started", "text_chunk", "text_chunk", "node_finished", "node_started", "text_chunk",
        "node_finished", "node_started", "node_finished", "workflow_finished",
    ], "what a node makes known is said before its end"  # fmt: skip
    assert all(list(event) == ["event", "workflow_run_id", "task_id", "data"] for event in ran.events)
    assert {(event["workflow_run_id"], event["task_id"]) for event in ran.events} == {(run, ran.run.task_id)}
    (started,) = ran.data("workflow_started")
    assert (started["id"], started["reason"]) == (run, "initial")
    assert {name: value for name, value in started["inputs"].items() if not name.startswith("sys.")} == {"text": "hi", "n": None}
    assert [name for name in started["inputs"] if name.startswith("sys.")] == [
        "sys.files", "sys.user_id", "sys.app_id", "sys.workflow_id", "sys.workflow_run_id",
    ]  # fmt: skip
    assert ran.data("text_chunk") == [
        {"text": "hi", "from_variable_selector": ["start", "text"]},
        {"text": "\n", "from_variable_selector": ["end", "answer"]},
        {"text": "<hi>", "from_variable_selector": ["t", "output"]},
    ]
    finished = {data["node_id"]: data for data in ran.data("node_finished")}
    assert finished["start"]["inputs"] == finished["start"]["outputs"] == {"text": "hi", "n": None}
    assert finished["end"]["inputs"] == finished["end"]["outputs"] == {"text": "hi", "wrapped": "<hi>"}
    assert (ran.end["status"], ran.end["outputs"], ran.end["total_steps"], ran.end["exceptions_count"]) == (
        "succeeded", {"text": "hi", "wrapped": "<hi>"}, 3, 0,
    )  # fmt: skip
    assert ran.end["created_by"] == {"id": ran.run.end_user, "user": "ann"}


def test_what_a_blocking_client_gets(engine: Engine) -> None:
    ran = engine.run(workflow(*SIMPLE, form=("text",)), {"text": "hi"}, streaming=False)
    answer = ran.run.blocking_answer()
    assert list(answer) == ["task_id", "workflow_run_id", "data"]
    assert list(answer["data"]) == [
        "id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps", "created_at",
        "finished_at",
    ]  # fmt: skip
    assert answer["data"]["outputs"] == {"text": "hi", "wrapped": "<hi>"}


def test_every_kind_of_value(engine: Engine) -> None:
    node = {"id": "c", "type": "code", "function": "values", "next": "end"}
    ran = engine.run(workflow(start("c"), node, end(**{name: f"c.{name}" for name in values()}), functions=[values]))
    assert ran.end["outputs"] == values()
    assert ran.end["files"] == [FILE, *values()["files"]]
    assert "".join(ran.text) == "\n".join(shown_in_output(value) for value in values().values())
    assert len(ran.data("text_chunk")) == 2 * len(values()) - 1, "nothing is said of null and [], in a chunk of its own"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), ("x", "x"), (42, "42"), (3.5, "3.5"), (True, "True"), ([], ""), ({}, "{}"),
        ({"k": [1, {"é": None}]}, '{\n  "k": [\n    1,\n    {\n      "é": null\n    }\n  ]\n}'),
        (["a", None, 1, 2.5], "- a\n- None\n- 1\n- 2.5"), ([{"a": 1}], "- {'a': 1}"),
        (FILE, "![a.png](http://h/a.png)"), ({**FILE, "type": "document"}, "[a.png](http://h/a.png)"),
        ([FILE, FILE], "![a.png](http://h/a.png)\n![a.png](http://h/a.png)"),
    ],
)  # fmt: skip
def test_values_as_they_are_streamed(value: Any, text: str) -> None:
    """As recorded of Dify 1.12.1."""
    assert shown_in_output(value) == text


def test_several_ends_are_merged(engine: Engine) -> None:
    nodes = [start("a", "b"), *({"id": name, "type": "template-transform", "template": name, "next": f"end_{name}"} for name in "ab")]
    ran = engine.run(workflow(*nodes, end("end_a", a="a.output"), end("end_b", b="b.output", same="text"), form=("text",)), {"text": "t"})
    assert ran.end["outputs"] == {"a": "a", "b": "b", "same": "t"}
    assert sorted(ran.text.replace("\n", "")) == ["a", "b", "t"]


def test_a_way_without_an_end_and_an_end_without_outputs(engine: Engine) -> None:
    branch = {
        "id": "if", "type": "if-else",
        "cases": [{"id": "yes", "when": [{"value_of": "text", "is": "is", "value": "y"}], "next": "end"}],
    }  # fmt: skip
    app = workflow(start("if"), branch, end(), form=("text",))
    for text in "yn":
        ran = engine.run(app, {"text": text})
        assert (ran.end["status"], ran.end["outputs"], ran.text) == ("succeeded", {}, "")


def failing(**more: Any) -> App:
    node = {"id": "boom", "type": "code", "function": "boom", "next": "end", **more}
    return workflow(start("boom"), node, end(r="boom.result"), functions=[boom])


def test_a_failure(engine: Engine) -> None:
    for streaming in (True, False):
        ran = engine.run(failing(), streaming=streaming)
        answer = ran.run.blocking_answer()["data"]
        assert (answer["status"], answer["outputs"], answer["total_steps"]) == ("failed", {}, 2)
        assert "boom" in answer["error"]
        if streaming:
            assert ran.names[-2:] == ["node_finished", "workflow_finished"], "no error, no message_end"
            assert (ran.end["error"], ran.end["exceptions_count"]) == (answer["error"], 1)


def test_error_strategies(engine: Engine) -> None:
    ran = engine.run(failing(on_error="default-value", default={"result": "instead"}))
    assert (ran.end["status"], ran.end["outputs"], ran.end["exceptions_count"]) == ("partial-succeeded", {"r": "instead"}, 1)
    ran = engine.run(failing(retry={"times": 2, "interval": 0}))
    assert (ran.end["status"], ran.end["exceptions_count"], ran.end["total_steps"]) == ("failed", 3, 4)
    assert [data["retry_index"] for data in ran.data("node_retry")] == [1, 2]


def test_a_model_that_speaks(engine: Engine) -> None:
    with FakeModel(always(words("one two", 5, 2))) as model:
        wanted = Wanted(url=model.url, name="m")
        nodes = [start("llm"), {"id": "llm", "type": "llm", "user": "{{ text }}", "next": "end"}, end(t="llm.text", u="llm.usage")]
        ran = engine.run(workflow(*nodes, form=("text",), wanted=wanted), {"text": "hi"})
    chunks = [data for data in ran.data("text_chunk") if data["from_variable_selector"] == ["llm", "text"]]
    assert len(chunks) > 2, "while it is being made"
    assert ran.end["outputs"]["t"] == "one two" == "".join(data["text"] for data in chunks)
    assert json.loads(ran.text.partition("\n")[2]) == ran.end["outputs"]["u"]
    assert ran.end["total_tokens"] == 7


def test_a_model_that_breaks(engine: Engine) -> None:
    with FakeModel(always(Said(status=500, body={"error": {"message": "overloaded"}}))) as model:
        wanted = Wanted(url=model.url, name="m")
        nodes = [start("llm"), {"id": "llm", "type": "llm", "user": "x", "next": "end"}, end(t="llm.text")]
        ran = engine.run(workflow(*nodes, wanted=wanted))
    assert ran.end["status"] == "failed"
    assert "overloaded" in ran.end["error"]
    assert "error" not in ran.names


def test_reasoning_apart_from_the_text(engine: Engine) -> None:
    with FakeModel(always(words("<think>so</think> yes"))) as model:
        llm = {"id": "llm", "type": "llm", "user": "x", "reasoning_format": "separated", "next": "end"}
        app = workflow(start("llm"), llm, end(t="llm.text"), wanted=Wanted(url=model.url, name="m"))
        ran = engine.run(app)
    assert ran.text.strip() == "yes"
    pieces = ran.data("reasoning_chunk")
    assert ("".join(data["reasoning"] for data in pieces), pieces[-1]["is_final"]) == ("so", True)
    assert all(set(data) == {"reasoning", "node_id", "is_final"} for data in pieces), "there is no message"


class Spoken:
    """Says what it was given."""

    def speak(self, text: str, voice: str, language: str) -> tuple[bytes, str]:
        return text.encode(), "audio/wav"

    def hear(self, sound: bytes, mime_type: str) -> str:
        raise NotImplementedError


def test_an_app_that_speaks_by_itself(engine: Engine) -> None:
    """Behind the end of the run, as Dify 1.12.1 does it; since 1.13 nobody reads that far."""

    async def ran() -> Ran:
        app = workflow(*SIMPLE, form=("text",), voice={"auto_play": True})
        ran = await engine.begin(app, {"text": "hi"})
        ran.run.speech = Spoken()
        await ran.run.drive()
        return heard(ran)

    spoken = engine.do(ran())
    assert spoken.names[-3:] == ["workflow_finished", "tts_message", "tts_message_end"]
    assert list(spoken.events[-2]) == ["event", "workflow_run_id", "task_id", "audio"]
    assert base64.b64decode(spoken.events[-2]["audio"]).decode() == "hi\n<hi>"


def test_stopped(engine: Engine) -> None:
    async def stopped(app: App) -> Ran:
        ran = await engine.begin(app, {})
        driving = asyncio.ensure_future(ran.run.drive())
        while ran.run.workflow is None or len(ran.run.workflow.row()["nodes"]) < 2:
            await asyncio.sleep(0)
        ran.run.stop()
        await driving
        return heard(ran)

    async def forever() -> str:
        await asyncio.Event().wait()
        return ""

    node = {"id": "c", "type": "code", "function": "forever", "next": "end"}
    ran = engine.do(stopped(workflow(start("c"), node, end(r="c.result"), functions=[forever])))
    assert ran.names[-1] == "workflow_finished"
    assert (ran.end["status"], ran.end["error"], ran.end["outputs"]) == ("stopped", "Aborted: User requested stop", {})
    assert ran.run.blocking_answer()["data"]["status"] == "stopped"


def asking() -> App:
    ask = {
        "id": "ask", "type": "human-input", "form_content": "Check {{ text }} {{#$output.note#}}",
        "inputs": [{"name": "note"}], "actions": [{"id": "yes", "next": "end"}, {"id": "no", "next": "rejected"}],
    }  # fmt: skip
    early = {"id": "early", "type": "template-transform", "template": "[{{ text }}]", "next": "before"}
    return workflow(
        start("ask", "early"), ask, early, end("before", early="early.output"), end(note="ask.note"), end("rejected"), form=("text",)
    )


@pytest.mark.parametrize(
    ("action", "outputs"), [("yes", {"early": "[t]", "note": "fine"}), ("no", {"early": "[t]"})]
)
def test_a_run_that_asks_a_person(engine: Engine, action: str, outputs: Declared) -> None:
    ran = engine.run(asking(), {"text": "t"})
    assert ran.names[-2:] == ["human_input_required", "workflow_paused"]
    assert all(list(event) == ["event", "workflow_run_id", "task_id", "data"] for event in ran.events)
    (paused,) = ran.data("workflow_paused")
    assert (paused["status"], paused["outputs"], paused["paused_nodes"]) == ("paused", {}, ["ask"])
    blocking = ran.run.blocking_answer()["data"]
    assert (blocking["status"], blocking["finished_at"], blocking["paused_nodes"]) == ("paused", None, ["ask"])
    again = engine.resumed(ran, {"ask": (action, {"note": "fine"})})
    assert [data["reason"] for data in again.data("workflow_started")] == ["resumption"]
    assert again.end["id"] == ran.run.message_id
    assert (again.end["status"], again.end["outputs"]) == ("succeeded", outputs)


def test_a_run_that_asks_where_nothing_is_kept(engine: Engine) -> None:
    async def ran() -> Ran:
        ran = await engine.begin(asking(), {"text": "t"})
        ran.run.pauses = None
        await ran.run.drive()
        return heard(ran)

    assert "asks a person" in engine.do(ran()).end["error"]


def test_an_app_that_breaks_before_its_first_node(engine: Engine) -> None:
    from dataclasses import replace

    async def broken(run: Any) -> None:
        raise RuntimeError("secret")

    ran = engine.run(replace(workflow(*SIMPLE, form=("text",)), answer=broken), {"text": "x"})
    assert ran.names == ["workflow_started", "workflow_finished"]
    assert (ran.end["status"], ran.end["error"]) == ("failed", "RuntimeError in the app")
    assert {event["workflow_run_id"] for event in ran.events} == {ran.run.message_id}


def test_an_iteration(engine: Engine) -> None:
    listed = describe(lambda: ["a", "b"], name="listed")
    each = {
        "id": "each", "type": "iteration", "over": "listed.result", "output": "up.output", "next": "end",
        "nodes": [{"id": "up", "type": "template-transform", "template": "{{ each.index }}{{ each.item }}"}],
    }  # fmt: skip
    app = workflow(start("listed"), {"id": "listed", "type": "code", "function": "listed", "next": "each"}, each,
                   end(out="each.output"), functions=[listed])  # fmt: skip
    ran = engine.run(app)
    assert ran.end["outputs"] == {"out": ["0a", "1b"]}
    assert ran.text == "- 0a\n- 1b"
    assert [data["index"] for data in ran.data("iteration_next")] == [0, 1]


def test_what_is_stored(engine: Engine) -> None:
    import sqlite3

    ran = engine.run(workflow(*SIMPLE, form=("text",)), {"text": "hi"})

    async def row() -> dict[str, Any]:
        def job(db: sqlite3.Connection) -> dict[str, Any]:
            return dict(db.execute("SELECT * FROM messages WHERE id = ?", (ran.run.message_id,)).fetchone())

        return await engine.store.reader.do(job)

    stored = engine.do(row())
    assert stored["state"] == "done"
    assert json.loads(stored["workflow_run"]) == ran.end


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_apps_of_the_documents(engine: Engine, tmp_path: Path, language: str) -> None:
    page = Path(dify_notebook.__file__).parent / "docs" / language / "16-your-own-apps.md"
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    for name in ("words", "summary"):
        (tmp_path / f"{name}.toml").write_text(next(block for block in blocks if f'name = "{name}"' in block), "utf-8")
    (counting,) = resolve(tmp_path / "words.toml")
    ran = engine.run(counting, {"text": "One two. Three."})
    assert ran.end["outputs"]["words"] == 3
    assert "2" in ran.end["outputs"]["report"]
    with FakeModel() as model:
        (summary,) = resolve(tmp_path / "summary.toml", Wanted(url=model.url, name="m"))
        engine.run(summary, {"text": "A long text."})
        (message,) = model.asked[0]["messages"]
    assert "short" in message["content"]
    assert message["content"].endswith("\n\nA long text.")
