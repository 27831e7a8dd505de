"""Text from elsewhere made harmless to look at, before anything else is done with it."""

from __future__ import annotations

from ..printable import glyphs, one_line
from ..printable import shown as visible
from ..redact import redact

__all__ = ["glyphs", "one_line", "unsigned", "visible"]


def unsigned(text: str) -> str:
    """Text that has lost what would let a stranger in: signatures in the queries of links, keys.

    >>> unsigned("https://host/f?timestamp=1&sign=abc")
    'https://host/f?timestamp=1&sign=-'
    """
    return redact(text)
