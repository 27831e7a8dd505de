"""Charts: right sums, few bytes, no network, readable by everyone, and honest about what is not there."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, cast, get_args

import altair
import numpy as np
import pandas as pd
import pytest
import vl_convert
from PIL import Image
from support.raw_server import serving

from dify_notebook import History, Turn, frames
from dify_notebook.errors import ConfigError, DifyError, InputError
from dify_notebook.frames.plots import Plot, aggregate, messages, style
from dify_notebook.frames.plots.png import transparent
from dify_notebook.i18n import set_language
from dify_notebook.turn.state import Node, Thought, Timing
from dify_notebook.wire.kinds import RunStatus

MIME = "application/vnd.vegalite.v5+json"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def history(count: int = 400, *, usage: bool = True, currencies: tuple[str, ...] = ("USD",)) -> History:
    """One message an hour; every tenth is an error, every fourth is rated, every third of those disliked."""
    numbers = range(count)
    table: dict[str, Any] = {
        "message_id": [f"m{n}" for n in numbers],
        "conversation_id": [f"c{n // 3}" for n in numbers],
        "user": [f"user-{n % 9}" for n in numbers],
        "created_at": [START + timedelta(hours=n) for n in numbers],
        "status": ["error" if n % 10 == 9 else "normal" for n in numbers],
        "rating": [None if n % 4 else "dislike" if n % 12 == 0 else "like" for n in numbers],
        "query": ["q"] * count,
        "answer": ["a"] * count,
    }
    if usage:
        table |= {
            "prompt_tokens": [10] * count,
            "completion_tokens": [n % 5 for n in numbers],
            "total_price": [0.5] * count,
            "currency": [currencies[n % len(currencies)] for n in numbers],
            "latency": [0.0 if n % 50 == 0 else 1 + n % 4 for n in numbers],
        }
    thoughts = {
        "thought_id": [f"t{n}" for n in range(40)],
        "call": [0] * 40,
        "message_id": [f"m{n // 2}" for n in range(40)],
        "tool": [None if n % 4 == 3 else f"tool {n % 3}" for n in range(40)],
    }
    runs = {
        "workflow_run_id": [f"r{n}" for n in numbers],
        "created_at": table["created_at"],
        "status": [get_args(RunStatus)[(1, 2, 4, 0)[0 if n % 10 else n // 10 % 4]] for n in numbers],
        "elapsed": [0.0 if n % 40 == 30 else 1 + n % 4 for n in numbers],
    }
    return History({name: pd.DataFrame(rows) for name, rows in (("messages", table), ("thoughts", thoughts), ("workflow_runs", runs))})


def all_plots(of: History) -> dict[str, Plot]:
    plot = of.plot
    return {
        "activity": plot.activity(),
        "tokens": plot.tokens(),
        "cost": plot.cost(),
        "latency": plot.latency(),
        "ratings": plot.ratings(),
        "tools": plot.tools(),
        "runs": plot.runs(),
        "run_seconds": plot.runs(seconds=True),
    }


def turn(**more: Any) -> Turn:
    nodes = (
        Node(id="r1", node_id="start", title="Start", node_type="start", status="succeeded", started_at=0.1, finished_at=0.1, elapsed=0.001),
        Node(id="box", node_id="box", title="Each", kind="iteration", node_type="iteration", status="succeeded", started_at=0.2, finished_at=1.2, elapsed=0.9),
        Node(id="r2", node_id="llm", title="Model", node_type="llm", status="failed", parent="box", round=1, started_at=0.3, finished_at=1.1, elapsed=0.8),
        Node(id="r3", node_id="end", title="Never ended", node_type="answer", started_at=1.3),
    )  # fmt: skip
    values: dict[str, Any] = {
        "message_id": "m", "status": "failed", "timing": Timing(opened=0.1, first_event=0.1, first_token=0.5, total=2.0),
        "nodes": nodes,
    }  # fmt: skip
    return Turn(**(values | more))


# -- sums --------------------------------------------------------------------------------


def test_nothing_is_lost_in_the_sums() -> None:
    found = all_plots(history())
    assert found["activity"].data["count"].sum() == 400
    tokens = found["tokens"].data.groupby("group")["tokens"].sum().to_dict()
    assert tokens == {"prompt": 4000, "answer": 800}
    assert found["cost"].data["cost"].sum() == pytest.approx(200)
    assert found["latency"].data["count"].sum() == 392, "a latency of zero was not measured"
    runs = found["runs"].data.groupby("group")["count"].sum().to_dict()
    assert runs == {"succeeded": 370, "failed": 10, "partial-succeeded": 10, "running": 10}
    assert found["run_seconds"].data["count"].sum() == 390, "what still runs was not measured"
    ratings = found["ratings"].data.groupby("group")["count"].sum().to_dict()
    assert ratings == {"like": 66, "dislike": 34}
    assert found["tools"].data.set_index("tool")["calls"].to_dict() == {"tool 0": 10, "tool 1": 10, "tool 2": 10}


def test_shares_of_ratings_are_of_their_own_period() -> None:
    table = history().plot.ratings("week", share=True).data
    assert table.groupby("period")["share"].sum().round(3).eq(1).all()


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "2026-03-02"), ("Asia/Shanghai", "2026-03-03"), ("America/New_York", "2026-03-02")]
)
def test_days_are_those_of_the_zone(zone: str, day: str) -> None:
    late = pd.DataFrame({"message_id": ["m"], "created_at": [datetime(2026, 3, 2, 23, 30, tzinfo=UTC)], "query": ["q"]})
    plot = History({"messages": late}).plot.activity("day", zone=zone)
    assert plot.data["period"].tolist() == [day]
    assert plot.data["start"].tolist() == [f"{day}T00:00:00Z"]
    assert zone in json.dumps(plot.spec)


def test_an_hour_that_the_clock_repeats_is_no_trouble() -> None:
    """In October an hour comes twice; pandas refuses to make periods of ambiguous times."""
    times = [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]
    table = pd.DataFrame({"message_id": ["a", "b"], "created_at": times, "query": ["q", "q"]})
    plot = History({"messages": table}).plot.activity("hour", by=None, zone="Europe/Berlin")
    assert plot.data["count"].tolist() == [2]


@pytest.mark.parametrize(("days", "every"), [(1, "hour"), (30, "day"), (200, "week"), (1200, "month")])
def test_periods_fit_the_span(days: int, every: str) -> None:
    times = pd.Series(pd.to_datetime([START, START + timedelta(days=days)], utc=True))
    assert aggregate.periods(times, None, "UTC")[1] == every


def test_currencies_are_never_added() -> None:
    plot = history(currencies=("USD", "CNY")).plot.cost()
    assert plot.data.groupby("currency")["cost"].sum().to_dict() == {"CNY": 100.0, "USD": 100.0}
    charts = plot.spec["vconcat"]
    assert [chart["encoding"]["y"]["title"] for chart in charts] == ["Cost (CNY)", "Cost (USD)"]
    for chart, name in zip(charts, ("CNY", "USD"), strict=True):
        assert {value["currency"] for value in plot.spec["datasets"][chart["data"]["name"]]} == {name}
    assert "100.00 CNY; 100.00 USD" in plot.description


def test_what_is_rare_is_put_together() -> None:
    words = history().plot.activity(by="user").data["group"].unique()
    assert len(words) == messages.MAX_GROUPS
    assert "others" in words
    many = pd.DataFrame({"thought_id": "t", "call": 0, "message_id": "m", "tool": [f"tool {n}" for n in range(50)]})
    tools = History({"thoughts": many}).plot.tools(most=5).data
    assert tools["tool"].tolist()[-1] == "others"
    assert tools["calls"].sum() == 50
    assert len(tools) == 5


def test_what_has_no_value_comes_last_and_is_grey() -> None:
    chart = history().plot.activity(by="rating")
    colour = chart.spec["encoding"]["color"]["scale"]
    assert colour["domain"] == ["like", "dislike", "(none)"]
    assert colour["range"] == [style.BLUE, style.ORANGE, style.NOTHING]
    users = history().plot.activity(by="user").spec["encoding"]["color"]["scale"]
    assert users["domain"][-1] == "others"
    assert users["range"][-1] == style.OTHERS


@pytest.mark.parametrize("count", [1, 3, 5, 40])
def test_few_messages_have_ticks_at_whole_numbers_and_no_wall_of_a_bar(count: int) -> None:
    plot = History({"messages": history().messages.head(count)}).plot.activity("year", by=None)
    axis = plot.spec["encoding"]["y"]["axis"]
    assert axis.get("values") == (list(range(count + 1)) if count < 6 else None)
    first, last = plot.spec["encoding"]["x"]["scale"]["domain"]
    (start,) = pd.to_datetime(plot.data["start"])
    assert first < start.timestamp() * 1000 < last
    assert last - first > 4 * 365 * 86_400_000
    # Those ticks are drawn.
    drawn = re.findall(r">(\d)</text>", plot.svg())
    assert count >= 6 or [int(tick) for tick in drawn[-count - 1 :]] == list(range(count + 1))


def test_few_calls_have_ticks_at_whole_numbers() -> None:
    called = pd.DataFrame({"thought_id": ["t"], "call": 0, "message_id": ["m"], "tool": ["calculator"]})
    chart = History({"thoughts": called}).plot.tools()
    axis = chart.spec["layer"][0]["encoding"]["x"]["axis"]
    assert axis["values"] == [0, 1]


def test_charts_of_several_currencies_have_one_time() -> None:
    told = history().messages.assign(currency="USD")
    told.loc[3, "currency"] = "CNY"
    charts = History({"messages": told}).plot.cost("day").spec["vconcat"]
    assert len({tuple(chart["encoding"]["x"]["scale"]["domain"]) for chart in charts}) == 1


# -- how they show ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["activity", "tokens", "cost", "latency", "ratings", "tools", "runs", "run_seconds"])
def test_a_plot_shows_offline_and_after_reopening(name: str) -> None:
    data, metadata = all_plots(history())[name]._repr_mimebundle_()
    assert set(data) == {MIME, "image/png", "text/plain"}, "html would be taken first, and fetch from a CDN"
    assert data[MIME]["$schema"].endswith("/v5.json")
    assert data[MIME]["description"] == metadata["image/png"]["alt"]
    assert 300 < metadata["image/png"]["width"] < 900
    assert "url" not in json.dumps(data[MIME]).replace("$schema", "")
    import base64

    picture = base64.b64decode(data["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 90_000


def pixels(png: bytes) -> Any:
    """Rows, columns, 4."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_half_transparent_marks_have_their_colour_in_the_picture() -> None:
    """The library that draws gives them another one: a legend would not fit its chart."""
    plot = history().plot.latency()
    found = pixels(plot.png(1.0))
    counts = Counter(map(tuple, found.reshape(-1, 4).tolist()))
    band = [colour for colour, _ in counts.most_common(8) if 70 < colour[3] < 80]
    told = [int(style.SKY[at : at + 2], 16) for at in (1, 3, 5)]
    assert any(max(abs(one - other) for one, other in zip(colour, told, strict=False)) < 4 for colour in band), counts
    assert counts.most_common(1)[0][0] == (0, 0, 0, 0), "the ground is transparent"


def test_two_pictures_become_one_that_shines_through() -> None:
    seen = np.array([[(60, 150, 255, 76), (1, 2, 3, 255), (9, 9, 9, 0)]], "int32")
    share = seen[..., 3:] / 255
    on = [np.rint(seen[..., :3] * share + ground * (1 - share)).astype("uint8") for ground in (255, 0)]
    opaque = []
    for one in on:
        Image.fromarray(one).save(drawn := io.BytesIO(), "PNG")
        opaque.append(drawn.getvalue())
    found = pixels(transparent(*opaque)).astype(int)
    assert abs(found - seen)[0, :2].max() < 4
    assert found[0, 2].tolist() == [0, 0, 0, 0]


def test_chinese_is_drawn_by_the_reader_s_fonts() -> None:
    set_language("zh-Hans")
    try:
        data, metadata = history().plot.activity()._repr_mimebundle_()
    finally:
        set_language(None)
    assert set(data) == {MIME, "image/svg+xml", "text/plain"}
    assert "消息随时间的变化" in data["image/svg+xml"]
    assert "400 条消息" in metadata["image/svg+xml"]["alt"]


def test_many_messages_make_no_larger_chart() -> None:
    small, large = history(400), history(200_000)
    for name, plot in all_plots(large).items():
        assert len(plot.data) < 1_200, name
        assert len(json.dumps(plot.spec)) < 250_000, name
    assert all(len(values) < 60 for values in small.plot.activity().spec["datasets"].values())


def test_axes_say_their_units() -> None:
    specs = {name: json.dumps(plot.spec) for name, plot in all_plots(history()).items()}
    for name, said in {
        "tokens": "Tokens", "cost": "Cost (USD)", "latency": "Latency (seconds)", "activity": "Day (UTC)",
        "ratings": "Rated messages", "tools": "Calls",
    }.items():  # fmt: skip
        assert f'"{said}"' in specs[name], name


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_colours_stand_out_on_light_and_dark(page: str) -> None:
    """3:1 is what WCAG asks of graphics, 4.5:1 of text; a grey that has it on both pages does not exist."""
    for colour in (*style.SERIES, *style.STATUS.values(), *style.RATING.values(), style.OTHERS, style.NOTHING):
        assert contrast(colour, page) >= 3, colour
    assert contrast(style.TEXT, page) >= 4


def test_colours_differ_without_red_or_green() -> None:
    """Seen without red or green cones (Machado et al. 2009), like and dislike, well and failed stay apart."""
    blind = {
        "red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
        "green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    }
    for matrix in blind.values():

        def seen(colour: str, by: Any = matrix) -> list[float]:
            parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
            return [sum(share * part for share, part in zip(row, parts, strict=True)) for row in by]

        for one, other in combinations(style.SERIES, 2):
            apart = sum((a - b) ** 2 for a, b in zip(seen(one), seen(other), strict=True)) ** 0.5
            assert apart > 80, (one, other)


def test_files_can_be_saved(tmp_path: Any) -> None:
    plot = history().plot.ratings()
    for ending, start in {"png": b"\x89PNG", "svg": b"<svg", "json": b"{", "csv": b"period,"}.items():
        assert plot.save(tmp_path / f"x.{ending}").read_bytes().startswith(start)
    page = plot.save(tmp_path / "x.html").read_text()
    assert '<script src="http' not in page
    with pytest.raises(InputError, match="not .doc"):
        plot.save(tmp_path / "x.doc")


def test_a_drawing_fetches_nothing_and_leaves_settings_alone() -> None:
    """A chart may be changed by hand, to one that names an address."""
    plot = history().plot.ratings()

    def settings() -> Any:
        return getattr(vl_convert, "get_config", dict)()  # there since its version 2

    before = settings()
    with serving(lambda request, connection: connection.reply("200 OK", [])) as server:
        plot.chart = altair.Chart(f"{server.url}/points.json").mark_point()
        with pytest.raises((ValueError, PermissionError)):
            plot.svg()
        assert server.requests == []
    assert settings() == before


def test_hostile_names_are_text(tmp_path: Any) -> None:
    name = '<script>alert(1)</script>"];x=1//'
    table = pd.DataFrame({"thought_id": ["t"], "call": [0], "message_id": ["m"], "tool": [name]})
    svg = History({"thoughts": table}).plot.tools().svg()
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    node = Node(id="n", title=name, node_type="code", status="succeeded", started_at=0.1, finished_at=0.9)
    drawn = turn(nodes=(node,)).plot.timeline().svg()
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


# -- turns and nodes -----------------------------------------------------------------------


def test_a_timeline_shows_what_ran_when() -> None:
    plot = turn().plot.timeline()
    rows = plot.data.set_index("name")
    assert rows.loc["Start", ["started", "finished", "seconds"]].tolist() == [0.1, 0.1, 0.0]
    assert rows.loc["\u2003Model 2", "status"] == "failed"
    assert rows.loc["Never ended", "finished"] == 2.0, "what has no end ends with the turn"
    assert rows.loc["waiting for the first text", "seconds"] == 0.5
    assert plot.png().startswith(b"\x89PNG")


def test_an_agent_s_timeline_shows_its_tools() -> None:
    thoughts = (
        Thought(id="1", tool="add", started_at=0.2, finished_at=0.6),
        Thought(id="2", thought="so 3", started_at=0.7, finished_at=0.9),
    )
    plot = turn(nodes=None, thoughts=thoughts).plot.timeline()
    assert plot.data["name"].tolist() == ["waiting for the first text", "text arriving", "add"]


def test_long_timelines_say_what_is_left_out() -> None:
    many = tuple(Node(id=str(n), title="same", status="succeeded", started_at=n, finished_at=n + 1) for n in range(100))
    plot = turn(nodes=many).plot.timeline()
    assert len(plot.data) == 60
    assert "The last 42 are not drawn." in plot.description
    without = turn(nodes=many, timing=None).plot.timeline()
    assert "100 steps in 100.00 seconds" in without.description, "of those that are not drawn, too"


def test_nodes_are_compared_over_runs() -> None:
    many = [turn(message_id=f"m{n}") for n in range(5)]
    table = frames.nodes(many)
    plot = frames.plots.nodes(table)
    rows = plot.data.set_index("name")
    assert rows.loc["Model", ["runs", "median", "unit"]].tolist() == [5, 0.8, "s"]
    assert "Never ended" not in rows.index, "it has no time"
    grouped = frames.plots.nodes(table.assign(version=["old"] * 10 + ["new"] * 10), by="version")
    assert grouped.data.groupby("group")["runs"].sum().to_dict() == {"old": 8, "new": 7}
    assert grouped.png().startswith(b"\x89PNG")


def test_short_times_are_in_milliseconds() -> None:
    node = Node(id="n", title="quick", status="succeeded", elapsed=0.012)
    plot = frames.plots.nodes(frames.nodes([turn(nodes=(node,))]))
    assert plot.data["median"].tolist() == [12.0]
    assert "Milliseconds" in json.dumps(plot.spec)


# -- what cannot be drawn --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: History().plot.activity(), "no message with a time"),
        (lambda: History().plot.runs(), "no run with a time"),
        (lambda: History({"workflow_runs": history().table("workflow_runs").assign(elapsed=0.0)}).plot.runs(seconds=True), "No run .* how long"),
        (lambda: history().plot.runs(by="mood"), "no column 'mood'; there are workflow_run_id"),
        (lambda: history(usage=False).plot.tokens(), "no token|No message .* token counts.*from_export"),
        (lambda: history(usage=False).plot.cost(), "has a price"),
        (lambda: history(usage=False).plot.latency(), "has a latency"),
        (lambda: History({"messages": history().messages.assign(rating=None)}).plot.ratings(), "Nobody has rated"),
        (lambda: History().plot.tools(), "No tool was called"),
        (lambda: history().plot.activity(cast("Any", "fortnight")), "every is 'fortnight'; use one of hour, day"),
        (lambda: history().plot.activity(zone="Mars/Olympus"), "'Mars/Olympus' is no time zone"),
        (lambda: history().plot.activity(by="mood"), "no column 'mood'; there are message_id"),
        (lambda: history(20_000).plot.activity("hour"), "20,000 bars of one hour"),
        (lambda: Turn(status="succeeded", source="history").plot.timeline(), "times of this turn are not known"),
        (lambda: frames.plots.nodes(frames.empty("nodes")), "No node here has a time"),
        (lambda: frames.plots.nodes(frames.nodes([turn()]), by="mood"), "no column 'mood'"),
    ],
    ids=[
        "empty",
        "no runs",
        "no seconds",
        "runs by",
        "tokens",
        "cost",
        "latency",
        "ratings",
        "tools",
        "every",
        "zone",
        "by",
        "bars",
        "turn",
        "nodes",
        "nodes by",
    ],
)
def test_what_cannot_be_drawn_is_said(draw: Any, said: str) -> None:
    with pytest.raises(DifyError, match=said):
        draw()


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf'Plots need {module}: pip install "dify_notebook\[plot\]"'):
        history().plot.activity()


def test_the_names_help_where_they_are_typed() -> None:
    assert repr(history().plot).startswith("history.plot: activity()")
    assert repr(turn().plot) == "turn.plot: timeline()"
    assert repr(history().plot.tools()) == "<Plot Tool calls: 30 calls of 3 tools>"
