"""What a run gave and what it was given, by name: last in a view, and first.

A single text is the turn's answer, and shown as one. More than that, or anything else, is a table of names and values,
which then stands in the place of the text that was streamed: servers stream the same outputs, in forms of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..printable import one_line
from ..turn.convert import file_value
from ..turn.state import WELL, Turn
from . import facts, limits
from .block import Block
from .guard import escaped
from .html import escape
from .parts import Memo, caption, section
from .values import Reading, Shown, notes
from .words import Words

_SYSTEM = "sys."
"""How the names of variables begin that Dify adds to the inputs of every run."""


def reported(turn: Turn) -> Mapping[str, Any]:
    """What a run gave that is more than its answer, as told; nothing where that is all, or none was told (yet)."""
    flow = turn.workflow
    if flow is None or not isinstance(flow.outputs, Mapping) or not facts.is_run(turn):
        return {}
    values = list(flow.outputs.values())
    return {} if len(values) == 1 and isinstance(values[0], str) and turn.answer.strip() else flow.outputs


def has_answer(turn: Turn) -> bool:
    """Whether the turn's text is shown: outputs stand in its place, unless it is all that a failed run said."""
    values = reported(turn)
    return not values or (turn.status not in WELL and not any(isinstance(value, str) for value in values.values()))


def answer(turn: Turn) -> str:
    """The text that is shown as the answer, with marks where the stream was damaged."""
    if not has_answer(turn):
        return ""
    return facts.marked_answer(turn) if turn.warnings else turn.answer


def apart(turn: Turn) -> Turn:
    """The turn with those of its files alone that are not shown among the outputs."""
    values = reported(turn)
    if not values or not turn.files:
        return turn
    keys = set()
    for value, _ in zip(values.values(), range(limits.VALUES), strict=False):
        for item in value[: limits.ROWS] if isinstance(value, list | tuple) else (value,):
            if file := file_value(item):
                keys.add(facts.file_key(file))
    return msgspec.structs.replace(turn, files=tuple(file for file in turn.files if facts.file_key(file) not in keys))


def given(turn: Turn) -> Mapping[str, Any]:
    """What a run was given: as its server read it, else as it was sent; nothing of an app that one talks with."""
    if not facts.is_alone(turn):
        return {}
    flow = turn.workflow
    if flow is not None and isinstance(flow.inputs, Mapping):
        own = {name: value for name, value in flow.inputs.items() if not str(name).startswith(_SYSTEM)}
        return {name: value for name, value in own.items() if value is not None}
    return turn.inputs or {}


def _read(values: Mapping[str, Any], reading: Reading) -> Iterator[tuple[str, Shown]]:
    for name, _ in zip(values, range(limits.VALUES), strict=False):
        yield one_line(str(name), 80), reading.value(values[name])


def _outputs(turn: Turn, words: Words) -> Reading:
    return Reading(words, "turn.outputs", {facts.file_key(file): file for file in turn.files or ()})


def _inputs(turn: Turn, words: Words) -> Reading:
    from_server = turn.workflow is not None and isinstance(turn.workflow.inputs, Mapping)
    return Reading(words, "turn.workflow.inputs" if from_server else "turn.inputs", plain=True)


# --- on a page


def blocks(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    """The outputs as a table; nothing where the answer is all there is."""
    values = reported(turn)
    if not values:
        return []
    return memo.get("outputs", (values, turn.files), _output_blocks, values, _outputs(turn, words))


def _output_blocks(values: Mapping[str, Any], reading: Reading) -> list[Block]:
    head = Block("head", "div", {}, caption(reading.words("outputs")))
    return [head, *table(values, reading, "outputs")]


def inputs(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    """What a run was given, folded."""
    values = given(turn)
    if not values:
        return []
    return memo.get("inputs", (values,), _input_blocks, values, _inputs(turn, words))


def _input_blocks(values: Mapping[str, Any], reading: Reading) -> list[Block]:
    names = one_line(", ".join(str(name) for name, _ in zip(values, range(limits.VALUES), strict=False)), 90)
    return [section("inputs", caption(reading.words("inputs"), names), table(values, reading, "inputs"))]


def table(values: Mapping[str, Any], reading: Reading, label: str) -> list[Block]:
    """Names and values as a table, which is called by the sentence `label`."""
    words = reading.words
    rows = []
    for at, (name, shown) in enumerate(_read(values, reading)):
        cells = (
            Block("name", "th", {"class": "dn-on", "scope": "row"}, escape(name)),
            Block("value", "td", {"class": "dn-ov"}, "", tuple(shown.blocks())),
        )
        rows.append(Block(str(at), "tr", {"class": "dn-or"}, "", cells))
    body = Block("rows", "tbody", {}, "", tuple(rows))
    whole = Block("table", "table", {"class": "dn-outs", "aria-label": words(label)}, "", (body,))
    return [whole, *notes(words.omitted(len(values), limits.VALUES, reading.where))]


# --- in markdown


def document(turn: Turn, words: Words) -> list[str]:
    """The outputs as pieces of markdown."""
    return written(reported(turn), _outputs(turn, words), "outputs")


def inputs_document(turn: Turn, words: Words) -> list[str]:
    """What a run was given, as pieces of markdown."""
    return written(given(turn), _inputs(turn, words), "inputs")


def written(values: Mapping[str, Any], reading: Reading, label: str) -> list[str]:
    """Named values as pieces of markdown: small ones in tables, each other one below its name, all in their order."""
    words = reading.words
    parts: list[str] = []
    rows: list[str] = []
    for name, shown in _read(values, reading):
        if shown.small:
            rows.append(f"| {escaped(name)} | {shown.document()} |")
            continue
        parts += _small(rows, words)
        rows = []
        parts.append(f"**{escaped(name)}**\n\n{shown.document()}")
    parts += _small(rows, words)
    if not parts:
        return []
    omitted = words.omitted(len(values), limits.VALUES, reading.where)
    return [f"**{words(label)}**", *parts, *([escaped(omitted)] if omitted else [])]


def _small(rows: list[str], words: Words) -> list[str]:
    head = f"| {words('col.name')} | {words('col.value')} |"
    return ["\n".join([head, "|---|---|", *rows])] if rows else []


# --- in a terminal


def lines(turn: Turn, words: Words, printed: str = "") -> list[str]:
    """The outputs as lines.

    Args:
        printed: text that the reader has seen already; an output that is part of it is not printed again.
    """
    return written_lines(reported(turn), _outputs(turn, words), "outputs", printed)


def inputs_lines(turn: Turn, words: Words) -> list[str]:
    """What a run was given, as lines."""
    return written_lines(given(turn), _inputs(turn, words), "inputs")


def written_lines(values: Mapping[str, Any], reading: Reading, label: str, printed: str = "") -> list[str]:
    """Named values as lines, below the sentence `label`."""
    words = reading.words
    out = []
    for name, shown in _read(values, reading):
        if not shown.small and isinstance(shown.value, str) and shown.value.strip() in printed:
            out.append(f"  {name}{words.colon}{words('above')}")
            continue
        first, *others = shown.lines()
        if shown.small and not others:
            out.append(f"  {name}{words.colon}{first}")
        else:
            out += [f"  {name}{words.colon.rstrip()}", *(f"    {line}" if line else "" for line in (first, *others))]
    if omitted := words.omitted(len(values), limits.VALUES, reading.where):
        out.append(f"  {omitted}")
    return [words(label), *out] if out else []
