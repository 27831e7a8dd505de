#!/usr/bin/env bash
# joblib 1.6.0 (numpy 2.4.6): a function cached by `Memory` is run again for arguments that are equal and of the same
# types, if two parts of them are one object the one time and two equal objects the other time.
#
# Expected: one run. "Avoid computing the same thing twice" is what joblib's introduction promises, and a list of
# messages is the same whether it was put together here or read from JSON. For texts joblib has mended it (#239).
# Seen: arguments are hashed as they are pickled, and a pickle writes what occurs a second time as a reference to the
# first. So [message, message] is another key than [message, dict(message)]; the same of an empty list, a tuple, a date,
# a Decimal or a number of numpy that two inputs share. Texts, int and float are all right, and so is the order of names
# in a dict. Told of as joblib/joblib#393, which was called correct in 2016, and #1283 of 2022, both open; equal tables
# of pandas that miss are #1611.
#
# Who meets it: who caches paid calls that way. A call whose inputs were built in the notebook is asked, and paid, anew
# once they come from a file, or once a default has moved into a loop, and the cache grows without a word. The cure is a
# text as the argument, such as json.dumps(..., sort_keys=True), of which the function makes objects again.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check joblib==1.6.0 numpy==2.4.6
cat >seen.py <<'END'
import datetime
import json
from decimal import Decimal
from importlib.metadata import version

import joblib
import numpy

memory = joblib.Memory("cache", verbose=0)
runs = []


@memory.cache
def ask(inputs):
    runs.append(inputs)
    return "an answer"


@memory.cache
def ask_text(text):
    runs.append(json.loads(text))
    return "an answer"


def price():
    return Decimal("0.10")


def day():
    return datetime.date(2026, 1, 1)


def message():
    return {"role": "user", "content": "hello there"}


def number():
    return numpy.int64(7)


def shared(make):
    """One object in two places, and two equal ones."""
    one = make()
    return {"a": one, "b": one}, {"a": make(), "b": make()}


history = [message()] * 2
CASES = {
    "an equal dict": ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, 1),
    "a text": (*shared(lambda: "".join(["hello ", "there"])), 1),
    "a float": (*shared(lambda: float("0.5")), 1),
    "a message": (*shared(message), 2),
    "messages from JSON": (history, json.loads(json.dumps(history)), 2),
    "an empty list": (*shared(list), 2),
    "a tuple": (*shared(lambda: tuple(["x", "y"])), 2),
    "a date": (*shared(day), 2),
    "a Decimal": (*shared(price), 2),
    "a number of numpy": (*shared(number), 2),
}
print(*(f"{name} {version(name)}" for name in ("joblib", "numpy")), sep=", ")
for name, (first, second, meant) in CASES.items():
    assert first == second
    memory.clear(warn=False)
    runs.clear()
    ask(first)
    ask(second)
    print(f"{name:24} {len(runs)} run{'s' * (len(runs) > 1)}")
    assert len(runs) == meant, "joblib has changed"
runs.clear()
for equal in (history, json.loads(json.dumps(history))):
    ask_text(json.dumps(equal, sort_keys=True))
assert len(runs) == 1, "there is no cure"
END
env/bin/python -I seen.py
