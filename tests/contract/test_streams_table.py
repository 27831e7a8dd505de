"""Every recorded stream gives the turn that a person would expect: whole, cut anywhere, cut short."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from contract.expected_completions import COMPLETIONS
from contract.expected_runs import RUNS, Run
from contract.expected_streams import EXPECTED
from contract.expected_turn import Expected
from contract.streams import Recording, load

from dify_notebook.turn.fold import Builder, fold, fold_all
from dify_notebook.turn.state import MessageFile, Turn, Usage
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.events import Disconnected, Event, StreamEnd
from dify_notebook.wire.sse import Frame, Splitter

CASES = sorted(EXPECTED)

#: Cut at every byte: one of each kind of stream.
EVERY_BYTE = [
    "examples/chat_basic",
    "examples/chat_agent",
    "examples/advanced_chat_workflow",
    "0.15.3/chat-messages__chatflow-think",
    "0.15.3/chat-messages-node-errors__failflow-retry-streaming",
    "0.15.3/chat-messages__agent-react-what",
    "0.15.3/chat-messages-moderation__mod-chat-output-blocked-streaming",
    "1.12.1/chat-messages__plain-chat-think",
    "1.12.1/chat-messages-files__basic-chat-file-turn1",
    "1.12.1/chat-messages__agent-chat-speak",
    "1.12.1/chat-messages__agentflow-toolerr-streaming",
    "1.12.1/chat-messages-ping__agent-chat-slow-start",
    "1.12.1/chat-messages-tts__tts-flow-streaming",
    "0.15.3/completion-messages__tts-streaming",
    "0.15.3/workflows-run__llm-think-streaming",
    "1.12.1/completion-messages__file-local-streaming",
    "1.12.1/workflows-run__file-local-streaming",
]


def frames_of(chunks: list[bytes]) -> tuple[list[Frame], bytes]:
    splitter = Splitter()
    found = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    return found, splitter.rest()


def events_of(recording: Recording) -> list[Event]:
    splitter = Splitter()
    events = [decode(frame, at) for at, chunk in recording.chunks for frame in splitter.feed(chunk)]
    at = recording.chunks[-1][0] if recording.chunks else 0.0
    events.append(StreamEnd(at=at, rest=splitter.rest()) if recording.whole else Disconnected(at=at, rest=splitter.rest()))
    return events


def by_name(value: Any) -> Any:
    """Outputs with files as the table has them."""
    if isinstance(value, MessageFile):
        return (value.name, value.type, value.size)
    if isinstance(value, list):
        return [by_name(item) for item in value]
    return {name: by_name(item) for name, item in value.items()} if isinstance(value, dict) else value


def seen_of_run(turn: Turn, expected: Run) -> dict[str, object]:
    """What the table of runs has beyond the others."""
    usage, error = turn.usage or Usage(), (turn.error.message if turn.error else "").strip()
    return {
        "outputs": by_name(turn.outputs),
        "error": error.rpartition("\n")[2][: len(expected.error)],
        "spent": (usage.prompt_tokens, usage.completion_tokens, usage.total_price),
    }


def seen(turn: Turn, expected: Expected) -> dict[str, object]:
    """What the table speaks of, read off a turn."""
    nodes = turn.nodes or ()
    ids = {}
    for name in ("message_id", "conversation_id", "task_id", "workflow_run_id"):
        value = getattr(turn, name)
        ids[name] = value[:4] if value else None
    return {
        "ids": ids,
        "answer": turn.answer,
        "status": turn.status,
        "end": turn.end,
        "error_code": turn.error.code if turn.error else None,
        "reasoning": turn.reasoning,
        "thoughts": len(turn.thoughts or ()),
        "tools": tuple(thought.tool for thought in turn.thoughts or () if thought.tool),
        "logs": len(turn.logs or ()),
        "nodes": len(nodes),
        "node_status": Counter((node.title or node.node_id, node.status) for node in nodes if node.status != "succeeded"),
        "retries": sum(len(node.retries) for node in nodes),
        "files": len(turn.files or ()),
        "citations": len(turn.citations or ()),
        "tokens": turn.usage.total_tokens if turn.usage else None,
        "audio_chunks": len(turn.audio.chunks) if turn.audio else 0,
        "annotated": turn.annotation is not None,
        "replaced": turn.replaced,
        "complete": turn.complete,
        "warnings": sum(warning.code == "damaged" for warning in turn.warnings),
        "pings": turn.pings,
        "said": tuple(thought.answer for thought in turn.thoughts or () if thought.answer),
        "rounds": {node.title or node.node_id: len(node.rounds) for node in nodes if node.kind != "node"},
        "forms": tuple(form.status for form in turn.forms),
        **(seen_of_run(turn, expected) if isinstance(expected, Run) else {}),
    }


def wanted(expected: Expected) -> dict[str, object]:
    names = ("message_id", "conversation_id", "task_id", "workflow_run_id")
    plain = {name: getattr(expected, name) for name in type(expected).__dataclass_fields__ if name not in ("case", "ids")}
    plain["node_status"] = Counter(expected.node_status.items())
    if isinstance(expected, Run):
        *tokens, price = expected.spent
        plain["spent"] = (*tokens, None if price is None else Decimal(price))
    return {"ids": {name: expected.id_prefix(name) for name in names}, **plain}


@pytest.mark.parametrize("case", CASES)
def test_the_turn_is_what_a_person_would_expect(case: str) -> None:
    turn = fold_all(events_of(load()[case]))
    assert seen(turn, EXPECTED[case]) == wanted(EXPECTED[case])


def test_the_stream_tells_what_the_app_is() -> None:
    """No version says it of workflow and completion apps in so many words."""
    runs, completions = ({row.case for row in table} for table in (RUNS, COMPLETIONS))
    modes = {case: fold_all(events_of(load()[case])).app_mode for case in CASES}
    assert {case for case, mode in modes.items() if mode == "workflow"} == runs
    assert {case for case, mode in modes.items() if mode == "completion"} == completions


@pytest.mark.parametrize("case", CASES)
def test_the_builder_obeys_the_law_of_the_fold(case: str) -> None:
    """One event at a time through the pure fold, or all through one builder: the same turn."""
    events = events_of(load()[case])
    turn = fold_all(events[:1])
    for event in events[1:]:
        turn = fold(turn, event)
    assert turn == fold_all(events)


@pytest.mark.parametrize("case", CASES)
def test_frames_do_not_depend_on_where_chunks_are_cut(case: str) -> None:
    """At each recorded chunk boundary, in one piece, in two pieces at random places, byte by byte."""
    recording = load()[case]
    body = recording.body
    expected = frames_of([body])
    assert frames_of([chunk for _, chunk in recording.chunks]) == expected
    edge = 0
    for _, chunk in recording.chunks:
        edge += len(chunk)
        assert frames_of([body[:edge], body[edge:]]) == expected
    places = random.Random(case)
    for _ in range(20):
        cuts = sorted(places.randrange(len(body) + 1) for _ in range(5))
        assert frames_of([body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]) == expected
    if len(body) < 60_000:
        assert frames_of([body[i : i + 1] for i in range(len(body))]) == expected


@pytest.mark.parametrize("case", EVERY_BYTE)
def test_cut_in_two_at_every_byte(case: str) -> None:
    body = load()[case].body
    expected = frames_of([body])
    for place in range(len(body) + 1):
        assert frames_of([body[:place], body[place:]]) == expected


@pytest.mark.parametrize("case", CASES)
def test_truncated_at_every_event(case: str) -> None:
    """However early a stream is cut, the turn ends, keeps what came and does not call itself whole."""
    events = events_of(load()[case])[:-1]
    builder = Builder()
    for number, event in enumerate(events):
        cut = Builder(builder.turn())
        cut.apply(Disconnected(at=event.at, message="cut"))
        before, turn = builder.turn(), cut.turn()
        assert turn.status != "running", number
        assert turn.end is not None
        assert turn.answer_raw == before.answer_raw
        assert all(node.status != "running" for node in turn.nodes or ())
        if before.status == "running":
            assert (turn.status, turn.end, turn.complete) == ("incomplete", "disconnected", False)
        builder.apply(event)


def test_a_line_cut_in_the_middle_is_told() -> None:
    body = load()["examples/chat_basic"].body
    frames, rest = frames_of([body[: len(body) // 2]])
    turn = fold_all([*(decode(frame) for frame in frames), StreamEnd(rest=rest)])
    assert rest
    assert (turn.status, turn.end, turn.complete) == ("incomplete", "eof", False)
    assert [warning.code for warning in turn.warnings][-1] == "damaged"
