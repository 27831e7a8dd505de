"""An answer as text for a terminal while it comes: its markdown as it was written, without what no one reads.

Data is a word (`pictures.py`), and `<br>` outside of code is what it means: a line end, in a table's row a space.
"""

from __future__ import annotations

import re

from ..printable import glyphs
from .pictures import Pictures

_BREAK = re.compile(r"(?i)(?<!\\)</?br[ \t]{0,9}/?>")
_BEGUN = re.compile(r"(?i)\\$|\\?<(?:/?(?:b(?:r[ \t]{0,9}/?)?)?)?$")
_LONGEST = 20
_LEAD = r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?"
_FENCE = re.compile(rf"{_LEAD}(`{{3,}}|~{{3,}})([^`]*)$")
_ROW = re.compile(rf"{_LEAD}\|")
_FRONT = 120
"""Characters of a line that say what it is."""


class TerminalText:
    """One answer as text, taken in pieces, each character once. Together they give what the whole gives."""

    def __init__(self) -> None:
        self._pictures = Pictures()
        self._pending = ""
        self._front = ""
        self._ticks = 0
        self._fence = ""
        self._owed = ""  # what a break is, told when more of its line comes

    def take(self, text: str, *, last: bool = False) -> str:
        """The text that can be printed now; the rest comes with the next piece, or with the last."""
        fresh = self._pictures.take(glyphs(text), ended=last) + (self._pictures.rest(ended=True) if last else "")
        fresh = self._pending + self._pictures.replace_marks(fresh)
        unfinished = None if last else _BEGUN.search(fresh, max(0, len(fresh) - _LONGEST))
        end = unfinished.start() if unfinished else len(fresh)
        self._pending = fresh[end:]
        first, *others = fresh[:end].split("\n")
        out = [self._more(first)]
        for line in others:
            self._end()
            out.append("\n" + self._more(line))
        return "".join(out)

    def _more(self, piece: str) -> str:
        """More of the present line."""
        out, at = [], 0
        self._front += piece[: _FRONT - len(self._front)]
        for match in _BREAK.finditer(piece):
            out.append(self._write(piece[at : match.start()]))
            at = match.end()
            if self._fence or self._ticks % 2:
                out.append(match[0])
            else:
                self._owed += " " if _ROW.match(self._front) else "\n"
        return "".join([*out, self._write(piece[at:])])

    def _write(self, piece: str) -> str:
        if not piece.strip(" \t\r"):
            return "" if self._owed else piece
        self._ticks += piece.count("`")
        breaks, self._owed = self._owed, ""
        return breaks + (piece.lstrip(" \t") if breaks else piece)

    def _end(self) -> None:
        """The line has ended; a break at its end is no second one."""
        match = _FENCE.match(self._front)
        if match is not None and not self._fence:
            self._fence = match[1]
        elif match is not None and match[1].startswith(self._fence) and not match[2].strip():
            self._fence = ""
        self._front, self._ticks, self._owed = "", 0, ""


def terminal_text(answer: str) -> str:
    """The whole answer."""
    return TerminalText().take(answer, last=True)
