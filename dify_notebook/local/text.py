"""Text as others give it, made such that it can be written down and sent."""

from __future__ import annotations

import re

_BULLET = re.compile(r"^\s*(?:(?:[-*]|\d+[.)])(?:\s+|$)|(?:•|\d+、)\s*)")
THINKS, THOUGHT = "<think>\n", "\n</think>\n"
"""What stands around a model's reasoning in an answer."""


def well_formed(text: str) -> str:
    r"""A text without lone surrogates, which JSON can name (`"\ud83d"`) and UTF-8 cannot encode.

    >>> well_formed("a\ud83db")
    'a\ufffdb'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def without_thoughts(text: str) -> str:
    """An answer without the reasoning in it; one that was cut off within it is nothing but reasoning.

    >>> without_thoughts("<think>\\nHm.\\n</think>\\nYes.")
    'Yes.'
    """
    visible, thinks, rest = text.partition("<think>")
    while thinks:
        _, _, after = rest.partition("</think>")
        more, thinks, rest = after.lstrip("\n").partition("<think>")
        visible += more
    return visible


def without_bullet(line: str) -> str:
    """A line of a list without the sign or the number in front.

    >>> without_bullet("- tea"), without_bullet("2) tea"), without_bullet("1\u3001tea"), without_bullet("2024")
    ('tea', 'tea', 'tea', '2024')
    >>> without_bullet("**tea**"), without_bullet("-5"), without_bullet("3.14")
    ('**tea**', '-5', '3.14')
    """
    return _BULLET.sub("", line)


def media_type(header: str | None) -> str:
    """The type that a Content-Type names, in lower case and without parameters.

    >>> media_type("Text/CSV; charset=utf-8")
    'text/csv'
    """
    return (header or "").partition(";")[0].strip().lower()
