"""Rows of INSERT statements, as `pg_dump --inserts`, `pg_dump --column-inserts` and `mysqldump` write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Cells = dict[str, str | None]

_NAME = r'(?:[`"]?\w+[`"]?\.)?[`"]?(\w+)[`"]?'
_INSERT = re.compile(rf"INSERT INTO {_NAME}\s*(?:\(([^)]*)\)\s*)?(?:OVERRIDING \w+ VALUE\s*)?VALUES\s*", re.I)
_CREATE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{_NAME}\s*\(\s*$", re.I)
_COLUMN = re.compile(r'\s+(?:`(\w+)`|"(\w+)"|([a-z_]\w*))\s')
"""A column of CREATE TABLE; keys and constraints begin with words in capitals."""
_POSTGRES = re.compile(r"\s*(?:[EN]?('[^']*(?:''[^']*)*')|([^\s,()';]+)|([(),;]))")
_MYSQL = re.compile(r"\s*(?:(?:_\w+\s*)?('[^'\\]*(?:(?:''|\\.)[^'\\]*)*')|([^\s,()';]+)|([(),;]))", re.S)
_PAIR = re.compile(r"\\.", re.S)
_ESCAPE = re.compile(r"\\(.)|''", re.S)
_LETTERS = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class NoColumns(ValueError):
    """Nothing told the names of a table's columns."""


class TooLong(ValueError):
    """A statement is longer than what is read."""


class Inserts:
    """Reads statements out of the lines of a dump, and remembers the columns of the tables that it creates.

    Args:
        longest: characters that a statement may have.
    """

    def __init__(self, longest: int = 250_000_000) -> None:
        self._longest = longest
        self._columns: dict[str, list[str]] = {}
        """Of each table that was created."""

    @staticmethod
    def begins(line: str) -> bool:
        """Whether a statement begins here that is of interest."""
        return line[:12].upper().startswith(("INSERT INTO", "CREATE TABLE"))

    def read(self, line: str, rest: Iterable[str]) -> Iterator[tuple[str, Cells | None]]:
        """The rows of the statement that begins with this line, each with its table; None for one that is damaged.

        Args:
            rest: the lines behind it; those of the statement are taken.

        Raises:
            NoColumns: the columns of its table were not told.
            TooLong: it has more characters than it may.
        """
        created = _CREATE.match(line)
        if created:
            self._columns[created[1]] = list(_created(rest))
            return
        statement = _whole(line, rest, self._longest)
        head = _INSERT.match(statement)
        if head is None:
            return
        table = head[1]
        names = [name.strip().strip('`"') for name in head[2].split(",")] if head[2] else self._columns.get(table)
        if names is None:
            raise NoColumns(table)
        for cells in _tuples(statement, head.end(), mysql=_is_mysql(statement)):
            yield table, dict(zip(names, cells, strict=True)) if len(cells) == len(names) else None


def _is_mysql(statement: str) -> bool:
    return statement[:13].upper().startswith("INSERT INTO `")


def _created(rest: Iterable[str]) -> Iterator[str]:
    for line in rest:
        if line.startswith(")"):
            return
        column = _COLUMN.match(line)
        if column:
            yield column[1] or column[2] or column[3]


def _whole(line: str, rest: Iterable[str], longest: int) -> str:
    """The statement to its semicolon: one that stands at the end of a line and in no text."""
    lines, size, quotes, mysql = [], 0, 0, _is_mysql(line)
    following = iter(rest)
    while True:
        lines.append(line)
        size += len(line)
        if size > longest:
            raise TooLong
        quotes += (_PAIR.sub("", line) if mysql else line).count("'")
        if quotes % 2 == 0 and line.rstrip().endswith(";"):
            return "".join(lines)
        line = next(following, "")
        if not line:
            return "".join(lines)  # cut off: its last row is no whole tuple


def _tuples(statement: str, at: int, *, mysql: bool) -> Iterator[list[str | None]]:
    """The values in parentheses, one list for each pair; [] for what is none."""
    token, inside = _MYSQL if mysql else _POSTGRES, False
    made: list[str | None] = []
    while match := token.match(statement, at):
        at = match.end()
        text, word, sign = match.groups()
        if sign == "(":
            made, inside = [], True
        elif sign == ")":
            yield made
            inside = False
        elif sign == ";":
            return
        elif text is not None:
            made.append(_plain(text[1:-1], mysql=mysql))
        elif word is not None:
            made.append(None if word.upper() == "NULL" else word)
    if inside or statement[at:].strip():
        yield []


def _plain(text: str, *, mysql: bool) -> str:
    if not mysql:
        return text.replace("''", "'")
    return _ESCAPE.sub(lambda match: "'" if match[1] is None else _LETTERS.get(match[1], match[1]), text)
