#!/usr/bin/env bash
# polars 2.1.0, pandas 3.1.1 (pyarrow 26.0.1) and DuckDB 2.0.1: Parquet files of which some have times in UTC and some
# without a zone are one column to all three, and which hour a row shows hangs on the reader, the machine and the names.
#
# Expected: an error, as polars gives for files of two zones ("convert-timezone"), polars.concat for such tables, and
# pyarrow.concat_tables even with promote_options="permissive". Parquet keeps the two apart (isAdjustedToUTC): the one
# is an instant, the other what a clock showed somewhere.
# Seen: read from files, the first decides. polars and pandas keep the digits and put the zone on them or take it away.
# DuckDB converts by the zone of its session, which is the machine's: in New York midnight in UTC becomes 19:00 of the
# day before beside files without zone, and midnight by a clock 05:00 in UTC beside files with one; `union_by_name`
# changes only which of the two it is. Reported of polars as pola-rs/polars#29458, open.
#
# Who meets it: who writes a file per month and began to attach zones, or has files of two tools: what is counted per
# hour or day is moved by the offset, for a part of the rows, and on another machine by another one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 \
    tzdata==2026.6
TZ=America/New_York env/bin/python -I - <<'END'
from importlib.metadata import version

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow.parquet import write_table

MIDNIGHT = 1767225600  # 2026-01-01
FILES = {"clock": None, "utc": "UTC", "york": "America/New_York"}
tables = {}
for name, zone in FILES.items():
    tables[name] = pa.table({"at": pa.array([MIDNIGHT * 1_000_000], pa.timestamp("us", zone))})
    write_table(tables[name], f"{name}.parquet")


def texts(column):
    return [str(value) for value in column]


def by_duckdb(paths, **options):
    """What it shows in its session's zone, as text: Python's own conversions are left out."""
    return [row[0] for row in duckdb.read_parquet(paths, **options).project('cast("at" as varchar)').fetchall()]


READERS = {
    "polars": lambda paths: texts(pl.read_parquet(paths)["at"].to_list()),
    "pandas": lambda paths: texts(pd.read_parquet(paths)["at"]),
    "duckdb": by_duckdb,
    "duckdb, by name": lambda paths: by_duckdb(paths, union_by_name=True),
}
UTC, CLOCK = "2026-01-01 00:00:00+00:00", "2026-01-01 00:00:00"
EVENING, HERE = "2025-12-31 19:00:00", "2026-01-01 00:00:00-05"
CASES = {
    ("clock", "utc"): ([CLOCK] * 2, [CLOCK] * 2, [CLOCK, EVENING], [HERE, f"{EVENING}-05"]),
    ("utc", "clock"): ([UTC] * 2, [UTC] * 2, [f"{EVENING}-05", HERE], [f"{EVENING}-05", HERE]),
    ("utc", "york"): ("SchemaError", [UTC] * 2, [f"{EVENING}-05"] * 2, [f"{EVENING}-05"] * 2),
}


def told(read, *args):
    try:
        return read(*args)
    except (pl.exceptions.SchemaError, pa.ArrowTypeError) as problem:
        return type(problem).__name__


print(*(f"{name} {version(name)}" for name in ("polars", "pandas", "pyarrow", "duckdb")), sep=", ")
for pair, expected in CASES.items():
    print(*pair)
    for (reader, read), wanted in zip(READERS.items(), expected, strict=True):
        seen = told(read, [f"{name}.parquet" for name in pair])
        print(f"    {reader:16} {seen}")
        assert seen == wanted, f"{reader} has changed"
pair = tables["clock"], tables["utc"]
joined = [
    told(lambda: pl.concat([pl.from_arrow(table) for table in pair])),
    told(lambda: pa.concat_tables(pair, promote_options="permissive")),
]
print("concat:", *joined)
assert joined == ["SchemaError", "ArrowTypeError"], "tables in memory are joined"
END
