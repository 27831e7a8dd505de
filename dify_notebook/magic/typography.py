"""Characters that a text processor or an input method puts in the place of those that a line needs. Pure."""

from __future__ import annotations

import re

from .split import Word

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
"""Hyphens and dashes that are none of a line's, the minus sign too."""
FULLWIDTH = {ord("\uff1d"): "=", ord("\uff1a"): ":"}
"""The signs of `NAME=TEXT` and `NAME:=EXPRESSION` as wide as a Chinese letter."""
_CLOSING = {
    **dict.fromkeys("\u201c\u201d\u201e\u201f", "\u201d\u201c"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b", "\u2019\u2018"),
    "\u00ab": "\u00bb",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\uff02": "\uff02",
    "\uff07": "\uff07",
}
"""Opening quotation marks of texts, and those that close them."""
_BEFORE = re.compile(r"(?:-[A-Za-z]=?|[^\s=]*+=)?")
"""What may stand in front of a value in its word."""


def stray_quote(line: str, words: list[Word]) -> int | None:
    """Where a quotation mark of a text opens what only a later word closes: it was meant to group, and does not."""
    written = [line[word.start : word.end] for word in words]
    last = {character: number for number, text in enumerate(written) for character in text}
    for number, text in enumerate(written):
        prefix = _BEFORE.match(text)
        for position in sorted({0, prefix.end() if prefix else 0}):
            closing = _CLOSING.get(text[position : position + 1])
            if closing is None or any(mark in text[position + 1 :] for mark in closing):
                continue
            if any(last.get(mark, 0) > number for mark in closing):
                return words[number].start + position
    return None
