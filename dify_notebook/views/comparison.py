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
from . import facts, limits, timeline, timeline_table
from .block import Block
from .guard import escaped, fenced
from .html import element, escape, serialize
from .parts import Memo, caption, section, span, status_symbol
from .style import inline_styles
from .words import Words, number, pretty, price, short, truncated

LETTERS = ("A", "B")
_NOTHING = "\u2013"
"""Where a turn has no value."""


class _Shown(NamedTuple):
    """What is shown of two turns, in words."""

    turns: tuple[Turn, Turn]
    measures: list[list[str]]
    pairs: list[NodePair]
    more_pairs: str
    inputs: list[Difference]
    outputs: list[Difference]


def bundle(a: Turn, b: Turn, lang: Language | None = None) -> dict[str, str]:
    """All three forms by mime type."""
    words = Words(lang)
    pairs = comparing.node_pairs(a, b)
    shown = _Shown(
        (a, b),
        [_measure(row, (a, b), words) for row in comparing.measures(a, b) if _is_shown(row)],
        pairs[: limits.NODES],
        words.omitted(len(pairs), limits.NODES, "comparison.nodes"),
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
    values = [_value(row.name, value, turn, words) for value, turn in zip((row.a, row.b), turns, strict=True)]
    return [words(f"compare.{row.name}"), *values, _signed(row.name, row.delta)]


def _value(name: str, value: Any, turn: Turn, words: Words) -> str:
    if value is None:
        return _NOTHING
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
        return f"{delta:+.7f}".rstrip("0").rstrip(".")
    return f"{delta:+.2f}" if name in ("seconds", "first_token") else f"{delta:+,.0f}"


def _about(turn: Turn) -> str:
    """Which turn it is: app and server, when, its run or message."""
    identity = turn.workflow_run_id or turn.message_id
    when = "" if turn.created_at is None else f"{turn.created_at:%Y-%m-%d %H:%M:%S %Z}".strip()
    return " \u00b7 ".join(text for text in (*facts.app_and_server(turn), when, short(identity) if identity else "") if text)


_COLUMNS = 8


def _head(words: Words) -> list[str]:
    names = [words("col.step")]
    for key in ("seconds_of", "tokens_of"):
        names += [words(f"compare.{key}", which=which) for which in (*LETTERS, words("compare.delta"))]
    return [*names, words("compare.differs")]


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
    parts += [words(f"compare.{field}_differ") for field in ("inputs", "outputs") if pair.differs(field)]
    return ", ".join(parts)


def _sides(found: Difference, words: Words) -> list[str]:
    """The values of both as text, cut where they are long."""
    texts = []
    for there, value in ((found.in_a, found.a), (found.in_b, found.b)):
        text, note = truncated(pretty(value), words) if there else (words("compare.absent"), "")
        texts.append(f"{text}\n({note})" if note else text)
    return texts


def _values(shown: _Shown, words: Words) -> list[tuple[str, Sequence[Difference], str]]:
    """Key, the first values that differ, and the sentence about the rest, or that there are none."""
    out = []
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
    parts.append(_table("facts", ["", *LETTERS, words("compare.delta")], shown.measures))
    for letter, turn in zip(LETTERS, shown.turns, strict=True):
        drawn = timeline_table.blocks(turn, words, 0.0, Memo(), scale=scale, opened=True)
        if drawn:
            parts.append(Block(f"name-{letter}", "div", {"class": "dn-field"}, escape(letter)))
            parts.append(Block(f"timeline-{letter}", "div", {}, "", tuple(drawn)))
    if shown.pairs:
        rows = [["\u2003" * min(pair.depth, limits.DEPTH) + cells[0], *cells[1:]]
                for pair, cells in ((pair, _pair(pair, words)) for pair in shown.pairs)]  # fmt: skip
        body = [_table("steps", _head(words), rows), *_note(shown.more_pairs)]
        parts.append(section("nodes", caption(words("compare.nodes")), body, opened=True))
    for key, found, note in _values(shown, words):
        body = _note(note)
        if found:
            body = [_value_table(found, words), *body]
        parts.append(section(key, caption(words(f"compare.{key}"), number(len(getattr(shown, key)))), body, opened=bool(found)))
    return Block("comparison", "div", {"class": "mathjax_ignore dn"}, "", tuple(parts))


def _table(key: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Block:
    """A table whose first column is text, and the others, but for a last one of words, numbers."""
    numbers = range(1, min(len(head), _COLUMNS - 1))
    names = ["dn-right" if column in numbers else "" for column in range(len(head))]
    top = "".join(_cell("th", name, text) for name, text in zip(names, head, strict=True))
    lines = tuple(
        Block(str(index), "tr", {"class": "dn-tr"}, "".join(_cell("td", *cell) for cell in zip(names, row, strict=True)))
        for index, row in enumerate(rows)
    )
    table = Block("table", "table", {"class": "dn-table"}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, top),)),
        Block("body", "tbody", {}, "", lines),
    ))  # fmt: skip
    return Block(key, "div", {"class": "dn-scroll"}, "", (table,))


def _cell(tag: str, name: str, text: str) -> str:
    return element(tag, {"class": f"dn-{tag} {name}".strip()}, escape(text))


def _value_table(found: Sequence[Difference], words: Words) -> Block:
    head = "".join(_cell("th", "", text) for text in (words("compare.name"), *LETTERS))
    rows = [Block("head", "tr", {"class": "dn-tr"}, head)]
    for index, one in enumerate(found):
        cells = _cell("td", "", one_line(one.name, 80))
        for text in _sides(one, words):
            cells += element("td", {"class": "dn-td"}, element("pre", {"class": "dn-val"}, escape(text)))
        rows.append(Block(str(index), "tr", {"class": "dn-tr"}, cells))
    body = Block("body", "tbody", {}, "", tuple(rows))
    return Block("values", "div", {"class": "dn-scroll"}, "", (Block("table", "table", {"class": "dn-table"}, "", (body,)),))


def _note(text: str) -> list[Block]:
    return [Block("note", "div", {"class": "dn-note-cut"}, escape(text))] if text else []


# -- markdown and text ------------------------------------------------------------------------


def _document(shown: _Shown, words: Words) -> str:
    parts = [f"**{letter}** \u00b7 {escaped(_about(turn))}" for letter, turn in zip(LETTERS, shown.turns, strict=True)]
    parts.append(_rows(["", *LETTERS, words("compare.delta")], shown.measures))
    if shown.pairs:
        rows = [_pair(pair, words) for pair in shown.pairs]
        parts.append(f"**{words('compare.nodes')}**\n\n{_rows(_head(words), rows)}")
        parts.append(escaped(shown.more_pairs))
    for key, found, note in _values(shown, words):
        parts.append(f"**{words(f'compare.{key}')}**")
        for one in found:
            sides = zip(LETTERS, _sides(one, words), strict=True)
            parts += [f"{escaped(one_line(one.name, 80))} ({letter})\n\n{fenced(text, 'text')}" for letter, text in sides]
        parts.append(escaped(note))
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("--:" for _ in head[1:])], *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(shown: _Shown, words: Words) -> str:
    blocks = [[f"{letter} \u00b7 {_about(turn)}" for letter, turn in zip(LETTERS, shown.turns, strict=True)]]
    blocks.append([_measure_line(*cells, words=words) for cells in shown.measures])
    if shown.pairs:
        lines = [words("compare.nodes")]
        for pair in shown.pairs:
            indent = "  " * (min(pair.depth, limits.DEPTH) + 1)
            lines.append(indent + _step_line(_pair(pair, words), words))
        blocks.append([*lines, *([f"  {shown.more_pairs}"] if shown.more_pairs else [])])
    for key, found, note in _values(shown, words):
        lines = [words(f"compare.{key}")]
        for one in found:
            lines.append(f"  {one_line(one.name, 80)}")
            lines += [f"    {letter}{words.colon}{one_line(text, 600)}" for letter, text in zip(LETTERS, _sides(one, words), strict=True)]
        blocks.append([*lines, *([f"  {note}"] if note else [])])
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _step_line(cells: Sequence[str], words: Words) -> str:
    """Search · 0.40 / 0.60 s (+0.20) · 5 / 9 tokens (+4) · inputs"""
    name, *numbers, differs = cells
    parts = [name]
    for key, (a, b, delta) in (("seconds", numbers[:3]), ("tokens", numbers[3:])):
        if a or b:
            both = words(key, n=f"{a or _NOTHING} / {b or _NOTHING}")
            parts.append(f"{both} ({delta})" if delta else both)
    return " \u00b7 ".join([*parts, differs] if differs else parts)


def _measure_line(name: str, a: str, b: str, delta: str, words: Words) -> str:
    return f"{name}{words.colon}{a} / {b}" + (f" ({delta})" if delta else "")
