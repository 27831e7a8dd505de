"""Charts of live runs and tapes: when each part of an answer ran, and how long nodes take over many runs."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...errors import InputError
from ...i18n import t
from ...turn.state import Node, Turn
from . import aggregate, style
from .messages import _data, _plot, _tooltip
from .plot import Plot, need_altair

MAX_ROWS = 60
"""Rows of a timeline at most; what comes after is counted in the subtitle."""
_NAME_LENGTH = 48
"""Signs of a name that are shown."""


def timeline(turn: Turn) -> Plot:
    """When each part of a turn ran; see `TurnPlots.timeline`.

    Raises:
        InputError: its times are not known, as for what comes from the history.
        ConfigError: the extra `plot` is not installed.
    """
    alt = need_altair()
    rows = _phases(turn) + _nodes(turn) + _thoughts(turn)
    if not rows:
        raise InputError(t("history.plot.no_times"), code="plot")
    left_out = max(0, len(rows) - MAX_ROWS)
    table = pd.DataFrame(rows[:MAX_ROWS])
    table.insert(0, "row", range(len(table)))
    total = max(*(row["finished"] for row in rows), (turn.timing.total or 0.0) if turn.timing else 0.0)
    described = t("history.plot.timeline_said", total=f"{total:.2f}", steps=len(rows))
    if left_out:
        described += " " + t("history.plot.left_out", count=left_out)
    # The label is found by the row's number, since two rows may have one name.
    names = {str(row): name for row, name in zip(table["row"], table["name"], strict=True)}
    label = f"{_js(names)}[datum.value]"
    y = alt.Y("row:O", title=None, axis=alt.Axis(labelExpr=label, labelLimit=300, domain=False, ticks=False))
    x = alt.X("started:Q", title=t("history.plot.seconds_axis"), scale=alt.Scale(domain=[0, total]))
    words = list(dict.fromkeys(table["status"]))
    phase = t("history.plot.phase")
    scale = alt.Scale(domain=words, range=style.colours(words, style.STATUS | {phase: style.GREY}))
    tooltip = [
        _tooltip("name", t("history.plot.step")),
        _tooltip("kind", t("history.plot.kind")),
        _tooltip("status", t("history.plot.status")),
        _tooltip("started", t("history.plot.started"), ".3f"),
        _tooltip("finished", t("history.plot.finished"), ".3f"),
        _tooltip("seconds", t("history.plot.lasted"), ".3f"),
    ]
    bars = alt.Chart(_data(table)).mark_bar(height=12, strokeWidth=1.5)
    colour = alt.Color("status:N", scale=scale, title=t("history.plot.status"))
    # The line round a bar keeps the shortest ones visible.
    line = alt.Stroke("status:N", scale=scale, title=t("history.plot.status"))
    encoded = bars.encode(y=y, x=x, x2="finished:Q", color=colour, stroke=line, tooltip=tooltip)
    chart = encoded.properties(width=style.WIDTH, height=alt.Step(20))
    return _plot(chart, table, t("history.plot.timeline"), described, described)


def nodes(nodes: pd.DataFrame, *, by: str | None = None) -> Plot:
    """How long each node takes over many runs: the middle half, the median, the slowest tenth.

    Args:
        nodes: as `frames.nodes(turns)` gives it, of one app.
        by: a column that tells groups of runs apart, to be compared: one of the table's, or one that you added.

    Raises:
        InputError: no node has a time, or there is no such column.
        ConfigError: the extra `plot` is not installed.
    """
    alt = need_altair()
    timed = nodes[nodes["elapsed"].notna()]
    if timed.empty:
        raise InputError(t("history.plot.no_nodes"), code="plot")
    if by is not None and by not in nodes.columns:
        raise InputError(t("history.plot.by", by=by, known=", ".join(nodes.columns)), code="plot")
    name = timed["title"].astype("string").where(timed["title"].astype("string") != "", timed["node_id"])
    group = (
        pd.Series("", index=timed.index, dtype="string")
        if by is None
        else aggregate.top_values(timed[by], 6, t("history.plot.other"))
    )
    rows = timed.assign(name=name.fillna("-").str.slice(0, _NAME_LENGTH), group=group)
    # Nodes stand in the order in which they usually run.
    order = rows.groupby("name")["position"].median().sort_values(kind="stable").index.tolist()
    table = aggregate.quantiles(rows.groupby(["name", "group"]), "elapsed").reset_index()
    runs = rows["workflow_run_id"].fillna(rows["message_id"]).nunique()
    fast = table["q90"].max() < 0.5
    if fast:
        exact = rows.assign(elapsed=rows["elapsed"] * 1000)
        table = aggregate.quantiles(exact.groupby(["name", "group"]), "elapsed").reset_index()
    table = table.rename(columns={"count": "runs"})
    table.insert(2, "unit", "ms" if fast else "s")
    slowest = table.loc[table["median"].idxmax()]
    described = t(
        "history.plot.nodes_said",
        runs=f"{runs:,}",
        nodes=len(order),
        slowest=slowest["name"],
        median=f"{slowest['median']:.3g} {slowest['unit']}",
    )
    axis = t("history.plot.node_axis_ms" if fast else "history.plot.node_axis")
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=300, domain=False, ticks=False))
    tooltip = [
        _tooltip("name", t("history.plot.node")),
        *([] if by is None else [_tooltip("group", by)]),
        _tooltip("median", t("history.plot.median"), ".3~f"),
        _tooltip("q25", t("history.plot.q25"), ".3~f"),
        _tooltip("q75", t("history.plot.q75"), ".3~f"),
        _tooltip("q90", t("history.plot.q90"), ".3~f"),
        _tooltip("runs", t("history.plot.node_runs"), ",d"),
    ]
    more: dict[str, Any] = {}
    if by is not None:
        words = [str(word) for word in pd.unique(group.sort_values())]
        scale = alt.Scale(domain=words, range=style.colours(words, {}))
        more = {"color": alt.Color("group:N", scale=scale, title=by), "yOffset": alt.YOffset("group:N", sort=words)}
    base = alt.Chart(_data(table)).encode(y=y, tooltip=tooltip, **more)
    plain = {} if by else {"color": style.BLUE}
    box = base.mark_bar(opacity=0.6, **plain).encode(x=alt.X("q25:Q", title=axis), x2="q75:Q")
    reach = base.mark_rule(strokeWidth=1.5, **plain).encode(x="q25:Q", x2="q90:Q")
    middle = base.mark_tick(thickness=3, **plain).encode(x="median:Q")
    groups = max(1, table["group"].nunique())
    chart = alt.layer(reach, box, middle).properties(width=style.WIDTH, height=26 * groups * len(order))
    return _plot(chart, table, t("history.plot.nodes"), described, described)


def _phases(turn: Turn) -> list[dict[str, Any]]:
    """Waiting, and then the text coming."""
    timing = turn.timing
    if timing is None or timing.total is None:
        return []
    first = timing.total if timing.first_token is None else timing.first_token
    phase = t("history.plot.phase")
    rows = [_row(t("history.plot.waiting"), phase, phase, 0.0, first)]
    if timing.first_token is not None:
        rows.append(_row(t("history.plot.answering"), phase, phase, first, timing.total))
    return rows


def _nodes(turn: Turn) -> list[dict[str, Any]]:
    depths: dict[str, int] = {}
    rows = []
    end = turn.timing.total if turn.timing else None
    for node in turn.nodes or ():
        depths[node.id] = depths.get(node.parent or "", -1) + 1
        finished = node.finished_at if node.finished_at is not None else end
        if node.started_at is None or finished is None:
            continue
        rows.append(
            _row(_indented(node, depths[node.id]), node.node_type or node.kind, node.status, node.started_at, finished)
        )
    return rows


def _thoughts(turn: Turn) -> list[dict[str, Any]]:
    kind = t("history.plot.tool")
    return [
        _row(thought.tool, kind, "succeeded", thought.started_at, thought.finished_at)
        for thought in turn.thoughts or ()
        if thought.tool and thought.started_at is not None and thought.finished_at is not None
    ]


def _indented(node: Node, depth: int) -> str:
    round = "" if node.round is None else f" {node.round + 1}"
    return "\u2003" * min(depth, 4) + (node.title or node.node_id or node.node_type) + round


def _row(name: str, kind: str, status: str, started: float, finished: float) -> dict[str, Any]:
    lasted = max(0.0, finished - started)
    shown = name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"
    return {
        "name": shown,
        "kind": kind,
        "status": status,
        "started": round(started, 4),
        "finished": round(started + lasted, 4),
        "seconds": round(lasted, 4),
    }


def _js(names: dict[str, str]) -> str:
    """A dict as an expression of Vega's, which reads JSON's objects and strings."""
    import json

    return json.dumps(names)
