"""Runs of workflow apps and completions: what they gave, how they ended, what they spent; by hand-made events."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from contract.expected_completions import COMPLETIONS
from contract.expected_runs import RUNS
from contract.streams import load
from contract.test_streams_table import events_of

from dify_notebook.errors import raise_for_turn
from dify_notebook.net.responses import blocking_events
from dify_notebook.turn.convert import with_files
from dify_notebook.turn.fold import Builder, fold, fold_all
from dify_notebook.turn.results import usage_of_run
from dify_notebook.turn.state import MessageFile, Node, Turn, Usage
from dify_notebook.turn.stored_run import turn_from_run
from dify_notebook.wire import events as ev
from dify_notebook.wire.kinds import ABORTED
from dify_notebook.wire.loose import MAX_DEPTH
from dify_notebook.wire.models import WorkflowRun

IDS: dict[str, Any] = {"task_id": "t", "workflow_run_id": "w"}
FILE = {
    "dify_model_identity": "__dify__file__", "id": None, "related_id": "f", "filename": "a.csv", "type": "document",
    "size": 3, "url": "http://h/files/f/file-preview?timestamp=1&nonce=n&sign=abcdefghijklmnop",
}  # fmt: skip


def started() -> ev.Event:
    return ev.WorkflowStarted(data={"id": "w", "workflow_id": "v", "inputs": {}}, **IDS)


def chunk(text: str) -> ev.Event:
    return ev.TextChunk(data={"text": text}, **IDS)


def ended(outputs: Any = None, status: str = "succeeded", error: str | None = None, **more: Any) -> ev.Event:
    return ev.WorkflowFinished(data={"id": "w", "status": status, "outputs": outputs, "error": error, **more}, **IDS)


def ran(node: str, *, usage: Any = None, tokens: int | None = None, price: str = "0.5", **more: Any) -> ev.Event:
    meta = {"total_tokens": tokens, "total_price": price, "currency": "USD"} if tokens is not None else None
    data = {"id": node, "node_id": node, "status": "succeeded", "execution_metadata": meta, "outputs": {"usage": usage}}
    return ev.NodeFinished(data=data | more, **IDS)


# -- the answer --------------------------------------------------------------------------

ANSWERS: list[tuple[Any, str, str, str]] = [
    # outputs, what was streamed, the answer, and the reasoning
    ({"text": "Hi"}, "", "Hi", ""),
    ({"text": "Hi"}, "Hi", "Hi", ""),
    ({"text": " Hi\n"}, "Hi", " Hi\n", ""),  # one text is itself, blanks and all
    ({"b": "two", "a": "one"}, "twoone", "two\n\none", ""),
    ({"a": "one", "n": 42, "b": "two"}, "one\n42\ntwo", "one\n\ntwo", ""),
    ({"a": "one", "b": "", "c": "two", "d": "\n"}, "", "one\n\ntwo", ""),
    ({"text": "", "usage": {"total_tokens": 3}}, '\n{\n  "total_tokens": 3\n}', "", ""),
    ({"text": "<think>\nhm\n</think>\nYes."}, "<think>\nhm\n</think>\nYes.", "Yes.", "hm"),
    ({"a": "<think>one</think>A", "b": "<think>two</think>B"}, "", "A\n\nB", "one\n\ntwo"),
    ({"a": "<think>never ends", "b": "B"}, "", "B", "never ends"),  # it is none of the others' reasoning
    ({"a": "Yes."}, "<think>hm</think>Yes.", "Yes.", "hm"),  # the node kept it to itself, the stream did not
    ({"n": 42}, "42", "42", ""),
    ({"n": 1e30, "ok": True}, "1e+30\nTrue", "1e30\n\ntrue", ""),
    ({"rows": ["a", None]}, "- a\n- None", '["a",null]', ""),
    ({"o": {"é": [1]}}, "", '{"é":[1]}', ""),
    ({"n": None}, "", "", ""),
    ({"n": None, "m": 0}, "\n0", "0", ""),
    ({"doc": FILE}, "[a.csv](http://h/files/f/file-preview?sign=s)", "a.csv", ""),
    ({"docs": [FILE, FILE]}, "", '["a.csv","a.csv"]', ""),
    ({"text": "See", "doc": FILE}, "", "See", ""),
    (None, "as far as it came", "as far as it came", ""),
    ({}, "as far as it came", "as far as it came", ""),
    (None, "", "", ""),
    ({}, "<think>hm</think>A", "A", "hm"),
    ("no object", "A", "A", ""),
]


@pytest.mark.parametrize(("outputs", "streamed", "answer", "reasoning"), ANSWERS)
def test_the_answer_is_what_is_text_among_the_outputs(outputs: Any, streamed: str, answer: str, reasoning: str) -> None:
    turn = fold_all([started(), *map(chunk, streamed), ended(outputs), ev.StreamEnd()])
    assert (turn.answer, turn.reasoning, turn.answer_raw) == (answer, reasoning, streamed)
    assert (turn.status, turn.end, turn.complete, turn.app_mode) == ("succeeded", "eof", True, "workflow")
    raise_for_turn(turn)


ALONE = [(outputs, answer, reasoning) for outputs, said, answer, reasoning in ANSWERS if outputs and "<think>" not in said]


@pytest.mark.parametrize(("outputs", "answer", "reasoning"), [row for row in ALONE if isinstance(row[0], dict)])
def test_it_is_the_same_in_one_piece_and_as_the_server_keeps_it(outputs: Any, answer: str, reasoning: str) -> None:
    body = {"task_id": "t", "workflow_run_id": "w", "data": {"id": "w", "status": "succeeded", "outputs": outputs}}
    turn = fold_all(blocking_events(msgspec.json.encode(body), 1.0))
    assert (turn.answer, turn.reasoning, turn.answer_raw) == (answer, reasoning, "")
    assert (turn.status, turn.complete, turn.app_mode) == ("succeeded", True, "workflow")
    kept = turn_from_run(WorkflowRun(id="w", status="succeeded", outputs=outputs))
    assert (kept.answer, kept.reasoning, kept.outputs) == (answer, reasoning, turn.outputs)


@pytest.mark.parametrize("status", ["failed", "stopped"])
@pytest.mark.parametrize(("streamed", "answer"), [("as far", "as far"), ("", "one")])
def test_a_run_that_did_not_end_well_keeps_what_was_streamed(status: str, streamed: str, answer: str) -> None:
    """Its outputs, if any are told, need not have all of it."""
    turn = fold_all([started(), *map(chunk, streamed), ended({"a": "one"}, status, "no")])
    assert turn.answer == answer
    assert turn.outputs == {"a": "one"}


def test_while_it_runs_the_answer_is_what_was_streamed() -> None:
    builder = Builder()
    seen = []
    for event in (started(), chunk("<think>hm"), chunk("</think>4"), chunk("2"), ended({"n": 42, "text": "Done"})):
        builder.apply(event)
        seen.append((builder.turn().answer, builder.turn().reasoning))
    assert seen == [("", ""), ("", "hm"), ("4", "hm"), ("42", "hm"), ("Done", "hm")]


def test_a_text_that_was_replaced_stays_replaced() -> None:
    """The outputs have what nobody may see."""
    turn = fold_all([started(), chunk("bad"), ev.TextReplace(data={"text": "Not that."}, **IDS), ended({"a": "bad"})])
    assert (turn.answer, turn.replaced) == ("Not that.", True)


def test_a_chatflow_is_not_read_so() -> None:
    chat: dict[str, Any] = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
    usage = {"total_tokens": 7, "total_price": "1", "currency": "USD"}
    events: list[ev.Event] = [
        ev.WorkflowStarted(workflow_run_id="w", data={"id": "w"}),  # the documents leave the conversation out
        ev.Message(answer="said", **chat),
        ev.WorkflowFinished(workflow_run_id="w", data={"status": "succeeded", "outputs": {"answer": "kept"}, "total_tokens": 9}),
        ev.MessageEnd(metadata={"usage": usage}, **chat),
    ]
    turn = fold_all(events)
    assert (turn.answer, turn.app_mode, turn.outputs) == ("said", "advanced-chat", {"answer": "kept"})
    assert turn.usage == Usage(total_tokens=7, total_price=Decimal(1), currency="USD")


# -- every prefix of what was recorded -----------------------------------------------------


@pytest.mark.parametrize("case", [row.case for row in (*RUNS, *COMPLETIONS)])
def test_every_prefix_is_a_turn_and_the_order_of_asking_changes_nothing(case: str) -> None:
    """What is streamed only grows until the run's end; one event at a time gives what all at once give."""
    builder, turn, before = Builder(), Turn(thoughts=(), logs=(), nodes=(), files=(), citations=()), ""
    events = events_of(load()[case])
    if len(events) > 200:
        events = [*events[:100], *events[-100:]]
    for event in events:
        builder.apply(event)
        turn = builder.turn()
        assert turn.answer_raw.startswith(before)
        before = turn.answer_raw
        if turn.status == "running":
            assert turn.usage is None
            assert turn.workflow is None or turn.outputs is None
        assert fold(turn, ev.Ping()) == msgspec.structs.replace(turn, pings=turn.pings + 1, timing=fold(turn, ev.Ping()).timing)
    assert turn == fold_all(events)


# -- ends ----------------------------------------------------------------------------------

ENDS: list[tuple[str, str | None, bool, tuple[str, str]]] = [
    # the status and error as told, whether this side asked to stop, and the turn's status and end
    ("succeeded", None, False, ("succeeded", "eof")),
    ("partial-succeeded", None, False, ("partial_succeeded", "eof")),
    ("partial_succeeded", None, False, ("partial_succeeded", "eof")),
    ("failed", "no", False, ("failed", "error")),
    ("stopped", "Stopped by user.", False, ("stopped", "stopped")),
    ("failed", ABORTED, False, ("stopped", "stopped")),  # in an iteration of Dify 1.12, by whomever
    ("stopped", ABORTED, True, ("stopped", "stopped")),
    ("failed", ABORTED, True, ("stopped", "stopped")),
    ("failed", "no", True, ("stopped", "stopped")),
    ("failed", f"{ABORTED}, said the model", False, ("failed", "error")),
    ("succeeded", None, True, ("succeeded", "eof")),  # it was over before it heard
]


@pytest.mark.parametrize(("told", "error", "asked", "expected"), ENDS)
def test_how_a_run_ends(told: str, error: str | None, asked: bool, expected: tuple[str, str]) -> None:
    stop: list[ev.Event] = [ev.StopRequested(confirmed=True)] if asked else []
    node = ev.NodeStarted(data={"id": "n", "node_id": "n"}, **IDS)
    turn = fold_all([started(), node, *stop, ended(None, told, error), ev.StreamEnd()])
    assert (turn.status, turn.end, turn.complete) == (*expected, True)
    assert turn.workflow is not None
    assert (turn.workflow.status, turn.workflow.error) == (told, error), "as told"
    assert (turn.error is not None) == (turn.status == "failed")
    assert [one.status for one in turn.nodes or ()] == ["stopped" if turn.status == "stopped" else "unknown"]


def test_speech_comes_on_both_sides_of_the_end() -> None:
    speech = [ev.TtsMessage(audio="AAAA", task_id="t"), ev.TtsMessage(audio="BBBB", task_id="t")]
    events = [started(), chunk("Hi"), speech[0], ended({"text": "Hi"}), speech[1], ev.TtsMessageEnd(audio="", task_id="t")]
    turn = fold_all([*events, ev.StreamEnd()])
    assert (turn.status, turn.answer, turn.complete) == ("succeeded", "Hi", True)
    assert turn.audio is not None
    assert (turn.audio.chunks, turn.audio.complete) == (("AAAA", "BBBB"), True)


def test_a_run_that_was_resumed_ends_as_any_other() -> None:
    """Dify 1.16: the pause is the end of the one stream, the run's end that of the other."""
    form = {"TYPE": "human_input_required", "form_id": "f", "node_id": "ask", "form_content": "Check"}
    paused = fold_all([started(), chunk("Draft"), ev.WorkflowPaused(data={"reasons": [form], "outputs": {}}, **IDS), ev.StreamEnd()])
    assert (paused.status, paused.answer, paused.outputs, paused.usage) == ("paused", "Draft", None, None)
    again = ev.WorkflowStarted(data={"id": "w", "reason": "resumption"}, **IDS)
    filled = ev.HumanInputFormFilled(data={"form_id": "f"}, **IDS)
    turn = fold_all([ev.Continued(), again, filled, chunk(" more"), ended({"text": "All"}, total_tokens=3), ev.StreamEnd()], paused)
    assert (turn.status, turn.end, turn.answer, turn.answer_raw) == ("succeeded", "eof", "All", "Draft more")
    assert (turn.app_mode, turn.usage) == ("workflow", Usage(total_tokens=3))
    assert [one.status for one in turn.forms] == ["filled"]


def test_a_pause_in_one_piece_is_one() -> None:
    form = {"TYPE": "human_input_required", "form_id": "f", "node_id": "ask", "form_token": "secret-of-the-form"}
    data: dict[str, Any] = {"id": "w", "workflow_id": "v", "status": "paused", "outputs": {}, "error": None, "reasons": [form]}
    body = {"task_id": "t", "workflow_run_id": "w", "data": data}
    turn = fold_all(blocking_events(msgspec.json.encode(body), 1.0))
    assert (turn.status, turn.end, turn.app_mode, turn.workflow_run_id) == ("paused", "paused", "workflow", "w")
    assert [(one.id, one.status) for one in turn.forms] == [("f", "waiting")]
    assert "secret-of-the-form" not in repr(turn) + repr(turn.forms)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"null", b"1", b'{"data":{}}', b'{"data":{"status":3}}', b'{"data":[]}', b'{"data":"x"}', b"{", b'{"result":"success"}'],
)
def test_what_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^$|truncated"):
        blocking_events(body, 1.0)


# -- completions ---------------------------------------------------------------------------

MESSAGE: dict[str, Any] = {"task_id": "t", "message_id": "m"}


@pytest.mark.parametrize("replaced", [False, True])
def test_a_completion_that_moderation_answers(replaced: bool) -> None:
    """Dify 0.15 says the preset letter by letter and replaces it by itself; 1.12 replaces nothing."""
    letters: list[ev.Event] = [ev.Message(answer=one, **MESSAGE) for one in "No."]
    last: list[ev.Event] = [ev.MessageReplace(answer="No.", **MESSAGE)] if replaced else []
    turn = fold_all([*letters, *last, ev.MessageEnd(metadata={}, **MESSAGE), ev.StreamEnd()])
    assert (turn.answer, turn.status, turn.replaced, turn.app_mode) == ("No.", "succeeded", replaced, "completion")


def test_a_completion_that_breaks_off_keeps_its_text() -> None:
    error = ev.Error(message_id="m", code="completion_request_error", status=400, message="no quota")
    turn = fold_all([ev.Message(answer="Once", **MESSAGE), error, ev.StreamEnd()])
    assert (turn.answer, turn.status, turn.end, turn.app_mode) == ("Once", "failed", "error", "completion")
    assert (turn.task_id, fold_all([error]).task_id) == ("t", None)


# -- outputs -------------------------------------------------------------------------------


def test_files_among_the_outputs_are_files_wherever_they_lie() -> None:
    told = {"doc": FILE, "docs": [FILE, 1], "deep": {"a": [{"b": FILE}]}, "other": {"dify_model_identity": "x"}, "n": 1.5}
    outputs = fold_all([started(), ended(told)]).outputs
    assert outputs is not None
    file = outputs["doc"]
    assert isinstance(file, MessageFile)
    assert (file.id, file.name, file.size, file.type) == ("f", "a.csv", 3, "document")
    assert outputs == {**told, "doc": file, "docs": [file, 1], "deep": {"a": [{"b": file}]}}
    assert "sign=abc" not in repr(outputs)


def test_a_file_that_was_fetched_is_that_file_among_the_outputs_too() -> None:
    turn = fold_all([started(), ended({"doc": FILE, "docs": [FILE], "text": "x"})])
    (file,) = turn.files or ()
    fetched = msgspec.structs.replace(file, data=b"a,b")
    outputs = msgspec.structs.replace(turn, files=(fetched,)).outputs
    assert outputs == {"doc": fetched, "docs": [fetched], "text": "x"}
    kept = turn_from_run(WorkflowRun(id="w", status="succeeded", outputs={"docs": [FILE, FILE]}))
    assert kept.files == (file,)


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"x": inner}])
def test_what_is_nested_deeper_than_anyone_means_stays_as_it_is(make: Any) -> None:
    value: Any = dict(FILE)
    for _ in range(MAX_DEPTH - 1):
        value = make(value)
    found = with_files(value)
    while not isinstance(found, MessageFile):
        (found,) = found if isinstance(found, list) else found.values()
    deep = value
    for _ in range(5_000):
        deep = make(deep)
    assert with_files(deep) is deep
    turn = fold_all([started(), ended({"deep": deep})])
    assert turn.answer == ""
    assert turn.outputs is not None
    assert turn.outputs["deep"] is deep


# -- what was spent ------------------------------------------------------------------------


def spent(prompt: int, completion: int, prompt_price: str = "0.1", completion_price: str = "0.2") -> dict[str, Any]:
    prices = {"prompt_price": prompt_price, "completion_price": completion_price}
    return {"prompt_tokens": prompt, "completion_tokens": completion, **prices}


def usages() -> Iterator[tuple[str, list[ev.Event], int | None, Usage | None]]:
    one, two = ran("a", usage=spent(3, 4), tokens=7), ran("b", usage=spent(10, 20), tokens=30)
    prices: dict[str, Any] = {"total_price": Decimal("1.0"), "currency": "USD"}
    both = Usage(
        prompt_tokens=13, completion_tokens=24, total_tokens=37,
        prompt_price=Decimal("0.2"), completion_price=Decimal("0.4"), **prices,
    )  # fmt: skip
    yield "two models", [one, two], 37, both
    yield "a run that counts otherwise", [one, two], 0, msgspec.structs.replace(both, total_tokens=0)
    yield "no model", [ran("start")], 0, Usage(total_tokens=0)
    yield "nothing told", [ran("start")], None, None
    yield "an end that repeats a usage", [one, two, ran("end", usage=spent(13, 24))], 37, both
    agent = ran("b", usage={"prompt_tokens": 0, "completion_tokens": 0}, tokens=30)
    yield "a node that does not tell its part", [one, agent], 37, Usage(total_tokens=37, **prices)
    elsewhere = ran("b", tokens=30, outputs={"text": ""}, process_data={"usage": spent(10, 20)})
    yield "a usage in process_data", [one, elsewhere], 37, both
    euro = {"total_tokens": 30, "total_price": "1", "currency": "EUR"}
    foreign = ran("b", usage=spent(10, 20), execution_metadata=euro)
    yield "two currencies", [one, foreign], 37, Usage(prompt_tokens=13, completion_tokens=24, total_tokens=37)
    free = ran("b", usage=spent(10, 20), tokens=30, price="?")
    yield "a price that is none", [one, free], 37, msgspec.structs.replace(both, total_price=None)
    box = ev.IterationStarted(data={"node_id": "i"}, **IDS)
    done = ev.IterationCompleted(data={"node_id": "i", "total_tokens": 37, "execution_metadata": {"total_tokens": 37}}, **IDS)
    yield "an iteration counts what runs in it", [box, one, two, done], 37, both


@pytest.mark.parametrize(("events", "total", "expected"), [item[1:] for item in usages()], ids=[item[0] for item in usages()])
def test_what_a_run_spent(events: list[ev.Event], total: int | None, expected: Usage | None) -> None:
    assert fold_all([started(), *events, ended({}, total_tokens=total)]).usage == expected
    assert fold_all([started(), *events]).usage is None, "the run has not told it yet"


def test_prices_are_added_as_they_are_written() -> None:
    prices = ["0.1"] * 10 + ["1E-55", "9" * 40]
    nodes = [Node(id=str(at), total_tokens=1, total_price=Decimal(price), currency="USD") for at, price in enumerate(prices)]
    usage = usage_of_run(nodes, 12)
    assert usage is not None
    assert str(usage.total_price) == "1" + "0" * 40 + "." + "0" * 54 + "1"


def test_outputs_are_made_once_and_are_no_part_of_the_turn() -> None:
    """A loop over the rows of a table asks for them with every row."""
    turn = fold_all([ev.Sent(app_mode="workflow"), started(), ended({"rows": [{"a": 1}], "file": FILE}), ev.StreamEnd()])
    outputs = turn.outputs
    assert outputs is not None
    assert turn.outputs is outputs
    outputs["rows"].append("mine")
    assert turn.outputs["rows"] == [{"a": 1}, "mine"]
    assert turn.workflow is not None
    assert turn.workflow.outputs["rows"] == [{"a": 1}]
    for other in (copy.copy(turn), copy.deepcopy(turn), pickle.loads(pickle.dumps(turn)), msgspec.structs.replace(turn)):
        assert other == turn
        assert hash(other) == hash(turn)
        assert other.outputs == {"rows": [{"a": 1}], "file": outputs["file"]}
        assert other.files == turn.files
