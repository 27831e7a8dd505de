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

Row = dict[str, Any]
_PREFIX = "history."
REQUIRED = {
    "messages": ("message_id",), "conversations": ("conversation_id",), "variables": ("conversation_id", "variable_id"),
    "feedbacks": ("message_id",), "annotations": ("annotation_id",),
}  # fmt: skip
"""Columns without which a row is of nothing."""
_CHUNK = 20_000


def table_of(kind: str) -> Table | None:
    """The table that rows of this layout are of; None for one that is not ours."""
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


def to_frame(kind: str, table: Table, rows: Sequence[tuple[str, Row]]) -> pd.DataFrame:
    """Rows of a layout of ours, each with its place, as the table.

    Raises:
        InputError: a cell cannot be read, or a row has no id.
    """
    if kind == f"{_PREFIX}turns":
        rows = [(place, _of_turn(row)) for place, row in rows]
    for place, row in rows:
        for name in REQUIRED.get(table.name, ()):
            if row.get(name) in (None, ""):
                raise InputError(t("history.export.no_id", place=place, name=name), code="export")
    names = {name for _, row in rows for name in row}
    nothing = _na_values(table, rows)
    block = {
        column.name: [_cell(column, row.get(column.name), place, nothing) for place, row in rows]
        for column in table.columns
        if column.name in names or not column.nullable
    }
    return redacted(table, dataframes.from_columns(table, block))


def _of_turn(row: Row) -> Row:
    """A row of `frames.turns` as one of messages."""
    used = any(row.get(name) not in (None, "") for name in ("total_tokens", "total_price", "latency"))
    return {
        **row,
        "status": "error" if row.get("status") == "failed" else "normal",
        "usage_from": "run" if used else None,
    }


def _na_values(table: Table, rows: Sequence[tuple[str, Row]]) -> set[str]:
    """Words that stand for nothing in these rows: those of `layouts.NOTHING` that stand where no text can be meant."""
    found: set[str] = set()
    for column in table.columns:
        if column.dtype != "string" or column.unit == "JSON" or column.name.endswith("_id"):
            told = {value for _, row in rows if type(value := row.get(column.name)) is str} & layouts.NA_VALUES
            found |= told - {"null"} if column.unit == "JSON" else told  # null is JSON
    return found


def _cell(column: Column, value: Any, place: str, nothing: set[str]) -> Any:
    if column.dtype in ("string", "category"):
        if value is None:
            return None if column.nullable else ""
        text = as_text(value)
        if column.nullable and text in nothing:
            return None
        return text or None if column.dtype == "category" else text
    if value is None or value == "" or layouts.is_na(value):
        return 0 if column.name == "call" else None
    if column.dtype == "timestamp":
        return layouts.parse_microseconds(value, place)
    if column.dtype == "float64":
        return layouts.parse_number(value, place, column.name)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 19:
        return int(value)  # more digits than a float holds
    return value if type(value) is int and abs(value) < 1 << 63 else layouts.parse_integer(value, place, column.name)


def redacted(table: Table, found: pd.DataFrame) -> pd.DataFrame:
    """The table as if it had just been read of a server: texts without keys and signatures, whoever wrote the file."""
    for column in table.columns:
        if column.dtype != "string" or column.name.endswith("_id") or column.name == "user":
            continue
        changed = _redactions(found[column.name], url=column.name == "url")
        if changed:
            values = dataframes.to_list(found[column.name])
            for place, text in changed.items():
                values[place] = text
            found = found.assign(**{column.name: dataframes.array(column, values, len(found))})
    return found


def _redactions(column: pd.Series, *, url: bool) -> dict[int, str | None]:
    """Place -> harmless text, of those that are not harmless."""
    found: dict[int, str | None] = {}
    for begin in range(0, len(column), _CHUNK):
        told = [
            (at, text) for at, text in enumerate(dataframes.to_list(column.iloc[begin : begin + _CHUNK]), begin) if text
        ]
        if url:
            found.update({at: new for at, text in told if (new := without_query(text)) != text})
        elif may_hold_a_secret("".join(text for _, text in told)):
            found.update({at: new for at, text in told if (new := redact(text)) != text})
    return found
