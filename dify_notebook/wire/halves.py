"""Halves of characters: a text that is sent in pieces may be cut inside one, `\\ud83d` here, `\\ude00` in the next.

Or inside its bytes. Both are told as `loose.raw_loads` does it, as surrogates that stand alone.
"""

from __future__ import annotations

import re
from typing import Any

_ANSWER = ("message", "agent_message", "message_file")
_ENDS = ("message_replace", "message_end", "error", "workflow_paused")
CONCERNED = frozenset((*_ANSWER, "text_chunk", "reasoning_chunk", *_ENDS))
"""Names of the events that go on with a text, or end it."""
_CUT = re.compile(
    "(?:[\ud800-\udbff]|[\udcc2-\udcdf]|[\udce0-\udcef][\udc80-\udcbf]?|[\udcf0-\udcf4][\udc80-\udcbf]{0,2})\\Z"
)


class Halves:
    """What the texts of one stream wait for: the answer and the reasoning, whatever events bring them.

    A half that ends a piece is held back and put before the next piece of the same text; whether the two are one
    character is seen there.
    """

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        """Text (answer or reasoning) -> the half that it waits with."""

    def join(self, name: str, told: dict[str, Any]) -> bool:
        """Put the half that waits before the text of an event, and hold back the one that ends it.

        Args:
            name: the event's.
            told: the event as JSON; its text is written anew.

        Returns:
            whether the text waits now.
        """
        if name in _ENDS:  # what waits is not completed any more
            self.waiting.clear()
            return False
        place = _place(name, told)
        if place is None:
            return False
        kind, holder, field = place
        text = self.waiting.pop(kind, "") + holder[field]
        cut = _CUT.search(text[-3:])
        if cut is not None:
            self.waiting[kind] = cut[0]
            text = text[: -len(cut[0])]
        holder[field] = text
        return kind in self.waiting


def _place(name: str, told: dict[str, Any]) -> tuple[str, dict[str, Any], str] | None:
    """Which text an event goes on with, and where in it that stands; None where it brings none."""
    data = told.get("data")
    inner: dict[str, Any] = data if isinstance(data, dict) else {}
    places: list[tuple[str, dict[str, Any], str]] = []
    if name == "text_chunk":
        places = [("answer", inner, "text")]
    elif name == "reasoning_chunk":
        places = [("reasoning", inner, "reasoning"), ("reasoning", inner, "text")]
        places += [("reasoning", told, "reasoning"), ("reasoning", told, "answer")]
    elif name in _ANSWER and not (name == "message_file" and told.get("url")):
        places = [("answer", told, "answer")]
    return next((one for one in places if isinstance(one[1].get(one[2]), str) and one[1][one[2]]), None)
