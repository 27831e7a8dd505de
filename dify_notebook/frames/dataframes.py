"""DataFrames with the columns and dtypes of the schema, and their values as Python objects."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .schema import Column, Table

UNIT = "us"
"""The resolution of times; the same in every pandas from 2.2 on."""
TIMESTAMP = pd.DatetimeTZDtype(UNIT, "UTC")


def from_columns(table: Table, columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A DataFrame of that table.

    Args:
        columns: values by column's name, all of the same length; None is missing. Times are aware
            datetimes or whole microseconds since 1970. A column that is not there is missing in every row.

    Raises:
        ValueError: a column that the table does not have, or of another length.
    """
    unknown = set(columns) - set(table.names)
    if unknown:
        raise ValueError(f"the table {table.name} has no column {', '.join(sorted(unknown))}")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"columns of {table.name} have different lengths: {sorted(lengths)}")
    rows = lengths.pop() if lengths else 0
    return pd.DataFrame(
        {column.name: array(column, columns.get(column.name), rows) for column in table.columns},
        index=pd.RangeIndex(rows),
        copy=False,
    )


def from_batches(table: Table, batches: Sequence[Mapping[str, Sequence[Any]]]) -> pd.DataFrame:
    """A DataFrame of many batches, one after the other; column by column, so that little is held twice."""
    parts = [batch for batch in batches if batch]
    sizes = [len(next(iter(batch.values()))) for batch in parts]
    rows = sum(sizes)
    arrays = {}
    for column in table.columns:
        values: list[Any] | None = None
        if any(column.name in batch for batch in parts):
            values = []
            for batch, size in zip(parts, sizes, strict=True):
                values += batch[column.name] if column.name in batch else [None] * size
        arrays[column.name] = array(column, values, rows)
    return pd.DataFrame(arrays, index=pd.RangeIndex(rows), copy=False)


def array(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    """The values of one column as a pandas array of its dtype; None means that all are missing."""
    return _MAKERS[column.dtype](column, values, length)


def _strings(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    dtype = pd.StringDtype()
    if dtype.storage != "pyarrow":
        return pd.array([pd.NA] * length if values is None else values, dtype=dtype)
    import pyarrow as pa  # pandas uses it because it is there

    kind = pa.large_string()
    # Straight to Arrow: half of what pandas needs, which makes an array of objects first.
    return dtype.__from_arrow__(pa.nulls(length, kind) if values is None else pa.array(values, kind))


def _integers(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    if values is None:
        return pd.arrays.IntegerArray(np.zeros(length, "int64"), np.ones(length, "bool"))
    return pd.arrays.IntegerArray(
        np.array([0 if value is None else value for value in values], "int64"),
        np.array([value is None for value in values], "bool"),
    )


def _booleans(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    if values is None:
        return pd.arrays.BooleanArray(np.zeros(length, "bool"), np.ones(length, "bool"))
    return pd.arrays.BooleanArray(
        np.array([bool(value) for value in values], "bool"), np.array([value is None for value in values], "bool")
    )


def _floats(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    if values is None:
        return np.full(length, np.nan)
    return np.array([np.nan if value is None else float(value) for value in values], "float64")


_NAT = np.iinfo("int64").min


def _times(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    if values is None:
        whole = np.full(length, _NAT, "int64")
    else:
        times = (_NAT if v is None else v if type(v) is int else _microseconds(v) for v in values)
        whole = np.fromiter(times, "int64", len(values))
    return pd.DatetimeIndex(whole.view(f"M8[{UNIT}]")).tz_localize("UTC").array


def _microseconds(value: Any) -> int:
    # Not `.value`: that counts nanoseconds, whatever the unit.
    return int(pd.Timestamp(value).as_unit(UNIT).asm8.view("int64")) if value is not pd.NaT else _NAT


def to_list(values: pd.Series) -> list[Any]:
    """The values of a column as `array` takes them: None where one is missing, times as microseconds."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        whole = values.dt.as_unit(UNIT).dt.tz_localize(None).to_numpy().astype("int64").tolist()
        return [None if value == _NAT else value for value in whole]
    if isinstance(values.dtype, pd.api.extensions.ExtensionDtype) and not isinstance(values.dtype, pd.CategoricalDtype):
        values_list: list[Any] = values.array.to_numpy(dtype="object", na_value=None).tolist()
    else:
        values_list = values.astype("object").where(values.notna(), None).tolist()
    return values_list


def to_dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a DataFrame, each value as `to_list` gives it."""
    columns = [to_list(values) for _, values in table.items()]
    return [dict(zip(table.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def _categories(column: Column, values: Sequence[Any] | None, length: int) -> Any:
    if values is None:
        return pd.Categorical.from_codes(np.full(length, -1, "int8"), categories=_words(column.categories))
    words = [*column.categories, *sorted(set(values) - {None, *column.categories})]
    codes_of: dict[str | None, int] = {word: code for code, word in enumerate(words)}
    codes_of[None] = -1
    codes = np.fromiter(map(codes_of.__getitem__, values), "int64", len(values))
    return pd.Categorical.from_codes(codes, categories=_words(words), validate=False)


def _words(words: Iterable[str]) -> pd.Index:
    return pd.Index(pd.array(list(words), dtype="string"))


_MAKERS = {
    "string": _strings,
    "Int64": _integers,
    "boolean": _booleans,
    "float64": _floats,
    "timestamp": _times,
    "category": _categories,
}


_DTYPES: Mapping[str, Any] = {"timestamp": TIMESTAMP, "string": pd.StringDtype()}
"""Those that do not equal their name alone: pandas' text with NaN says that it equals "string" too."""


def conform(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Any DataFrame as that table: missing columns added, others dropped, dtypes set, the order of the rows kept.

    Args:
        frame: may lack columns. Times are timestamps or ISO text, UTC where they have no zone.
    """
    if _fits(table, frame):
        return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index(drop=True)
    arrays = {}
    for column in table.columns:
        if column.name not in frame:
            arrays[column.name] = array(column, None, len(frame))
            continue
        values = frame[column.name]
        if column.dtype == "timestamp":
            form = None if pd.api.types.is_datetime64_any_dtype(values.dtype) else "ISO8601"
            arrays[column.name] = pd.to_datetime(values, utc=True, format=form).dt.as_unit(UNIT).array
        elif column.dtype == "category":
            words = values.astype("string")
            others = sorted(set(words.dropna().unique()) - set(column.categories))
            arrays[column.name] = pd.Categorical(words, categories=_words([*column.categories, *others]))
        else:
            arrays[column.name] = values.astype(column.dtype).array
    return pd.DataFrame(arrays, index=pd.RangeIndex(len(frame)), copy=False)


def _fits(table: Table, frame: pd.DataFrame) -> bool:
    """Whether it is that table already."""
    if tuple(frame.columns) != table.names:
        return False
    for column in table.columns:
        dtype = frame[column.name].dtype
        if column.dtype == "category":
            if not isinstance(dtype, pd.CategoricalDtype) or dtype.categories.dtype != pd.StringDtype():
                return False  # other words make categories that cannot be united with these
            if tuple(dtype.categories[: len(column.categories)]) != column.categories:
                return False
        elif dtype != _DTYPES.get(column.dtype, column.dtype):
            return False
    return True


def concat(table: Table, parts: Sequence[pd.DataFrame], *, ordered: bool = False) -> pd.DataFrame:
    """DataFrames of one table, one after the other; their categories are united.

    Column by column, and what only `parts` held is let go as soon as it is copied: pass a list that is
    not needed any more, and emptied it is.

    Args:
        ordered: sort the rows as the schema says; ties stay in the order of the parts.
    """
    columns = [{name: part[name] for name in table.names} for part in parts if len(part)]
    if isinstance(parts, list):
        parts.clear()
    if not columns:
        return from_columns(table, {})
    order = _order(table, columns) if ordered else None
    arrays = {}
    for column in table.columns:
        series = [part.pop(column.name) for part in columns]
        arrays[column.name] = _joined(column, series)
        del series
        if order is not None:
            arrays[column.name] = arrays[column.name].take(order)
    if "pyarrow" in sys.modules:  # what was copied lies in its pool, free, and could be given back
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    return pd.DataFrame(arrays, copy=False)


def _joined(column: Column, series: list[pd.Series]) -> Any:
    if len(series) == 1:
        return series[0].array
    if column.dtype == "category":
        return pd.api.types.union_categoricals(series)
    return pd.concat(series, ignore_index=True).array


def _order(table: Table, parts: Sequence[Mapping[str, pd.Series]]) -> Any:
    """Where each row of the sorted table is now; None where it is sorted already.

    By the first column, which is nearly always enough, and quick; the others are looked at for its ties alone.
    """
    first, *others = ([part[name.lstrip("-")] for part in parts] for name in table.order)
    names = [(table[name.lstrip("-")], name.startswith("-")) for name in table.order]
    ranks = _rank(pd.Series(_joined(names[0][0], first)), down=names[0][1])
    order = np.argsort(ranks, kind="stable")
    same = ranks[order[1:]] == ranks[order[:-1]]
    if others and same.any():
        tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        rows = order[tied]
        keys = [
            _rank(pd.Series(_joined(column, values)).take(rows), down=down)
            for (column, down), values in zip(names[1:], others, strict=True)
        ]
        order[tied] = rows[np.lexsort([*reversed(keys), ranks[rows]])]
    return None if bool((order[1:] > order[:-1]).all()) else order


def _rank(values: pd.Series, *, down: bool) -> Any:
    """Whole numbers that sort as the values do; what is missing comes first, or last when down."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        ranks = values.dt.tz_localize(None).to_numpy().astype("int64")
    else:
        ranks = pd.factorize(values, sort=True)[0]
    return ~ranks if down else ranks  # unlike minus, it turns the smallest number too
