#!/usr/bin/env bash
# pandas 3.1.1, DuckDB 2.0.1, pyarrow 26.0.1 and polars 2.1.0: what is a text in a file of JSON lines is a number, a
# time, a UUID or a text, and only polars leaves it alone.
#
# Expected: the text. JSON has types (RFC 8259, 3), so that, other than in CSV, nothing is to be guessed of what stands
# in quotes.
# Seen: pandas makes numbers of a column whose texts are all numbers: `007` is 7, `1e5` is 100000.0. DuckDB makes a UUID
# in small letters of one in capitals, and dates and times of what looks like them: `12:30` is 12:30:00, a day without
# zeros gets them. pyarrow makes timestamps and forgets the offset: of 10:00+02:00 there is left 08:00 without any zone.
# Of one file that gives four tables that cannot be joined by these columns, and one more line with another text turns
# all of it back. The maintainers of DuckDB call it intended (duckdb/duckdb#19981, #10218, and #24263 for a switch). The
# cures are `dtype=False` for pandas, `columns={...}` for DuckDB, a schema for pyarrow.
#
# Who meets it: who keeps what people and models said as JSON lines: short answers (`12:30`, `007`), ids of another
# system. Compared with the log that they were taken from they are not equal.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
env/bin/python -I - <<'END'
import json
from importlib.metadata import version

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow.json import ParseOptions, read_json

FILE = "lines.jsonl"


def by_duckdb(source):
    return [row[0] for row in duckdb.sql(f"select answer from {source}").fetchall()]


READERS = {
    "pandas": lambda: pd.read_json(FILE, lines=True)["answer"].tolist(),
    "duckdb": lambda: by_duckdb(f"'{FILE}'"),
    "pyarrow": lambda: read_json(FILE)["answer"].to_pylist(),
    "polars": lambda: pl.read_ndjson(FILE)["answer"].to_list(),
}
AS_TEXT = pa.schema([("answer", pa.string())])
CURES = {
    "pandas": lambda: pd.read_json(FILE, lines=True, dtype=False)["answer"].tolist(),
    "duckdb": lambda: by_duckdb(f"read_json('{FILE}', columns={{'answer': 'VARCHAR'}})"),
    "pyarrow": lambda: read_json(FILE, parse_options=ParseOptions(explicit_schema=AS_TEXT))["answer"].to_pylist(),
}
CASES = {
    "007": {"pandas": "7"},
    "1e5": {"pandas": "100000.0"},
    "12:30": {"duckdb": "12:30:00"},
    "2026-1-2": {"duckdb": "2026-01-02"},
    "2026-01-02": {"duckdb": "2026-01-02", "pyarrow": "2026-01-02 00:00:00"},
    "2026-01-02T10:00:00+02:00": {"duckdb": "2026-01-02 08:00:00+00:00", "pyarrow": "2026-01-02 08:00:00"},
    "9E107D9D-372B-4682-8BD8-1D3542A419D6": {"duckdb": "9e107d9d-372b-4682-8bd8-1d3542a419d6"},
    "at 12:30": {},
}


def write(*texts):
    with open(FILE, "w") as file:
        file.writelines(json.dumps({"answer": text}) + "\n" for text in texts)


print(*(f"{name} {version(name)}" for name in READERS), sep=", ")
duckdb.sql("set TimeZone = 'UTC'")
for text, changed in CASES.items():
    write(text, text)
    for reader, read in READERS.items():
        values = read()
        if not isinstance(values[0], str):
            print(f"{text:37} {reader:8} {values[0]!r}")
        assert isinstance(values[0], str) == (reader not in changed), f"{reader} has changed"
        assert {str(value) for value in values} == {changed.get(reader, text)}, f"{reader} has changed"
    for reader, read in CURES.items():
        assert read() == [text] * 2, f"there is no cure for {reader}"
    write(text, "another")
    for reader, read in READERS.items():
        assert read() == [text, "another"], f"{reader} has changed beside another text"
END
