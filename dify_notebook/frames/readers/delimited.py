"""Rows of CSV in the forms that databases, spreadsheets and people's hands leave it in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ...errors import InputError
from ...i18n import t
from .layouts import KNOWN_COLUMNS, NUMBER_COLUMNS, PADDING, TEXT_COLUMNS, Row, column_name, is_saved, layout_of
from .text_files import Budget, numbered_lines

_SAMPLE = 1 << 16  # characters of the first line that are searched for the delimiter
_DELIMITERS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r"sep=([,;|\t])", re.I)
"""A first line that names the delimiter, for Excel."""
_FOOTER = re.compile(
    r"\(?[0-9]{1,12} ?(?:rows?|records?|行|条).{0,40}|(?:total|sum|总计|合计|共)(?:[^a-z].{0,60})?", re.I
)
"""What psql and others write after the rows."""
_NA_WORDS = ("NULL", "\\N")
"""What some tools write for a missing value; in a table that was saved of a history it is a word."""
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{1,30},[0-9]{1,30}(?:[eE][+-]?[0-9]{1,3})?")


def delimited(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[None, str, Row]]:
    """Each row that is not empty, with its location; a repeated header is skipped.

    Raises:
        InputError: it is no CSV, a row has other cells than the header, or the file is more than the budget.
    """
    # An answer may be longer than the 128 kB that the module allows by itself.
    before = csv.field_size_limit(min(budget.longest, 2**31 - 1))
    lines = _Lines(path, file, budget)
    try:
        yield from _rows(path, csv.reader(lines, strict=True, **_dialect(file, lines)), lines)
    except csv.Error as error:
        location = f"{path}:{lines.number}"
        raise InputError(t("history.export.bad_csv", path=location, reason=error), code="export") from None
    finally:
        csv.field_size_limit(before)


class _Lines:
    """The lines of a file, with the number of the last one read."""

    def __init__(self, path: Path, file: IO[str], budget: Budget) -> None:
        self.number = 0
        self._lines = numbered_lines(path, file, budget)

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            yield line


def _dialect(file: IO[str], lines: _Lines) -> dict[str, Any]:
    """The csv dialect: the delimiter that the first line names, or that makes a known header."""
    start = file.readline(_SAMPLE)
    sep_line = _SEP_LINE.fullmatch(start.strip('\ufeff"\r\n'))
    header = start if sep_line is None else file.readline(_SAMPLE)
    while header and not header.strip():
        header = file.readline(_SAMPLE)
    file.seek(0)
    if sep_line is not None:
        next(iter(lines))
        return {"delimiter": sep_line[1], **_skips_space(header, sep_line[1])}
    fitting = [character for character in _DELIMITERS if layout_of(_names(header, character))]
    delimiter = fitting[0] if fitting else max(_DELIMITERS, key=header.count)
    return {"delimiter": delimiter, **_skips_space(header, delimiter)}


def _names(line: str, delimiter: str) -> list[str]:
    try:
        return [column_name(cell) for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # what reads the rows reports it, with its location
        return []


def _skips_space(header: str, delimiter: str) -> dict[str, Any]:
    """Whether a space follows each delimiter: there a quoted cell begins with it."""
    _, *others = header.split(delimiter)
    return {"skipinitialspace": bool(others) and all(other.startswith(" ") for other in others)}


def _rows(path: Path, cells_of: Any, lines: _Lines) -> Iterator[tuple[None, str, Row]]:
    header: _Header | None = None
    footer = ""
    for cells in cells_of:
        if not any(cell and not cell.isspace() for cell in cells):
            continue
        location = f"{path.name}:{lines.number}"
        if header is None or header.is_repeated(cells):
            header = _Header(path, cells, cells_of.dialect.delimiter)
            continue
        if footer:
            raise header.ragged(footer)
        if header.is_footer(cells):
            footer = location  # if no row follows
            continue
        yield None, location, header.row(cells, location)
    if header is None:
        raise InputError(t("history.export.empty", path=path), code="export")


class _Header:
    """The names of the columns, and rows by them.

    Raises:
        InputError: no column has a name.
    """

    def __init__(self, path: Path, cells: Sequence[str], delimiter: str) -> None:
        self._names = [column_name(cell) for cell in cells]
        self._cells = list(cells)
        known = [name for name in self._names if name]
        if not known:
            raise InputError(t("history.export.empty", path=path), code="export")
        self._count = len(known)
        self._na_words = () if is_saved(layout_of(known)) else _NA_WORDS
        first = {name: index for index, name in reversed(list(enumerate(self._names)))}
        self._repeated = [
            (first[name], index) for index, name in enumerate(self._names) if name and first[name] != index
        ]
        self._commas = sorted(NUMBER_COLUMNS & set(known)) if delimiter == ";" else []
        """Columns whose commas are decimal: a spreadsheet that writes such a comma writes `;` between cells."""

    def is_repeated(self, cells: Sequence[str]) -> bool:
        """Whether a row is a header, as in concatenated files: this one, or another that fits."""
        if cells == self._cells:
            return True
        return cells[0].strip(PADDING).lower() in KNOWN_COLUMNS and layout_of(map(column_name, cells)) is not None

    def is_footer(self, cells: Sequence[str]) -> bool:
        """Whether a row is one cell alone, with what is written after rows."""
        return self._count > 1 and not any(cells[1:]) and _FOOTER.fullmatch(cells[0].strip()) is not None

    def row(self, cells: list[str], location: str) -> Row:
        """The cells by name.

        Raises:
            InputError: there are too few or too many, or a column is there twice with different cells.
        """
        if len(cells) != len(self._names) and (
            any(self._names[len(cells) :]) or any(not cell.isspace() for cell in cells[len(self._names) :] if cell)
        ):
            raise self.ragged(location)
        # In CSV nothing and an empty text look alike; nothing is what it is for all but texts.
        words = self._na_words
        row = {
            name: None
            if not cell or (words and (cell in words or cell.isspace()) and name not in TEXT_COLUMNS)
            else cell
            for name, cell in zip(self._names, cells, strict=False)
            if name
        }
        for first, other in self._repeated:
            if cells[first] != cells[other]:
                raise InputError(t("history.export.twice", location=location, name=self._names[first]), code="export")
        for name in self._commas:
            value = row[name]
            if value and _DECIMAL_COMMA.fullmatch(value.strip()):
                row[name] = value.strip().replace(",", ".")
        return row

    def ragged(self, location: str) -> InputError:
        """The error for a row with other cells than there are columns."""
        return InputError(t("history.export.ragged", location=location, columns=self._count), code="export")
