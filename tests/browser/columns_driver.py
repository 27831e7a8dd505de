"""For notebooks in tests: made-up answers that stream beside each other, without any server."""

from __future__ import annotations

import os
import threading
import time
from decimal import Decimal

from dify_notebook.live import open_columns
from dify_notebook.turn.state import Timing, Turn, Usage
from dify_notebook.views.answer_table import Cell, Table, TableRow, Total
from dify_notebook.views.columns import Entry, Page

TEXTS = {
    "support": "Your order left our warehouse on **Monday**.\n\n"
    "1. Open the tracking page.\n2. Enter the order number `4711`.\n\n"
    "It arrives within three days.",
    "support@v2": "Your order left our warehouse on **Tuesday**.\n\n"
    "1. Open the tracking page.\n2. Enter the number `4711`.\n\n"
    "It should arrive within three days; if not, write to us.",
    "draft": "您的订单已于周一发货。\n\n- 打开物流页面\n- 输入订单号 `4711`\n\n三天之内送达。",
}


def entries(share: float, ended: bool, stopped: bool = False) -> list[Entry]:
    """The answers as far as they have come, and one that failed."""
    out = []
    for at, (name, text) in enumerate(TEXTS.items()):
        turn = Turn(answer=text[: int(len(text) * share)], app=name, app_mode="chat")
        if ended:
            turn = Turn(
                answer=text if not stopped else turn.answer,
                app=name,
                status="stopped" if stopped else "succeeded",
                end="stopped" if stopped else "message_end",
                stop_confirmed=True if stopped else None,
                usage=Usage(total_tokens=120 + at, total_price=Decimal("0.00214") + at, currency="USD"),
                timing=Timing(total=2.5 + at, first_token=0.4),
            )
        note = "tone: formal (only this app takes it)" if name == "draft" else ""
        out.append(Entry(name, turn, note, now=2.0))
    return [*out, Entry("old", error="The app is not there (404).")]


def page(share: float, ended: bool, stopped: bool = False) -> Page:
    inputs = {"language": "en", "words": 60}
    return Page(rows=[entries(share, ended, stopped)], query="Where is my order?", inputs=inputs)


def columns(end: str) -> None:
    """Answers that stand half-way until somebody makes the file `end`, or stops them; then they end."""
    stopped = threading.Event()
    view = open_columns(on_stop=stopped.set)
    view.show()
    begun = time.monotonic()
    share = 0.0
    try:
        while not os.path.exists(end) and not stopped.is_set():
            share = min(0.5, share + 0.05)
            view.update(page(share, False), time.monotonic() - begun)
            stopped.wait(0.05)
    except KeyboardInterrupt:  # what Stop becomes where the kernel hears nothing
        stopped.set()
    view.finish(page(share, True, stopped.is_set()))


def table() -> None:
    """The end of a sweep over 100 questions."""
    view = open_columns()
    view.show()
    rows = [
        TableRow(f"Question {at}: where is order {at}?", [Cell("It left on **Monday**. " * 9), Cell("Ich weiß nicht.")])
        for at in range(25)
    ]
    rows[3] = TableRow("The one that failed", [Cell("fine"), Cell("the model is overloaded", "failed")])
    totals = [Total(100, 100, 12_000, {"USD": Decimal("0.42")}, 0, 1.2, 0.3), Total(100, 99, 9_000, {}, 0, 0.8)]
    view.finish(Table(["support", "draft"], rows, 100, totals, query="{{ row.question }}"))
