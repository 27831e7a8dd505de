"""Text from elsewhere made harmless for terminals, logs and pages: the one place that says what is not.

What a server, a model or a file calls itself may hold signs that are no text: they move a terminal's cursor,
write its title or clipboard, overwrite what stands on the line, turn the reading direction of what follows, or
make one line of a log into two. `visible` and `one_line` show each as a sign of its own, so nothing is lost
without a trace. Fields and tables stay as they came; this is for what is printed: `shown` and `one_line` take
out secrets too, which a server may repeat in any word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

LINE = 200
"""Characters of a name, a code or anything else that stands on one line, unless said otherwise."""
MESSAGE = 4_000
"""Characters of a message, of a repr and of a line of the log."""
TEXT = 100_000
"""Characters of a table or a traceback, which are printed as a whole."""

_UNPRINTABLE = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 without tab, LF and CR; DEL; C1
    "\u202a-\u202e\u2066-\u206f"  # embeddings, overrides, isolates of the reading direction
    "\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb"  # what cannot be encoded, is no character, or annotates another
    "\U000e0001"  # the tag of a language
    "]"
)
# Not among them, as writing needs them: the joiners U+200C and U+200D, the marks of Hebrew and Arabic (U+200E, U+200F,
# U+061C), which turn nothing but themselves, and the tags of which flags are made.
_LINE_ENDS = re.compile("\r\n?")
_SPACES = re.compile(r"\s+")  # U+2028 and U+2029 are of these
_BREAKS = re.compile("[\t\n\r\u2028\u2029]")


def _glyph(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code < 0xA0 or 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF:
        return "\ufffd"
    return f"\u27e8U+{code:04X}\u27e9"


def glyphs(text: str) -> str:
    """The text with what is no text as visible signs; tabs and line ends stay, CR too.

    Each character is replaced on its own, so the result of a beginning is a beginning of the result.
    """
    return _UNPRINTABLE.sub(_glyph, text) if _UNPRINTABLE.search(text) else text


def visible(text: str, limit: int | None = None) -> str:
    """Text of many lines: as `glyphs`, with LF as its line end.

    A beginning that does not end in CR gives a beginning of the result, so text may be printed as it comes.

    Args:
        limit: characters of the result at most, an ellipsis included; None: as long as it is.

    >>> visible("red: \\x1b[31m")
    'red: \u241b[31m'
    """
    whole = limit is None or len(text) <= limit
    text = text if whole else text[:limit]  # each character gives one or more, or half of a line end
    if "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    return _cut(glyphs(text), limit, whole)


def shown(text: str, limit: int | None = None) -> str:
    """`visible` text without what would let a stranger in, and with a word in the place of data (`data_uri.py`).

    >>> shown("two\\r\\nlines: a?sign=cd")
    'two\\nlines: a?sign=-'
    """
    bounded, redact = _filters()
    text = bounded(text)
    whole = limit is None or len(text) <= 2 * limit  # of what is longer by far not all is looked at
    return _cut(visible(redact(text if whole else text[: 2 * (limit or 0)])), limit, whole)


def one_line(text: str, limit: int = LINE) -> str:
    """`shown` text on one line, cut to `limit` characters; white space of any kind and length is a space.

    >>> one_line("two\\r\\nlines")
    'two lines'
    """
    bounded, _ = _filters()
    text = bounded(text)
    whole = len(text) <= 8 * limit  # much of it may be white space; of what is longer by far not all is looked at
    flat = _SPACES.sub(" ", shown(text if whole else text[: 8 * limit])).strip()
    return _cut(flat, limit, whole)


@cache
def _filters() -> tuple[Callable[[str], str], Callable[[str], str]]:
    """What takes data and secrets out, from the first use on: their patterns take time when the package is imported."""
    from .data_uri import bounded
    from .redact import redact

    return bounded, redact


def _cut(text: str, limit: int | None, whole: bool) -> str:
    if limit is None or (whole and len(text) <= limit):
        return text
    return text[: limit - 1] + "\u2026"


def is_plain(text: str) -> bool:
    """Whether a text may be offered as it stands: one short line in which nothing would have to be replaced."""
    return len(text) <= LINE and _UNPRINTABLE.search(text) is None and _BREAKS.search(text) is None


class BoundedRepr:
    """Mixin: the repr is harmless, holds no secret, and is no longer than `MESSAGE`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return shown(super().__repr__(), MESSAGE)
