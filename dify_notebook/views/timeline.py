"""The nodes of a run as rows on a scale of time."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from ..printable import one_line
from ..turn.state import Node, Turn
from . import limits
from .words import Words, number

_SCALES = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 3600)


class Row(NamedTuple):
    """One line of the timeline."""

    position: int
    """Index of the node in `Turn.nodes`; -1 for the line that counts what is left out."""
    depth: int
    node: Node | None
    hidden: int = 0


def groups(turn: Turn) -> list[list[Row]]:
    """The rows of the first nodes, each top-level node with all that ran inside it as one group."""
    nodes = (turn.nodes or ())[: limits.NODES]
    indexes = {node.id: index for index, node in enumerate(nodes)}
    parents = [indexes.get(node.parent) if node.parent is not None else None for node in nodes]
    circling = _in_cycles(parents)
    children: dict[str, list[int]] = {}
    top = []
    for index, node in enumerate(nodes):
        if node.parent is None or parents[index] is None or circling[index]:
            top.append(index)
        else:
            children.setdefault(node.parent, []).append(index)
    return [_rows_below(nodes, children, index, 0) for index in top]


def _in_cycles(parents: list[int | None]) -> list[bool]:
    """For each node, whether its chain of parents ends in a cycle."""
    known: dict[int | None, bool] = {None: False}
    for index in range(len(parents)):
        path: dict[int | None, None] = {}
        parent: int | None = index
        while parent is not None and parent not in known and parent not in path:
            path[parent] = None
            parent = parents[parent]
        known |= dict.fromkeys(path, known.get(parent, True))
    return [known[index] for index in range(len(parents))]


def _rows_below(nodes: tuple[Node, ...], children: dict[str, list[int]], index: int, depth: int) -> list[Row]:
    rows = [Row(index, depth, nodes[index])]
    inside = children.get(nodes[index].id, [])
    if depth >= limits.DEPTH:
        return rows + ([Row(-1, depth, None, len(inside))] if inside else [])
    first, rest = inside[: limits.CHILDREN], inside[limits.CHILDREN :]
    sought = [child for child in rest if nodes[child].status != "succeeded"][: limits.CHILDREN]
    for child in (*first, *sought):
        rows += _rows_below(nodes, children, child, depth + 1)
    if left_out := len(rest) - len(sought):
        rows.append(Row(-1, depth + 1, None, left_out))
    return rows


def scale(turn: Turn, now: float = 0.0) -> float:
    """Seconds that the full width stands for; while nodes run it grows in steps, and bars rest in between."""
    ends = [node.finished_at for node in turn.nodes or () if node.finished_at is not None]
    latest = max(ends, default=0.0)
    if turn.status != "running":
        starts = [node.started_at for node in turn.nodes or () if node.started_at is not None]
        return max(latest, *starts, 0.001) if starts else max(latest, 0.001)
    latest = max(latest, now)
    index = bisect_left(_SCALES, latest)
    return float(_SCALES[index]) if index < len(_SCALES) else latest


def bar(node: Node, turn: Turn, now: float, width: float, last: float) -> tuple[float, float] | None:
    """Where the bar of a node begins and how wide it is, in per cent; None where nobody measured.

    Args:
        width: seconds that 100 per cent are.
        last: seconds after which nothing of the turn was seen; there ends the bar of a node whose end was not told.
    """
    if node.started_at is None:
        return None
    end = node.finished_at
    if end is None:
        # In steps of a quarter of a second: often enough to see it move, cheap enough to send.
        end = int(now * 4) / 4 if turn.status == "running" else last
    # The shortest bar is 3 px wide, and stays on its track.
    left = min(98.5, max(0.0, node.started_at / width * 100))
    wide = min(100.0 - left, max(0.0, (end - node.started_at) / width * 100))
    return round(left, 2), round(wide, 2)


def overview(turn: Turn, now: float, width: float) -> list[tuple[str, float, float]]:
    """Status, gap and width (per cent) of the top-level nodes, one behind the other on a scale of `width` seconds."""
    out = []
    position, last = 0.0, scale(turn, now)
    for group in groups(turn):
        node = group[0].node
        extent = bar(node, turn, now, width, last) if node is not None else None
        if node is None or extent is None:
            continue
        left, end = max(position, extent[0]), extent[0] + extent[1]
        if end > left:
            out.append((node_status(node, turn), round(left - position, 2), round(end - left, 2)))
            position = end
    return out


def node_status(node: Node, turn: Turn) -> str:
    """The status to show: a node that still runs in a turn that ended never reported its end."""
    if node.status == "running" and turn.status != "running":
        return "stopped" if turn.status == "stopped" else "unfinished"
    return node.status


def duration(node: Node, turn: Turn, words: Words, now: float) -> str:
    """Seconds of a node: as reported, else as measured here, else counting."""
    if node.elapsed is not None:
        return words.seconds(node.elapsed)
    if node.started_at is None:
        return ""
    if node.finished_at is not None:
        return words.seconds(node.finished_at - node.started_at)
    return words.count_up(now - node.started_at) if turn.status == "running" else ""


def name(node: Node, words: Words) -> str:
    """The title that the app's maker gave, else the kind."""
    return one_line(node.title, 80) or kind(node, words) or words("node")


def kind(node: Node, words: Words) -> str:
    """What kind of node it is."""
    raw = node.node_type or ("" if node.kind == "node" else node.kind)
    return words.known(f"node.{raw}", raw) if raw else ""


def counters(node: Node, words: Words) -> list[str]:
    """Rounds and retries of a node, in words."""
    out = []
    if node.rounds:
        done = len(node.rounds)
        out.append(
            words("rounds_of", n=done, all=node.length) if node.length else words.count("rounds", done)
        )
    elif node.length:
        out.append(words.count("rounds", node.length))
    if node.round is not None:
        out.append(words("round", n=node.round + 1))
    if node.retries:
        out.append(words.count("retries", len(node.retries)))
    return out


def summary(turn: Turn, words: Words) -> str:
    """How many steps, how long, how many tokens."""
    nodes = turn.nodes or ()
    parts = [words.count("steps", len(nodes))]
    flow = turn.workflow
    if turn.status != "running" and flow is not None and flow.elapsed is not None:
        parts.append(words.seconds(flow.elapsed))
    tokens = flow.total_tokens if flow is not None else None
    if tokens is None:
        tokens = sum(node.total_tokens or 0 for node in nodes if node.parent is None)
    if tokens:
        parts.append(words("tokens", n=number(tokens)))
    return " \u00b7 ".join(parts)
