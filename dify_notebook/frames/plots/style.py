"""How charts look: colours that everybody can tell apart, on a light page and on a dark one.

Blue and orange, which tell well from badly, are those of Okabe and Ito's palette for the colour-blind; the others were
searched for. All have at least 3:1 against white and against JupyterLab's dark background, and stay apart for people
without red or green cones. Text and lines are a grey that has 4:1 on both pages.
"""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN, VIOLET, RED, SKY = "#0072b2", "#d55e00", "#4ba569", "#8700ff", "#f0003c", "#3c96ff"
SERIES = (BLUE, ORANGE, GREEN, VIOLET, RED, SKY)
GREY = "#7f7f7f"
OTHERS, NOTHING = "#666666", "#949494"
"""What is put together, and what has no value."""
TEXT = "#7a7a7a"
LINE = "#8c8c8c"
GRID = "#8c8c8c"
WIDTH = 560
HEIGHT = 220

RATING = {"like": BLUE, "dislike": ORANGE}
STATUS = {
    "normal": BLUE,
    "succeeded": BLUE,
    "partial-succeeded": VIOLET,
    "error": ORANGE,
    "failed": ORANGE,
    "exception": VIOLET,
    "retry": VIOLET,
    "stopped": SKY,
    "paused": SKY,
    "running": GREEN,
    "unknown": GREY,
}
"""What went well is blue, what did not is orange."""


def config() -> dict[str, Any]:
    """Vega-Lite's `config`."""
    text = {"labelColor": TEXT, "titleColor": TEXT, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": 600}
    return {
        "background": "transparent",
        "font": "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', "
        "'Microsoft YaHei', sans-serif",
        "view": {"stroke": "transparent"},
        "axis": {**text, "domainColor": LINE, "tickColor": LINE, "gridColor": GRID, "gridOpacity": 0.25},
        "legend": {**text, "orient": "top", "symbolType": "square"},
        "header": {**text},
        "title": {
            "color": TEXT, "subtitleColor": TEXT, "anchor": "start", "fontSize": 14, "subtitleFontSize": 11,
            "subtitlePadding": 4, "offset": 10,
        },
        "bar": {"cornerRadiusEnd": 1},
    }  # fmt: skip


def colours(words: list[str], known: dict[str, str]) -> list[str]:
    """A colour for each word: the one that is known for it, else the next of the series that is free."""
    taken = {known[word] for word in words if word in known}
    free = [colour for colour in SERIES if colour not in taken] or list(SERIES)
    out, index = [], 0
    for word in words:
        if word in known:
            out.append(known[word])
        else:
            out.append(free[index % len(free)])
            index += 1
    return out
