"""Several answers beside each other: what is shown of them, live and saved.

A page is rows of entries. The entries of a row are compared with the first of it that has an answer; a row is one
repeat, its entries are the variants, in the same order in each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..turn.state import Turn


class Entry(msgspec.Struct, frozen=True):
    """One answer, or its place."""

    heading: str
    """Which app, version, prompt: one line."""
    turn: Turn | None = None
    """Running or ended; None while it waits for its turn, or where nothing could be sent."""
    note: str = ""
    """What is to be known of it alone, such as inputs that it alone was given: one line."""
    now: float = 0.0
    """Seconds since its question was sent; matters while it runs."""
    error: str = ""
    """Why there is no turn and none will come."""

    @property
    def status(self) -> str:
        """The turn's; waiting where there is none yet, failed where none will come."""
        if self.turn is not None:
            return self.turn.status
        return "failed" if self.error else "waiting"


class Page(msgspec.Struct, frozen=True):
    """All that a cell shows of several answers."""

    rows: list[list[Entry]]
    query: str | None = None
    """What was asked, where all were asked the same."""
    inputs: Mapping[str, Any] = {}
    """What all were given."""
    headings: list[str] = []
    """Of the rows; without these they are numbered where there are several."""
    done: int | None = None
    """How many answers have ended, where these are only some of them; else they are counted."""
    asked: int | None = None
    """How many there will be, likewise."""
    note: str = ""
    """What is to be known of all: one line."""
    ended: bool = False
    """Whether no more comes, although an entry may still wait (a stop, a budget)."""

    @property
    def status(self) -> str:
        """running while something may come; else succeeded."""
        open_ones = any(entry.status in ("running", "waiting") for row in self.rows for entry in row)
        more = self.done is not None and self.asked is not None and self.done < self.asked
        return "running" if not self.ended and (open_ones or more) else "succeeded"
