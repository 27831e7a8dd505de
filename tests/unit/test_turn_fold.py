"""What the recordings do not hold: the fold on events that only newer servers, or our own side, tell."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from contract.streams import load

from dify_notebook.frames import nodes, thoughts
from dify_notebook.turn.convert import as_decimal, as_int, as_size, as_time, as_usage
from dify_notebook.turn.fold import fold, fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.views.saved import bundle
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import frames

IDS: dict[str, Any] = {"task_id": "t", "message_id": "m", "conversation_id": "c"}


def end(**more: Any) -> ev.MessageEnd:
    return ev.MessageEnd(**IDS, metadata={}, **more)


def test_a_stop_of_ours_marks_the_turn() -> None:
    turn = fold_all([
        ev.Sent(query="q", user="u"),
        ev.Message(answer="half", **IDS),
        ev.StopRequested(at=1.0),
        end(at=1.1),
        ev.StopRequested(at=1.2, confirmed=True),
        ev.StreamEnd(at=1.2),
    ])  # fmt: skip
    assert (turn.status, turn.end, turn.stop_confirmed, turn.answer) == ("stopped", "stopped", True, "half")
    assert turn.complete


def test_a_stop_that_nobody_heard_is_told_so() -> None:
    turn = fold_all([ev.Message(answer="half", **IDS), ev.StopRequested(at=1.0), ev.Cancelled(at=4.0)])
    assert (turn.status, turn.end, turn.stop_confirmed, turn.complete) == ("stopped", "stopped", False, False)


def test_a_stop_after_the_end_changes_nothing() -> None:
    turn = fold_all([ev.Message(answer="all", **IDS), end(), ev.StopRequested(confirmed=True)])
    assert (turn.status, turn.stop_confirmed) == ("succeeded", None)


@pytest.mark.parametrize(
    ("event", "how"),
    [(ev.StreamEnd(), "eof"), (ev.Disconnected(), "disconnected"), (ev.DeadlineExceeded(), "timed_out"), (ev.Cancelled(), "cancelled")],
)
def test_ends_that_nobody_announced_are_told_apart(event: ev.Event, how: str) -> None:
    turn = fold_all([ev.Message(answer="half", **IDS), event])
    assert (turn.status, turn.end, turn.complete, turn.answer) == ("incomplete", how, False, "half")


def test_reasoning_in_events_of_its_own() -> None:
    turn = fold_all([
        ev.ReasoningChunk(at=0.5, data={"reasoning": "hm "}, **IDS),
        ev.ReasoningChunk(data={"text": "so"}, **IDS),
        ev.Message(answer="<think>more</think>Yes", **IDS),
        end(),
    ])  # fmt: skip
    assert (turn.answer, turn.reasoning) == ("Yes", "hm so\n\nmore")
    assert turn.timing is not None
    assert turn.timing.first_token == 0.5


def test_a_new_agent_closes_by_repeating_its_answer() -> None:
    turn = fold_all([ev.AgentMessage(answer="It is ", **IDS), ev.AgentMessage(answer="42.", **IDS),
                     ev.Message(answer="It is 42.", **IDS), end()])  # fmt: skip
    assert turn.answer == "It is 42."


@pytest.mark.parametrize("mode", [None, "agent-chat", "agent"])
def test_a_new_agent_is_known_by_what_it_sends(mode: str | None) -> None:
    turn = fold_all([ev.Sent(query="q", app_mode=mode), ev.AgentMessage(answer="42.", **IDS),
                     ev.Message(answer="42.", **IDS), end()])  # fmt: skip
    assert turn.answer == "42."


def test_a_preset_answer_of_an_agent_may_repeat_itself() -> None:
    """Moderation and annotations answer letter by letter with `message`, in agent apps too."""
    letters = [ev.Message(answer=letter, **IDS) for letter in "哈哈,哈哈,哈"]
    assert fold_all([ev.Sent(query="q", app_mode="agent-chat"), *letters, end()]).answer == "哈哈,哈哈,哈"


def test_an_error_stays_one_whatever_follows() -> None:
    turn = fold_all([ev.Message(answer="half", **IDS), ev.Error(code="c", message="m", status=400, **IDS), end()])
    assert (turn.status, turn.end, turn.answer) == ("failed", "error", "half")


def test_a_piece_of_speech_that_is_none_is_left_out() -> None:
    pieces = ["SGVs", "A", "\u00e9", "bG8", ""]
    turn = fold_all([end(), *(ev.TtsMessage(audio=piece, **IDS) for piece in pieces), ev.TtsMessageEnd(**IDS)])
    assert turn.audio is not None
    assert (turn.audio.data, turn.audio.chunks, turn.audio.complete) == (b"Hello", tuple(pieces[:-1]), True)


@pytest.mark.parametrize("told", ["partial-succeeded", "partial_succeeded"])
def test_a_run_that_went_well_in_part(told: str) -> None:
    assert fold_all([ev.WorkflowFinished(data={"status": told}, **IDS), end()]).status == "partial_succeeded"


def test_a_failed_run_says_why_where_no_error_follows() -> None:
    turn = fold_all([ev.WorkflowFinished(data={"status": "failed", "error": "no model"}, **IDS), end()])
    assert turn.error is not None
    assert (turn.status, turn.error.code, turn.error.message) == ("failed", "workflow_failed", "no model")


JUNK: list[Any] = [
    None, "", [], {}, 0, -1, 1.5, True, "x", "nan", "1e999", ["a"], {"a": 1}, [None], [[1]], 10**30,
    float("nan"), float("inf"), [{"id": None}],
]  # fmt: skip


def test_whatever_a_server_writes_is_folded_and_shown() -> None:
    """A value of any kind anywhere in an event that was recorded: nothing raises, nor does what shows the turn."""
    rnd = random.Random(4)
    streams = [case.body for case in load().values() if 5 < case.body.count(b"data: ") < 80]
    for _ in range(250):
        read = [decode(frame) for frame in frames([rnd.choice(streams)])]
        told = [json.loads(msgspec.json.encode(event, enc_hook=str)) for event in read if not isinstance(event, ev.Unknown)]
        for _ in range(3):
            place = rnd.choice(told)
            while True:
                key = rnd.choice([key for key in place if key != "event"] or [None])
                inner = place.get(key)
                if isinstance(inner, dict) and inner and rnd.random() < 0.7:
                    place = inner
                    continue
                place[key] = copy.deepcopy(rnd.choice(JUNK))
                break
        events = [decode(("", json.dumps(one).encode())) for one in told]
        turn = fold_all([ev.Sent(query="q"), *events, ev.StreamEnd()])
        assert turn.status != "running"
        assert bundle(turn)["text/html"]
        nodes(turn), thoughts(turn)


def test_a_pause_asks_a_person() -> None:
    started = ev.WorkflowStarted(workflow_run_id="w", data={"id": "w"}, **IDS)
    form = ev.HumanInputRequired(workflow_run_id="w", data={"form_id": "f", "title": "Approve?"}, **IDS)
    turn = fold_all([started, ev.NodeStarted(data={"id": "n", "node_id": "ask"}, **IDS), form,
                     ev.WorkflowPaused(workflow_run_id="w", data={}, **IDS), ev.StreamEnd()])  # fmt: skip
    assert (turn.status, turn.end, turn.forms[0].status) == ("paused", "paused", "waiting")
    assert turn.nodes is not None
    assert turn.nodes[0].status == "paused"
    filled = fold(turn, ev.HumanInputFormFilled(data={"form_id": "f"}, **IDS))
    assert filled.forms[0].status == "filled"
    assert filled.forms[0].data["title"] == "Approve?"


def test_a_container_that_runs_again_inside_a_loop_is_a_run_of_its_own() -> None:
    def inner(kind: Callable[..., ev.Event], **data: object) -> ev.Event:
        return kind(data={"id": "it", "node_id": "it", "loop_id": "loop", **data}, **IDS)

    turn = fold_all([
        ev.LoopStarted(data={"id": "loop", "node_id": "loop", "metadata": {"loop_length": 2}}, **IDS),
        inner(ev.IterationStarted), inner(ev.IterationCompleted, status="succeeded"),
        inner(ev.IterationStarted), ev.NodeStarted(data={"id": "x", "node_id": "x", "iteration_id": "it"}, **IDS),
    ])  # fmt: skip
    assert turn.nodes is not None
    assert [(node.id, node.parent) for node in turn.nodes] == [
        ("loop", None), ("it", "loop"), ("it#2", "loop"), ("x", "it#2"),
    ]  # fmt: skip


def test_branches_of_old_servers_add_nothing() -> None:
    event = ev.ParallelBranchStarted(data={"parallel_id": "p"}, **IDS)
    assert fold_all([event]).nodes == ()


def test_damage_keeps_the_place_and_makes_it_incomplete() -> None:
    turn = fold_all([ev.Message(answer="ab", **IDS), ev.Unknown(damaged=True, raw=b"{x", at=2.0),
                     ev.Message(answer="cd", **IDS), end()])  # fmt: skip
    assert (turn.status, turn.complete, turn.answer) == ("succeeded", False, "abcd")
    assert [(w.code, w.offset, w.raw, w.at) for w in turn.warnings] == [("damaged", 2, "{x", 2.0)]


def test_moderation_forgets_what_it_replaced() -> None:
    turn = fold_all([ev.Message(answer="<think>bad</think>bad", **IDS),
                     ev.MessageReplace(answer="No.", **IDS), end()])  # fmt: skip
    assert (turn.answer, turn.answer_raw, turn.reasoning, turn.replaced) == ("No.", "No.", "", True)


def test_a_kind_of_event_without_meaning_is_a_mistake_of_ours() -> None:
    class Forgotten(ev.Event, tag="forgotten"):
        pass

    with pytest.raises(TypeError, match="Forgotten"):
        fold(Turn(), Forgotten())


@pytest.mark.parametrize(
    ("told", "time"),
    [
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2026-11-21T09:15:48", datetime(2026, 11, 21, 9, 15, 48, tzinfo=UTC)),
        ("2026-11-21T09:15:48+08:00", datetime(2026, 11, 21, 1, 15, 48, tzinfo=UTC)),
        ("yesterday", None), (None, None), (True, None), (1e30, None),
        ("9999-12-31T23:59:59-05:00", None), ("0001-01-01T00:00:00+05:00", None),
    ],
)  # fmt: skip
def test_times(told: object, time: datetime | None) -> None:
    assert as_time(told) == time


def test_numbers() -> None:
    assert as_decimal("0E-7") == Decimal("0E-7")
    assert as_decimal("1.50") == Decimal("1.50")
    assert as_decimal("free") is None
    assert as_decimal("NaN") is None
    assert as_decimal("1e30") == Decimal("1e30")
    assert [as_decimal(text) for text in ("1e999999", "1e-999999", "0E-999999999", "0E+999999999", "1" * 999)] == [None] * 5
    assert as_int("12") == 12
    assert as_int(True) is None
    assert as_size(-1) is None
    assert as_usage({"total_tokens": "7", "currency": 3}).total_tokens == 7
