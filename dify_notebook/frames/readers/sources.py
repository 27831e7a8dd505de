"""Files into rows: CSV, JSON, JSON lines and plain dumps of PostgreSQL and MySQL, told apart by what is in them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ...errors import InputError
from ...i18n import t
from ...wire.loose import shallow, sound
from .inserts import Inserts, NoColumns, TooLong
from .layouts import OURS
from .opened import Budget, lines_of, opened
from .parquets import is_history

Row = dict[str, Any]
SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson", ".sql", ".parquet")
_COPY = re.compile(r'^COPY (?:"?\w+"?\.)?"?(\w+)"? \((.*)\) FROM stdin;\s*$')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.S)
_SAMPLE = 1 << 16  # characters of the first line that tell what stands between its cells
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_TEXTS = ("query", "answer", "content", "question", "name", "user_query", "ai_response", "feedback_comment")
"""Columns that people wrote, who may have written `NULL`."""
_LISTS = ("data", "messages", "conversations", "feedback_data", "items", "rows", "result")
"""Names under which JSON files hold their rows."""


def files(path: Path) -> list[Path]:
    """The file itself, or the readable files of a directory in the order of their names.

    A directory with a history in it counts as a file: it is read as a whole.

    Raises:
        InputError: there is no such file, or none in the directory whose ending can be read.
    """
    try:
        if not path.is_dir() or is_history(path):
            path.stat()
            return [path]
        found = [one for one in sorted(path.iterdir()) if _is_readable(one)]
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a name that none can have
        raise InputError(t("history.export.no_file", path=path), code="export") from None
    except OSError as error:
        raise InputError(t("history.export.unreadable", path=path, reason=error.strerror), code="export") from None
    if not found:
        raise InputError(t("history.export.no_files", path=path, known=", ".join(SUFFIXES)), code="export")
    return found


def _is_readable(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(SUFFIXES) or is_history(path)


def rows(path: Path, budget: Budget) -> Iterator[tuple[str | None, str, Row]]:
    """Each row of a file, with the table that it says it is of (None where it says nothing) and its place.

    Raises:
        InputError: the file cannot be read, is of no known form, or is more than the budget.
    """
    with opened(path, budget) as file:
        first = _first(file)
        if first in ("{", "["):
            yield from _json(path, file, budget)
        elif first in ("-", "\\", "/") or _is_dump(file):
            yield from _dump(path, file, budget)
        else:
            yield from _csv(path, file, budget)


def _first(file: IO[str]) -> str:
    """The first sign that is no space; the file is at its beginning again."""
    start = file.read(4096).lstrip()
    file.seek(0)
    return start[:1]


def _is_dump(file: IO[str]) -> bool:
    start = file.read(4096).lstrip()
    file.seek(0)
    return bool(re.match(r"(SET|COPY|BEGIN|CREATE|DROP|LOCK|USE|INSERT INTO)\s", start))


# -- CSV -------------------------------------------------------------------------------------


def _csv(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[None, str, Row]]:
    # An answer may be longer than the 128 kB that the module allows by itself.
    before = csv.field_size_limit(min(budget.longest, 2**31 - 1))
    number = 1

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in lines_of(path, file, budget):  # noqa: B007  # the error tells it
            yield line

    try:
        sample = file.readline(_SAMPLE)
        file.seek(0)
        delimiter = max((",", ";", "\t"), key=sample.count)
        reader = csv.DictReader(lines(), delimiter=delimiter, strict=True)
        reader.fieldnames = [name.lower() for name in reader.fieldnames or ()]
        names = [name for name in reader.fieldnames if name]
        if not names:
            raise InputError(t("history.export.empty", path=path), code="export")
        ours = any(columns <= set(names) for columns in OURS.values())
        for row in reader:
            place = f"{path.name}:{reader.line_num}"
            if None in row or any(row[name] is None for name in names):
                raise InputError(t("history.export.ragged", place=place, columns=len(names)), code="export")
            # In CSV nothing and an empty text look alike; nothing is what it is for all but texts.
            nothing = _is_empty if ours else _is_nothing
            yield None, place, {name: None if nothing(name, value) else value for name, value in row.items()}
    except csv.Error as error:
        raise InputError(t("history.export.bad_csv", path=f"{path}:{number}", reason=error), code="export") from None
    finally:
        csv.field_size_limit(before)


def _is_empty(name: str, value: str) -> bool:
    """The same of a table that was saved of a history: there a word is a word, whatever it is."""
    return value == ""


def _is_nothing(name: str, value: str) -> bool:
    """Whether a cell stands for a missing value; some tools write a word for it."""
    return value == "" or (value in ("NULL", "\\N") and name not in _TEXTS)


# -- JSON ------------------------------------------------------------------------------------


def _json(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[None, str, Row]]:
    """Rows of a document, or of one in each line."""
    lines = ((number, line) for number, line in lines_of(path, file, budget) if line.strip())
    number, first = next(lines)
    try:
        data = _loads(first)
    except (ValueError, RecursionError):
        text = "\n" * (number - 1) + first + file.read(budget.longest - len(first) + 1)
        if len(text) > budget.longest:
            raise budget.too_long(str(path)) from None
        data, second = _document(str(path), text), None
    else:
        second = next(lines, None)
    if second is None:
        if isinstance(data, dict) and data and not any(isinstance(data.get(name), list) for name in _LISTS):
            data = [data]
        yield from _listed(path.name, data)
        return
    yield from _listed(f"{path.name}:{number}", data if isinstance(data, list) else [data])
    for number, line in (second, *lines):
        place = f"{path.name}:{number}"
        data = _document(place, line)
        yield from _listed(place, data if isinstance(data, list) else [data])


def _document(place: str, text: str) -> Any:
    """The value of a JSON text. Raises: InputError."""
    try:
        return _loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(t("history.export.bad_json", path=place, reason=error), code="export") from None


def _loads(text: str) -> Any:
    """Decoded JSON, with what Python's `json` writes beyond it: NaN is null, half an emoji U+FFFD.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested deeper than anyone means.
    """
    found = shallow(json.loads(text, parse_constant=lambda name: None))
    return sound(found) if _HALF.search(text) else found


def _listed(where: str, data: Any) -> Iterator[tuple[None, str, Row]]:
    """Rows of a list, of a page, or of a list of pages."""
    if isinstance(data, dict):
        for name in _LISTS:
            if isinstance(data.get(name), list):
                yield from _listed(where, data[name])
        return
    for at, item in enumerate(data, start=1):
        if isinstance(item, dict) and "id" not in item and any(isinstance(item.get(name), list) for name in _LISTS):
            yield from _listed(where, item)
        elif isinstance(item, dict):
            yield None, f"{where}[{at}]", item
        else:
            place = f"{where}[{at}]"
            raise InputError(t("history.export.no_object", place=place, found=type(item).__name__), code="export")


# -- dumps ---------------------------------------------------------------------------------


def _dump(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[str, str, Row]]:
    """Rows of the COPY blocks of a plain dump, and of its INSERTs."""
    table: str | None = None
    names: list[str] = []
    found = False
    inserts = Inserts(budget.longest)
    lines = lines_of(path, file, budget)
    for number, line in lines:
        place = f"{path.name}:{number}"
        if table is None:
            match = _COPY.match(line)
            if match:
                found = True
                table, names = match[1], [name.strip().strip('"') for name in match[2].split(",")]
            elif inserts.begins(line):
                for name, row in _inserted(place, inserts, line, (line for _, line in lines), budget):
                    found = True
                    if row is None:
                        raise InputError(t("history.export.bad_insert", place=place, table=name), code="export")
                    yield name, place, row
            continue
        line = line.rstrip("\r\n")
        if line == "\\.":
            table = None
            continue
        cells = line.split("\t")
        if len(cells) != len(names):
            raise InputError(t("history.export.ragged", place=place, columns=len(names)), code="export")
        yield table, place, {name: _cell(cell) for name, cell in zip(names, cells, strict=True)}
    if table is not None:
        raise InputError(t("history.export.cut", path=path, table=table), code="export")
    if not found:
        raise InputError(t("history.export.no_copy", path=path), code="export")


def _inserted(
    place: str, inserts: Inserts, line: str, rest: Iterator[str], budget: Budget
) -> Iterator[tuple[str, Row | None]]:
    try:
        yield from inserts.read(line, rest)
    except NoColumns as problem:
        raise InputError(t("history.export.no_columns", path=place, table=problem), code="export") from None
    except TooLong:
        raise budget.too_long(place) from None


def _cell(text: str) -> str | None:
    if text == "\\N":
        return None
    return _ESCAPE.sub(_plain, text) if "\\" in text else text


def _plain(match: re.Match[str]) -> str:
    told = match[1]
    if told[0] == "x" and len(told) > 1:
        return chr(int(told[1:], 16))
    if told[0] in "01234567":
        return chr(int(told, 8))
    return _LETTERS.get(told, told)
