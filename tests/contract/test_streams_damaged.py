"""Every recorded stream with one byte inside a text damaged: the turn differs in that place and nowhere else."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from contract.streams import load

from dify_notebook.tape import Tape
from dify_notebook.turn.state import Turn
from dify_notebook.wire.sse import Frame, Splitter

BAD = "\ufffd"
PLACES = 500
_TEXT = re.compile(rb'("(?:[^"\\]|\\.)*")(\s*:)?', re.DOTALL)
_FIELD = re.compile(rb'"([^"\\]*)"\s*:\s*$')
_MARKS = re.compile(rb'<details.*?</summary>|</?(?:think|details)>|\\(?=")')
#: Where people's and models' words stand; the others name events, runs and kinds.
WORDS = frozenset(
    b"answer text reasoning thought observation tool_input title content message error query document_name segment output".split()
)


class Damage(NamedTuple):
    case: str
    frame: int
    """Which frame of the stream."""
    at: int
    """Which byte of its data."""


def frames_of(case: str) -> list[Frame]:
    return Splitter().feed(load()[case].body + b"\n\n")


def inside_texts(data: bytes) -> Iterator[int]:
    """Places of bytes inside words. Not of a backslash before a quote: without it the text ends there, and the line is none."""
    for text in _TEXT.finditer(data):
        field = _FIELD.search(data[max(0, text.start() - 40) : text.start()])
        if text[2] or field is None or field[1] not in WORDS:
            continue
        marks = {at for mark in _MARKS.finditer(text[1]) for at in range(*mark.span())}
        yield from (text.start() + at for at in range(1, len(text[1]) - 1) if at not in marks)


def damages() -> list[Damage]:
    """Some of every stream in turn, the same ones each time."""
    rng = random.Random(10)
    places: dict[str, list[Damage]] = {}
    for case in sorted(load()):
        told = [(at, data) for at, (_, data) in enumerate(frames_of(case)) if data]
        found = [Damage(case, at, place) for at, data in told for place in inside_texts(data)]
        if found:
            places[case] = rng.sample(found, min(len(found), 10))
    rounds = [one[number] for number in range(10) for one in places.values() if number < len(one)]
    assert len(places) > 100
    return rounds[:PLACES]


def turn_of(frames: list[Frame]) -> Turn:
    tape = Tape()
    for at, frame in enumerate(frames):
        tape.append(float(at), frame)
    turn: Turn = tape.replay()
    return msgspec.structs.replace(turn, tape=None)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{at}]")
    else:
        yield path, value


def differs_in_one_place(before: str, after: str) -> bool:
    """Whether one character, or what was written as one, became U+FFFD with what is left of it."""
    head = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    lost, came = before[head : len(before) - tail], after[head : len(after) - tail]
    return len(lost) <= 2 and BAD in came and len(came) <= 7


@pytest.mark.parametrize("damage", damages(), ids=lambda one: f"{one.case}-{one.frame}-{one.at}")
def test_a_damaged_byte_costs_its_character(damage: Damage) -> None:
    frames = frames_of(damage.case)
    name, data = frames[damage.frame]
    assert data is not None
    before = turn_of(frames)
    frames[damage.frame] = (name, data[: damage.at] + b"\xff" + data[damage.at + 1 :])
    after = turn_of(frames)
    assert {one.code for one in after.warnings} - {one.code for one in before.warnings} == {"character"}
    told, tells = (
        dict(leaves(json.loads(msgspec.json.encode(msgspec.structs.replace(one, warnings=()), enc_hook=repr))))
        for one in (before, after)
    )
    assert told.keys() == tells.keys()
    other = {path for path in told if told[path] != tells[path]}
    assert all(differs_in_one_place(told[path], tells[path]) for path in other), {path: tells[path] for path in other}
    # What a run gave is the answer of a workflow app too, and why it failed is the turn's error.
    other -= {".error.message"} if ".workflow.error" in other else set()
    of_answer = {".answer", ".answer_raw", ".reasoning", ".reasoning_chunks"}
    if before.app_mode == "workflow" and any(path.startswith(".workflow.outputs") for path in other):
        other -= of_answer
    fields = {path.split(".")[1].split("[")[0] for path in other}
    assert len(other - of_answer) <= 1, other
    assert fields <= {"answer", "answer_raw", "reasoning", "reasoning_chunks"} or len(fields) == 1
