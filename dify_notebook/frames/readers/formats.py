"""Files into rows: CSV, JSON, JSON lines and plain dumps of PostgreSQL and MySQL, told apart by their content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ...errors import InputError
from ...i18n import t
from ...wire.loose import check_depth, without_surrogates
from .delimited import delimited
from .inserts import InsertParser, StatementTooLong, UnknownColumns
from .layouts import Row
from .parquet import is_history
from .text_files import Budget, numbered_lines, open_text

SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson", ".sql", ".parquet")
_COPY = re.compile(r'^COPY (?:"?\w+"?\.)?"?(\w+)"? \((.*)\) FROM stdin;\s*$')
_STATEMENT = re.compile(r"(?:SET|COPY|BEGIN|PRAGMA|CREATE|DROP|LOCK|USE|(?i:INSERT INTO|CREATE TABLE))\s")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.S)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_JSON = json.JSONDecoder(parse_constant=lambda name: None)
_NEXT = re.compile(r"\S")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LIST_KEYS = ("data", "messages", "conversations", "feedback_data", "items", "rows", "result")
"""Names under which JSON files hold their rows."""


def list_files(path: Path) -> list[Path]:
    """The file itself, or the readable files of a directory in the order of their names.

    A directory with a history in it counts as a file: it is read as a whole.

    Raises:
        InputError: there is no such file, or none in the directory whose ending can be read.
    """
    try:
        if not path.is_dir() or is_history(path):
            path.stat()
            return [path]
        files = [entry for entry in sorted(path.iterdir()) if _is_readable(entry)]
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a name that none can have
        raise InputError(t("history.export.no_file", path=path), code="export") from None
    except OSError as error:
        raise InputError(t("history.export.unreadable", path=path, reason=error.strerror), code="export") from None
    if not files:
        raise InputError(t("history.export.no_files", path=path, known=", ".join(SUFFIXES)), code="export")
    return files


def _is_readable(path: Path) -> bool:
    """By its ending; what begins with a dot is hidden, such as the `._` files of macOS."""
    if path.name.startswith("."):
        return False
    return path.name.lower().removesuffix(".gz").endswith(SUFFIXES) or is_history(path)


def read_rows(path: Path, budget: Budget, encoding: str | None = None) -> Iterator[tuple[str | None, str, Row]]:
    """Each row of a file: the table that a dump names (else None), the location, and the row.

    Args:
        encoding: None detects it.

    Raises:
        InputError: the file cannot be read, is of no known form, or is more than the budget.
    """
    with open_text(path, budget, encoding) as file:
        first = _first_character(file)
        if first in ("{", "["):
            yield from _json(path, file, budget)
        elif first in ("-", "\\", "/") or _is_dump(file):
            yield from _dump(path, file, budget)
        else:
            yield from delimited(path, file, budget)


def _first_character(file: IO[str]) -> str:
    """The first character that is no space; the file is rewound."""
    start = file.read(4096).lstrip()
    file.seek(0)
    return start[:1]


def _is_dump(file: IO[str]) -> bool:
    start = file.read(4096).lstrip()
    file.seek(0)
    return bool(_STATEMENT.match(start))


# -- JSON ------------------------------------------------------------------------------------


def _json(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[None, str, Row]]:
    """Rows of a document, or of one in each line."""
    lines = ((number, line) for number, line in numbered_lines(path, file, budget) if line.strip())
    number, first = next(lines)
    try:
        data = _load_json(first)
    except (ValueError, RecursionError):
        text = "\n" * (number - 1) + first + file.read(budget.longest - len(first) + 1)
        if len(text) > budget.longest:
            raise budget.too_long(str(path)) from None
        yield from _document_rows(path.name, list(_documents(str(path), text)))
        return
    second = next(lines, None)
    if second is None:
        yield from _document_rows(path.name, [data])
        return
    yield from _list_rows(f"{path.name}:{number}", _items(data))
    for number, line in (second, *lines):
        location = f"{path.name}:{number}"
        for data in _documents(location, line):
            yield from _list_rows(location, _items(data))


def _items(data: Any) -> list[Any]:
    return data if isinstance(data, list) else [data]


def _document_rows(source: str, documents: list[Any]) -> Iterator[tuple[None, str, Row]]:
    """Rows of a document, or of several in a row, as `jq` writes them."""
    data = documents[0]
    if len(documents) > 1:
        data = [item for document in documents for item in _items(document)]
    elif isinstance(data, dict) and data and not any(isinstance(data.get(name), list) for name in _LIST_KEYS):
        data = [data]
    yield from _list_rows(source, data)


def _documents(location: str, text: str) -> Iterator[Any]:
    """The values of a JSON text: one, or several with nothing but blanks between them. Raises: InputError."""
    position = 0
    while match := _NEXT.search(text, position):
        begin = match.start()
        try:
            data, position = _JSON.raw_decode(text, begin)
            document = _valid(check_depth(data), text[begin:position])
        except (ValueError, RecursionError) as error:
            raise InputError(t("history.export.bad_json", path=location, reason=error), code="export") from None
        yield document


def _load_json(text: str) -> Any:
    """Decoded JSON, with what Python's `json` writes beyond it: NaN is null, half an emoji U+FFFD.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested deeper than anyone means.
    """
    return _valid(check_depth(_JSON.decode(text)), text)


def _valid(data: Any, text: str) -> Any:
    return without_surrogates(data) if _SURROGATE.search(text) else data


def _list_rows(source: str, data: Any) -> Iterator[tuple[None, str, Row]]:
    """Rows of a list, of a page, or of a list of pages; or of pandas' `to_json(orient="split")`."""
    if isinstance(data, dict):
        if isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):
            data = {"data": [_by_name(data["columns"], cells) for cells in data["data"]]}
        for name in _LIST_KEYS:
            if isinstance(data.get(name), list):
                yield from _list_rows(source, data[name])
        return
    for index, item in enumerate(data, start=1):
        if isinstance(item, dict) and "id" not in item and any(isinstance(item.get(name), list) for name in _LIST_KEYS):
            yield from _list_rows(source, item)
        elif isinstance(item, dict):
            if item:
                yield None, f"{source}[{index}]", item
        else:
            location = f"{source}[{index}]"
            raise InputError(t("history.export.no_object", location=location, found=type(item).__name__), code="export")


def _by_name(names: list[Any], cells: Any) -> Any:
    fits = isinstance(cells, list) and len(cells) == len(names)
    return dict(zip(map(str, names), cells, strict=True)) if fits else cells


# -- dumps ---------------------------------------------------------------------------------


def _dump(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[str, str, Row]]:
    """Rows of the COPY blocks of a plain dump, and of its INSERTs."""
    table: str | None = None
    names: list[str] = []
    has_rows = False
    inserts = InsertParser(budget.longest)
    lines = numbered_lines(path, file, budget)
    for number, line in lines:
        location = f"{path.name}:{number}"
        if table is None:
            match = _COPY.match(line)
            if match:
                has_rows = True
                table, names = match[1], [name.strip().strip('"') for name in match[2].split(",")]
            elif inserts.begins(line):
                for name, row in _inserted(location, inserts, line, (line for _, line in lines), budget):
                    has_rows = True
                    if row is None:
                        raise InputError(t("history.export.bad_insert", location=location, table=name), code="export")
                    yield name, location, row
            continue
        line = line.rstrip("\r\n")
        if line == "\\.":
            table = None
            continue
        cells = line.split("\t")
        if len(cells) != len(names):
            raise InputError(t("history.export.ragged", location=location, columns=len(names)), code="export")
        yield table, location, {name: _cell(cell) for name, cell in zip(names, cells, strict=True)}
    if table is not None:
        raise InputError(t("history.export.cut", path=path, table=table), code="export")
    if not has_rows:
        raise InputError(t("history.export.no_copy", path=path), code="export")


def _inserted(
    location: str, inserts: InsertParser, line: str, rest: Iterator[str], budget: Budget
) -> Iterator[tuple[str, Row | None]]:
    try:
        yield from inserts.read(line, rest)
    except UnknownColumns as problem:
        raise InputError(t("history.export.no_columns", path=location, table=problem), code="export") from None
    except StatementTooLong:
        raise budget.too_long(location) from None


def _cell(text: str) -> str | None:
    if text == "\\N":
        return None
    return _ESCAPE.sub(_letter, text) if "\\" in text else text


def _letter(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] == "x" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return _ESCAPES.get(escape, escape)
