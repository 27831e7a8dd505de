"""Which cells each conversation holds, and so where a cell asks when it is run again. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import msgspec

Mode = Literal["continue", "fresh", "replay", "append"]
MODES: tuple[Mode, ...] = get_args(Mode)

Cell = tuple[str, str]
"""What a cell is known by: "id" and its id; "text" or, in a terminal, "line" and the hash of its text."""
Origin = Literal["cell", "no_id", "called"]
"""Where a question comes from: a cell with an id; one without, or a terminal's line; code that calls the magic."""
Action = Literal["continue", "append", "begin", "begin_again", "replay", "refuse"]


class HeldTurn(msgspec.Struct, frozen=True):
    """A turn that the server keeps, and the cell that it was asked in."""

    message_id: str
    cell: Cell
    first: bool
    """Whether it began its conversation."""
    workflow_id: str | None = None
    """The version that was asked for."""


class _Holding(msgspec.Struct):
    """The turns of one conversation that cells asked, oldest first."""

    turns: dict[str, HeldTurn] = {}
    """By message."""
    cells: dict[Cell, HeldTurn] = {}
    """By cell: its first turn there."""


class Place(NamedTuple):
    """Where a conversation holds a cell."""

    conversation_id: str
    message_id: str
    first: bool
    """Whether it began the conversation."""


class Held:
    """The cells that the conversations of one app hold, by what was asked from this kernel."""

    def __init__(self) -> None:
        self._conversations: dict[str, _Holding] = {}
        self._last: dict[Cell, str] = {}
        """In which conversation a cell was asked last."""
        self._newest_line: Cell | None = None

    def add(
        self, cell: Cell, conversation_id: str, message_id: str, *, began: bool, workflow_id: str | None = None
    ) -> None:
        """A cell's turn is kept by the server.

        Args:
            began: whether it began the conversation.
        """
        holding = self._conversations.setdefault(conversation_id, _Holding())
        turn = HeldTurn(message_id, cell, began and not holding.turns, workflow_id)
        holding.turns[message_id] = turn
        holding.cells.setdefault(cell, turn)
        self._last[cell] = conversation_id
        if cell[0] == "line":
            self._newest_line = cell

    def place(self, cell: Cell, conversation_id: str | None) -> Place | None:
        """Where a conversation holds the cell, the first time; None where it does not."""
        holding = self._conversations.get(conversation_id or "")
        if conversation_id is None or holding is None or (turn := holding.cells.get(cell)) is None:
            return None
        return Place(conversation_id, turn.message_id, turn.first)

    def last_place(self, cell: Cell) -> Place | None:
        """Where the conversation that the cell was asked in last holds it; None where it never was."""
        return self.place(cell, self._last.get(cell))

    def known(self, cell: Cell) -> Cell:
        """The cell that `--again` means: a terminal's line is known by its text, and one reworded is the newest."""
        reworded = cell not in self._last and cell[0] == "line"
        return self._newest_line or cell if reworded else cell

    def turn(self, conversation_id: str, message_id: str) -> HeldTurn | None:
        """The turn of that message; None where no cell asked it."""
        holding = self._conversations.get(conversation_id)
        return None if holding is None else holding.turns.get(message_id)


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell's line says of where it asks."""

    named: str | None = None
    """The conversation that `-c` names."""
    new: bool = False
    again: bool = False
    append: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Where a cell asks."""

    action: Action
    conversation_id: str | None = None
    """Where it is asked, of continue and append; which holds it already, of all others that it concerns."""
    place: Place | None = None
    """Where that conversation holds the cell."""
    why: Literal["", "no_id", "called", "held"] = ""
    """Of append: why."""
    named: bool = False
    """Of refuse: whether `-c` names that conversation."""


def decide(cell: Cell, origin: Origin, asks: Asks, current: str | None, mode: Mode, held: Held) -> Decision:
    """Where the cell asks: no conversation contains the same cell twice, unless it is told to.

    Args:
        cell: what it is known by; only `--again` knows one that has no id.
        current: the conversation that the cells go on with; None begins one.
    """
    if asks.new:
        return Decision("begin")
    if asks.again:
        known = held.known(cell)
        place = held.place(known, current)
        if place is None and (current is None or mode == "fresh"):  # no conversation goes on without the cell
            place = held.last_place(known)
        if place is not None:
            return Decision("begin_again" if place.first else "replay", place.conversation_id, place)
    if asks.named is None and not asks.append and mode == "fresh":
        return Decision("begin")
    target = asks.named or current
    if target is None:
        return Decision("begin")
    place = held.place(cell, target) if origin == "cell" else None
    if asks.append or mode == "append":
        return Decision("append", target, place, "held") if place is not None else Decision("continue", target)
    if origin != "cell":
        return Decision("append", target, None, origin) if asks.named is None else Decision("continue", target)
    if place is None:
        return Decision("continue", target)
    if asks.named is not None:  # never silently another conversation
        return Decision("refuse", target, place, named=True)
    if place.first:
        return Decision("begin_again", target, place)
    return Decision("replay" if mode == "replay" else "refuse", target, place)
