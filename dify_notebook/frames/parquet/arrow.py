"""Rows as Arrow tables with the columns of the schema, and back."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from .. import dataframes
from ..item_rows import Batch
from ..schema import Column, Table


def schema_of(table: Table) -> pa.Schema:
    """The Arrow schema of a table in a file: categories as strings, which every reader understands alike."""
    types = {
        "string": pa.string(),
        "category": pa.string(),
        "Int64": pa.int64(),
        "float64": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", "UTC"),
    }
    return pa.schema([(column.name, types[column.dtype]) for column in table.columns])


def from_batches(table: Table, batches: Sequence[Batch]) -> pa.Table:
    """Batches, one after the other; a column that a batch does not have is null there."""
    schema = schema_of(table)
    return pa.concat_tables(
        pa.table(
            [
                pa.array(batch[field.name], field.type) if field.name in batch else pa.nulls(size, field.type)
                for field in schema
            ],
            schema=schema,
        )
        for batch, size in ((batch, len(next(iter(batch.values())))) for batch in batches)
    )


def from_pandas(table: Table, frame: pd.DataFrame) -> pa.Table:
    """A DataFrame of that table."""

    def series(column: Column) -> pd.Series:
        values = frame[column.name]
        return values.astype("string") if column.dtype == "category" else values

    schema = schema_of(table)
    return pa.table(
        [
            pa.Array.from_pandas(series(column), type=field.type)
            for column, field in zip(table.columns, schema, strict=True)
        ],
        schema=schema,
    )


def to_pandas(table: Table, arrow: pa.Table) -> pd.DataFrame:
    """A DataFrame with the columns and dtypes of the table; columns that are not there are missing in every row."""
    dtypes = {pa.string(): pd.StringDtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return dataframes.conform(table, arrow.to_pandas(types_mapper=dtypes.get))
