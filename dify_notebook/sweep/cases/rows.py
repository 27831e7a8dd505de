"""The table that a sweep is asked over: its columns, cells and labels, whichever library made it. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from ...app.entry_points import suggestion
from ...app.tables import is_table, module_of
from ...app.values import is_missing
from ...errors import InputError
from ...i18n import t
from ...printable import one_line

_NAMES = 30
"""Columns that an error lists."""
_LONGEST = 80
"""Letters of a name that may be a slip of a column's."""


class Table(msgspec.Struct, frozen=True):
    """Columns by name, each read as a whole when it is needed; cells keep their types."""

    source: Any
    """A DataFrame, a list of dicts, or None: one question without a table."""
    columns: tuple[str, ...]
    count: int
    """Of rows."""

    def cells(self, name: str) -> list[Any]:
        """A column's cells, in the table's order; what a row does not have is None."""
        if module_of(self.source) == "pandas":
            return list(self.source.iloc[:, self.columns.index(name)].tolist())
        if module_of(self.source) == "polars":
            return list(self.source[name].to_list())
        return [row.get(name) for row in self.source]

    def labels(self, column: str | None) -> list[Hashable]:
        """How the rows are called: by that column, else by the index of pandas, else by their position from 0.

        Raises:
            InputError: a cell of the column is missing, or cannot be a label.
        """
        if column is None:
            if module_of(self.source) == "pandas":
                return list(self.source.index.tolist())
            return list(range(self.count))
        labels = self.cells(column)
        for position, label in enumerate(labels):
            if is_missing(label):
                _refuse("sweep.cases.no_label", code="id", row=position, column=one_line(column))
        self._check_hashable(labels, column, "id")
        return labels

    def clusters(self, column: str) -> list[Hashable]:
        """The cells of the column by which rows belong together; missing ones are None.

        Raises:
            InputError: a cell cannot be compared.
        """
        clusters = [None if is_missing(cell) else cell for cell in self.cells(column)]
        self._check_hashable(clusters, column, "cluster")
        return clusters

    def check_column(self, name: str, argument: str) -> None:
        """Refuse what is no column.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self.columns:
            raise no_column(name, self, argument)

    def _check_hashable(self, cells: list[Any], column: str, argument: str) -> None:
        for position, cell in enumerate(cells):
            try:
                hash(cell)
                continue
            except TypeError:
                pass
            kind = type(cell).__name__
            _refuse("sweep.cases.bad_label", code=argument, row=position, column=one_line(column), type=kind)


def table(over: Any) -> Table:
    """What `over=` gives, looked at and not copied.

    Raises:
        InputError: it is no table, holds no row, or two columns have one name.
    """
    if over is None:
        return Table([{}], (), 1)
    if is_table(over) and type(over).__name__ == "DataFrame":
        columns = [_name(column) for column in over.columns]
        twice = next((name for name in columns if columns.count(name) > 1), None) if _repeats(columns) else None
        if twice is not None:
            _refuse("sweep.cases.same_column", code="over", name=one_line(twice))
        found = Table(over, tuple(columns), len(over))
    elif isinstance(over, Sequence) and not isinstance(over, str | bytes):
        found = Table(over, _columns(over), len(over))
    else:
        _refuse("sweep.cases.no_frame", code="over", hint=t("sweep.cases.no_frame.hint"), type=type(over).__name__)
    if not found.count:
        _refuse("sweep.cases.empty", code="over")
    return found


def as_it_is(over: Any) -> Any:
    """The table as it is now, whatever becomes of it later; its cells are not copied. What is no table: itself."""
    if is_table(over):
        return over.copy() if module_of(over) == "pandas" else over.clone()
    if isinstance(over, list | tuple):
        return [dict(row) if isinstance(row, Mapping) else row for row in over]
    return over


def no_column(name: str, table: Table, place: str) -> InputError:
    """The error that a name is no column, with those that there are."""
    if not table.columns:
        message = t("sweep.cases.no_table", place=place, name=one_line(name))
        return InputError(message, code="over", hint=t("magic.value.hint"))
    shown = ", ".join(one_line(column, 60) for column in table.columns[:_NAMES])
    more = ", …" if len(table.columns) > _NAMES else ""
    guess = suggestion(name[:_LONGEST], table.columns)
    message = t("sweep.cases.no_column", place=place, name=one_line(name), suggestion=guess, columns=shown + more)
    return InputError(message, code="column", hint=t("magic.value.hint"))


def _repeats(columns: list[str]) -> bool:
    return len(set(columns)) < len(columns)


def _columns(rows: Sequence[Any]) -> tuple[str, ...]:
    columns: dict[str, None] = {}
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping):
            hint = t("sweep.cases.no_frame.hint")
            _refuse("sweep.cases.no_row", code="over", hint=hint, row=position, type=type(row).__name__)
        for name in row:
            if not isinstance(name, str):
                _refuse("sweep.cases.no_name", code="over", row=position, type=type(name).__name__)
            columns[name] = None
    return tuple(columns)


def _name(label: Any) -> str:
    return ".".join(_name(part) for part in label) if isinstance(label, tuple) else str(label)


def _refuse(key: str, /, *, code: str, hint: str = "", **values: object) -> NoReturn:
    raise InputError(t(key, **values), code=code, hint=hint or t("magic.value.hint"))
