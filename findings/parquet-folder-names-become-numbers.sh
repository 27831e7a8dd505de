#!/usr/bin/env bash
# pandas 3.1.1 (pyarrow 26.0.1), polars 2.1.0 and DuckDB 2.0.1: a column of texts that names the folders of a
# partitioned table comes back as numbers, and which texts are numbers is another list in each.
#
# Expected: what was written, at least by the library that wrote it. Names of folders (`app=007`) have no types, but
# each file in them can tell the whole table's: pandas puts its description of all columns into each file, with the
# dtype `str` for this one.
# Seen: what pandas writes with `partition_cols` it reads as category of int32, if all texts look like numbers: `007` is
# 7. Where there is a 7 as well, it cannot read at all what it wrote: ValueError ("Categorical categories must be
# unique"). pyarrow takes 0x10 for 16 and leaves 1e5 and true alone; polars takes 1e5 for 100000.0, true for True and a
# day for a date, and leaves 0x10 alone; DuckDB keeps leading zeros, takes 0x10 for 16 and a day for a date. On `12:30`,
# a time, polars raises ComputeError ("unsupported data type when reading CSV"). One folder with another name, such as a
# first app whose name has a letter, makes texts of all of them, so that the dtype of a column hangs on which rows there
# are.
#
# Who meets it: who keeps a history by app, user or ticket, and looks for `app == "007"`: no row, and no error in
# pandas. The cures: a schema for the partitions in pyarrow (`partitioning(pa.schema(...), flavor="hive")`),
# `hive_schema=` in polars, `hive_types_autocast=false` in DuckDB. Months such as `2026-01` are texts to all of them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
env/bin/python -I - <<'END'
from importlib.metadata import version

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow.dataset import partitioning


def by_duckdb(folder, options="hive_partitioning=true"):
    rows = duckdb.sql(f"select app, number from read_parquet('{folder}/*/*.parquet', {options})").fetchall()
    return [app for app, _ in sorted(rows, key=lambda row: row[1])]


READERS = {
    "pandas": lambda folder: pd.read_parquet(folder).sort_values("number")["app"].tolist(),
    "polars": lambda folder: pl.read_parquet(folder).sort("number")["app"].to_list(),
    "duckdb": by_duckdb,
}
AS_TEXT = partitioning(pa.schema([("app", pa.string())]), flavor="hive")
CURES = {
    "pandas": lambda folder: pd.read_parquet(folder, partitioning=AS_TEXT).sort_values("number")["app"].tolist(),
    "polars": lambda folder: pl.read_parquet(folder, hive_schema={"app": pl.String}).sort("number")["app"].to_list(),
    "duckdb": lambda folder: by_duckdb(folder, "hive_partitioning=true, hive_types_autocast=false"),
}
CASES = {
    ("007", "8"): ("7 8", "7 8", None),
    ("007", "7"): ("ValueError", "7 7", None),
    ("1e5", "2"): (None, "100000.0 2.0", None),
    ("0x10", "2"): ("16 2", None, "16 2"),
    ("true", "false"): (None, "True False", None),
    ("2026-01-02",): (None, "2026-01-02", "2026-01-02"),
    ("12:30",): (None, "ComputeError", None),
    ("2026-01", "2026-02"): (None, None, None),
    ("007", "x"): (None, None, None),
}
print(*(f"{name} {version(name)}" for name in ("pandas", "pyarrow", "polars", "duckdb")), sep=", ")
for number, (apps, expected) in enumerate(CASES.items()):
    folder = f"table{number}"
    frame = pd.DataFrame({"app": apps, "number": range(len(apps))})
    frame.to_parquet(folder, partition_cols=["app"])
    for (reader, read), wanted in zip(READERS.items(), expected, strict=True):
        try:
            values = read(folder)
            seen = None if values == list(apps) else " ".join(map(str, values))
        except (pl.exceptions.ComputeError, ValueError) as problem:
            values = seen = type(problem).__name__
        if seen is not None:
            print(f"{' '.join(apps):12} {reader:7} {values}")
        assert seen == wanted, f"{reader} has changed"
    for reader, read in CURES.items():
        assert read(folder) == list(apps), f"there is no cure for {reader}"
dtype = pd.read_parquet("table0")["app"].dtype
dtypes = [str(each) for each in (frame["app"].dtype, dtype, dtype.categories.dtype)]
print("dtypes in pandas, written and read:", *dtypes)
assert dtypes == ["str", "category", "int32"], "pandas has changed"
END
