#!/usr/bin/env bash
# pyarrow 26.0.1: `columns=` means one thing to ParquetFile and another to read_table, and ParquetFile leaves out in
# silence what it does not find.
#
# Expected: the same file and the same list give the same columns, whether the file is read at once or in batches. A
# name that is not there is an error to read_table, dataset.to_table, Table.select, pandas and polars.
# Seen: ParquetFile.read, iter_batches and read_row_group drop such a name; if no other is left, the batches have their
# rows and no column. Asked for `usage.total` of a struct, ParquetFile gives `usage` with that one field in it,
# read_table a column named `total`. Asked for a column whose own name has a dot, ParquetFile gives the field of the
# struct that would be called so as well, thus one column more than was asked for. The reference tells of prefixes of
# nested fields for both alike. apache/arrow#9194 asked for a way not to raise, and read_table got none. The cure is
# `parquet_file.schema_arrow.names` before, or `dataset(path).to_batches(columns=...)`, which is strict.
#
# Who meets it: who reads a large table piece by piece: a renamed column, or one in other letters, is not missed until
# something counts what is not there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1
env/bin/python -I - <<'END'
import pyarrow as pa
from pyarrow.dataset import dataset
from pyarrow.parquet import ParquetFile, read_table, write_table

FILE = "answers.parquet"
usage = [{"total": 3, "price": 1}, {"total": 4, "price": 2}]
write_table(pa.table({"answer": ["yes", "no"], "usage": usage, "usage.price": [8, 9]}), FILE)
file = ParquetFile(FILE)
READERS = {
    "ParquetFile.read": lambda columns: file.read(columns=columns),
    "read_row_group": lambda columns: file.read_row_group(0, columns=columns),
    "iter_batches": lambda columns: pa.Table.from_batches(file.iter_batches(columns=columns)),
    "read_table": lambda columns: read_table(FILE, columns=columns),
    "dataset": lambda columns: pa.Table.from_batches(dataset(FILE).to_batches(columns=columns)),
}
LOOSE = list(READERS)[:3]
CASES = {
    ("answer", "rating"): ({"answer": ["yes", "no"]}, "ArrowInvalid"),
    ("Answer",): ({}, "ArrowInvalid"),
    ("usage.total",): ({"usage": [{"total": 3}, {"total": 4}]}, {"total": [3, 4]}),
    ("usage.tokens",): ({}, "ArrowInvalid"),
    ("usage.price",): ({"usage": [{"price": 1}, {"price": 2}], "usage.price": [8, 9]}, {"usage.price": [8, 9]}),
}
print("pyarrow", pa.__version__)
for columns, (loose, strict) in CASES.items():
    print(*columns)
    for reader, read in READERS.items():
        try:
            seen = read(list(columns)).to_pydict()
        except pa.ArrowInvalid as problem:
            seen = type(problem).__name__
        print(f"    {reader:16} {seen}")
        assert seen == (loose if reader in LOOSE else strict), "pyarrow has changed"
rows = [batch.num_rows for batch in file.iter_batches(columns=["Answer"])]
print("rows of the batches without a column:", rows)
assert rows == [2], "rows go with the columns"
END
