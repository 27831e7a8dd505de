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
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([, '\u2019\xa0\u2009\u202f])\d{3}(?:\1\d{3})*(?:\.\d+)?")
_OTHER_WAY = str.maketrans(",.", ".,")
_BETWEEN_CLASSES, _BETWEEN_NAMES = re.compile(r"[;\n]"), re.compile(r"[;\n,，、]")
_WIDE = str.maketrans("；＝｜", ";=|")
_WORD = re.compile(r"\w+")
_FOREIGN = re.compile(rb"[\x80-\xff]+")
_LEGACY = ("gb18030", "cp1252")
"""Encodings that nearly any bytes fit."""
_NUL, _BINARY = re.compile(r"\x00"), re.compile(r"[\x00-\x08\x0e-\x1f]")
_EXCEL = re.compile(r"sep=([,;\t|])\r?\n")
"""A first line by which a spreadsheet is told what parts the columns."""


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
    """Whether 1,500 is one and a half where nothing else tells: so where a semicolon parts the columns."""

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
    for encoding in _encodings(raw):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not (_BINARY if encoding in _LEGACY else _NUL).search(text):
            return text
    raise Wrong("encoding")


def _encodings(raw: bytes) -> tuple[str, ...]:
    """What to try: Unicode, else what spreadsheets of Chinese or of western Windows write."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ("utf-16",)
    runs = _FOREIGN.findall(raw)
    western = sum(len(run) == 1 for run in runs) * 2 >= len(runs)  # an umlaut stands alone, Chinese in pairs
    return ("utf-8-sig", _LEGACY[western])


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
    stated = _EXCEL.match(text)
    delimiters = stated[1] if stated else _DELIMITERS
    text = text[stated.end() :] if stated else text
    cut = {delimiter: rows for delimiter in delimiters if (rows := _cut(text, delimiter))}
    even = {delimiter: rows for delimiter, rows in cut.items() if _is_even(rows)}
    chosen = even or (cut if table else {})
    if chosen:
        delimiter = max(chosen, key=lambda one: len(chosen[one][0]))
        head = chosen[delimiter][0]
        if len(head) == 1 and any(other in head[0] for other in set(delimiters) - set(cut)):
            raise Wrong("csv")  # what really parts its columns failed
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

    Names alone may stand between commas too.

    Raises:
        Wrong: one has no name, or they are too many.
    """
    found: dict[str, tuple[str, ...]] = {}
    text = text.translate(_WIDE)
    between = _BETWEEN_CLASSES if "=" in text else _BETWEEN_NAMES
    parts = [part.strip() for part in between.split(text) if part.strip()]
    for number, part in enumerate(parts, start=1):
        name, _, listed = part.partition("=")
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
    """Of each column that holds numbers alone: how many, their sum, mean, least and largest.

    Whether a comma or a point begins the decimals is told by the column, else by the others, else by what parts them.
    """
    ways: dict[str, dict[bool, list[Number]]] = {}
    for column in rows.columns:
        present = [row[column] for row in rows.rows if row.get(column)]
        read_as = {comma: [number_of(text, decimal_comma=comma) for text in present] for comma in (False, True)}
        real = {comma: [value for value in values if value is not None] for comma, values in read_as.items()}
        ways[column] = {comma: values for comma, values in real.items() if values and len(values) == len(present)}
    sure = {comma for way in ways.values() if len(way) == 1 for comma in way}
    usual = sure.pop() if len(sure) == 1 else rows.decimal_comma
    found = {column: _computed(way.get(usual) or next(iter(way.values()))) for column, way in ways.items() if way}
    return {column: computed for column, computed in found.items() if computed}


def _computed(real: list[Number]) -> dict[str, Number] | None:
    """None where JSON could not say it."""
    try:
        total = sum(real) if all(isinstance(value, int) for value in real) else math.fsum(real)
        mean = statistics.fmean(real)
    except OverflowError:
        return None
    return {"count": len(real), "sum": _rounded(total), "mean": _rounded(mean), "min": min(real), "max": max(real)}


def number_of(text: str, *, decimal_comma: bool = False) -> Number | None:
    """A number as people write it; None for anything else.

    Args:
        decimal_comma: whether 1.234,5 is meant where others write 1,234.5.
    """
    text = text.replace("\u2212", "-")  # what typographers take for a minus
    text = text.translate(_OTHER_WAY) if decimal_comma else text
    if thousands := _THOUSANDS.fullmatch(text):
        text = text.replace(thousands[1], "")
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
