"""Tables as CSV for a question: every row and column, never an elided repr. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..i18n import t
from .invalid import Unserializable


def module_of(value: Any) -> str:
    """The package that a value's type comes from."""
    return type(value).__module__.partition(".")[0]


def is_table(value: Any) -> bool:
    """Whether it is a DataFrame or a Series."""
    return module_of(value) in ("pandas", "polars") and type(value).__name__ in ("DataFrame", "Series")


def is_row(value: Any) -> bool:
    """Whether it is the row of a table: a Series of pandas, a DataFrame of one row, a named tuple, a `Row`."""
    if isinstance(value, tuple):
        return hasattr(value, "_asdict")
    if isinstance(value, Row):
        return True
    frame = type(value).__name__ == "DataFrame"
    return is_table(value) and (len(value) == 1 if frame else module_of(value) == "pandas")


def cells_of(row: Any) -> dict[str, Any]:
    """The cells of a table's row by column."""
    if isinstance(row, Row):
        return dict(row._cells)
    if isinstance(row, tuple):
        return dict(row._asdict())  # type: ignore[attr-defined]
    if type(row).__name__ == "Series":
        return {_label(name): cell for name, cell in row.items()}
    if module_of(row) == "polars":
        return dict(row.row(0, named=True))
    # One by one: a row as a Series would make all numbers floats where one is.
    return {_label(name): row.iloc[0, index] for index, name in enumerate(row.columns)}


class Row:
    """A row of a table, as a text or an expression names it: `row.question`, `row["my question"]`.

    Every attribute is a column, whatever it is called.
    """

    __slots__ = ("_cells",)

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self._cells = cells

    def __getattr__(self, name: str) -> Any:
        if name in self._cells:
            return self._cells[name]
        raise AttributeError(self._unknown(name))

    def __getitem__(self, name: str) -> Any:
        if name in self._cells:
            return self._cells[name]
        raise KeyError(self._unknown(name))

    def __contains__(self, name: object) -> bool:
        return name in self._cells

    def __repr__(self) -> str:
        return f"Row({dict(self._cells)!r})"

    def _unknown(self, name: object) -> str:
        return t("magic.beside.no_column", name=name, columns=", ".join(self._cells) or "–")


def is_rows(value: Any) -> bool:
    """Whether it is a table of rows: a DataFrame, or a list of dicts."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Mapping)
    return is_table(value) and type(value).__name__ == "DataFrame"


def columns_of(table: Any) -> tuple[str, ...]:
    """The columns of a table of rows; of a list of dicts those of its first row."""
    return tuple(str(name) for name in (table[0] if isinstance(table, list) else table.columns))


def csv_of(value: Any, limit: int, cell: Callable[[Any, str], str]) -> str:
    """A DataFrame or Series as CSV, every row and column of it, one line each.

    A pandas index is kept unless it merely counts the rows.

    Args:
        limit: longest text in characters.
        cell: the text of a cell; its second argument is the place, such as `[3]`.

    Raises:
        Unserializable: it is longer, or a cell has no faithful form.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header, rows = (_pandas if module_of(value) == "pandas" else _polars)(value)
    writer.writerow(header)
    for number, row in enumerate(rows):
        writer.writerow(cell(item, f"[{number}]") for item in row)
        if out.tell() > limit:
            raise Unserializable("too_long", value, length=f"{len(value):,} × {len(header)}")
    return out.getvalue()


def _pandas(value: Any) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    frame = value if type(value).__name__ == "DataFrame" else value.to_frame()
    columns = [_label(column) for column in frame.columns]
    if type(value).__name__ == "Series" and value.name is None:
        columns = ["value"]
    index = frame.index
    plain = type(index).__name__ == "RangeIndex" and index.name is None
    if plain and index.start == 0 and index.step == 1:
        return columns, frame.itertuples(index=False, name=None)
    names = [_label(name) if name is not None else "" for name in index.names]
    if len(names) == 1:
        return names + columns, frame.itertuples(index=True, name=None)
    return names + columns, ((*row[0], *row[1:]) for row in frame.itertuples(index=True, name=None))


def _polars(value: Any) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    frame = value if type(value).__name__ == "DataFrame" else value.to_frame()
    return [column or "value" for column in frame.columns], frame.iter_rows()


def _label(label: Any) -> str:
    return ".".join(_label(part) for part in label) if isinstance(label, tuple) else str(label)
