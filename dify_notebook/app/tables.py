"""Tables as CSV for a question: every row and column, never an elided repr. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from .invalid import Unserializable


def module_of(value: Any) -> str:
    """The package that a value's type comes from."""
    return type(value).__module__.partition(".")[0]


def is_table(value: Any) -> bool:
    """Whether it is a DataFrame or a Series."""
    return module_of(value) in ("pandas", "polars") and type(value).__name__ in ("DataFrame", "Series")


def is_row(value: Any) -> bool:
    """Whether it is the row of a table: a Series of pandas, a DataFrame of one row, a named tuple."""
    if isinstance(value, tuple):
        return hasattr(value, "_asdict")
    frame = type(value).__name__ == "DataFrame"
    return is_table(value) and (len(value) == 1 if frame else module_of(value) == "pandas")


def cells_of(row: Any) -> dict[str, Any]:
    """The cells of a table's row by column."""
    if isinstance(row, tuple):
        return dict(row._asdict())  # type: ignore[attr-defined]
    if type(row).__name__ == "Series":
        return {_label(name): cell for name, cell in row.items()}
    if module_of(row) == "polars":
        return dict(row.row(0, named=True))
    # One by one: a row as a Series would make all numbers floats where one is.
    return {_label(name): row.iloc[0, index] for index, name in enumerate(row.columns)}


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
