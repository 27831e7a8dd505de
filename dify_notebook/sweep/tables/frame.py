"""Columns whose dtype follows from what stands in them, and DataFrames of rows. pandas is imported when one is made."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...frames.column import Column, DType, Table
from ...frames.texts import clean
from ..case import Case, Variant
from ..variants import shown_value

if TYPE_CHECKING:
    import pandas as pd

MOST = 2**63 - 1
"""The largest number of an `Int64`."""


def dtype_of(values: Iterable[Any]) -> DType:
    """boolean, Int64 or float64 where all values are such, missing ones aside; else string."""
    kinds = {_kind(value) for value in map(plain, values) if value is not None}
    if len(kinds) == 1:
        return kinds.pop()
    return "float64" if kinds == {"Int64", "float64"} else "string"


def _kind(value: Any) -> DType:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "Int64" if abs(value) <= MOST else "string"
    return "float64" if isinstance(value, float) else "string"


def plain(value: Any) -> Any:
    """A label or a value as Python has it: numpy's scalars as theirs, missing ones as None."""
    item = getattr(value, "item", None)
    if callable(item) and type(value).__module__ == "numpy":
        value = item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(value, float) and math.isnan(value) else value


def cell(value: Any, dtype: DType) -> Any:
    """A value as a column of that dtype takes it."""
    value = plain(value)
    if value is None or dtype != "string":
        return value
    return text(_json(value) if isinstance(value, Mapping | list | tuple) else shown_value(value))


def text(value: str | None) -> str | None:
    """A text without keys and halves of characters, which no column could hold."""
    cleaned = clean(value)
    return None if cleaned is None else cleaned.encode("utf-8", "replace").decode()


def json_of(value: Any) -> str | None:
    """JSON text without keys; None for None. What JSON does not have stands there as text."""
    return None if value is None else text(_json(value))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_jsonable)
    except (TypeError, ValueError, RecursionError):  # keys that are no text, circles
        return repr(value)


def _jsonable(value: Any) -> Any:
    found = plain(value)
    return found if found is None or isinstance(found, bool | int | float | str) else shown_value(found)


def integer(value: int | None) -> int | None:
    """A number that an `Int64` can hold; None for a server's that it cannot."""
    return value if value is not None and abs(value) <= MOST else None


def variant_columns(
    cases: Iterable[Case], taken: Collection[str]
) -> tuple[dict[str, DType], Callable[[Variant], dict[str, Any]]]:
    """The columns that tell variants apart, and what makes their values: app, prompt, and one for each varied input.

    An input has its own name as its column; one that a column has already is called `input_NAME`.

    Args:
        taken: names of the table's other columns.
    """
    variants = {id(case.variant): case.variant for case in cases}.values()
    names: dict[str, str] = {}
    used = {"app", "prompt", *taken}
    inputs = dict.fromkeys(name for variant in variants for name in variant.inputs)
    for name in inputs:
        column = name
        while column in used or (column != name and column in inputs):
            column = f"input_{column}"
        names[name] = column
        used.add(column)
    kinds = {name: dtype_of(variant.inputs.get(name) for variant in variants) for name in inputs}
    columns: dict[str, DType] = {"app": "string", "prompt": "string"}
    columns |= {names[name]: kinds[name] for name in inputs}

    def values(variant: Variant) -> dict[str, Any]:
        given = {names[name]: cell(variant.inputs.get(name), kinds[name]) for name in inputs}
        return {"app": text(variant.target), "prompt": text(variant.prompt), **given}

    return columns, values


def frame(
    name: str, first: Mapping[str, DType], others: Mapping[str, DType], rows: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """A DataFrame of these columns, also where it has no rows."""
    from ...frames.dataframes import from_columns

    table = Table(name, "", (), tuple(Column(one, dtype, "") for one, dtype in {**first, **others}.items()))
    return from_columns(table, {one: [row[one] for row in rows] for one in table.names})
