#!/usr/bin/env bash
# RapidFuzz 3.14.6 (pandas 3.1.1): an answer that is missing is scored 0, as the worst answer is, and two empty texts
# are wholly alike to some scorers and not at all to others.
#
# Expected: an error, or a score that is missing too. None and NaN are no texts: difflib raises TypeError, and so does
# RapidFuzz's own Levenshtein.distance; pandas leaves what is missing out of a mean. Two equal texts are alike, also if
# they are empty: difflib says 1.0.
# Seen: the scorers of `fuzz` and the normalized ones of `distance` give 0 for None, NaN and pandas.NA, on either side
# or on both; a normalized distance is 1. For NaN it was asked for and made so (rapidfuzz/RapidFuzz#291), and #387 takes
# it for known; what the scorers' docstrings say of their arguments is `str` or a sequence. A column of such scores has
# no gap, so that a mean falls with each call that failed. Of two empty texts QRatio's docstring tells that it gives 0;
# WRatio and token_set_ratio do so too, ratio and token_sort_ratio give 100.
#
# Who meets it: who compares answers of a model with expected ones, by `apply` or process.cpdist: of two apps the one
# with a better network wins. The cure is to score rows that have both texts, and to say how many they were.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check rapidfuzz==3.14.6 pandas==3.1.1
cat >seen.py <<'END'
import difflib
from importlib.metadata import version

import pandas as pd
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler, Levenshtein

MISSING = (None, float("nan"), pd.NA)
SCORERS = {
    "fuzz.ratio": (fuzz.ratio, 0, 100),
    "fuzz.partial_ratio": (fuzz.partial_ratio, 0, 100),
    "fuzz.token_sort_ratio": (fuzz.token_sort_ratio, 0, 100),
    "fuzz.WRatio": (fuzz.WRatio, 0, 0),
    "fuzz.token_set_ratio": (fuzz.token_set_ratio, 0, 0),
    "Levenshtein.normalized_similarity": (Levenshtein.normalized_similarity, 0, 1),
    "JaroWinkler.similarity": (JaroWinkler.similarity, 0, 1),
    "Levenshtein.normalized_distance": (Levenshtein.normalized_distance, 1, 0),
}  # of a missing text, of two empty ones


def refused(scorer, *texts):
    try:
        scorer(*texts)
    except TypeError:
        return True
    return False


print(*(f"{name} {version(name)}" for name in ("rapidfuzz", "pandas")), sep=", ")
print(f"{'':34} missing  both missing  both empty")
for name, (scorer, missing, empty) in SCORERS.items():
    alone = {scorer(value, "yes") for value in MISSING} | {scorer("yes", value) for value in MISSING}
    both = {scorer(value, value) for value in MISSING}
    print(f"{name:34} {alone!s:8} {both!s:13} {scorer('', '')}")
    assert alone == both == {missing}, "RapidFuzz scores what is missing otherwise"
    assert scorer("", "") == empty, "RapidFuzz scores empty texts otherwise"
assert refused(Levenshtein.distance, None, "yes"), "RapidFuzz has changed"
assert refused(lambda *texts: difflib.SequenceMatcher(None, *texts).ratio(), None, "yes"), "difflib has changed"
assert difflib.SequenceMatcher(None, "", "").ratio() == 1, "difflib has changed"

answers = pd.DataFrame({"expected": ["yes", "no", "yes", "no"], "answer": ["yes", "no", None, None]})
there = answers.dropna()
means = {}
for name, table in {"all rows": answers, "rows with an answer": there}.items():
    by_apply = table.apply(lambda row: fuzz.ratio(row.expected, row.answer), axis=1)
    by_cpdist = process.cpdist(table.expected, table.answer)
    assert by_apply.tolist() == by_cpdist.tolist() and not by_apply.isna().any(), "RapidFuzz has changed"
    means[name] = by_apply.mean()
print(*(f"{name}: mean {mean}" for name, mean in means.items()), sep="\n")
assert means == {"all rows": 50, "rows with an answer": 100}, "RapidFuzz or pandas has changed"
END
env/bin/python -I seen.py
