"""How a turn ends: what its message and its run say, in whichever order a server says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from contract.streams import load

from dify_notebook.turn.fold import Builder, fold_all
from dify_notebook.turn.state import Timing, Turn
from dify_notebook.views import facts
from dify_notebook.views.words import Words
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Splitter

IDS: dict[str, Any] = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
UNTOLD = "Workflow stream ended without a terminal event"


def run_end(status: str, error: str | None = None, **more: Any) -> ev.WorkflowFinished:
    return ev.WorkflowFinished(workflow_run_id="w", data={"id": "w", "status": status, "error": error, **more}, **IDS)


def started() -> ev.WorkflowStarted:
    return ev.WorkflowStarted(workflow_run_id="w", data={"id": "w"}, **IDS)


def message_end() -> ev.MessageEnd:
    return ev.MessageEnd(metadata={}, **IDS)


def without_times(turn: Turn) -> Turn:
    nodes = tuple(msgspec.structs.replace(node, started_at=None, finished_at=None) for node in turn.nodes or ())
    workflow = turn.workflow and msgspec.structs.replace(turn.workflow, started_at=None, finished_at=None)
    warnings = tuple(msgspec.structs.replace(warning, at=None) for warning in turn.warnings)
    return msgspec.structs.replace(turn, timing=Timing(), nodes=nodes, workflow=workflow, warnings=warnings)


def recorded() -> Iterator[tuple[str, list[ev.Event]]]:
    """The streams in which both the message and the run tell their end."""
    for case, recording in load().items():
        splitter = Splitter()
        events = [decode(frame, at) for at, chunk in recording.chunks for frame in splitter.feed(chunk)]
        kinds = [type(event) for event in events]
        if kinds.count(ev.MessageEnd) == kinds.count(ev.WorkflowFinished) == 1:
            yield case, events


BOTH = dict(recorded())


def test_recordings_of_all_versions_say_both() -> None:
    assert {case.partition("/")[0] for case in BOTH} == {"examples", "0.15.3", "1.12.1", "1.16.1"}
    orders = {case: [type(event) for event in events] for case, events in BOTH.items()}
    first = {kinds.index(ev.MessageEnd) < kinds.index(ev.WorkflowFinished) for kinds in orders.values()}
    assert first == {True, False}


@pytest.mark.parametrize("case", BOTH)
def test_the_order_in_which_message_and_run_end_changes_nothing(case: str) -> None:
    events = BOTH[case]
    end = next(event for event in events if isinstance(event, ev.MessageEnd))
    finished = next(event for event in events if isinstance(event, ev.WorkflowFinished))
    rest = [event for event in events if event is not finished]
    at = rest.index(end)
    before = [*rest[:at], finished, *rest[at:]]
    after = [*rest[: at + 1], finished, *rest[at + 1 :]]
    whole, *moved = (without_times(fold_all([*one, ev.StreamEnd()])) for one in (events, before, after))
    assert moved == [whole, whole]


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        ("succeeded", None, ("succeeded", "message_end", True, None)),
        ("partial-succeeded", None, ("partial_succeeded", "message_end", True, None)),
        ("stopped", "Aborted", ("stopped", "message_end", True, None)),
        ("failed", UNTOLD, ("succeeded", "message_end", True, None)),
        ("failed", "no model", ("failed", "message_end", True, "no model")),
    ],
)
def test_both_ends_in_either_order(status: str, error: str | None, expected: tuple[Any, ...]) -> None:
    said: list[ev.Event] = [started(), ev.NodeStarted(data={"id": "n", "node_id": "n"}, **IDS), ev.Message(answer="a", **IDS)]
    turns = [
        fold_all([*said, *ends, ev.StreamEnd()])
        for ends in ([run_end(status, error), message_end()], [message_end(), run_end(status, error)])
    ]
    assert without_times(turns[0]) == without_times(turns[1])
    for turn in turns:
        assert (turn.status, turn.end, turn.complete, turn.error and turn.error.message) == expected
        assert [node.status for node in turn.nodes or ()] == ["stopped" if status == "stopped" else "unknown"]


def test_an_answer_of_moderation_is_no_failure() -> None:
    """Its message comes and ends before the run is told to begin and to fail (Dify 1.13 and newer)."""
    turn = fold_all([ev.Message(answer="No.", **IDS), message_end(), started(), run_end("failed", UNTOLD), ev.StreamEnd()])
    assert (turn.status, turn.end, turn.error, turn.complete) == ("succeeded", "message_end", None, True)
    assert facts.notices(turn, Words("en")) == []


def test_a_failed_run_is_told_once_and_nothing_is_missing() -> None:
    """Dify 1.13 and newer send no `error` and no `message_end` after it."""
    turn = fold_all([started(), ev.Message(answer="half", **IDS), run_end("failed", "no model"), ev.StreamEnd()])
    assert (turn.status, turn.end, turn.complete, turn.answer) == ("failed", "error", True, "half")
    (notice,) = facts.notices(turn, Words("en"))
    assert (notice.kind, notice.detail) == ("error", "no model")


def test_an_error_after_the_failed_run_says_more() -> None:
    """Dify 0.15 and 1.12 send both."""
    error = ev.Error(code="invalid_param", message="no model", status=400, **IDS)
    turn = fold_all([started(), run_end("failed", "no model"), error, ev.StreamEnd()])
    assert turn.error is not None
    assert (turn.status, turn.end, turn.error.code) == ("failed", "error", "invalid_param")


def test_a_connection_that_is_lost_after_the_run_has_ended_changes_nothing() -> None:
    for status, expected in (("failed", "failed"), ("stopped", "stopped")):
        turn = fold_all([started(), run_end(status, "why"), ev.Disconnected(message="gone")])
        assert (turn.status, turn.complete) == (expected, True)


def test_a_stop_by_whoever_is_one() -> None:
    said: list[ev.Event] = [started(), ev.Message(answer="half", **IDS)]
    others = fold_all([*said, run_end("stopped", "Aborted: User requested stop"), ev.StreamEnd()])
    assert (others.status, others.end, others.stop_confirmed, others.complete) == ("stopped", "stopped", None, True)
    own = fold_all([*said, ev.StopRequested(), run_end("stopped", "Aborted"), ev.StopRequested(confirmed=True), ev.StreamEnd()])
    assert (own.status, own.end, own.stop_confirmed, own.complete) == ("stopped", "stopped", True, True)


@pytest.mark.parametrize("status", ["succeeded", "partial-succeeded"])
def test_a_run_that_is_told_without_a_message_ends_with_itself(status: str) -> None:
    """Workflow apps, and runs that ended before they were asked for. No sentence says that anything is missing."""
    finished = ev.WorkflowFinished(task_id="w", workflow_run_id="w", data={"id": "w", "status": status})
    turn = fold_all([finished, ev.StreamEnd()])
    assert (turn.status, turn.end, turn.complete) == (status.replace("-", "_"), "eof", True)
    words = Words("en")
    assert words("told.eof") not in [notice.text for notice in facts.notices(turn, words)]


def test_the_end_of_a_run_is_not_that_of_its_message() -> None:
    turn = fold_all([started(), ev.Message(answer="half", **IDS), run_end("succeeded"), ev.StreamEnd()])
    assert (turn.status, turn.end, turn.complete) == ("incomplete", "eof", False)


def test_what_this_side_ended_stays_so() -> None:
    for mine, end in ((ev.DeadlineExceeded(), "timed_out"), (ev.Cancelled(), "cancelled")):
        turn = fold_all([started(), mine, run_end("failed", "late"), message_end()])
        assert (turn.status, turn.end, turn.error) == ("incomplete", end, None)


def test_the_task_is_the_one_that_can_be_stopped() -> None:
    """The state of a run so far has the run's id in its place; what is live has the task's own."""
    state = ev.WorkflowStarted(task_id="w", workflow_run_id="w", data={"id": "w"}, message_id="m", conversation_id="c")
    builder = Builder()
    builder.apply(state)
    assert (builder.turn().task_id, builder.task_id) == ("w", None)
    for event in (ev.Message(answer="a", **IDS), ev.TtsMessage(task_id="speech", audio="AAAA")):
        builder.apply(event)
    assert (builder.turn().task_id, builder.task_id) == ("t", "t")


def test_a_pause_behind_an_end_of_this_side_leaves_the_forms_and_the_end() -> None:
    form = {"form_id": "f", "TYPE": "human_input_required"}
    paused = ev.WorkflowPaused(workflow_run_id="w", data={"reasons": [form]}, **IDS)
    turn = fold_all([started(), ev.DeadlineExceeded(seconds=1), paused])
    assert (turn.status, turn.end, [item.id for item in turn.forms]) == ("incomplete", "timed_out", ["f"])


def test_what_has_ended_well_has_no_error() -> None:
    turn = fold_all([started(), run_end("failed", "no"), message_end(), run_end("succeeded"), ev.StreamEnd()])
    assert (turn.status, turn.error) == ("succeeded", None)


def test_a_run_that_begins_behind_its_end_has_ended() -> None:
    turn = fold_all([run_end("failed", "no", outputs={"a": 1}), started(), ev.StreamEnd()])
    assert turn.workflow is not None
    assert (turn.status, turn.workflow.status, turn.workflow.outputs) == ("failed", "failed", {"a": 1})


TWICE = (
    ev.WorkflowStarted, ev.WorkflowFinished, ev.WorkflowPaused, ev.HumanInputRequired, ev.NodeStarted, ev.NodeFinished,
    ev.IterationNext, ev.IterationCompleted, ev.LoopNext, ev.LoopCompleted, ev.AgentThought, ev.AgentLog, ev.MessageEnd,
    ev.MessageReplace, ev.Error,
)  # fmt: skip
"""What has a name of its own. (A container may run again under one name, and text has none.)"""


@pytest.mark.parametrize("case", sorted(load()))
def test_what_is_told_twice_and_what_nobody_knows_change_nothing(case: str) -> None:
    splitter = Splitter()
    events = [decode(frame, 0.0) for _, chunk in load()[case].chunks for frame in splitter.feed(chunk)]
    twice = [again for event in events for again in ([event, event] if isinstance(event, TWICE) else [event])]
    unknown = [item for event in events for item in (event, ev.Unknown(name="from_tomorrow"))]
    whole, doubled, mixed = (fold_all([*told, ev.StreamEnd()]) for told in (events, twice, unknown))
    assert doubled == whole
    assert [warning for warning in mixed.warnings if warning.message != "from_tomorrow"] == list(whole.warnings)
    assert msgspec.structs.replace(mixed, warnings=whole.warnings) == whole
