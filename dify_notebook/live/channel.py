"""When to draw and what to send: the policy of one live view, without clock or I/O.

A frontend that gets a message per token falls behind or loses some (a Jupyter server
drops what is above 1,000 a second, whoever sends it). So changes are drawn and sent
at most 25 times a second, as numbered patches; drawing waits when it has become
costly; and because a kernel that is busy with a cell hears nothing, the channel heals
without being asked: every 0.45 s a repair covers the last 2.25 s, so each change
travels six times, and three repairs in a row may be lost within 2 s; a whole tree goes now and
then, as long as these stay below a tenth of all bytes, for whoever lost more than that.

Times are seconds of any clock that does not go back.
"""

from __future__ import annotations

from collections import deque

import msgspec

from ..views.block import Block
from ..views.diff import Differ, to_wire
from .protocol import Open, Packed, Patch, pack

INTERVAL = 1 / 25
"""Seconds between two messages of a view, and between two rounds of a panel, at least."""
REPAIR_EVERY = 0.45
REPAIR_SPAN = 2.25
"""How many seconds back a repair reaches."""
WHOLE_SHARE = 0.1
"""Of all bytes, what whole trees may take before the end."""
COST_FACTOR = 3.0
"""Drawing rests for this many times what it last took, and so takes a quarter of the time."""
ENVELOPE = 650
"""Bytes that a message costs on its way besides its content (headers, ids, the envelope)."""


class Channel:
    """One view's stream of messages.

    >>> channel = Channel(view=1)
    >>> [message] = channel.offer(Block(key="r", tag="div", html="a"), now=0.0)
    >>> message.seq, message.base
    (1, 0)
    """

    def __init__(self, view: int, opening: Open | None = None) -> None:
        self.view = view
        self.opening = opening
        """What whole trees carry along."""
        self.differ = Differ()
        self.bytes_sent = 0
        """Bytes of all messages, with an estimate of what carries them."""
        self.messages = 0
        self.whole_bytes = 0
        """Bytes of the whole trees among these."""
        self._size = 0
        """Bytes of the whole tree when it was last weighed."""
        self._next_draw = 0.0
        """When the next drawing may begin."""
        self._repair_at = 0.0
        self._states: deque[tuple[float, int]] = deque()
        """(when, seq) of the states of the last REPAIR_SPAN seconds, and the one before."""

    def wait(self, now: float) -> float:
        """Seconds until something may be drawn and sent; 0 when it may be now."""
        return max(0.0, self._next_draw - now)

    def needs_repair(self) -> bool:
        """Whether changes are young enough that another repair should cover them."""
        return bool(self._states) and self._base(self._repair_at) < self.differ.seq

    def wait_repair(self, now: float) -> float | None:
        """Seconds until the next repair; None when everything is covered."""
        return max(0.0, self._repair_at - now) if self.needs_repair() else None

    def offer(
        self, root: Block, now: float, cost: float = 0.0, say: str | None = None
    ) -> list[Patch | Packed]:
        """The messages that bring the browser to this tree; none when it is there.

        `cost` is the seconds that drawing the tree took.
        """
        self._next_draw = now + max(INTERVAL, COST_FACTOR * cost)
        ops = self.differ.patch(root)
        seq = self.differ.seq
        if ops is not None:
            self._states.append((now, seq))
        if now >= self._repair_at and self._base(now) < seq:
            return [self._repair(now, say)]
        if ops is None:
            return [] if say is None else [self._count(Patch(self.view, seq, [], base=seq, say=say))]
        if seq == 1:
            return [self._repair(now, say)]
        return [self._count(pack(Patch(self.view, seq, ops, say=say)))]

    def whole(self, say: str | None = None) -> Patch | Packed:
        """The present tree as a message that is valid on anything.

        It reads one pair only, so any thread may ask.

        Raises:
            ValueError: nothing was drawn yet.
        """
        seq, root = self.differ.state
        if root is None:
            raise ValueError("nothing was drawn yet")
        return pack(Patch(self.view, seq, [["set", "", to_wire(root)]], base=0, open=self.opening, say=say))

    def end(self, root: Block, now: float, say: str | None = None) -> Patch | Packed:
        """The last tree, whole."""
        if self.differ.patch(root) is not None:
            self._states.append((now, self.differ.seq))
        return self._count(self.whole(say))

    def _base(self, now: float) -> int:
        """The state that was in force REPAIR_SPAN seconds ago."""
        horizon = now - REPAIR_SPAN
        while len(self._states) > 1 and self._states[1][0] <= horizon:
            self._states.popleft()
        when, seq = self._states[0] if self._states else (0.0, 0)
        return seq if when <= horizon else seq - 1

    def _repair(self, now: float, say: str | None) -> Patch | Packed:
        self._repair_at = now + REPAIR_EVERY
        spare = WHOLE_SHARE * self.bytes_sent - self.whole_bytes
        if spare >= self._size:  # a tree seldom shrinks: below that it need not be weighed again
            message = self.whole(say)
            self._size = _message_bytes(message)
            if self._size <= spare:
                self.whole_bytes += self._size
                return self._count(message)
        base = self._base(now)
        return self._count(
            pack(Patch(self.view, self.differ.seq, self.differ.repair(base), base=base, say=say))
        )

    def _count(self, message: Patch | Packed) -> Patch | Packed:
        self.bytes_sent += _message_bytes(message)
        self.messages += 1
        return message


def _message_bytes(message: Patch | Packed) -> int:
    return len(msgspec.json.encode(message)) + ENVELOPE
