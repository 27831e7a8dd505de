"""What the tally app reads, sorts and computes: rows of a CSV or lines of a list. Pure; the same for the same input."""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ..engine.search.words import stem, terms
from ..text import without_bullet

Row = dict[str, str]
Number = int | float

MAX_BYTES = 128 * 1024
"""Of a text or a file; no field of a CSV can then be longer than the csv module takes."""
MAX_ROWS = 500
MAX_COLUMNS = 50
MAX_CLASSES = 50
FOUND_CLASSES = 8
"""Classes at most where none are given."""
CLASS = "class"
"""The column that says to which class a row belongs."""
ITEM = "item"
"""The one column of a list."""

_DELIMITERS = (",", ";", "\t", "|")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_WORD = re.compile(r"\w+")


class Wrong(ValueError):
    """It cannot be read; `key` is the sentence that says why, with its values.

    Args:
        key: behind `local.tally.wrong_`.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = f"local.tally.wrong_{key}"
        self.values = values


@dataclass(frozen=True)
class Rows:
    """What was read."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    decimal_comma: bool = False
    """Whether 1,5 is one and a half: so where a semicolon parts the columns."""

    def __add__(self, other: Rows) -> Rows:
        """Both, with the columns of both; the first one's come first."""
        columns = tuple(dict.fromkeys([*self.columns, *other.columns]))
        rows = tuple({column: row.get(column, "") for column in columns} for row in self.rows + other.rows)
        return _bounded(Rows(columns, rows, self.decimal_comma or other.decimal_comma))


@dataclass(frozen=True)
class Class:
    """A class, and the words by which a row belongs to it."""

    name: str
    words: tuple[str, ...]


def decoded(raw: bytes) -> str:
    """The text of a file. Raises: Wrong."""
    if len(raw) > MAX_BYTES:
        raise Wrong("bytes", most=MAX_BYTES // 1024)
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise Wrong("encoding")


def read(text: str, *, table: bool = False) -> Rows:
    """The rows of a CSV, whatever parts its columns, or of a list with an item on each line.

    A text is a CSV where every row has as many columns as the first one, and that has two or more.

    Args:
        table: whether it is a CSV in any case, perhaps of one column.

    Raises:
        Wrong: it is too large, or a row has more or fewer columns than the first one.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise Wrong("bytes", most=MAX_BYTES // 1024)
    text = text.removeprefix("\ufeff")
    cut = {delimiter: rows for delimiter in _DELIMITERS if (rows := _cut(text, delimiter))}
    even = {delimiter: rows for delimiter, rows in cut.items() if _is_even(rows)}
    chosen = even or (cut if table else {})
    if chosen:
        delimiter = max(chosen, key=lambda one: len(chosen[one][0]))
        return _bounded(_table(chosen[delimiter], delimiter))
    if table and text.strip():
        raise Wrong("csv")
    items = [without_bullet(line).strip() for line in text.splitlines()]
    return _bounded(Rows((ITEM,), tuple({ITEM: item} for item in items if item)))


def _bounded(rows: Rows) -> Rows:
    """The rows themselves. Raises: Wrong, for too many."""
    if len(rows.rows) > MAX_ROWS:
        raise Wrong("rows", found=len(rows.rows), most=MAX_ROWS)
    if len(rows.columns) > MAX_COLUMNS:
        raise Wrong("columns", found=len(rows.columns), most=MAX_COLUMNS)
    return rows


def _cut(text: str, delimiter: str) -> list[list[str]]:
    """The rows that have something in them; none where the csv module takes it for no CSV."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return [row for row in rows if any(field.strip() for field in row)]


def _is_even(rows: list[list[str]]) -> bool:
    return len(rows) > 1 and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)


def _table(rows: list[list[str]], delimiter: str) -> Rows:
    if len(rows[0]) > MAX_COLUMNS:
        raise Wrong("columns", found=len(rows[0]), most=MAX_COLUMNS)
    columns = _names(rows[0])
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(columns):
            raise Wrong("uneven", row=number, found=len(row), wanted=len(columns))
    cells = [[field.strip() for field in row] for row in rows[1:]]
    return Rows(
        columns, tuple(dict(zip(columns, row, strict=True)) for row in cells), decimal_comma=delimiter == ";"
    )


def _names(header: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, each once and none of them that of the class."""
    names: list[str] = []
    for at, title in enumerate(header, start=1):
        name = wanted = title.strip() or f"column {at}"
        number = 2
        while name in names or name == CLASS:
            name, number = f"{wanted} {number}", number + 1
        names.append(name)
    return tuple(names)


def classes_of(text: str) -> tuple[Class, ...]:
    """Classes as they are written: `bug=crash|error; refund=money|refund`; a name alone is its own word.

    Raises:
        Wrong: one has no name, or they are too many.
    """
    found: dict[str, tuple[str, ...]] = {}
    parts = [part.strip() for part in re.split(r"[;；\n]", text) if part.strip()]
    for number, part in enumerate(parts, start=1):
        name, _, listed = part.replace("＝", "=").partition("=")
        name = name.strip()
        if not name:
            raise Wrong("class", number=number, text=part)
        words = tuple(word.strip() for word in listed.split("|") if word.strip()) or (name,)
        found[name] = found.get(name, ()) + words
    if len(found) > MAX_CLASSES:
        raise Wrong("classes", found=len(found), most=MAX_CLASSES)
    return tuple(Class(name, words) for name, words in found.items())


def shared_words(rows: Iterable[Row]) -> tuple[Class, ...]:
    """Classes out of the rows themselves: the word that most share, then that of most of the rest, and so on."""
    texts = [text_of(row) for row in rows]
    left = {at: {term for term in terms(text) if len(term) > 1 and not term.isdigit()} for at, text in enumerate(texts)}
    found: list[Class] = []
    while len(found) < FOUND_CLASSES:
        counted = Counter(chain.from_iterable(sorted(words) for words in left.values()))
        if not counted:
            break
        most = max(counted.values())
        if most < 2:
            break
        term = min((word for word, count in counted.items() if count == most), key=lambda word: (-len(word), word))
        holders = [at for at, words in left.items() if term in words]
        found.append(Class(_as_written(term, texts[holders[0]]), (term,)))
        for at in holders:
            del left[at]
    return tuple(found)


def _as_written(term: str, text: str) -> str:
    return next((word for word in _WORD.findall(text.casefold()) if stem(word) == term), term)


def text_of(row: Mapping[str, str]) -> str:
    """All that stands in a row."""
    return " ".join(row.values())


def class_of(row: Mapping[str, str], classes: Sequence[Class]) -> str | None:
    """The class of which most words stand in a row, of several the first; None where there is no word of any."""
    low = text_of(row).casefold()
    words = set(_WORD.findall(low))
    words |= {stem(word) for word in words}
    best, most = None, 0
    for known in classes:
        hits = sum(_stands(word.casefold(), low, words) for word in known.words)
        if hits > most:
            best, most = known.name, hits
    return best


def _stands(word: str, low: str, words: set[str]) -> bool:
    """Whether a word stands in a text: English in any form (crashes, crashed), anything else as it is."""
    if word.isascii() and word.isalnum():
        return word in words or stem(word) in words
    return word in low


def numbers(rows: Rows) -> dict[str, dict[str, Number]]:
    """Of each column that holds numbers alone: how many, their sum, mean, least and largest."""
    found: dict[str, dict[str, Number]] = {}
    for column in rows.columns:
        present = [row[column] for row in rows.rows if row.get(column)]
        values = [number_of(text, decimal_comma=rows.decimal_comma) for text in present]
        real = [value for value in values if value is not None]
        if not real or len(real) < len(values):
            continue
        whole = all(isinstance(value, int) for value in real)
        try:
            total, mean = sum(real) if whole else math.fsum(real), statistics.fmean(real)
        except OverflowError:  # no number that JSON could say
            continue
        span = {"min": min(real), "max": max(real)}
        found[column] = {"count": len(real), "sum": _rounded(total), "mean": _rounded(mean), **span}
    return found


def number_of(text: str, *, decimal_comma: bool = False) -> Number | None:
    """A number as people write it; None for anything else."""
    if decimal_comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    elif _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if len(text) > 30 or "_" in text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _rounded(value: Number) -> Number:
    return value if isinstance(value, int) else round(value, 6)


def table(items: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """How many rows are of each class, and their share from 0 to 1.

    Args:
        classes: all that there are, in order; those of no row are told too.
    """
    counted = Counter(str(item[CLASS]) for item in items)
    every = list(dict.fromkeys([*classes, *counted]))
    rows = [
        {CLASS: name, "count": counted[name], "share": round(counted[name] / len(items), 4) if items else 0.0}
        for name in every
    ]
    return sorted(rows, key=lambda row: -int(row["count"]))


def as_csv(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """The rows with their classes as a CSV file, in UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [*columns, CLASS], restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(items)
    return out.getvalue().encode("utf-8", "replace")
