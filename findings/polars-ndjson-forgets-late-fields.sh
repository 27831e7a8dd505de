#!/usr/bin/env bash
# polars 2.1.0 (DuckDB 2.0.1, pandas 3.1.1, pyarrow 26.0.1): a field that is first named in line 101 of a file of JSON
# lines is not in the table, and nothing says so.
#
# Expected: a column with nulls where the field is missing, or an error. `infer_schema_length` is told as the rows from
# which the schema is guessed; a value of another type further down is refused (ComputeError), polars' own read_json
# refuses the same records as an array ("extra field in struct data"), and its read_parquet refuses a column that an
# earlier file had not.
# Seen: read_ndjson and scan_ndjson give the columns of the first 100 lines, and each value of other fields is gone,
# also of fields within structs. So do from_dicts and DataFrame. DuckDB does the same after 20480 lines, where it even
# makes 2 of 1.5 in a column that held whole numbers till then. pandas and pyarrow know all fields. Reported as
# pola-rs/polars#29330, open. The cure is `infer_schema_length=None`, and `sample_size=-1` for DuckDB.
#
# Who meets it: who reads a log or a record of events, where the rare fields, such as that of an error, come late as a
# rule: the table says that there was none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1
env/bin/python -I - <<'END'
import json
from importlib.metadata import version

import duckdb
import pandas as pd
import polars as pl
import pyarrow.json

FILE = "lines.jsonl"


def records(count, **last):
    return [{"node": {"number": number}} for number in range(count)] + [{"node": {"number": count, **last}, **last}]


def read_json_array():
    with open(FILE) as file:
        array = f"[{','.join(file)}]".encode()
    return pl.read_json(array).columns


def read_struct(frame):
    return [field.name for field in frame.schema["node"].fields]


def told(read):
    try:
        return ", ".join(read())
    except pl.exceptions.ComputeError as problem:
        return str(problem).partition(",")[0]


READERS = {
    "polars.read_ndjson": lambda: pl.read_ndjson(FILE).columns,
    "polars.scan_ndjson": lambda: pl.scan_ndjson(FILE).collect().columns,
    "its struct": lambda: read_struct(pl.read_ndjson(FILE)),
    "infer_schema_length=None": lambda: pl.read_ndjson(FILE, infer_schema_length=None).columns,
    "polars.read_json": read_json_array,
    "polars.from_dicts": lambda: pl.from_dicts([json.loads(line) for line in open(FILE)]).columns,
    "duckdb": lambda: duckdb.sql(f"from '{FILE}'").columns,
    "duckdb, sample_size=-1": lambda: duckdb.sql(f"from read_json('{FILE}', sample_size=-1)").columns,
    "pandas": lambda: pd.read_json(FILE, lines=True).columns,
    "pyarrow": lambda: pyarrow.json.read_json(FILE).column_names,
}
ALL, LOST, REFUSED = "node, error", "node", "extra field in struct data: error"
print(*(f"{name} {version(name)}" for name in ("polars", "duckdb", "pandas", "pyarrow")), sep=", ")
seen = {}
for lines in (99, 100, 20480):
    with open(FILE, "w") as file:
        file.writelines(json.dumps(record) + "\n" for record in records(lines, error="out of memory"))
    seen[lines] = {name: told(read) for name, read in READERS.items()}
    for name, columns in seen[lines].items():
        print(f"an error in line {lines + 1:<6} {name:25} {columns}")
with open(FILE, "w") as file:
    file.writelines(json.dumps({"seconds": 1 if number < 20480 else 1.5}) + "\n" for number in range(20481))
rounded = {
    sample: duckdb.sql(f"select max(seconds) from read_json('{FILE}', sample_size={sample})").fetchall()[0][0]
    for sample in (20480, -1)
}
print("1.5 in line 20481 for duckdb:", rounded)
polars_loses = {
    "polars.read_ndjson": LOST,
    "polars.scan_ndjson": LOST,
    "its struct": "number",
    "polars.read_json": REFUSED,
    "polars.from_dicts": LOST,
}
everything = dict.fromkeys(READERS, ALL) | {"its struct": "number, error"}
assert seen[99] == everything, "a field of line 100 is lost"
assert seen[100] == everything | polars_loses, "polars has changed"
assert seen[20480] == everything | polars_loses | {"duckdb": LOST}, "DuckDB has changed"
assert rounded == {20480: 2, -1: 1.5}, "DuckDB rounds otherwise"
END
