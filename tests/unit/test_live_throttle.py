"""When a turn is drawn: one table of times for a cell's live view and for an answer in a panel."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from dify_notebook.live.channel import Channel
from dify_notebook.live.throttle import TICK, Throttle
from dify_notebook.live.view import LiveView
from dify_notebook.panel.channel import TurnChannel
from dify_notebook.turn.state import Turn
from dify_notebook.views import Block, TurnView

A, B, C = (Turn(query="q", answer=answer) for answer in ("one", "one two", "one two three"))
END = Turn(query="q", answer="one two three.", status="succeeded", end="message_end")

NOTHING = -1.0
"""Nobody asks what is due once a turn has ended."""
Step = tuple[float, Turn, bool, float]
"""When `update` is called, with what, whether that is drawn, and the seconds until something is due then."""
TABLE: dict[str, tuple[float, list[Step]]] = {
    "the first at once, even in its last moment": (0.0, [(7.0, A, True, 0.45)]),
    "a change at once after a rest": (0.0, [(0.0, A, True, 0.45), (0.2, B, True, 0.25)]),
    "a change waits for a twenty-fifth of a second": (
        0.0, [(0.0, A, True, 0.45), (0.01, B, False, 0.03), (0.03, C, False, 0.01), (0.04, C, True, 0.41)],
    ),
    "what was drawn already is not drawn again": (0.0, [(0.0, A, True, 0.45), (0.1, A, False, 0.35), (0.4, A, False, 0.05)]),
    "a repair is due by itself": (0.0, [(0.0, A, True, 0.45), (0.45, A, True, 0.45), (0.5, A, False, 0.4)]),
    "costly drawing rests three times as long": (
        0.5, [(0.0, A, True, 1.5), (1.0, B, False, 0.5), (1.2, A, False, 0.3), (1.5, B, True, 1.5)],
    ),
    "also when a repair would be due": (0.5, [(0.0, A, True, 1.5), (0.6, A, False, 0.9), (1.5, A, True, 1.5)]),
    "the end never waits": (0.5, [(0.0, A, True, 1.5), (0.01, END, True, NOTHING)]),
    "and is drawn once": (0.0, [(0.0, A, True, 0.45), (0.6, END, True, NOTHING), (9.0, END, False, NOTHING)]),
}  # fmt: skip


class Watch:
    """A clock by which each drawing takes the same time; counts them."""

    def __init__(self, cost: float) -> None:
        self.cost, self.asked = cost, 0

    def __call__(self) -> float:
        self.asked += 1
        return self.cost if self.asked % 2 == 0 else 0.0

    @property
    def drawings(self) -> int:
        return self.asked // 2


VIEWS: dict[str, Callable[[Watch], LiveView | TurnChannel]] = {
    "cell": lambda watch: LiveView("en", clock=watch),
    "panel": lambda watch: TurnChannel(1, "en", clock=watch),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("kind", VIEWS)
def test_a_turn_is_drawn_when_it_is_time_to(kind: str, name: str) -> None:
    cost, steps = TABLE[name]
    view = VIEWS[kind](watch := Watch(cost))
    for now, turn, drawn, due in steps:
        before = watch.drawings
        view.update(turn, now)
        assert (watch.drawings > before) is drawn, now
        assert due == NOTHING or view.due(now) == pytest.approx(due), now


def test_a_still_picture_is_looked_at_twice_a_second() -> None:
    """Nothing is left to mend when nothing has changed for long; the seconds shown go on all the same."""
    channel = Channel(1)
    throttle: Throttle[Turn] = Throttle(channel, lambda: 0.0)
    begun = [now for tick in range(1280) if drawn_at(throttle, channel, now := tick / 128)]
    assert begun[0] == 0.0
    late = [now for now in begun if now > 3]
    assert [after - before for before, after in zip(late, late[1:], strict=False)] == [TICK] * (len(late) - 1)
    assert len(late) >= 13


def drawn_at(throttle: Throttle[Turn], channel: Channel, now: float) -> bool:
    drawing = throttle.draw(A, now, lambda turn, now: Block(key="r", tag="div", html="still"))
    if drawing is not None:
        channel.offer(drawing[0], now, drawing[1])
    return drawing is not None


def test_what_could_not_be_drawn_is_still_to_be_drawn() -> None:
    throttle: Throttle[Turn] = Throttle(Channel(1), lambda: 0.0)

    def fails(turn: Turn, now: float) -> Block:
        raise OSError("broken")

    for turn in (A, END):
        with pytest.raises(OSError, match="broken"):
            throttle.draw(turn, 1.0, fails)
        assert throttle.turn is None
    assert throttle.draw(END, 1.0, lambda turn, now: Block(key="r", tag="div")) is not None


WAITING = 0.3
"""Seconds that a drawing has to wait for others, such as a cell that holds the interpreter."""


@pytest.mark.parametrize("make", [lambda: LiveView("en"), lambda: TurnChannel(1, "en")], ids=["cell", "panel"])
def test_what_a_drawing_waits_for_others_is_no_cost_of_it(
    make: Callable[[], LiveView | TurnChannel], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = TurnView.blocks

    def held_up(self: TurnView, turn: Turn, now: float) -> Block:
        time.sleep(WAITING)
        return blocks(self, turn, now)

    monkeypatch.setattr(TurnView, "blocks", held_up)
    view = make()
    view.update(A, 0.0)
    assert view.due(0.0) == pytest.approx(0.45), "else it would rest for three times what it waited"
