"""A growing text without secrets; what was redacted once costs nothing again."""

from __future__ import annotations

from ..redact import may_hold_a_secret, redact
from .diff import common_prefix

_LATE = 1_000
"""Characters at a line's end in which what comes may still make a secret of what is there."""
_HELD = 200
"""So many are held back where something in them may become one."""


class StreamRedactor:
    """One text: use either `line`, for one line as a whole, or `take`, for pieces of text as they are printed."""

    __slots__ = ("_at", "_done", "_line", "_emitted")

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._line = ""
        self._done, self._at = "", 0  # the front of the line, redacted, and how much of the line that is
        self._emitted = ""

    def line(self, line: str) -> str:
        """The line so far, which goes on from what it was."""
        end = len(line) - _LATE
        if end > self._at:
            cut = line.rfind(" ", self._at, end)
            if cut <= self._at and not may_hold_a_secret(line[self._at :]):
                cut = end
            if cut > self._at:
                self._done += redact(line[self._at : cut])
                self._at = cut
        return self._done + redact(line[self._at :])

    def take(self, text: str, *, last: bool = False) -> str:
        """The redacted text that can be printed now; the rest comes with the next piece, or with the last."""
        *lines, rest = text.split("\n")
        out = []
        for line in lines:
            out.append(self._more(self._line + line) + "\n")
            self._begin()
        self._line += rest
        if last or not may_hold_a_secret(self._line[-_HELD:]):
            out.append(self._more(self._line))
        return "".join(out)

    def _more(self, line: str) -> str:
        emitted, self._emitted = self._emitted, self.line(line)
        return self._emitted[common_prefix(emitted, self._emitted) :]
