"""Streams of declared apps, held against those that a real Dify 1.12.1 sent for the same apps.

Compared are events with their nodes and statuses in order, the fields of each event with the kinds of their
values, and the answers' form. Words of a model, times and ids differ, as they must.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import declared_apps as apps
from contract.exchanges import load_exchanges
from contract.streams import load
from local_helpers import Client, Event, answer_of
from support.fake_model import Body, FakeModel, Said, calls, delta, words
from support.loopback import Web, closed_origin

from dify_notebook import local
from dify_notebook.local.server.process import LocalServer


def script(body: Body) -> Said:
    """The stand-in model of the recordings, as far as it matters."""
    last = body["messages"][-1]
    asked = str(last["content"])
    if "RATELIMIT" in asked or "HTTP500" in asked:
        status = 429 if "RATELIMIT" in asked else 500
        return Said(status=status, body={"error": {"message": f"[stub] error {status}"}})
    if "HTTP401" in asked:
        return Said(status=401, body={"error": {"message": "Incorrect API key provided"}})
    if "MIDFAIL" in asked:
        broken = [delta(content=word) for word in ("this", " answer", " will", " break", " before")]
        return Said([*broken, {"error": {"message": "[stub] broke mid stream"}}])
    if body.get("tools") and last["role"] == "user":
        said = "Let me use a tool. " if "SPEAK" in asked else ""
        return calls(("current_time", '{"timezone": "UTC"}'), text=said)
    if last["role"] == "tool":
        return words(f"The tool said: {asked}. Done.")
    return words(f"You said: {asked} (messages={len(body['messages'])}) 你好 🎉 naïve.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    facts = tmp_path_factory.mktemp("facts")
    (facts / "freedonia.txt").write_text("The capital of Freedonia is Fredville.", encoding="utf-8")
    (facts / "sylvania.txt").write_text("Sylvania is the neighbour of Freedonia.", encoding="utf-8")
    with Web() as web, FakeModel(script) as model:
        nothing = closed_origin()
        declared = [
            apps.richflow(web.origin),
            apps.multianswer(web.origin),
            apps.failflow(web.origin, nothing),
            apps.iterfail(web.origin),
            apps.flow(web.origin),
            apps.agent(),
            apps.plain(),
            {"name": "basic-chat", "mode": "chat", "form": apps.FORM[:4]},
            apps.rag(str(facts)),
        ]
        for one in declared:
            one["model"] = {"price_in": 0.001, "price_out": 0.002}
        with local.serve(
            data_dir=tmp_path_factory.mktemp("apps"),
            pace=0,
            dialect="1.12",  # as those that were recorded
            apps=declared,
            model_url=model.url,
            model="stub-llm",
            allow=[web.origin, nothing],
        ) as running:
            yield running


def recorded(case: str) -> list[Event]:
    body = load()[f"1.12.1/{case}"].body
    return [json.loads(part[6:]) for part in body.split(b"\n\n") if part.startswith(b"data: ")]


TEXTS = ("message", "agent_message")


def steps(events: list[Event], *without: str) -> list[tuple[str, str | None, str | None]]:
    """(event, node, status) of each, texts left out: where they stand among nodes is a matter of speed."""
    found = []
    for event in events:
        data = event.get("data") or {}
        if event["event"] not in TEXTS and data.get("node_id") not in without:
            found.append((event["event"], data.get("node_id"), data.get("status")))
    return found


FREE = ("inputs", "headers", "tool_labels", "condition_results", "files", "iteration_duration_map", "loop_duration_map")
"""Fields whose inside is the user's or the app's own."""


def shape(value: Any) -> Any:
    """Names of fields and kinds of values, all the way down."""
    if isinstance(value, dict):
        return {name: type(one).__name__ if name in FREE else shape(one) for name, one in value.items()}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__
    if isinstance(value, int | float):
        return "number"
    return [shape(value[0])] if value else []


def shapes(events: list[Event], *without: str) -> dict[tuple[Any, ...], Any]:
    """The form of each kind of event at each node."""
    found: dict[tuple[Any, ...], Any] = {}
    for event in events:
        data = event.get("data") or {}
        if data.get("node_id") in without:
            continue
        source = event.get("from_variable_selector")
        key = (event["event"], data.get("node_id"), data.get("status"), tuple(source or ()))
        if event["event"] != "agent_thought":
            found.setdefault(key, shape(event))
        else:
            found.setdefault((event["event"],), {name: type(one).__name__ for name, one in event.items()})
    return found


CASES = [
    # recording, app, question, inputs, whether several nodes run at once, nodes that are not expressed here
    ("chat-messages-ping__multianswer-slow-node", "multianswer", "slow", {}, False, ()),
    ("chat-messages-node-errors__failflow-after-streaming", "failflow", "after", {}, False, ()),
    ("chat-messages-node-errors__failflow-branch-streaming", "failflow", "branch", {}, False, ()),
    ("chat-messages-node-errors__failflow-default-streaming", "failflow", "default", {}, False, ()),
    ("chat-messages-node-errors__failflow-retry-streaming", "failflow", "retry", {}, False, ()),
    ("chat-messages-node-errors__failflow-status-streaming", "failflow", "status", {}, False, ()),
    ("chat-messages__iterfail-continue-streaming", "iterfail", "continue", {}, False, ()),
    ("chat-messages__iterfail-parallel-streaming", "iterfail", "parallel", {}, True, ()),
    ("chat-messages__iterfail-terminate-streaming", "iterfail", "terminate", {}, False, ()),
    ("chat-messages__chatflow-all-inputs", "chatflow", "all",
     {"city": "Paris", "bio": "b\nc", "tone": "casual", "age": 33}, False, ()),
    ("chat-messages__chatflow-template", "chatflow", "template", {"city": "Paris"}, False, ("ans_tpl",)),
    ("chat-messages-llm-errors__chatflow-ratelimit-streaming", "chatflow", "RATELIMIT", {"city": "Paris"}, False, ()),
    ("chat-messages-llm-errors__chatflow-http401-streaming", "chatflow", "HTTP401", {"city": "Paris"}, False, ()),
    ("chat-messages-llm-errors__plain-chat-http500-streaming", "plain-chat", "HTTP500", {}, False, ()),
    ("chat-messages-llm-errors__agent-chat-midfail-streaming", "agent-chat", "MIDFAIL", {}, False, ()),
    ("chat-messages__plain-chat-no-autoname", "plain-chat", "hi", {}, False, ()),
    ("chat-messages__agent-chat-speak", "agent-chat", "SPEAK what is 6*7", {}, True, ()),
    ("chat-messages__richflow-streaming", "richflow", "capital of Freedonia", {}, True, ("tool",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "app", "query", "inputs", "parallel", "without"), CASES, ids=[case[0].partition("__")[2] for case in CASES]
)
def test_streams_as_recorded(
    server: LocalServer,
    case: str,
    app: str,
    query: str,
    inputs: dict[str, Any],
    parallel: bool,
    without: tuple[str, ...],
) -> None:
    ours = Client(server, app).ask(query, inputs=inputs)
    theirs = recorded(case)
    mine, wanted = steps(ours, *without), steps(theirs, *without)
    if parallel:
        mine, wanted = sorted(mine, key=repr), sorted(wanted, key=repr)
    assert mine == wanted
    found, expected = shapes(ours, *without), shapes(theirs, *without)
    for key in expected:
        if "tool" not in key[-1]:
            assert found[key] == expected[key], key


ANSWERS = [case for case in CASES if case[1] in ("multianswer", "failflow", "iterfail") and case[2] != "branch"]


@pytest.mark.parametrize(("case", "app", "query"), [case[:3] for case in ANSWERS], ids=[case[2] for case in ANSWERS])
def test_the_answer_is_the_recorded_one(server: LocalServer, case: str, app: str, query: str) -> None:
    ours, theirs = Client(server, app).ask(query), recorded(case)
    assert answer_of(ours) == answer_of(theirs)
    selectors = [
        [event["from_variable_selector"] for event in events if event["event"] == "message"]
        for events in (ours, theirs)
    ]
    assert selectors[0] == selectors[1]
    whole = [next(one["data"] for one in events if one["event"] == "workflow_finished") for events in (ours, theirs)]
    for name in ("status", "outputs", "total_steps", "exceptions_count", "total_tokens"):
        assert whole[0][name] == whole[1][name], name


@pytest.mark.parametrize(("app", "case"), [("chatflow", "chatflow-with-user"), ("basic-chat", "basic-chat")])
def test_forms_are_told_as_recorded(server: LocalServer, app: str, case: str) -> None:
    ours = Client(server, app).get("/parameters").json()["user_input_form"]
    theirs = json.loads(load_exchanges()[f"1.12.1/parameters__{case}"].body)["user_input_form"]
    assert [set(next(iter(one.values()))) for one in ours] == [set(next(iter(one.values()))) for one in theirs]
    assert [{**one} for one in map(without_lengths, ours)] == [{**one} for one in map(without_lengths, theirs)]


def without_lengths(control: dict[str, Any]) -> dict[str, Any]:
    """The longest number is whatever was stored."""
    ((kind, told),) = control.items()
    return {kind: {name: value for name, value in told.items() if name != "max_length"}}


def test_total_steps_leave_out_what_is_inside(server: LocalServer) -> None:
    ours = Client(server, "richflow").ask("capital of Freedonia")
    (whole,) = [event["data"] for event in ours if event["event"] == "workflow_finished"]
    assert whole["total_steps"] == 10, "the recorded eleven without the tool"
    assert whole["total_tokens"] == 36
    usage = ours[-1]["metadata"]["usage"]
    assert (usage["prompt_price"], usage["completion_price"], usage["total_price"]) == (
        "0.0000220", "0.0000280", "0.0000500",
    )  # fmt: skip


def test_text_is_said_as_it_becomes_certain(server: LocalServer) -> None:
    """Long before its node runs, and in order: a model's words while it speaks."""
    events = Client(server, "chatflow").ask("hi", inputs={"city": "Paris"})
    kinds = [(event["event"], (event.get("data") or {}).get("node_id")) for event in events]
    assert kinds.index(("message", None)) < kinds.index(("node_started", "llm"))
    words_ = [event["answer"] for event in events if event.get("from_variable_selector") == ["llm", "text"]]
    assert words_[:3] == ["You", " said:", " hi"]
    assert words_[-1] == ""
    assert answer_of(events) == "Reply: You said: hi (messages=2) 你好 🎉 naïve.\n(count 1)"


def test_passages_are_cited(server: LocalServer) -> None:
    ours = Client(server, "rag-chat").ask("What is the capital of Freedonia?")[-1]
    theirs = recorded("chat-messages__rag-chat-streaming")[-1]
    assert shape(ours) == shape(theirs)
    best = ours["metadata"]["retriever_resources"][0]
    assert (best["document_name"], best["dataset_name"]) == ("freedonia.txt", "Freedonia facts")
    assert 0 < best["score"] <= 1


def test_error_texts_are_the_models(server: LocalServer) -> None:
    for app, query, message in (
        ("plain-chat", "HTTP500", "[stub] error 500"),
        ("agent-chat", "MIDFAIL", "[stub] broke mid stream"),
        ("chatflow", "RATELIMIT", "Run failed: [stub] error 429"),
    ):
        client = Client(server, app)
        error = client.ask(query, inputs={"city": "x"})[-1]
        assert (error["event"], error["status"], error["message"]) == ("error", 400, message)
        assert error["code"] == ("invalid_param" if app == "chatflow" else "completion_request_error")
        stored = client.messages(error["conversation_id"])[0]
        assert (stored["status"], stored["answer"], stored["error"]) == ("error", "", message)


def test_files_in_declarations_are_read_relative_to_them(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "one.md").write_text("# Moon\n\nThe moon is made of rock.\n", encoding="utf-8")
    (tmp_path / "moon.toml").write_text(
        'mode = "chat"\n[[knowledge]]\nname = "moon"\nfiles = "facts/*.md"\n', encoding="utf-8"
    )
    with (
        FakeModel() as model,
        local.serve(
            data_dir=tmp_path / "d", pace=0, apps=tmp_path / "moon.toml", model_url=model.url, model="m"
        ) as one,
    ):
        end = Client(one, "moon").ask("What is the moon made of?")[-1]
        assert end["metadata"]["retriever_resources"][0]["content"] == "The moon is made of rock."
        assert "made of rock" in model.asked[0]["messages"][0]["content"]
