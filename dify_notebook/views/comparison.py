"""Two turns beside each other: a table of facts, both timelines on one scale, their steps side by side, what differs.

A and B are the letters of the turns, in every form and every language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..i18n import Language
from ..printable import one_line
from ..turn import comparing
from ..turn.comparing import Difference, Measure, NodePair
from ..turn.state import Turn
from . import facts, limits, table, timeline, timeline_table, values
from .block import Block
from .first_difference import first_difference
from .guard import escaped
from .html import element, escape, serialize
from .parts import Memo, caption, section, span, status_symbol
from .style import inline_styles
from .words import Words, number, price, short

LETTERS = ("A", "B")
NOTHING = "\u2013"
"""Where a turn has no value."""


class _Shown(NamedTuple):
    """What is shown of two turns, in words."""

    turns: tuple[Turn, Turn]
    measures: list[list[str]]
    pairs: list[NodePair]
    more_pairs: str
    """Of how many steps are left out, or which turn tells none."""
    inputs: list[Difference]
    outputs: list[Difference]


def bundle(a: Turn, b: Turn, lang: Language | None = None) -> dict[str, str]:
    """All three forms by mime type."""
    words = Words(lang)
    pairs = comparing.node_pairs(a, b)
    more = words.omitted(len(pairs), limits.NODES, "comparison.nodes")
    silent = [letter for letter, turn in zip(LETTERS, (a, b), strict=True) if not turn.nodes]
    if pairs and silent:  # nothing to put side by side: it is not that the other alone ran them
        pairs, more = [], words("compare.no_steps", which=silent[0])
    shown = _Shown(
        (a, b),
        [_measure(row, (a, b), words) for row in comparing.measures(a, b) if _is_shown(row)],
        pairs[: limits.NODES],
        more,
        comparing.differences(comparing.inputs(a), comparing.inputs(b)),
        comparing.differences(comparing.outputs(a), comparing.outputs(b)),
    )
    return {
        "text/html": serialize(_block(shown, words), inline_styles),
        "text/markdown": _document(shown, words),
        "text/plain": _text(shown, words),
    }


# -- what all forms say ----------------------------------------------------------------------


def _is_shown(row: Measure) -> bool:
    """Whether a turn tells it; a price tells its currency itself."""
    return row.name != "currency" and not (row.a is None and row.b is None)


def _measure(row: Measure, turns: tuple[Turn, Turn], words: Words) -> list[str]:
    """Name, A, B, B - A."""
    cells = [measure_text(row.name, value, turn, words) for value, turn in zip((row.a, row.b), turns, strict=True)]
    return [words(f"compare.{row.name}"), *cells, _signed(row.name, row.delta)]


def measure_text(name: str, value: Any, turn: Turn, words: Words) -> str:
    """The value of a measure of `comparing` in words."""
    if value is None:
        return NOTHING
    if name == "status":
        return f"{facts.STATUS_SYMBOLS.get(turn.status, '?')} {facts.status_text(turn, words)}"
    if name == "total_price":
        return price(value, turn.usage.currency if turn.usage is not None else None)
    if isinstance(value, str):
        return one_line(value, 60)
    return f"{value:.2f}" if isinstance(value, float) else number(value)


def _signed(name: str, delta: float | None) -> str:
    if delta is None:
        return ""
    if name == "total_price":
        text = f"{delta:+.7f}".rstrip("0").rstrip(".")
    else:
        text = f"{delta:+.2f}" if name in ("seconds", "first_token") else f"{delta:+,.0f}"
    return text if text.strip("+-0.") else "0"  # no -0.00


def _about(turn: Turn) -> str:
    """Which turn it is: app and server, when, its run or message."""
    identity = turn.workflow_run_id or turn.message_id
    when = "" if turn.created_at is None else f"{turn.created_at:%Y-%m-%d %H:%M:%S %Z}".strip()
    parts = (*facts.app_and_server(turn), when, short(identity) if identity else "")
    return " \u00b7 ".join(part for part in parts if part)


_COLUMNS = 8


def _head(words: Words) -> list[str]:
    names = [words("col.step")]
    for key in ("seconds_of", "tokens_of"):
        names += [words(f"compare.{key}", which=which) for which in (*LETTERS, words("compare.delta"))]
    return [*names, words("compare.differs")]


def _steps(shown: _Shown, words: Words) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of steps, without columns of tokens where no step has any."""
    rows = [_pair(pair, words) for pair in shown.pairs]
    kept = [at for at in range(_COLUMNS) if not 4 <= at <= 6 or any(row[at] for row in rows)]
    head = _head(words)
    return [head[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _pair(pair: NodePair, words: Words) -> list[str]:
    """The cells of a step: its name, seconds and tokens of both with their deltas, what differs."""
    seconds = [None if node is None else comparing.seconds(node) for node in (pair.a, pair.b)]
    tokens = [None if node is None else node.total_tokens for node in (pair.a, pair.b)]
    return [
        _name(pair, words),
        *("" if value is None else f"{value:.2f}" for value in seconds),
        _signed("seconds", comparing.delta(*seconds)),
        *(number(value) if value else "" for value in tokens),
        _signed("tokens", comparing.delta(*tokens)) if any(tokens) else "",
        _differs(pair, words),
    ]


def _name(pair: NodePair, words: Words) -> str:
    name = timeline.name(pair.node, words)
    if pair.round is not None:
        name += f" \u00b7 {words('round', n=pair.round + 1)}"
    return name + (f" ({pair.run + 1})" if pair.run else "")


def _differs(pair: NodePair, words: Words) -> str:
    if pair.a is None or pair.b is None:
        return words(f"compare.only_{pair.only_in}")
    statuses = [words.known(f"status.{node.status}", node.status) for node in (pair.a, pair.b)]
    parts = [" / ".join(statuses)] if statuses[0] != statuses[1] else []
    parts += [words(f"compare.{field}_differ") for field in ("inputs", "outputs") if getattr(pair, f"{field}_differ")]
    return ", ".join(parts)


def _sides(found: Difference, key: str, shown: _Shown, words: Words) -> list[values.Shown | None]:
    """What the values of both are to a reader; None where a turn has none."""
    readings = [
        values.Reading(
            words,
            f"comparison.{key}",
            {facts.file_key(file): file for file in turn.files or ()},
            plain=key == "inputs",
        )
        for turn in shown.turns
    ]
    pairs = ((found.in_a, found.a), (found.in_b, found.b))
    return [
        reading.value(value) if there else None for reading, (there, value) in zip(readings, pairs, strict=True)
    ]


def _values(shown: _Shown, words: Words) -> list[tuple[str, Sequence[Difference], str]]:
    """Key, the first values that differ, and the sentence about the rest, or that there are none."""
    out: list[tuple[str, Sequence[Difference], str]] = []
    for key, found in (("inputs", shown.inputs), ("outputs", shown.outputs)):
        more = words.omitted(len(found), limits.DIFFERENCES, f"comparison.{key}")
        out.append((key, found[: limits.DIFFERENCES], more if found else words(f"compare.same_{key}")))
    return out


# -- html --------------------------------------------------------------------------------------


def _block(shown: _Shown, words: Words) -> Block:
    scale = max(timeline.scale(turn, 0.0) for turn in shown.turns)
    parts = []
    for letter, turn in zip(LETTERS, shown.turns, strict=True):
        line = status_symbol(turn.status) + " " + span("dn-title", letter) + span("dn-meta", f" \u00b7 {_about(turn)}")
        parts.append(Block(f"about-{letter}", "div", {"class": "dn-head"}, line))
    parts.append(table.block("facts", [words("compare.name"), *LETTERS, words("compare.delta")], shown.measures))
    for letter, turn in zip(LETTERS, shown.turns, strict=True):
        chart = timeline_table.blocks(turn, words, 0.0, Memo(), scale=scale, opened=True)
        if chart:
            label = f"{letter} \u00b7 {words('compare.scale', time=words.seconds(scale))}"
            parts.append(Block(f"name-{letter}", "div", {"class": "dn-field"}, escape(label)))
            parts.append(Block(f"timeline-{letter}", "div", {}, "", tuple(chart)))
    if shown.pairs or shown.more_pairs:
        head, rows = _steps(shown, words)
        for pair, row in zip(shown.pairs, rows, strict=True):
            row[0] = "\u2003" * min(pair.depth, limits.DEPTH) + row[0]
        body = [*([table.block("steps", head, rows, words_last=True)] if rows else []), *_note(shown.more_pairs)]
        parts.append(section("nodes", caption(words("compare.nodes")), body, opened=True))
    for key, found, note in _values(shown, words):
        body = _note(note)
        if found:
            body = [_value_table(found, key, shown, words), *body]
        line = caption(words(f"compare.{key}"), number(len(getattr(shown, key))))
        parts.append(section(key, line, body, opened=bool(found)))
    return Block("comparison", "div", {"class": "mathjax_ignore dn"}, "", tuple(parts))


def _value_table(found: Sequence[Difference], key: str, shown: _Shown, words: Words) -> Block:
    head = element("th", {"class": "dn-on", "scope": "col"}, escape(words("compare.name")))
    head += "".join(table.cell("th", "", letter) for letter in LETTERS)
    rows = []
    for index, one in enumerate(found):
        cells = [Block("name", "th", {"class": "dn-on", "scope": "row"}, escape(one_line(one.name, 80)))]
        for letter, value in zip(LETTERS, _sides(one, key, shown, words), strict=True):
            blocks = tuple(value.blocks()) if value is not None else tuple(_note(words("compare.absent")))
            cells.append(Block(letter, "td", {"class": "dn-ov"}, "", blocks))
        rows.append(Block(str(index), "tr", {"class": "dn-tr"}, "", tuple(cells)))
        if where := first_difference(one.place, words):
            note = element("div", {"class": "dn-note-cut"}, escape(where))
            line = element("td", {"class": "dn-on"}, "") + element("td", {"class": "dn-ov", "colspan": "2"}, note)
            rows.append(Block(f"{index}-first", "tr", {"class": "dn-tr"}, line))
    lines = Block("table", "table", {"class": "dn-outs"}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, head),)),
        Block("body", "tbody", {}, "", tuple(rows)),
    ))  # fmt: skip
    return Block("values", "div", {"class": "dn-scroll"}, "", (lines,))


def _note(text: str) -> list[Block]:
    return [Block("note", "div", {"class": "dn-note-cut"}, escape(text))] if text else []


# -- markdown and text ------------------------------------------------------------------------


def _document(shown: _Shown, words: Words) -> str:
    parts = [f"**{letter}** \u00b7 {escaped(_about(turn))}" for letter, turn in zip(LETTERS, shown.turns, strict=True)]
    parts.append(table.markdown([words("compare.name"), *LETTERS, words("compare.delta")], shown.measures))
    if shown.pairs or shown.more_pairs:
        parts.append(f"**{words('compare.nodes')}**")
        parts.append(table.markdown(*_steps(shown, words), words_last=True) if shown.pairs else "")
        parts.append(escaped(shown.more_pairs))
    for key, found, note in _values(shown, words):
        parts.append(f"**{words(f'compare.{key}')}**")
        for one in found:
            name = escaped(one_line(one.name, 80))
            for letter, value in zip(LETTERS, _sides(one, key, shown, words), strict=True):
                text = value.document() if value is not None else escaped(words("compare.absent"))
                beside = value is None or value.small
                parts.append(f"{name} ({letter}){words.colon}{text}" if beside else f"{name} ({letter})\n\n{text}")
            parts.append(escaped(first_difference(one.place, words)))
        parts.append(escaped(note))
    return "\n\n".join(part for part in parts if part) + "\n"


def _text(shown: _Shown, words: Words) -> str:
    blocks = [[f"{letter} \u00b7 {_about(turn)}" for letter, turn in zip(LETTERS, shown.turns, strict=True)]]
    blocks.append([_measure_line(cells, words) for cells in shown.measures])
    if shown.pairs or shown.more_pairs:
        lines = [words("compare.nodes")]
        for pair in shown.pairs:
            indent = "  " * (min(pair.depth, limits.DEPTH) + 1)
            lines.append(indent + _step_line(_pair(pair, words), words))
        blocks.append([*lines, *([f"  {shown.more_pairs}"] if shown.more_pairs else [])])
    for key, found, note in _values(shown, words):
        lines = [words(f"compare.{key}")]
        for one in found:
            lines.append(f"  {one_line(one.name, 80)}")
            for letter, value in zip(LETTERS, _sides(one, key, shown, words), strict=True):
                first, *others = value.lines() if value is not None else [words("compare.absent")]
                lines += [f"    {letter}{words.colon}{first}", *(f"       {line}" if line else "" for line in others)]
            if where := first_difference(one.place, words):
                lines.append(f"    {where}")
        blocks.append([*lines, *([f"  {note}"] if note else [])])
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _step_line(cells: Sequence[str], words: Words) -> str:
    """Search · 0.40 / 0.60 s (+0.20) · 5 / 9 tokens (+4) · inputs"""
    name, *numbers, differs = cells
    parts = [name]
    for key, (a, b, delta) in (("seconds", numbers[:3]), ("tokens", numbers[3:])):
        if a or b:
            both = words(key, n=f"{a or NOTHING} / {b or NOTHING}")
            parts.append(f"{both} ({delta})" if delta else both)
    return " \u00b7 ".join([*parts, differs] if differs else parts)


def _measure_line(cells: Sequence[str], words: Words) -> str:
    name, a, b, delta = cells
    return f"{name}{words.colon}{a} / {b}" + (f" ({delta})" if delta else "")
