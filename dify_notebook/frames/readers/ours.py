"""The tables of a history as people saved them: `history.messages.to_csv(…)`, `.to_json(…)`, and the same after a sheet.

Times, ids, tokens and prices come back as they were. In CSV a missing text and an empty one look alike; both come back
missing, where a text may be that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ...errors import InputError
from ...i18n import t
from ...redact import may_hold_a_secret, redact
from ...turn.convert import as_text
from .. import build, texts
from ..schema import SCHEMA, Column, Table
from . import layouts

Row = dict[str, Any]
_PREFIX = "history."
NEEDED = {
    "messages": ("message_id",), "conversations": ("conversation_id",), "variables": ("conversation_id", "variable_id"),
    "feedbacks": ("message_id",), "annotations": ("annotation_id",),
}  # fmt: skip
"""Columns without which a row is of nothing."""
_WORDS = frozenset({"NULL", "\\N", "null", "NaN", "nan", "None", "<NA>", "N/A"})
"""What tools write into a cell of numbers or times that has none."""
_SLICE = 20_000


def table_of(kind: str) -> Table | None:
    """The table that rows of this layout are of; None for one that is not ours."""
    name = kind.removeprefix(_PREFIX)
    return None if name == kind else SCHEMA["messages" if name == "turns" else name]


def unpivoted(kind: str, row: Row) -> Iterator[Row]:
    """The rows of `to_json()` as pandas writes it by itself: for each column an object of its cells."""
    if not all(isinstance(cells, dict) for cells in row.values()):
        yield row
        return
    for label in next(iter(row.values())):
        yield {name: cells.get(label) for name, cells in row.items()}


def frame(kind: str, table: Table, rows: Sequence[tuple[str, Row]]) -> pd.DataFrame:
    """Rows of a layout of ours, each with its place, as the table.

    Raises:
        InputError: a cell cannot be read, or a row has no id.
    """
    if kind == f"{_PREFIX}turns":
        rows = [(place, _of_turn(row)) for place, row in rows]
    for place, row in rows:
        for name in NEEDED.get(table.name, ()):
            if row.get(name) in (None, ""):
                raise InputError(t("history.export.no_id", place=place, name=name), code="export")
    names = {name for _, row in rows for name in row}
    block = {
        column.name: [_cell(column, row.get(column.name), place) for place, row in rows]
        for column in table.columns
        if column.name in names or not column.nullable
    }
    return harmless(table, build.frame(table, block))


def _of_turn(row: Row) -> Row:
    """A row of `frames.turns` as one of messages."""
    used = any(row.get(name) not in (None, "") for name in ("total_tokens", "total_price", "latency"))
    return {
        **row,
        "status": "error" if row.get("status") == "failed" else "normal",
        "usage_from": "run" if used else None,
    }


def _cell(column: Column, value: Any, place: str) -> Any:
    if column.dtype in ("string", "category"):
        if value is None:
            return None if column.nullable else ""
        text = as_text(value)
        return text or None if column.dtype == "category" else text
    if value is None or value == "" or (isinstance(value, str) and value.strip() in _WORDS):
        return 0 if column.name == "call" else None
    if column.dtype == "timestamp":
        return layouts.moment(value, place)
    if column.dtype == "float64":
        return layouts.number(value, place, column.name)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 19:
        return int(value)  # more digits than a float holds
    return value if type(value) is int and abs(value) < 1 << 63 else layouts.whole(value, place, column.name)


def harmless(table: Table, found: pd.DataFrame) -> pd.DataFrame:
    """The table as if it had just been read of a server: texts without keys and signatures, whoever wrote the file."""
    made = {}
    for column in table.columns:
        if column.dtype != "string" or column.name.endswith("_id") or column.name == "user":
            continue
        values = found[column.name]
        change = texts.without_query if column.name == "url" else redact
        for at in range(0, len(values), _SLICE):
            part = values.iloc[at : at + _SLICE].dropna()
            if column.name == "url" or may_hold_a_secret("".join(part)):
                changed = {place: new for place, old in part.items() if (new := change(old)) != old}
                made.setdefault(column.name, {}).update(changed) if changed else None
    for name, changed in made.items():
        told = found[name].astype("object").where(found[name].notna(), None).to_dict() | changed
        found = found.assign(**{name: build.array(table[name], list(told.values()), len(found))})
    return found
