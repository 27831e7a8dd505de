#!/usr/bin/env bash
# DuckDB 2.0.1 (pandas 3.1.1 on pyarrow 26.0.1, polars 2.1.0): of a folder of Parquet files the one that is first by
# name rounds the numbers of all others and decides which of their columns there are.
#
# Expected: a table that holds what the files hold, or an error. Parquet states its types, nothing is guessed. That the
# schema is read of the first file is told ("Combining Schemas"), and duckdb/duckdb#3238 that casts are added; but
# 1000.00 that does not fit DECIMAL(4,2) is refused, and so is a column that only the first file has.
# Seen: where the first file has whole numbers, 2.5 and 3.5 of the second are 2 and 4, without a word, and a sum is made
# of those. A fourth decimal goes where the first file has one. Text is made a number if it can be, and `no` is False. A
# column, or a field of a struct, that the first file lacks is not there at all. `union_by_name = true` mends all of it.
# pandas refuses the numbers, drops the column as well, and fills with nulls one that only the first file has; polars
# refuses all three. So one folder is three tables, or none, and other ones if the files are renamed.
#
# Who meets it: who keeps a file per month or per app: a price or a rating that was whole at first, a column that a
# later version of an application writes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0
env/bin/python -I - <<'END'
import os
from decimal import Decimal
from importlib.metadata import version

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow.parquet import write_table

READERS = {
    "duckdb": lambda folder: duckdb.sql(f"from '{folder}/*.parquet'").to_arrow_table().to_pydict(),
    "by name": lambda folder: duckdb.sql(f"from read_parquet('{folder}/*.parquet', union_by_name=true)")
    .to_arrow_table()
    .to_pydict(),
    "pandas": lambda folder: pd.read_parquet(folder, dtype_backend="pyarrow").to_dict("list"),
    "polars": lambda folder: pl.read_parquet(f"{folder}/*.parquet").to_dict(as_series=False),
}
NO = "refused"
CASES = {
    "whole, fractions": (
        [{"n": [1]}, {"n": [2.5, 3.5]}],
        ({"n": [1, 2, 4]}, {"n": [1, 2.5, 3.5]}, NO, NO),
    ),
    "fractions, whole": (
        [{"n": [2.5]}, {"n": [1]}],
        ({"n": [2.5, 1]}, {"n": [2.5, 1]}, {"n": [2.5, 1]}, NO),
    ),
    "decimals": (
        [{"n": [Decimal("0.1")]}, {"n": [Decimal("0.1250")]}],
        ({"n": [Decimal("0.1")] * 2}, {"n": [Decimal("0.1"), Decimal("0.125")]}, NO, NO),
    ),
    "larger decimals": (
        [{"n": [Decimal("10.00")]}, {"n": [Decimal("1000.00")]}],
        (NO, {"n": [10, 1000]}, NO, NO),
    ),
    "boolean, text": ([{"n": [True]}, {"n": ["no"]}], ({"n": [True, False]}, {"n": ["true", "no"]}, NO, NO)),
    "one column more": (
        [{"n": [1]}, {"n": [2], "more": ["x"]}],
        ({"n": [1, 2]}, {"n": [1, 2], "more": [None, "x"]}, {"n": [1, 2]}, NO),
    ),
    "one column less": (
        [{"n": [1], "more": ["x"]}, {"n": [2]}],
        (NO, *[{"n": [1, 2], "more": ["x", None]}] * 2, NO),
    ),
    "one field more": (
        [{"n": [{"a": 1}]}, {"n": [{"a": 2, "b": 3}]}],
        ({"n": [{"a": 1}, {"a": 2}]}, {"n": [{"a": 1, "b": None}, {"a": 2, "b": 3}]}, {"n": [{"a": 1}, {"a": 2}]}, NO),
    ),
}
ERRORS = (duckdb.Error, pa.ArrowInvalid, pa.ArrowNotImplementedError, pl.exceptions.PolarsError)


def told(read, folder):
    try:
        table = read(folder)
    except ERRORS as problem:
        return NO, type(problem).__name__
    plain = {name: [None if value is pd.NA else value for value in values] for name, values in table.items()}
    return plain, plain


print(*(f"{name} {version(name)}" for name in ("duckdb", "pandas", "pyarrow", "polars")), sep=", ")
for case, (files, expected) in CASES.items():
    os.mkdir(case)
    for number, columns in enumerate(files, start=1):
        write_table(pa.table(columns), f"{case}/{number}.parquet")
    print(f"{case}: {files}")
    for (reader, read), wanted in zip(READERS.items(), expected, strict=True):
        seen, words = told(read, case)
        print(f"    {reader:8} {words}")
        assert seen == wanted, f"{reader} has changed"
END
