"""The tables of a history as people saved them: `history.messages.to_csv(…)`, `.to_json(…)`, a sheet of it saved again.

Times, ids, tokens and prices come back as they were. In CSV a missing text and an empty one look alike; both come back
missing, where a text may be that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ...errors import InputError
from ...i18n import t
from ...redact import may_hold_a_secret, redact, without_query
from ...turn.convert import as_text
from .. import dataframes
from ..schema import SCHEMA, Column, Table
from . import layouts
from .layouts import LocatedRow, Row

_PREFIX = "history."
REQUIRED = {
    "messages": ("message_id",), "conversations": ("conversation_id",), "variables": ("conversation_id", "variable_id"),
    "feedbacks": ("message_id",), "annotations": ("annotation_id",), "workflow_runs": ("workflow_run_id",),
}  # fmt: skip
"""Columns that every row must have."""
_CHUNK = 20_000


def table_of(kind: str) -> Table | None:
    """The table of a saved layout; None for other layouts."""
    name = kind.removeprefix(_PREFIX)
    return None if name == kind else SCHEMA["messages" if name == "turns" else name]


def unpivoted(row: Row) -> Iterator[Row]:
    """The rows of `to_json()` as pandas writes it by itself, for each column an object of its cells; else the row.

    Those of `orient="index"` are an object for each row.
    """
    if not row or not all(isinstance(cells, dict) for cells in row.values()):
        yield row
        return
    if layouts.layout_of(map(layouts.column_name, row)) is None:
        yield from row.values()
        return
    for label in next(iter(row.values())):
        yield {name: cells.get(label) for name, cells in row.items()}


def to_frame(kind: str, table: Table, rows: Sequence[LocatedRow]) -> pd.DataFrame:
    """Rows of a saved layout, each with its location, as a DataFrame of the table.

    Raises:
        InputError: a cell cannot be read, or a row has no id.
    """
    if kind == f"{_PREFIX}turns":
        rows = [(location, _of_turn(row)) for location, row in rows]
    for location, row in rows:
        for name in REQUIRED.get(table.name, ()):
            if row.get(name) in (None, ""):
                raise InputError(t("history.export.no_id", location=location, name=name), code="export")
    names = {name for _, row in rows for name in row}
    na_values = _na_values(table, rows)
    batch = {
        column.name: [_cell(column, row.get(column.name), location, na_values) for location, row in rows]
        for column in table.columns
        if column.name in names or not column.nullable
    }
    return redacted(table, dataframes.from_columns(table, batch))


def _of_turn(row: Row) -> Row:
    """A row of `frames.turns` as one of messages."""
    used = any(row.get(name) not in (None, "") for name in ("total_tokens", "total_price", "latency"))
    return {
        **row,
        "status": {"failed": "error", "paused": "paused"}.get(str(row.get("status")), "normal"),
        "usage_from": "run" if used else None,
    }


def _na_values(table: Table, rows: Sequence[LocatedRow]) -> set[str]:
    """The words for a missing value in these rows: those of `NA_VALUES` in columns where no text can be meant."""
    words: set[str] = set()
    for column in table.columns:
        if column.dtype != "string" or column.unit == "JSON" or column.name.endswith("_id"):
            values = {value for _, row in rows if type(value := row.get(column.name)) is str} & layouts.NA_VALUES
            words |= values - {"null"} if column.unit == "JSON" else values  # null is JSON
    return words


def _cell(column: Column, value: Any, location: str, na_values: set[str]) -> Any:
    if column.dtype in ("string", "category"):
        if value is None:
            return None if column.nullable else ""
        text = as_text(value)
        if column.nullable and text in na_values:
            return None
        return text or None if column.dtype == "category" else text
    if value is None or value == "" or layouts.is_na(value):
        return 0 if column.name == "call" else None
    if column.dtype == "timestamp":
        return layouts.parse_microseconds(value, location)
    if column.dtype == "boolean":
        return layouts.as_bool(value)
    if column.dtype == "float64":
        return layouts.parse_number(value, location, column.name)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 19:
        return int(value)  # more digits than a float holds
    return value if type(value) is int and abs(value) < 1 << 63 else layouts.parse_integer(value, location, column.name)


def redacted(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The table with texts as if just fetched: without keys and signatures, whoever wrote the file."""
    for column in table.columns:
        if column.dtype != "string" or column.name.endswith("_id") or column.name == "user":
            continue
        changes = _redactions(frame[column.name], url=column.name == "url")
        if changes:
            values = dataframes.to_list(frame[column.name])
            for row, text in changes.items():
                values[row] = text
            frame = frame.assign(**{column.name: dataframes.array(column, values, len(frame))})
    return frame


def _redactions(column: pd.Series, *, url: bool) -> dict[int, str | None]:
    """Row -> redacted text, of those that change."""
    changes: dict[int, str | None] = {}
    for begin in range(0, len(column), _CHUNK):
        texts = [
            (row, text)
            for row, text in enumerate(dataframes.to_list(column.iloc[begin : begin + _CHUNK]), begin)
            if text
        ]
        if url:
            changes.update({row: new for row, text in texts if (new := without_query(text)) != text})
        elif may_hold_a_secret("".join(text for _, text in texts)):
            changes.update({row: new for row, text in texts if (new := redact(text)) != text})
    return changes
