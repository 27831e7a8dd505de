"""Text from elsewhere made harmless to look at, before anything else is done with it."""

from __future__ import annotations

import re

from ..redact import redact

_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef]")
_SPACES = re.compile(r"\s+")


def _glyph(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code < 0xA0 or 0xD800 <= code <= 0xDFFF or code >= 0xFDD0:
        return "\ufffd"
    return f"\u27e8U+{code:04X}\u27e9"


def visible(text: str) -> str:
    """The text with LF as its line end, and control characters and direction overrides as visible signs."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return glyphs(text)


def glyphs(text: str) -> str:
    """The text with control characters and direction overrides as visible signs.

    Line ends and tabs stay. What would move a terminal's cursor, turn the reading
    direction of what stands behind it, or cannot be encoded becomes a glyph. Each
    character is replaced on its own, so the result of a beginning is a beginning of the result.
    """
    return _ODD.sub(_glyph, text) if _ODD.search(text) else text


def one_line(text: str, limit: int = 200) -> str:
    """`visible` text on one line, cut to `limit` characters."""
    flat = _SPACES.sub(" ", visible(text)).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "\u2026"


def unsigned(text: str) -> str:
    """Text that has lost what would let a stranger in: signatures in the queries of links, keys.

    >>> unsigned("https://host/f?timestamp=1&sign=abc")
    'https://host/f?timestamp=1&sign=-'
    """
    return redact(text)
