"""Tables in which a spreadsheet finds nothing to calculate; see `frames.safe_for_spreadsheets`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..spreadsheets import escape_formula


def safe(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy; see `frames.safe_for_spreadsheets`."""
    copy = frame.copy()
    for index in range(frame.shape[1]):
        column = frame.iloc[:, index]
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
            continue
        if isinstance(column.dtype, pd.CategoricalDtype):
            if not any(escape_formula(word) is not word for word in column.cat.categories):
                continue
            column = column.astype("object")
        values = [escape_formula(value) for value in column]
        copy.isetitem(index, pd.Series(values, index=frame.index, dtype=column.dtype))
    copy.columns = _labels(frame.columns)
    copy.index = _labels(frame.index)
    return copy


def _labels(index: pd.Index) -> pd.Index:
    if not isinstance(index, pd.MultiIndex) and pd.api.types.is_numeric_dtype(index.dtype):
        return index
    if not len(index):
        return index
    return index.map(_label).set_names([escape_formula(name) for name in index.names])


def _label(label: Any) -> Any:
    return tuple(map(escape_formula, label)) if isinstance(label, tuple) else escape_formula(label)
