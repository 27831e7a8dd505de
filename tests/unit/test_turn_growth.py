"""No stream, however hostile, takes more than time and memory linear in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.hostile_streams import STREAMS, message, running, started, warned
from support.linear import MOST, growth

from dify_notebook import frames
from dify_notebook.turn.fold import Builder, fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.wire import events as ev

SIZE = 8_000


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_in_time_linear_in_it(name: str) -> None:
    assert growth(STREAMS[name], fold_all, SIZE) <= MOST


def test_every_event_of_the_wire_is_in_a_stream() -> None:
    kinds = {type(event) for make in STREAMS.values() for event in make(2)}
    assert kinds >= set(ev.wire_events().values()) | {ev.Unknown}


@pytest.mark.parametrize("name", STREAMS)
def test_nothing_of_it_is_lost(name: str) -> None:
    """What is held for a while instead of copied is the same as what is folded event by event."""
    events = [*STREAMS[name](60), ev.StreamEnd(at=1.0)]
    builder = Builder()
    for place, event in enumerate(events):
        builder.apply(event)
        if place % 7 == 0:
            builder.turn()
    turn = builder.turn()
    assert turn == fold_all(events)
    counts = {kind: sum(type(event) is kind for event in events) for kind in {type(event) for event in events}}
    if ev.MessageFile in counts:
        assert len(turn.files or ()) == counts[ev.MessageFile]
    if ev.HumanInputRequired in counts:
        assert len(turn.forms) == counts[ev.HumanInputRequired]
        assert {form.status for form in turn.forms} == {"timeout"}
    if ev.TtsMessage in counts:
        assert turn.audio is not None
        assert len(turn.audio.chunks) == counts[ev.TtsMessage]


def rounds_seen(stream: list[ev.Event]) -> None:
    """As a view does: the turn is asked for again and again while the stream goes on."""
    builder = Builder()
    for place, event in enumerate(stream):
        builder.apply(event)
        if place % (len(stream) // 20) == 0:
            builder.turn()


@pytest.mark.parametrize(
    "name",
    [
        "nodes that start", "rounds of a loop", "thoughts", "files", "reasoning that begins and ends",
        "a run that ends again and again", "speech after the outputs of a run",
    ],
)  # fmt: skip
def test_a_turn_that_is_asked_for_meanwhile_costs_what_it_is_large(name: str) -> None:
    assert growth(STREAMS[name], rounds_seen, SIZE) <= MOST


def test_rounds_and_retries_are_those_that_were_told() -> None:
    events: list[ev.Event] = [ev.LoopStarted(data={"node_id": "n"})]
    for index in (2, 0, 2, 1):
        events.append(ev.LoopNext(data={"node_id": "n", "index": index}, at=float(index)))
        events.append(started(index, "inner", loop_id="n"))
    events += [ev.NodeRetry(data={"id": "r0", "retry_index": i, "error": str(i)}) for i in (1, 2, 3)]
    times = {"0": 1.5, "1": "2", "01": 9, "7": 3, "x": 1}
    events.append(ev.LoopCompleted(data={"node_id": "n", "execution_metadata": {"loop_duration_map": times}}))
    loop, *inner = fold_all(events).nodes or ()
    assert [(one.index, one.started_at, one.elapsed) for one in loop.rounds] == [
        (0, 0.0, 1.5),
        (1, 1.0, 2.0),
        (2, 2.0, None),
        (7, None, 3.0),
    ]
    assert [(node.id, node.round) for node in inner] == [("r2", 2), ("r0", 0), ("r1", 1)]
    assert [one.index for one in inner[1].retries] == [1, 2, 3]


def test_a_retry_goes_on_with_the_first_open_run_in_its_place() -> None:
    events: list[ev.Event] = [*running(2), *(started(f"x{i}") for i in range(3))]
    events.append(ev.NodeRetry(data={"id": "rx0", "node_id": "n", "retry_index": 1}))
    events.append(ev.NodeFinished(data={"id": "new", "node_id": "n"}))
    events.append(ev.NodeRetry(data={"id": "next", "node_id": "n", "retry_index": 1}))
    turn = fold_all(events)
    assert [(node.id, node.status) for node in turn.nodes or ()] == [
        ("r0", "running"),
        ("r1", "running"),
        ("new", "succeeded"),
        ("next", "retry"),
        ("rx2", "running"),
    ]


def test_warnings_are_all_told_and_their_lines_are_not_all_kept() -> None:
    turn = fold_all([message("a"), *warned(1_500), ev.Unknown(damaged=True, raw=b"{" * 9_000)])
    assert len(turn.warnings) == 1_501
    assert turn.warnings[0].raw == '{"event": "new"}'
    assert [warning.raw for warning in turn.warnings[1_000:]] == [None] * 501
    assert not turn.complete


def test_the_name_of_an_unknown_event_is_cut_as_its_line_is() -> None:
    (warning,) = fold_all([ev.Unknown(name="x" * 9_000, raw=b"y" * 9_000)]).warnings
    assert (len(warning.message), len(warning.raw or "")) == (2_000, 2_000)


def test_a_tag_in_code_is_text_although_the_text_has_ended() -> None:
    events = [message("`"), ev.MessageEnd(metadata={}), message("<think>")]
    assert fold_all(events).answer == "`<think>"


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("nodes that end and never started", frames.nodes),
        ("one run that is tried again and again", frames.nodes),
        ("thoughts", frames.thoughts),
        ("files", frames.files),
        ("citations", frames.citations),
    ],
)
def test_a_table_of_it_is_made_in_time_linear_in_it(name: str, table: Callable[[Turn], object]) -> None:
    assert growth(lambda size: fold_all(STREAMS[name](size)), table, SIZE) <= MOST


def test_a_thought_of_many_calls_is_a_table_of_its_own_size() -> None:
    def thought(calls: int) -> Turn:
        names = [f"t{at}" for at in range(calls)]
        told = dict.fromkeys(names, 1)
        return fold_all([ev.AgentThought(id="t", tool=";".join(names), tool_input=told, observation=told)])

    def size(calls: int) -> int:
        return int(frames.thoughts(thought(calls)).memory_usage(deep=True).sum())

    assert size(4_000) <= 2.6 * size(2_000)


def test_an_answer_without_reasoning_is_held_once() -> None:
    builder = Builder()
    for piece in ("Hel", "lo", " there"):
        builder.apply(message(piece))
        assert builder.turn().answer is builder.turn().answer_raw
    builder.apply(message("<think>hm</think>"))
    assert (builder.turn().answer, builder.turn().answer_raw) == ("Hello there", "Hello there<think>hm</think>")
