"""Values written out as text, no more of them than is shown: numbers, lists and objects, rows in columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, isnan
from typing import Any
from unicodedata import combining, east_asian_width

from ..printable import one_line, shown
from ..turn.convert import file_value
from ..turn.state import MessageFile
from . import limits

_BITS = 12_000
"""Bits of a whole number that is written in digits; of a longer one these take time that is square in their number."""
_STRING = 2_000
"""Characters of a text inside a list or an object."""


def number_text(value: object) -> str:
    """A number, true or false, as JSON writes them; what is none is NaN or Infinity."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and value.bit_length() > _BITS:
        return one_line(hex(value), limits.CELL)
    return one_line(str(value), limits.CELL * 40)


def aligned(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """Rows of text as lines whose columns stand below each other; characters of East Asia are two wide."""
    sizes = [[_width(cell) for cell in row] for row in rows]
    widths = [max((row[at] for row in sizes if at < len(row)), default=0) for at in range(len(numeric))]
    out = []
    for row, own in zip(rows, sizes, strict=True):
        cells = []
        for at, cell in enumerate(row):
            blank = " " * (widths[at] - own[at])
            cells.append(blank + cell if numeric[at] else cell + blank)
        out.append("  ".join(cells).rstrip())
    return out


def _width(text: str) -> int:
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def prune(value: Any, name: Callable[[MessageFile], str]) -> tuple[Any, bool]:
    """As much of a value as is shown, with words in the place of files, and whether that is all."""
    pruning = _Pruning(name)
    return pruning.of(value, 0), pruning.whole


class _Pruning:
    def __init__(self, name: Callable[[MessageFile], str]) -> None:
        self._name, self._left = name, limits.VALUE_PARTS
        self.whole = True

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | float):
            plain = isfinite(value) if isinstance(value, float) else value.bit_length() <= _BITS
            return value if plain else number_text(value)
        if file := file_value(value):
            return self._name(file)
        if not isinstance(value, Mapping | list | tuple):
            return self._text(str(value))
        if value and (depth >= limits.VALUE_DEPTH or self._left <= 0):
            return self._rest()
        return self._object(value, depth) if isinstance(value, Mapping) else self._list(value, depth)

    def _list(self, items: Sequence[Any], depth: int) -> list[Any]:
        out: list[Any] = []
        for item in items[: limits.VALUE_ITEMS]:
            if self._left <= 0:
                break
            out.append(self.of(item, depth + 1))
        return [*out, self._rest()] if len(out) < len(items) else out

    def _object(self, fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in fields.items():
            if self._left <= 0 or len(out) >= limits.VALUE_ITEMS:
                out["\u2026"] = self._rest()
                break
            out[self._text(str(key))] = self.of(value, depth + 1)
        return out

    def _text(self, text: str) -> str:
        self.whole &= len(text) <= _STRING
        return shown(text, _STRING)

    def _rest(self) -> str:
        self.whole = False
        return "\u2026"
