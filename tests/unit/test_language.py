"""Names are the field's: words that only this project knew are not to come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dify_notebook

PACKAGE = Path(dify_notebook.__file__).parent

SAY = {
    "board": "store",
    "desk": "controller",
    "door": "entry point",
    "drawn": "chart, channel",
    "gate": "limiter",
    "hall": "pool",
    "heard": "received",
    "painter": "renderer",
    "patience": "retry budget, timeout",
    "scene": "state",
    "seat": "app session",
    "speaker": "stream, view",
    "teller": "events, task",
    "told": "reported, message, result",
}
"""A word -> what the field says."""

STAY = {
    ("live/protocol.py", "Heard"): "a message's name on the wire",
    ("panel/messages.py", "Heard"): "a message's name on the wire",
    ("session.py", "door"): "a keyword of `Session.fit`, which users may have written",
}


def names_of(source: str) -> Iterator[str]:
    """Every name that a module binds: variables, attributes, parameters, functions and classes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.alias(asname=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name


def private_words(name: str) -> list[str]:
    return [word for word in map(str.lower, re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)) if word in SAY]


def test_no_name_holds_a_word_that_went() -> None:
    problems, used = [], set()
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for name in sorted({path.stem, *names_of(path.read_text("utf-8"))}):
            if words := private_words(name):
                if (place, name) in STAY:
                    used.add((place, name))
                else:
                    problems.append(f"{place}: {name}: say {SAY[words[0]]}")
    assert problems == []
    assert set(STAY) - used == set(), "exceptions that nobody needs any more"


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("def f(told): pass", "told"),
        ("class LoopHall: pass", "hall"),
        ("self._seat = 1", "seat"),
        ("for desk_id in (): pass", "desk"),
        ("import this as scene", "scene"),
    ],
)
def test_the_guard_sees_such_a_word(source: str, word: str) -> None:
    assert [word for name in names_of(source) for word in private_words(name)] == [word]


def test_words_within_others_are_none() -> None:
    assert private_words("dashboard onboarding gateway billboard Gateway") == []
