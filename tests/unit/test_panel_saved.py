"""What a panel leaves in the notebook, and how it puts things in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from dify_notebook.i18n import Language
from dify_notebook.live.outputs import CellOutput
from dify_notebook.panel import output, presenter
from dify_notebook.panel.app import PanelApp
from dify_notebook.panel.messages import Attachment
from dify_notebook.panel.saved import BUDGET, TURN_BUDGET, Transcript
from dify_notebook.panel.state import Item, PanelState
from dify_notebook.panel.store import replace
from dify_notebook.panel.when import when
from dify_notebook.turn.state import MessageFile, Node, Timing, Turn, Usage

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def item(at: int, answer: str = "An answer.", **more: Any) -> Item:
    turn = Turn(
        query=f"Question {at}?", answer=answer, status="succeeded", message_id=f"m{at}", conversation_id="c", **more
    )
    return Item(key=f"t{at}", query=f"Question {at}?", turn=turn)


def test_the_conversation_is_there_in_three_forms_and_hostile_text_is_harmless() -> None:
    evil = "<img src=x onerror=alert(1)> $5 and $10 \x1b[31m"
    one = replace(item(1, answer=evil), query=evil, attachments=(Attachment("a", "<b>.png", "image", 1, None),))
    result = Transcript("dn-kept-12").bundle(PanelState(items=(one,), name=evil, conversation_id="c"), "en")
    assert set(result) == {"text/html", "text/markdown", "text/plain"}
    html = result["text/html"]
    assert html.startswith('<div class="mathjax_ignore dn-kept-12" style=')
    assert html.endswith("</div>")
    assert html.count("<div") == html.count("</div")
    assert "<img" not in html
    assert "&lt;b&gt;.png" in html
    assert "\x1b" not in result["text/plain"]
    assert "var(" not in html.split("style=", 1)[1].split('"', 2)[1]


@pytest.mark.parametrize(("lang", "asked"), [("en", "## Question 1"), ("zh-Hans", "## 问题 1")])
def test_the_markdown_is_in_the_panel_s_language(lang: Language, asked: str) -> None:
    text = Transcript().bundle(PanelState(items=(item(1),), name="Ferries", conversation_id="c"), lang)["text/markdown"]
    assert text.startswith("# Ferries\n\n")
    assert asked in text
    assert f"*{lang}*" not in text


def test_a_running_answer_waits_and_an_empty_panel_says_so() -> None:
    running = Item(key="t2", query="And?", run=SimpleNamespace(turn=Turn(query="And?")))  # type: ignore[arg-type]
    result = Transcript().bundle(PanelState(items=(item(1), running), conversation_id="c"), "en")
    assert "And?" not in result["text/plain"]
    assert "1 turn" in result["text/plain"]
    # Before the app is known it is neither a conversation nor a run.
    assert Transcript().bundle(PanelState(), "en")["text/plain"] == "Panel · nothing in it yet"
    assert "尚无内容" in Transcript().bundle(PanelState(), "zh-Hans")["text/html"]


def run_app(name: str = "tally") -> PanelApp:
    return PanelApp(name=name, mode="workflow", description="")


def test_runs_are_saved_as_runs() -> None:
    assert Transcript().bundle(PanelState(app=run_app()), "en")["text/plain"] == "tally · nothing in it yet"
    runs = tuple(
        Item(key=f"r{at}", query="", turn=Turn(query="", app_mode="workflow", answer="word " * (BUDGET // 50), status="succeeded"))
        for at in range(20)
    )
    result = Transcript().bundle(PanelState(app=run_app(), items=runs), "en")
    for form in result.values():
        assert "20 runs" in form
        assert "earlier runs are not kept" in form


def test_the_saved_form_follows_when_the_app_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(output, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(output, "watched", lambda: False)
    monkeypatch.setattr(CellOutput, "show", lambda _, data: kept.append(data["text/plain"]))
    monkeypatch.setattr(CellOutput, "replace", lambda _, data: kept.append(data["text/plain"]))
    controller = SimpleNamespace(state=PanelState())
    shown: Any = output.PanelOutput(None, controller, lambda: "en", "")  # type: ignore[arg-type]
    shown.show()
    shown.update(PanelState(app=run_app()))
    shown.update(PanelState(app=run_app()))
    assert kept == ["Panel · nothing in it yet", "tally · nothing in it yet"]


def test_the_newest_turns_are_kept_within_bounds_and_the_rest_is_told() -> None:
    long = "word " * (BUDGET // 50)
    state = PanelState(items=tuple(item(at, answer=long) for at in range(20)), conversation_id="c")
    result = Transcript().bundle(state, "en")
    assert len(result["text/html"]) < BUDGET + 20_000
    assert "Question 19?" in result["text/html"]
    assert "Question 0?" not in result["text/html"]
    for form in result.values():
        assert "earlier turns are not kept" in form
    assert (
        "Earlier turns" in Transcript().bundle(replace(state, items=state.items[-1:], older=True), "en")["text/plain"]
    )


def test_pictures_of_one_turn_do_not_fill_the_notebook() -> None:
    picture_file = MessageFile(id="f", type="image", name="big.png", data=b"\x89PNG\r\n\x1a\n" + bytes(TURN_BUDGET))
    html = Transcript().bundle(PanelState(items=(item(1, files=(picture_file,)),)), "en")["text/html"]
    assert len(html) < 20_000
    assert "big.png" in html


def test_what_stays_the_same_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dify_notebook.panel import saved

    made: list[str] = []
    save = saved._save

    def counted(one: Item, lang: Language) -> saved.SavedTurn:
        made.append(one.key)
        return save(one, lang)

    monkeypatch.setattr(saved, "_save", counted)
    transcript, first = Transcript(), item(1)
    transcript.bundle(PanelState(items=(first,)), "en")
    transcript.bundle(PanelState(items=(first, item(2))), "en")
    rated = replace(first, turn=msgspec.structs.replace(first.now, feedback="like"))
    transcript.bundle(PanelState(items=(rated, item(3))), "en")
    assert made == ["t1", "t2", "t3", "t1"]


@pytest.mark.parametrize(
    ("ago", "en", "zh"),
    [
        (timedelta(minutes=5), "11:55", "11:55"),
        (timedelta(days=1), "yesterday 12:00", "昨天 12:00"),
        (timedelta(days=12), "2 Mar", "3月2日"),
        (timedelta(days=200), "2025-08-26", "2025-08-26"),
    ],
)
def test_moments_in_few_words(ago: timedelta, en: str, zh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    __import__("time").tzset()
    assert when(NOW - ago, NOW, "en") == en
    assert when(NOW - ago, NOW, "zh-Hans") == zh
    assert when(None, NOW, "en") == ""


def test_currencies_are_not_added_up() -> None:
    def paid(amount: str, currency: str) -> dict[str, Any]:
        return {
            "usage": Usage(total_tokens=1_000, total_price=Decimal(amount), currency=currency),
            "timing": Timing(total=1.5),
        }

    state = PanelState(items=(item(1, **paid("0.1", "USD")), item(2, **paid("0.2", "USD")), item(3, **paid("3", "CNY"))))
    assert presenter.totals(state, "en") == "3 turns · 3,000 tokens · $0.30 · ¥3 · 4.50 s"
    assert presenter.totals(PanelState(), "en") == ""


def test_long_values_are_cut_where_they_are_long() -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = {"in": deep}
    node = Node(
        id="n",
        title="N",
        inputs={"text": "x" * 50_000, "list": list(range(5_000)), "deep": deep, "odd": float("nan"), "date": NOW},
        outputs={f"k{at}": "y" * 9_000 for at in range(300)},
    )
    result = presenter.details(Turn(nodes=(node,)), "n", "en")
    assert result is not None
    text = msgspec.json.encode(result).decode()
    assert len(text) < 150_000
    assert "42,000 more characters" in text
    assert "4,800 more" in text
    assert result.inputs["odd"] == "nan"
    assert result.inputs["date"].startswith("2026")
    assert presenter.details(Turn(nodes=(node,)), "elsewhere", "en") is None


@pytest.mark.parametrize(
    ("environment", "stdin", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"SERVER_SOFTWARE": "voila/0.5"}, False, True),
        ({"DIFY_NOTEBOOK_LIVE": "widget"}, False, True),
        ({"DIFY_NOTEBOOK_LIVE": "html"}, True, False),
    ],
)
def test_where_a_browser_is_expected(
    environment: dict[str, str], stdin: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who executes without anybody (nbclient, papermill) answers no questions either."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=stdin))
    monkeypatch.setattr(output, "get_ipython", lambda: shell)
    assert output.watched() is expected
    monkeypatch.setattr(output, "get_ipython", lambda: None)
    assert output.watched() is (environment.get("DIFY_NOTEBOOK_LIVE") == "widget")
