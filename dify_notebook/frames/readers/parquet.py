"""Parquet files and directories with a history in them, as rows of other layouts or as saved tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd

from ...errors import InputError
from ...i18n import t
from .. import dataframes
from ..facts import Facts
from ..parquet import NAME, Directory, need_pyarrow, open_parquet
from ..schema import HISTORY, Table
from . import layouts, saved_tables
from .layouts import LocatedRow, Row
from .text_files import Budget
from .validator import ID_COLUMNS

_MAGIC = b"PAR1"
_BATCH = 20_000
"""Rows that are read at a time."""


def is_history(path: Path) -> bool:
    """Whether it is a directory that `History.to_parquet` or `dify.history(to=…)` wrote."""
    return path.is_dir() and (path / NAME).is_file()


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its first bytes. Raises: InputError, OSError: see `open_regular`."""
    from ..regular import open_regular

    with open_regular(path) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read_history(path: Path, budget: Budget) -> tuple[Facts, list[tuple[Table, pd.DataFrame]]]:
    """The facts and the tables of a history in a directory.

    Raises:
        InputError: a file is damaged, or it is more than the budget.
        ConfigError: pyarrow is missing.
    """
    directory = Directory(path, budget.limit)
    tables = []
    for table in HISTORY:
        frame = directory.table(table.name)
        budget.spend(int(frame.memory_usage().sum()), path)
        tables.append((table, saved_tables.redacted(table, frame)))
    return directory.facts(), tables


def read_file(path: Path, budget: Budget) -> Iterator[tuple[Table, pd.DataFrame] | LocatedRow]:
    """A Parquet file: DataFrames of a saved table, or rows with their locations.

    Raises:
        InputError: it is damaged, more than the budget, or its columns are those of no export that is known.
        ConfigError: pyarrow is missing.
    """
    need_pyarrow()
    import pyarrow as pa

    number = 0
    with open_parquet(path) as file:
        for batch in file.iter_batches(_BATCH):
            budget.spend(batch.nbytes, path)
            part = pa.Table.from_batches([batch])
            names = [layouts.column_name(name) for name in part.column_names]
            for name in names:
                if name in layouts.KNOWN_COLUMNS and names.count(name) > 1:
                    raise InputError(t("history.export.twice", location=path.name, name=name), code="export")
            part = part.rename_columns(names)
            kind = layouts.row_layout(None, dict.fromkeys(part.column_names), path.name) or ""
            table = saved_tables.table_of(kind)
            if table is not None and kind == f"history.{table.name}" and _is_as_written(table, part):
                number += part.num_rows
                yield table, _table(path, table, part)
                continue
            for row in part.to_pylist():
                number += 1
                yield f"{path.name}:{number}", _json_row(row)


def _is_as_written(table: Table, part: Any) -> bool:
    """Whether columns have the types that a history has, and rows whole ids; otherwise cells are parsed one by one."""
    import pyarrow.compute as pc
    from pyarrow import types

    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary)
    fits = {
        "timestamp": (types.is_timestamp,),
        "Int64": (types.is_integer,),
        "float64": (types.is_floating,),
        "boolean": (types.is_boolean,),
    }
    for column in table.columns:
        if column.name not in part.column_names:
            continue
        kind = part.schema.field(column.name).type
        if not types.is_null(kind) and not any(is_one(kind) for is_one in fits.get(column.dtype, texts)):
            return False
    ids = [part[name] for name in saved_tables.REQUIRED.get(table.name, ())]
    return not any(column.null_count or pc.any(pc.match_substring(column, "E+")).as_py() for column in ids)


def _table(path: Path, table: Table, part: Any) -> pd.DataFrame:
    kinds = {"large_string": pd.StringDtype(), "string": pd.StringDtype(), "int64": pd.Int64Dtype()}
    names = [name for name in table.names if name in part.column_names]
    try:
        frame = dataframes.conform(table, part.select(names).to_pandas(types_mapper=lambda kind: kinds.get(str(kind))))
    except (ValueError, TypeError, OverflowError) as problem:
        raise InputError(t("frames.damaged", file=str(path), reason=problem), code="export") from None
    filled = {column.name: frame[column.name].fillna("") for column in table.columns if _is_text(column)}
    return saved_tables.redacted(table, frame.assign(**filled))


def _is_text(column: Any) -> bool:
    return bool(column.dtype == "string" and not column.nullable)


def _json_row(row: Row) -> Row:
    """The values of a row as in decoded JSON."""
    return {name: _json_value(name, value) for name, value in row.items()}


def _json_value(name: str, value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, bytes):  # as some programs write texts, and ids
        is_id = name in ID_COLUMNS and len(value) == 16 and not value.isascii()
        return str(UUID(bytes=value)) if is_id else value.decode(errors="replace")
    return str(value) if isinstance(value, (UUID, Decimal)) else value
