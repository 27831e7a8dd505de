"""How a question came to stand where it stands in its conversation."""

from __future__ import annotations

from typing import Literal

from .value import Value

PlacingKind = Literal["began_again", "asking", "replayed", "no_id", "called", "held"]


class Placing(Value, frozen=True):
    """How a cell's question was placed, where that is more than the next turn of a conversation.

    kind: began_again (its cell was turn 1 of the last conversation, so this one is new), asking (a turn before the
    cell's own is being asked again), replayed (the turns before this one were asked again), and three ways of being
    appended although the cell may stand there already: no_id (the frontend sends no cell id), called (code asked, and
    no cell of its own), held (it was told so).
    """

    kind: PlacingKind
    turns: int | None = None
    """How many turns are asked in all, of one that is asked again."""
    first: bool = False
    """Whether it is the kernel's first conversation that began by itself: then it is told how that is switched off."""
