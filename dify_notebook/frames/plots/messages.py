"""Charts of messages over time: how many, how many tokens, at what cost, how fast, how liked; of runs; of tools."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from ...errors import InputError
from ...i18n import t
from . import aggregate, style
from .plot import Plot, need_altair

MAX_GROUPS = 6
"""Groups of a stacked chart: as many as there are colours."""
MAX_TOOLS = 20


def activity(
    messages: pd.DataFrame, every: aggregate.Every | None = None, *, by: str | None = "status", zone: str = "UTC"
) -> Plot:
    """Messages in each period, as bars; see `HistoryPlots.activity`."""
    return _activity(aggregate.with_time(messages), every, by, zone, "activity", t("history.plot.messages"))


def runs(
    runs: pd.DataFrame,
    every: aggregate.Every | None = None,
    *,
    by: str | None = "status",
    seconds: bool = False,
    zone: str = "UTC",
) -> Plot:
    """Runs of a workflow app in each period, or how long they took; see `HistoryPlots.runs`."""
    rows = aggregate.with_time(runs, "history.plot.no_runs")
    if seconds:
        return _latency(rows, "elapsed", every, zone, "run_seconds", t("history.plot.run_count"))
    return _activity(rows, every, by, zone, "runs", t("history.plot.run_count"))


def _activity(
    rows: pd.DataFrame, every: aggregate.Every | None, by: str | None, zone: str, key: str, counted: str
) -> Plot:
    """How many rows there are in each period; `counted` is what they are."""
    period, every = aggregate.periods(rows["created_at"], every, zone)
    group = pd.Series("", index=rows.index, dtype="string") if by is None else _group(rows, by)
    counts = pd.DataFrame({"period": period, "group": group}).value_counts().rename("count").reset_index()
    table = _by_period(counts, every)
    described = t(f"history.plot.{key}_said", count=f"{len(rows):,}", **_date_range(rows, zone))
    words = _legend_order(group, rows[by] if by else None)
    colours = {t("history.plot.other"): style.OTHERS, t("history.plot.none"): style.NOTHING}
    colours |= style.STATUS | style.RATING if by in ("status", "rating") else {}
    chart = _bars(table, "count", counted, ",d", "group", words, colours, zone, every, _label(by))
    return _plot(chart, table, t(f"history.plot.{key}"), described, described)


def tokens(messages: pd.DataFrame, every: aggregate.Every | None = None, *, zone: str = "UTC") -> Plot:
    """Tokens of prompts and answers in each period, as stacked bars; see `HistoryPlots.tokens`."""
    rows = _with_values(aggregate.with_time(messages), ["prompt_tokens", "completion_tokens"], "tokens")
    period, every = aggregate.periods(rows["created_at"], every, zone)
    names = {"prompt_tokens": t("history.plot.prompt"), "completion_tokens": t("history.plot.completion")}
    totals = rows[list(names)].astype("Float64").groupby(period).sum()
    long = totals.rename(columns=names).rename_axis("period").reset_index()
    long = long.melt(id_vars="period", var_name="group", value_name="tokens").sort_values("period", kind="stable")
    table = _by_period(long, every)
    total = f"{int(table['tokens'].sum()):,}"
    described = t("history.plot.tokens_said", total=total, **_counts(rows, messages), **_date_range(rows, zone))
    words = list(names.values())
    chart = _bars(table, "tokens", t("history.plot.tokens_axis"), "~s", "group", words, {}, zone, every, "")
    return _plot(chart, table, t("history.plot.tokens"), described, described)


def cost(messages: pd.DataFrame, every: aggregate.Every | None = None, *, zone: str = "UTC") -> Plot:
    """What the messages of each period cost, each currency in a chart of its own; see `HistoryPlots.cost`."""
    alt = need_altair()
    rows = _with_values(aggregate.with_time(messages), ["total_price"], "prices")
    period, every = aggregate.periods(rows["created_at"], every, zone)
    currency = rows["currency"].astype("string").fillna(t("history.plot.no_currency"))
    sums = rows["total_price"].groupby([period.rename("period"), currency.rename("currency")]).sum()
    table = _by_period(sums.rename("cost").reset_index(), every)
    totals = table.groupby("currency")["cost"].sum()
    listing = "; ".join(f"{_money(total)} {name}" for name, total in totals.items())
    described = t("history.plot.cost_said", totals=listing, **_counts(rows, messages), **_date_range(rows, zone))
    charts = [
        _bars(
            table[table["currency"] == name], "cost", t("history.plot.cost_axis", currency=name), "~g", None, [], {},
            zone, every, "", aggregate.axis_domain(table),
        )
        for name in totals.index
    ]  # fmt: skip
    chart = charts[0] if len(charts) == 1 else alt.vconcat(*charts)
    return _plot(chart, table, t("history.plot.cost"), described, described)


def latency(messages: pd.DataFrame, every: aggregate.Every | None = None, *, zone: str = "UTC") -> Plot:
    """How long answers took in each period: median, the middle half, the slowest tenth; see `HistoryPlots.latency`."""
    return _latency(aggregate.with_time(messages), "latency", every, zone, "latency", t("history.plot.messages"))


def _latency(
    timed: pd.DataFrame, column: str, every: aggregate.Every | None, zone: str, key: str, counted: str
) -> Plot:
    """How long what a column measures took in each period; `counted` is what the rows are."""
    alt = need_altair()
    # What was stopped is stored with zero: nothing was measured.
    rows = _with_values(timed.assign(**{column: timed[column].where(timed[column] > 0)}), [column], key)
    period, every = aggregate.periods(rows["created_at"], every, zone)
    wide = aggregate.quantiles(rows.groupby(period.rename("period")), column).reset_index()
    table = _by_period(wide, every)
    median = f"{rows[column].median():.1f}"
    slow = f"{rows[column].quantile(0.9):.1f}"
    described = t(
        f"history.plot.{key}_said", median=median, slow=slow, **_counts(rows, timed), **_date_range(rows, zone)
    )
    data = _data(table)
    x = _x(zone, every)
    names = {"median": t("history.plot.median"), "q90": t("history.plot.q90")}
    tooltip = [
        _tooltip("period", t(f"history.plot.{every}")),
        *(_tooltip(name, label, ".2f") for name, label in names.items()),
        _tooltip("q25", t("history.plot.q25"), ".2f"),
        _tooltip("q75", t("history.plot.q75"), ".2f"),
        _tooltip("count", counted, ",d"),
    ]
    zero = alt.Scale(zero=True)
    y = alt.Y("q25:Q", title=t(f"history.plot.{key}_axis"), axis=alt.Axis(format="~g"), scale=zero)
    colour = alt.Scale(domain=list(names.values()), range=[style.BLUE, style.ORANGE])
    band = alt.Chart(data).mark_area(color=style.SKY, opacity=0.3).encode(x=x, y=y, y2="q75:Q", tooltip=tooltip)
    folded = alt.Chart(data).transform_fold(list(names), as_=["which", "seconds"])
    said_of = f"datum.which == 'median' ? {json.dumps(names['median'])} : {json.dumps(names['q90'])}"
    legend = alt.Legend(symbolType="stroke", symbolSize=300, symbolStrokeWidth=2)
    # Dashes tell the lines apart where colours do not.
    dash = alt.StrokeDash(
        "line:N", scale=alt.Scale(domain=list(names.values()), range=[[1, 0], [5, 3]]), title=None, legend=legend
    )
    lines = folded.transform_calculate(line=said_of).mark_line(point={"filled": True, "size": 26})
    lines = lines.encode(
        x=x,
        y=alt.Y("seconds:Q", scale=zero),
        color=alt.Color("line:N", scale=colour, title=None, legend=legend),
        strokeDash=dash,
        tooltip=tooltip,
    )
    chart = alt.layer(band, lines).properties(width=style.WIDTH, height=style.HEIGHT)
    return _plot(chart, table, t(f"history.plot.{key}"), described, described)


def ratings(
    messages: pd.DataFrame, every: aggregate.Every | None = None, *, share: bool = False, zone: str = "UTC"
) -> Plot:
    """Likes and dislikes in each period; see `HistoryPlots.ratings`."""
    rows = _with_values(aggregate.with_time(messages), ["rating"], "ratings")
    period, every = aggregate.periods(rows["created_at"], every, zone)
    words = {"like": t("history.plot.like"), "dislike": t("history.plot.dislike")}
    rating = rows["rating"].astype("string")
    group = rating.map(lambda word: words.get(word, word))
    counts = pd.DataFrame({"period": period, "group": group}).value_counts().rename("count").reset_index()
    all_of = counts.groupby("period")["count"].transform("sum")
    table = _by_period(counts.assign(share=(counts["count"] / all_of).round(4)), every)
    disliked = f"{(rating == 'dislike').mean():.0%}"
    described = t("history.plot.ratings_said", disliked=disliked, **_counts(rows, messages), **_date_range(rows, zone))
    colours = {label: style.RATING[word] for word, label in words.items()}
    order = [word for word in words.values() if word in set(group)] + sorted(set(group) - set(words.values()))
    column, axis, form = (
        ("share", "history.plot.share_axis", "%") if share else ("count", "history.plot.ratings_axis", ",d")
    )
    chart = _bars(table, column, t(axis), form, "group", order, colours, zone, every, t("history.plot.rating"))
    return _plot(chart, table, t("history.plot.ratings"), described, described)


def tools(thoughts: pd.DataFrame, *, most: int = MAX_TOOLS) -> Plot:
    """How often each tool was called; see `HistoryPlots.tools`."""
    alt = need_altair()
    called = thoughts[thoughts["tool"].notna()]
    if called.empty:
        raise InputError(t("history.plot.no_tools"), code="plot")
    other = t("history.plot.other")
    name = aggregate.top_values(called["tool"], most, other)
    counts = pd.DataFrame({"tool": name, "message_id": called["message_id"]})
    table = counts.groupby("tool").agg(calls=("tool", "size"), messages=("message_id", "nunique")).reset_index()
    table = table.sort_values(["calls", "tool"], ascending=[False, True], ignore_index=True)
    table = pd.concat([table[table["tool"] != other], table[table["tool"] == other]], ignore_index=True)
    described = t("history.plot.tools_said", calls=f"{len(called):,}", tools=called["tool"].nunique())
    y = alt.Y(
        "tool:N", sort=table["tool"].tolist(), title=None, axis=alt.Axis(labelLimit=260, domain=False, ticks=False)
    )
    x = alt.X("calls:Q", title=t("history.plot.calls"), axis=alt.Axis(format=",d", **_integer_ticks(table["calls"])))
    tooltip = [
        _tooltip("tool", t("history.plot.tool")),
        _tooltip("calls", t("history.plot.calls"), ",d"),
        _tooltip("messages", t("history.plot.messages"), ",d"),
    ]
    base = alt.Chart(_data(table)).encode(y=y, x=x, tooltip=tooltip)
    text = base.mark_text(align="left", dx=4, color=style.TEXT, fontSize=11).encode(
        text=alt.Text("calls:Q", format=",d")
    )
    chart = alt.layer(base.mark_bar(color=style.BLUE), text).properties(width=style.WIDTH, height=alt.Step(22))
    return _plot(chart, table, t("history.plot.tools"), described, described)


# -- parts of a chart ----------------------------------------------------------------------


def _bars(
    table: pd.DataFrame, value: str, axis: str, form: str, group: str | None, words: list[str], colours: dict[str, str],
    zone: str, every: str, legend: str, domain: list[int] | None = None,
) -> Any:  # fmt: skip
    """Bars on a time axis, stacked by a group where there is one; `domain` is for several charts of one time."""
    alt = need_altair()
    tip = [_tooltip("period", t(f"history.plot.{every}")), _tooltip(value, axis, form)]
    more: dict[str, Any] = {}
    table = table.assign(top=table[value])
    if group is not None and words and words != [""]:
        scale = alt.Scale(domain=words, range=style.colours(words, colours))
        more["color"] = alt.Color(f"{group}:N", scale=scale, title=legend or None)
        tip.insert(1, _tooltip(group, legend or t("history.plot.kind")))
        order = table[group].map({word: index for index, word in enumerate(words)})
        table = table.assign(order=order).sort_values(["start", "order"], ignore_index=True).drop(columns="order")
        table["top"] = table.groupby("start")[value].cumsum()
    table = table.assign(base=table["top"] - table[value])
    ticks = _integer_ticks(table["top"]) if form == ",d" else {}
    y = alt.Y("base:Q", title=axis, axis=alt.Axis(format=form, **ticks))
    mark = alt.Chart(_data(table)).mark_rect(color=style.BLUE)
    x = _x(zone, every, domain or aggregate.axis_domain(table))
    encoded = mark.encode(x=x, x2="end:T", y=y, y2="top:Q", tooltip=tip, **more)
    return encoded.properties(width=style.WIDTH, height=style.HEIGHT)


_MAX_TICKS = 6
"""Up to this count, each integer has a tick."""
_AXIS_FORMAT = {"hour": "%m-%d %H:%M", "day": "%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


def _integer_ticks(counts: pd.Series) -> dict[str, Any]:
    """Ticks for counts: of few things, one between two whole numbers would be rounded to one of them."""
    maximum = int(counts.max())
    return {"values": list(range(maximum + 1))} if maximum < _MAX_TICKS else {}


def _x(zone: str, every: str, domain: list[int] | None = None) -> Any:
    alt = need_altair()
    title = t("history.plot.time_axis", every=t(f"history.plot.{every}"), zone=zone)
    axis = alt.Axis(format=_AXIS_FORMAT[every], labelOverlap="greedy", labelFlush=True, grid=False, tickCount=8)
    scale = alt.Scale(type="utc", **({} if domain is None else {"domain": domain}))
    return alt.X("start:T", scale=scale, title=title, axis=axis)


def _tooltip(field: str, title: str, form: str | None = None) -> Any:
    alt = need_altair()
    kind = "N" if form is None else "Q"
    return alt.Tooltip(f"{field}:{kind}", title=title, **({} if form is None else {"format": form}))


def _data(table: pd.DataFrame) -> Any:
    alt = need_altair()
    records = [
        {str(name): None if value is None or value != value else value for name, value in row.items()}
        for row in aggregate.to_json_values(table).to_dict("records")
    ]
    return alt.InlineData(values=records)


def _plot(chart: Any, table: pd.DataFrame, title: str, subtitle: str, described: str) -> Plot:
    alt = need_altair()
    head = alt.TitleParams(title, subtitle=subtitle)
    return Plot(chart.properties(title=head).configure(**style.config()), table, title, f"{title}: {described}")


# -- what it is about ------------------------------------------------------------------------


def _by_period(table: pd.DataFrame, every: str) -> pd.DataFrame:
    """A table with a column `period`, in order, with the text of the period and its position on the axis."""
    table = table.sort_values("period", kind="stable", ignore_index=True)
    forms = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
    if every == "week":
        first, last = table["period"].dt.start_time, table["period"].dt.end_time
        text = first.dt.strftime("%Y-%m-%d") + " – " + last.dt.strftime("%m-%d")
    else:
        text = table["period"].dt.strftime(forms[every])
    return table.assign(period=text, **aggregate.time_axis(table["period"]))


def _with_values(messages: pd.DataFrame, columns: list[str], what: str) -> pd.DataFrame:
    """The rows in which one of the columns has a value.

    Raises:
        InputError: there are none.
    """
    rows = messages[messages[columns].notna().any(axis=1)]
    if rows.empty:
        raise InputError(t(f"history.plot.no_{what}"), code="plot")
    return rows


def _group(messages: pd.DataFrame, by: str) -> pd.Series:
    if by not in messages.columns:
        known = ", ".join(messages.columns)
        raise InputError(t("history.plot.by", by=by, known=known), code="plot")
    return aggregate.top_values(messages[by], MAX_GROUPS, t("history.plot.other"))


def _legend_order(group: pd.Series, source: pd.Series | None) -> list[str]:
    """The words of a group: a category's in its own order, others by how often they are there; no value last."""
    rest = (t("history.plot.other"), t("history.plot.none"))
    last = [word for word in rest if (group == word).any()]
    group = group[~group.isin(rest)]
    present = set(group)
    if source is not None and isinstance(source.dtype, pd.CategoricalDtype):
        first = [str(word) for word in source.cat.categories if str(word) in present]
        return [*first, *sorted(present - set(first)), *last]
    return [*(str(word) for word in group.value_counts().index), *last]


def _label(by: str | None) -> str:
    return by or ""


def _date_range(messages: pd.DataFrame, zone: str) -> dict[str, str]:
    times = messages["created_at"].dt.tz_convert(zone)
    return {"first": f"{times.min():%Y-%m-%d}", "last": f"{times.max():%Y-%m-%d}"}


def _counts(rows: pd.DataFrame, messages: pd.DataFrame) -> dict[str, str]:
    return {"known": f"{len(rows):,}", "count": f"{len(messages):,}"}


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 10 else f"{amount:.4g}"
