"""The timeline of a run as a table of blocks: steps, bars on a scale of time, statuses, seconds, tokens."""

from __future__ import annotations

from ..error_bodies import readable
from ..printable import one_line
from ..turn.state import Node, Turn
from . import facts, limits, timeline
from .block import Block
from .html import element, escape
from .parts import COLOURS, Memo, caption, field, omitted_blocks, section, span, status_symbol
from .words import Words, is_empty


def blocks(
    turn: Turn, words: Words, now: float, memo: Memo, *, scale: float | None = None, opened: bool | None = None
) -> list[Block]:
    """The table of a turn's nodes, as something that folds; nothing where there are none.

    Args:
        now: seconds since the question was sent; matters while the turn runs.
        memo: keeps the rows that stand still; one for each turn that is shown.
        scale: seconds that the full width stands for; None for as many as the turn takes. Timelines that are compared
            get the largest `timeline.scale` among them.
        opened: whether it is open; None for what suits the turn.
    """
    if not turn.nodes:
        return []
    last = timeline.scale(turn, now)
    width = last if scale is None else scale
    grouped = timeline.groups(turn)
    head = "".join(
        element("th", {"class": f"dn-tlh {name}".strip()}, escape(words(label)))
        for name, label in (
            ("dn-c1", "col.step"),
            ("", "col.time"),
            ("dn-c3", "col.status"),
            ("dn-c4", "col.seconds"),
        )
    ) + element("th", {"class": "dn-tlh dn-c5"}, escape(words("col.tokens")))
    bodies = [
        Block(
            str(rows[0].position),
            "tbody",
            {},
            "",
            tuple(_row(row, turn, words, now, (width, last), memo) for row in rows),
        )
        for rows in grouped
    ]
    table = Block("table", "table", {"class": "dn-tl"}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tlr"}, head),)),
        *bodies,
    ))  # fmt: skip
    more = omitted_blocks(turn, words, "nodes")
    running = turn.status == "running"
    line = (status_symbol("running") + " " if running else "") + caption(
        words("workflow"), timeline.summary(turn, words)
    )
    if not running:
        line += element("span", {"class": "dn-mini", "aria-hidden": "true"}, "".join(
            element("span", {"class": _bar_class(status), "style": f"margin-left:{gap:g}%;width:{wide:g}%"})
            for status, gap, wide in timeline.overview(turn, now, width)
        ))  # fmt: skip
    if opened is None:  # of a workflow app it is what there is to see, but not a page of it above the outputs
        short = sum(map(len, grouped)) <= limits.OPEN_ROWS
        opened = running or (facts.is_run(turn) and short) or turn.status in ("failed", "partial_succeeded")
    return [section("nodes", line, (table, *more), opened=opened)]


def _bar_class(status: str) -> str:
    colour = COLOURS.get(status)
    return f"dn-bar dn-{colour}" if colour else "dn-bar"


def _row(row: timeline.Row, turn: Turn, words: Words, now: float, ends: tuple[float, float], memo: Memo) -> Block:
    node = row.node
    if node is None:
        cell = element(
            "td", {"class": "dn-tlc dn-quiet", "colspan": "5"}, escape(words.count("more_steps", row.hidden))
        )
        return Block(f"more{row.depth}-{row.hidden}", "tr", {"class": "dn-tlr"}, cell)
    status = timeline.node_status(node, turn)
    duration = timeline.duration(node, turn, words, now)
    bar = timeline.bar(node, turn, now, *ends)
    return memo.get(
        ("row", row.position),
        (node, row.depth, status, duration, bar),
        _node,
        row,
        node,
        status,
        duration,
        bar,
        words,
        memo,
    )


def _node(
    row: timeline.Row,
    node: Node,
    status: str,
    duration: str,
    extent: tuple[float, float] | None,
    words: Words,
    memo: Memo,
) -> Block:
    name = memo.get(("name", row.position), (node, row.depth), _name, row, node, words)
    word = words.known(f"status.{status}", status)
    bar: tuple[Block, ...] = ()
    if extent is not None:
        attrs = {
            "class": _bar_class(status),
            "style": f"margin-left:{extent[0]:g}%;width:{extent[1]:g}%",
        }
        label = words("bar", name=timeline.name(node, words), status=word, time=duration or words("no_time"))
        track = {
            "class": "dn-track",
            "role": "img",
            "aria-label": label,
            "title": f"{word} \u00b7 {duration}".strip(" \u00b7"),
        }
        bar = (Block("track", "div", track, "", (Block("bar", "div", attrs),)),)
    tokens = f"{node.total_tokens:,}" if node.total_tokens else ""
    cells = (
        name,
        Block("time", "td", {"class": "dn-tlc"}, "", bar),
        Block("status", "td", {"class": "dn-tlc"}, status_symbol(status) + " " + escape(word)),
        Block("seconds", "td", {"class": "dn-tln"}, escape(duration)),
        Block("tokens", "td", {"class": "dn-tln dn-tle"}, tokens),
    )
    return Block(str(row.position), "tr", {"class": "dn-tlr"}, "", cells)


def _name(row: timeline.Row, node: Node, words: Words) -> Block:
    title, kind = timeline.name(node, words), timeline.kind(node, words)
    quiet = [
        text
        for text in (kind if kind.lower() != title.lower() else "", *timeline.counters(node, words))
        if text
    ]
    arrow = "\u21b3 " if row.depth else ""
    line = (
        escape(arrow)
        + span("dn-name", title)
        + (span("dn-quiet", " " + " \u00b7 ".join(quiet)) if quiet else "")
    )
    attrs = {"class": "dn-tlc"} | ({"style": f"padding-left:{row.depth * 16}px"} if row.depth else {})
    body: list[Block] = []
    if node.error:
        body += field("error", words("error"), readable(node.error), words)
    for retry in node.retries[: limits.RETRIES]:
        error = one_line(retry.error or "", 300)
        text = words("retry", n=retry.index) + (f"{words.colon}{error}" if error else "")
        body.append(Block(f"retry{len(body)}", "div", {"class": "dn-quiet"}, escape(text)))
    if more := words.omitted(len(node.retries), limits.RETRIES, "turn.nodes"):
        body.append(Block("retries", "div", {"class": "dn-quiet"}, escape(more)))
    if not is_empty(node.inputs):
        body += field("inputs", words("inputs"), node.inputs, words)
    if not is_empty(node.outputs):
        body += field("outputs", words("outputs"), node.outputs, words)
    if not body:
        return Block("name", "td", attrs, line)
    parts = (
        Block("summary", "summary", {"class": "dn-ios"}, line),
        Block("body", "div", {"class": "dn-iob"}, "", tuple(body)),
    )
    return Block("name", "td", attrs, "", (Block("io", "details", {"class": "dn-io"}, "", parts),))
