"""Text from elsewhere made harmless to look at, before anything else is done with it."""

from __future__ import annotations

from .. import printable
from ..printable import LINE, glyphs
from ..redact import redact
from .pictures import bounded

__all__ = ["glyphs", "one_line", "unsigned", "visible"]


def visible(text: str, limit: int | None = None) -> str:
    """Text of many lines without secrets; signs that are no text are visible, data in it is a word."""
    return printable.shown(bounded(text), limit)


def one_line(text: str, limit: int = LINE) -> str:
    """The same on one line, cut to `limit` characters."""
    return printable.one_line(bounded(text), limit)


def unsigned(text: str) -> str:
    """Text that has lost what would let a stranger in: signatures in the queries of links, keys.

    >>> unsigned("https://host/f?timestamp=1&sign=abc")
    'https://host/f?timestamp=1&sign=-'
    """
    return redact(text)
