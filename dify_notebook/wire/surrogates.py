"""Halves of characters: a text that is sent in pieces may be cut inside one, `\\ud83d` here, `\\ude00` in the next.

Or inside its bytes. Both are told as `loose.raw_loads` does it, as surrogates that stand alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .events import Event

# What stands behind the first half of a character is its second, whatever byte it would be.
_CUT = re.compile(
    "(?:[\ud800-\udbff]|(?<![\ud800-\udbff])"
    "(?:[\udcc2-\udcdf]|[\udce0-\udcef][\udc80-\udcbf]?|[\udcf0-\udcf4][\udc80-\udcbf]{0,2}))\\Z"
)


class Surrogates:
    """What the texts of one stream wait for: the answer and the reasoning, whatever events bring them.

    A half that ends a piece is held back and put before the next piece of the same text; whether the two are one
    character is seen there.
    """

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending: dict[str, str] = {}
        """Text (answer or reasoning) -> the half that it waits with."""

    def join(self, kind: type[Event], fields: dict[str, Any]) -> bool:
        """Put the pending half before the text of an event, and hold back the one that ends it.

        Args:
            kind: the event's; it says where its text stands.
            fields: the event as JSON; its text is written anew.

        Returns:
            whether the text waits now.
        """
        if kind.ENDS_TEXT:  # what waits is not completed any more
            self.pending.clear()
            return False
        if kind.UNLESS and fields.get(kind.UNLESS):
            return False
        for text, paths in (("answer", kind.ANSWER), ("reasoning", kind.REASONING)):
            for path in paths:
                outer, _, field = path.rpartition(".")
                holder = fields.get(outer) if outer else fields
                if isinstance(holder, dict) and isinstance(holder.get(field), str) and holder[field]:
                    return self._join(text, holder, field)
        return False

    def _join(self, text: str, holder: dict[str, Any], field: str) -> bool:
        joined = self.pending.pop(text, "") + holder[field]
        cut = _CUT.search(joined[-4:])
        if cut is not None:
            self.pending[text] = cut[0]
            joined = joined[: -len(cut[0])]
        holder[field] = joined
        return text in self.pending
