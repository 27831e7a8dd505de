"""Turns asked again one after the other, as one run of a cell: what it shows, where it ends, what a stop does."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from dify_notebook.errors import DifyError, InputError
from dify_notebook.live.view import LiveView
from dify_notebook.magic.replay import GOES_ON, Replay
from dify_notebook.turn.state import Placing, Status, Turn
from dify_notebook.views.stream import TextStream


class FakeRun:
    """A run that ends when it is told to."""

    def __init__(self, turn: Turn, target: str | None) -> None:
        self.turn, self.target = turn, target
        self.done = False
        self.error: DifyError | None = None
        self.next = None
        self.now = 0.5
        self.stops = 0

    def end(self, status: Status) -> None:
        self.turn = Turn(status=status, conversation_id="c", answer="secret of a turn before", placing=self.turn.placing)
        self.done = True

    def stop(self) -> None:
        self.stops += 1


class Asked:
    """A replay of three questions, and what was asked so far."""

    def __init__(self) -> None:
        self.runs: list[FakeRun] = []
        self.steps: list[tuple[int, Status]] = []
        self.begun = 0
        asks: list[Any] = [self._ask(number) for number in (1, 2, 3)]
        self.replay = Replay(asks, lambda index, turn: self.steps.append((index, turn.status)))
        self.replay.on_next = self._on_next

    def _on_next(self) -> None:
        self.begun += 1

    def _ask(self, number: int) -> Any:
        def ask(target: str | None) -> FakeRun:
            placing = Placing("asking", 3) if number < 3 else Placing("replayed")
            self.runs.append(FakeRun(Turn(turn_number=number, placing=placing, answer="partial"), target))
            return self.runs[-1]

        return ask


def test_each_is_asked_when_the_one_before_has_ended_well() -> None:
    asked = Asked()
    replay = asked.replay
    assert not replay.done
    assert replay.turn is replay.turn, "the same object while nothing changes"
    assert (replay.turn.turn_number, replay.turn.answer, replay.turn.status) == (1, "", "running")
    asked.runs[0].end("succeeded")
    assert replay.turn.answer == "", "the answers before are not the cell's"
    assert not replay.done
    asked.runs[1].end("partial_succeeded")
    assert not replay.done
    assert replay.complete
    assert replay.turn is asked.runs[2].turn
    asked.runs[2].end("failed")
    assert replay.done
    assert [run.target for run in asked.runs] == [None, "c", "c"]
    assert asked.steps == [(0, "succeeded"), (1, "partial_succeeded")], "each once"
    assert asked.begun == 2


@pytest.mark.parametrize("status", sorted({*get_args(Status)} - {*GOES_ON, "running"}))
def test_the_first_that_does_not_end_well_is_the_last(status: Status) -> None:
    asked = Asked()
    asked.runs[0].end("succeeded")
    assert not asked.replay.done
    asked.runs[1].end(status)
    assert asked.replay.done
    assert asked.replay.done, "however often it is looked at"
    assert asked.replay.turn is asked.runs[1].turn
    assert (asked.replay.number, asked.replay.complete, len(asked.runs)) == (2, False, 2)
    assert asked.steps == [(0, "succeeded"), (1, status)]


def test_one_that_is_refused_is_the_last() -> None:
    asked = Asked()
    asked.runs[0].error = InputError("no", code="x")
    asked.runs[0].end("succeeded")
    assert asked.replay.done
    assert asked.replay.error is asked.runs[0].error
    assert len(asked.runs) == 1


def test_one_that_cannot_be_asked_raises_and_is_not_the_cells() -> None:
    asked = Asked()

    def refuse(target: str | None) -> Any:
        raise InputError("no", code="x")

    asked.replay = Replay([*map(asked._ask, (1, 2)), refuse], lambda index, turn: None)
    for number in (1, 2):
        asked.runs[-1].end("succeeded")
        if number == 1:
            assert not asked.replay.done
    with pytest.raises(InputError):
        _ = asked.replay.done
    assert (asked.replay.complete, asked.replay.number) == (False, 2)


def test_a_stop_stops_what_runs_and_asks_no_more() -> None:
    asked = Asked()
    asked.replay.stop()
    assert asked.runs[0].stops == 1
    asked.runs[0].end("stopped")
    assert asked.replay.done
    assert len(asked.runs) == 1


def test_a_stop_between_two_ends_it_as_stopped() -> None:
    asked = Asked()
    asked.runs[0].end("succeeded")
    asked.replay.stop()
    assert asked.runs[0].stops == 0
    assert asked.replay.done
    assert (asked.replay.turn.status, asked.replay.turn.end, len(asked.runs)) == ("stopped", "stopped", 1)


def test_a_terminal_prints_a_line_for_each() -> None:
    stream = TextStream("en")
    lines = [
        stream.feed(Turn(turn_number=number, placing=Placing("asking", 3))) for number in (1, 1, 2)
    ]
    assert lines == ["Asking turn 1 of 3 again\n", "", "Asking turn 2 of 3 again\n"]
    own = Turn(turn_number=3, placing=Placing("replayed"))
    assert stream.feed(own) == "Turn 3 · replayed: turns 1 to 2 asked again\n"
    assert stream.feed(own) == ""


def test_a_live_view_draws_the_next_although_its_seconds_begin_at_0() -> None:
    view = LiveView("en", clock=lambda: 0.0)
    asking = Turn(turn_number=1, placing=Placing("asking", 2))
    view.update(asking, 30.0)
    before = view.channel.differ.seq
    view.next_turn()
    own = Turn(turn_number=2, placing=Placing("replayed"))
    assert view.due(0.0) <= 0.5
    view.update(own, 0.6)
    assert view.channel.differ.seq == before + 1
    root = view.channel.differ.root
    assert root is not None
    assert "turn 1 asked again" in repr(root)
    assert "Waiting… 0 s" in repr(root), "and not 30"
