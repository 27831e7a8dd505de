"""Where two values differ first, in a sentence: what a reader of long texts and tables would have to look for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize

from ..printable import one_line
from ..turn.comparing import ABSENT, Place
from . import facts
from .words import Words, number
from .written import number_text, prune

_SHORT = 60
"""Characters of a text that is seen at a glance."""
_BEFORE, _BEHIND = 15, 25
"""Characters around the first that differs."""


def first_difference(place: Place, words: Words, letters: tuple[str, str] = ("A", "B")) -> str:
    """Where it is, and what stands there in both; "" for values that are seen at a glance.

    Args:
        letters: what the two are called.
    """
    texts = [side for side in (place.a, place.b) if isinstance(side, str)]
    at_a_glance = all("\n" not in text and len(text) <= _SHORT for text in texts)
    looks_alike = len(texts) == 2 and len({" ".join(normalize("NFKC", text).split()) for text in texts}) == 1
    if not place.path and (ABSENT in (place.a, place.b) or at_a_glance and not looks_alike):
        return ""
    where = [one_line(str(Place(place.path, None, None)), 120)] if place.path else []
    if place.line_and_column is not None and not at_a_glance:
        line, column = place.line_and_column
        where.append(words("compare.line", line=number(line), column=number(column)))
    a, b = _written(place, words)
    key = "compare.first_at" if where else "compare.first"
    return words(key, place=", ".join(where), sides=f"{letters[0]} {a} \u00b7 {letters[1]} {b}")


def _written(place: Place, words: Words) -> list[str]:
    """What stands there in both, so that blanks and signs that nobody sees are told apart."""
    offset, sides = place.offset, (place.a, place.b)
    if offset is None:
        return [words("compare.absent") if side is ABSENT else _value(side, words) for side in sides]
    begin, end = max(0, offset - _BEFORE), offset + _BEHIND
    cut = [side[begin:end] for side in sides]
    # repr escapes what is not printable; what looks alike nevertheless is told by its code points
    write = ascii if len({normalize("NFKC", text) for text in cut}) == 1 else repr
    return [
        ("\u2026" if begin else "") + one_line(write(text), 400) + ("\u2026" if len(side) > end else "")
        for text, side in zip(cut, sides, strict=True)
    ]


def _value(value: Any, words: Words) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value)
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        value, _ = prune(value, lambda file: facts.file_title(file, words))
    return one_line(json.dumps(value, ensure_ascii=False, default=str), _SHORT)
