#!/usr/bin/env bash
# polars 2.1.0 (pandas 3.1.1, pyarrow 26.0.1): made of rows, or read from a database, a column that has whole numbers in
# its first 100 rows makes whole numbers of all the others.
#
# Expected: one column that holds all values, or an error. `strict`, True by default, is told as "Throw an error if
# any `data` value does not exactly match the given or inferred data type for that column", and that is what Series
# and a frame made of columns do: 0.6 after a 0 is TypeError. pyarrow refuses to round a Decimal.
# Seen: of rows (dicts, tuples, from_dicts, read_database) `strict` is not looked at. After 100 prices of Decimal("0")
# the scale is 0: Decimal("0.0012") is 0 and Decimal("0.6") is 1, so that one sum is less than what was paid and another
# more. After 100 ints 0.6 is 0, and after 100 Decimals the text "0.6" is null, while "free" after ints is an error.
# After 99 rows all is right. SQLite's own sum is 0.0012 where read_database has 0: it keeps a type for each value, and
# gives a NUMERIC of 0.0 as int. That `strict` is lost is told of Enum as pola-rs/polars#26282, accepted and open.
#
# Who meets it: who makes a frame of the API's messages, of which the first were free (`"total_price": "0"`), or reads
# such a table. The cure is `infer_schema_length=None`, a schema, or columns instead of rows.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1
env/bin/python -I - <<'END'
import sqlite3
from decimal import Decimal

import pandas
import polars
import pyarrow

FREE, PAID, MORE = Decimal("0"), Decimal("0.0012"), Decimal("0.6")


def table(values):
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE messages (price NUMERIC)")
    database.executemany("INSERT INTO messages VALUES (?)", [(float(value),) for value in values])
    return database


WAYS = {
    "dicts": lambda values: polars.DataFrame([{"price": value} for value in values]),
    "dicts, strict": lambda values: polars.from_dicts([{"price": value} for value in values], strict=True),
    "tuples": lambda values: polars.DataFrame([(value,) for value in values], schema=["price"], orient="row"),
    "database": lambda values: polars.read_database("SELECT price FROM messages", table(values)),
    "infer all": lambda values: polars.DataFrame([{"price": value} for value in values], infer_schema_length=None),
    "columns": lambda values: polars.DataFrame({"price": values}),
    "pyarrow": lambda values: polars.from_arrow(pyarrow.Table.from_pylist([{"price": value} for value in values])),
    "pandas": lambda values: pandas.DataFrame([{"price": value} for value in values]),
}


def sums(free):
    found = {}
    for way, make in WAYS.items():
        found[way] = [float(make([FREE] * free + [last])["price"].sum()) for last in (PAID, MORE)]
        print(f"{free} free, one not: {way:14}", *found[way])
    return found


print(*(f"{library.__name__} {library.__version__}" for library in (polars, pandas, pyarrow)), sep=", ")
ROWS = {"dicts", "dicts, strict", "tuples", "database"}
right = [float(PAID), float(MORE)]
assert all(values == right for values in sums(99).values()), "polars rounds earlier"
seen = sums(100)
assert all(seen[way] == right for way in WAYS.keys() - ROWS), "the cure is none"
assert seen["database"] == [0.0, 0.0], "polars has changed"
assert all(seen[way] == [0.0, 1.0] for way in ROWS - {"database"}), "polars has changed"
assert table([FREE] * 100 + [PAID]).execute("SELECT sum(price) FROM messages").fetchone() == (float(PAID),)


def last(first, value):
    return polars.DataFrame([{"price": first}] * 100 + [{"price": value}])["price"][-1]


print("an int, then 0.6:", last(0, 0.6), "- a Decimal, then '0.6':", last(FREE, "0.6"))
assert last(0, 0.6) == 0 and last(FREE, "0.6") is None, "polars has changed"
refused = 0
for make in (
    lambda: polars.Series([0] * 100 + [0.6]),
    lambda: polars.DataFrame({"price": [0] * 100 + [0.6]}),
    lambda: pyarrow.array([MORE], pyarrow.decimal128(38, 0)),
    lambda: last(0, "free"),
):
    try:
        make()
    except (TypeError, pyarrow.ArrowInvalid, polars.exceptions.ComputeError) as problem:
        refused += 1
        print(f"refused: {type(problem).__name__}")
assert refused == 4, "no longer refused"
END
