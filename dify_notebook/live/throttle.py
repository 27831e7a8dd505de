"""When a turn is drawn: one law for the live view of a cell and for each answer in a panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from ..views.block import Block
from .channel import Channel
from .state import S

TICK = 0.5
"""Seconds between two drawings when nothing came: the seconds shown go on."""


class Throttle(Generic[S]):
    """Draws a turn, or several as one, when it is time to, and knows what was drawn last.

    A running turn waits while its channel rests. Then it is drawn if it changed, and without that each `TICK` and when
    the channel has something to repair. One that ended never waits, and is drawn once.

    Args:
        channel: where the blocks will go, which says how long drawing rests.
        clock: tells what drawing costs, in seconds: CPU time of the thread, since a wait for a busy cell or another
            process is no cost of the drawing.
    """

    def __init__(self, channel: Channel, clock: Callable[[], float]) -> None:
        self._channel = channel
        self._clock = clock
        self.turn: S | None = None
        """What was drawn last."""
        self.now = 0.0
        """When that was, in seconds since the question was sent."""
        self._waiting = False

    def draw(self, turn: S, now: float, blocks: Callable[[S, float], Block]) -> tuple[Block, float] | None:
        """The blocks of this state and the seconds that drawing them took; None when it is not time to."""
        changed = turn is not self.turn
        if turn.status == "running":
            early = self._channel.wait(now) > 0 or not (changed or self._idle(now) <= 0)
        else:
            early = not changed
        if early:
            self._waiting = self._waiting or changed
            return None
        started = self._clock()
        root = blocks(turn, now)
        cost = self._clock() - started
        self.turn, self.now, self._waiting = turn, now, False
        return root, cost

    def due(self, now: float) -> float:
        """Seconds until a running turn would be drawn, if nothing else comes."""
        wait = self._channel.wait(now)
        return wait if self._waiting else max(wait, self._idle(now))

    def _idle(self, now: float) -> float:
        """Seconds until there is something to draw or to repair although nothing came."""
        repair = self._channel.wait_repair(now)
        tick = self.now + TICK - now
        return tick if repair is None else min(tick, repair)
