"""Rows of INSERT statements, as `pg_dump --inserts`, `pg_dump --column-inserts` and `mysqldump` write them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator

Cells = dict[str, str | None]

_NAME = r'(?:[`"]?\w+[`"]?\.)?[`"]?(\w+)[`"]?'
_INSERT = re.compile(rf"INSERT INTO {_NAME}\s*(?:\(([^)]*)\)\s*)?(?:OVERRIDING \w+ VALUE\s*)?VALUES\s*", re.I)
_CREATE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{_NAME}\s*\(\s*$", re.I)
_COLUMN = re.compile(r'\s+(?:`(\w+)`|"(\w+)"|([a-z_]\w*))\s')
"""A column of CREATE TABLE; keys and constraints begin with words in capitals."""
_BESIDE = r"(?P<word>[^\s,()';]+)|(?P<sign>[(),;])"
_POSTGRES = re.compile(
    rf"\s*(?:[eE](?P<escaped>'[^'\\]*(?:(?:''|\\.)[^'\\]*)*')|N?(?P<plain>'[^']*(?:''[^']*)*')|{_BESIDE})", re.S
)
_MYSQL = re.compile(rf"\s*(?:(?:_\w+\s*)?(?P<escaped>'[^'\\]*(?:(?:''|\\.)[^'\\]*)*')|(?P<plain>(?!))|{_BESIDE})", re.S)
_BETWEEN = re.compile(r"(?:\s|--[^\n]*)*+")
"""What may stand between two statements."""
_PAIR = re.compile(r"\\.", re.S)
_ESCAPE = re.compile(r"\\(.)|''", re.S)
_LETTERS = {"0": "\0", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class UnknownColumns(ValueError):
    """The names of a table's columns are nowhere in the dump."""


class StatementTooLong(ValueError):
    """A statement is longer than what is read."""


class InsertParser:
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
            UnknownColumns: the columns of its table are nowhere in the dump.
            StatementTooLong: it has more characters than it may.
        """
        created = _CREATE.match(line)
        if created:
            self._columns[created[1]] = list(_column_names(rest))
            return
        statement: str | None = _read_statement(line, rest, self._longest)
        while statement:
            statement = yield from self._rows(statement)

    def _rows(self, statement: str) -> Generator[tuple[str, Cells | None], None, str | None]:
        """The rows of the first statement; returns the text after it."""
        head = _INSERT.match(statement)
        if head is None:
            return None
        table = head[1]
        names = [name.strip().strip('`"') for name in head[2].split(",")] if head[2] else self._columns.get(table)
        if names is None:
            raise UnknownColumns(table)
        values = _Tuples(statement, head.end())
        for cells in values:
            yield table, dict(zip(names, cells, strict=True)) if len(cells) == len(names) else None
        behind = _BETWEEN.match(statement, values.at)
        return statement[behind.end() :] if behind else None


def _is_mysql(statement: str) -> bool:
    return statement[:13].upper().startswith("INSERT INTO `")


def _column_names(rest: Iterable[str]) -> Iterator[str]:
    for line in rest:
        if line.startswith(")"):
            return
        column = _COLUMN.match(line)
        if column:
            yield column[1] or column[2] or column[3]


def _read_statement(line: str, rest: Iterable[str], longest: int) -> str:
    """The statement to its semicolon: one that stands at the end of a line and in no text."""
    lines, size, quotes, mysql = [], 0, 0, _is_mysql(line)
    following = iter(rest)
    while True:
        lines.append(line)
        size += len(line)
        if size > longest:
            raise StatementTooLong
        quotes += (_PAIR.sub("", line) if mysql else line).count("'")
        if quotes % 2 == 0 and line.rstrip().endswith(";"):
            return "".join(lines)
        line = next(following, "")
        if not line:
            return "".join(lines)  # cut off: its last row is no whole tuple


class _Tuples:
    """The values in parentheses, one list for each pair; [] for what is none.

    Attributes:
        at: where it is; in the end, behind the statement.
    """

    def __init__(self, statement: str, at: int) -> None:
        self.at = at
        self._statement = statement

    def __iter__(self) -> Iterator[list[str | None]]:
        token = _MYSQL if _is_mysql(self._statement) else _POSTGRES
        inside = cast = False
        cells: list[str | None] = []
        while match := token.match(self._statement, self.at):
            self.at = match.end()
            mark, word, plain, escaped = match["sign"], match["word"], match["plain"], match["escaped"]
            cast = cast and not mark
            if mark == "(":
                cells, inside = [], True
            elif mark == ")":
                yield cells
                inside = False
            elif mark == ";":
                return
            elif plain is not None:
                cells.append(plain[1:-1].replace("''", "'"))
            elif escaped is not None:
                cells.append(_ESCAPE.sub(_letter, escaped[1:-1]))
            elif word is not None and not cast:
                value, casts, _ = word.partition("::")
                cast = bool(casts)
                if value:
                    cells.append(None if value.upper() == "NULL" else value)
        if inside or self._statement[self.at :].strip():
            yield []


def _letter(match: re.Match[str]) -> str:
    return "'" if match[1] is None else _LETTERS.get(match[1], match[1])
