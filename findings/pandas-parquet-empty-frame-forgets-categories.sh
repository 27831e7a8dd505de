#!/usr/bin/env bash
# pandas 3.1.1 (pyarrow 26.0.1): a frame without rows comes back from Parquet without its categories, and then cannot be
# joined with one that has rows.
#
# Expected: what was written. pandas' guide on input and output ("Parquet") means all its dtypes to survive, and for
# categories of text `ordered` too. One row is enough for that, even a missing value, and words of no row survive.
# Seen: without rows the list of categories is empty, of dtype object where it was text; `ordered` survives, so that
# what came back is an ordered category of nothing. union_categoricals, which is there to unite different categories,
# takes the frame as it was and refuses the one that was read with TypeError ("dtype of categories must be the same").
# pandas.concat gives `object` where it gave a category before. The same error meets categories of dtype `string`,
# which come back as `str`, with rows too. pandas-dev/pandas#48883 tells of a column without any categories.
#
# Who meets it: who keeps a table per month or user in Parquet and puts the pieces together: it goes well until one
# piece is empty. The cure is to set dtypes again after reading: `.astype(pandas.CategoricalDtype(words))`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1
env/bin/python -I - <<'END'
import pandas as pd
import pyarrow
from pandas.api.types import union_categoricals

WORDS = ["low", "middle", "high"]
STR, STRING = pd.StringDtype(na_value=float("nan")), pd.StringDtype()


def category(values, dtype=STR):
    return pd.Series(pd.Categorical(values, categories=pd.Index(WORDS, dtype=dtype), ordered=True))


def read_back(column):
    column.to_frame("column").to_parquet("column.parquet")
    return pd.read_parquet("column.parquet")["column"]


def united(*columns):
    try:
        return list(union_categoricals(columns).categories)
    except TypeError as problem:
        return str(problem)


NO = "dtype of categories must be the same"
CASES = {
    "rows": (category(["high", "low"]), WORDS, "str", WORDS),
    "a missing value": (category([None]), WORDS, "str", WORDS),
    "no rows": (category([]), [], "object", NO),
    "no rows, `string`": (category([], STRING), [], "object", NO),
    "rows, `string`": (category(["high"], STRING), WORDS, "str", NO),
}
print("pandas", pd.__version__, "pyarrow", pyarrow.__version__)
for case, (column, words, dtype, union) in CASES.items():
    back = read_back(column)
    seen = list(back.cat.categories), str(back.cat.categories.dtype), united(column, back)
    print(f"{case:18} {back.cat.categories!r}, ordered {back.cat.ordered}, with what was written: {seen[2]}")
    assert list(column.cat.categories) == WORDS and united(column, column) == WORDS, "other categories to begin with"
    assert seen == (words, dtype, union) and back.cat.ordered, "pandas or pyarrow has changed"
full, none = category(["high", "low"]), category([])
joined = [str(pd.concat(pair).dtype) for pair in ((full, none), (read_back(full), read_back(none)))]
print("concat before and after:", joined)
assert joined[0] == "category" != joined[1], "concat has changed"
cured = read_back(none).astype(full.dtype)
assert str(pd.concat([read_back(full), cured]).dtype) == "category", "there is no cure"
END
