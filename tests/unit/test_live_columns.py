"""Several answers in one cell while they come: what is sent and how often, what is left behind, what is said aloud."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from unit.test_live_view import WIDGET, ended, hear, kinds, messages, picture, running, wire
from unit.test_views_columns import TABLE

from dify_notebook import live
from dify_notebook.live.columns import EndColumns, HtmlColumns, LiveColumns, TextColumns
from dify_notebook.live.widget import CLOSED_KEPT, LiveWidget
from dify_notebook.turn.state import Turn
from dify_notebook.views.columns import Entry, Page
from dify_notebook.views.columns_page import ColumnsView
from dify_notebook.views.diff import from_wire, to_wire

__all__ = ["wire"]
Wire = list[tuple[str, Any]]


def page(*turns: Turn | None, **more: Any) -> Page:
    return Page(rows=[[Entry(chr(ord("a") + at), turn) for at, turn in enumerate(turns)]], **more)


ENDED = page(ended("one"), ended("two"))


def test_they_stream_and_the_saved_form_takes_their_place(wire: Wire) -> None:
    view = LiveColumns("en")
    view.show()
    view.update(page(running("o"), None), 0.1)
    view.update(page(running("on"), running("tw")), 0.2)
    view.finish(ENDED)
    assert kinds(wire) == ["comm_open", "comm_open", "open", "display", "patch", "patch", "patch", "update", "close"]
    (first, how), (left, how_left) = wire[3][1], wire[-2][1]
    assert set(first) == {"text/plain", WIDGET}
    assert set(left) == {"text/html", "text/markdown", "text/plain"}
    assert how["display_id"] == how_left["display_id"]
    assert "[-one-]{+two+}" in left["text/plain"]
    last = messages(wire)[-2]
    assert from_wire(last["ops"][0][2]) == picture(messages(wire)) == ColumnsView("en").blocks(ENDED)


def test_however_many_there_are_a_second_has_25_messages(wire: Wire) -> None:
    view = LiveColumns("en", clock=lambda: 0.0)
    view.show()
    for tick in range(1_000):
        view.update(page(*(running(f"{at} " * tick) for at in range(6))), tick / 1_000)
    assert 20 <= len([one for one in messages(wire) if "ops" in one]) <= 26


def test_a_patch_holds_what_is_new_and_nothing_of_the_others(wire: Wire) -> None:
    view = LiveColumns("en", clock=lambda: 0.0)
    view.show()
    still = running("The first answer, which stands still.")
    for tick in range(1, 4):
        view.update(page(still, running("x " * tick)), tick / 10)
    news = [one["ops"] for one in messages(wire) if one.get("seq") == 3 and "base" not in one]
    assert news
    assert "stands still" not in str(news)
    assert "/entry-1/turn/answer/" in str(news)


def test_a_stop_stops_all(wire: Wire) -> None:
    stopped: list[str] = []
    view = LiveColumns("en", on_stop=lambda: stopped.append("all"))
    view.show()
    hear({"kind": "stop", "view": view.number})
    assert stopped == ["all"]
    assert kinds(wire)[-1] == "heard"


def test_a_browser_that_was_loaded_again_gets_the_whole(wire: Wire) -> None:
    view = LiveColumns("en")
    view.show()
    shown = page(running("o"), None)
    view.update(shown, 0.1)
    hear({"kind": "hello"})
    again = messages(wire)[-1]
    assert again["base"] == 0
    assert again["ops"][0][2] == msgspec.to_builtins(to_wire(ColumnsView("en").blocks(shown)))


def test_one_that_missed_the_end_gets_it_again(wire: Wire) -> None:
    view = LiveColumns("en")
    view.show()
    view.update(page(running("o"), None), 0.1)
    view.finish(ENDED)
    before = len(wire)
    hear({"kind": "hello", "view": view.number, "seq": 1})
    assert kinds(wire)[before:] == ["update", "patch", "close"]
    assert len(LiveWidget.current()._closed) <= CLOSED_KEPT


def test_a_screen_reader_hears_the_status_of_each_once(wire: Wire) -> None:
    view = LiveColumns("en", clock=lambda: 0.0)
    view.show()
    states = [
        page(None, None),
        page(running("o"), None),
        page(running("on"), running("t")),
        page(ended("one"), running("tw")),
        page(ended("one"), ended("two")),
    ]
    for at, state in enumerate(states):
        view.update(state, at / 10)
    view.finish(states[-1])
    assert [one["say"] for one in messages(wire) if one.get("say")] == [
        "A \u00b7 a: Running.", "B \u00b7 b: Running.", "A \u00b7 a: Done.", "B \u00b7 b: Done."
    ]  # fmt: skip


def test_of_a_table_a_screen_reader_hears_the_quarters_and_the_end(wire: Wire) -> None:
    view = LiveColumns("en", clock=lambda: 0.0)
    view.show()
    for done in range(101):
        view.update(page(running(f"{done}"), done=done, asked=100), done / 10)
    view.finish(TABLE)
    assert [one["say"] for one in messages(wire) if one.get("say")] == [
        *(f"{at} of 100 answers" for at in (25, 50, 75, 100)), "All answers have come"
    ]  # fmt: skip
    assert "80 more" in wire[-2][1][0]["text/plain"]


def test_without_widgets_the_whole_is_replaced_twice_a_second(wire: Wire) -> None:
    view = HtmlColumns("en")
    view.show()
    for tick in range(100):
        view.update(page(running("x " * tick), None), tick / 20)
    view.finish(ENDED)
    assert kinds(wire)[0] == "display"
    assert set(kinds(wire)[1:]) == {"update"}
    assert 5 <= len(wire) <= 12
    passing, left = wire[-2][1][0], wire[-1][1][0]
    assert "display:flex" in passing["text/html"]
    assert "<table" in left["text/html"]
    assert set(left) == {"text/html", "text/markdown", "text/plain"}


def test_in_a_terminal_nothing_is_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    view = TextColumns("en")
    view.show()
    view.update(page(running("Hello "), running("Good ")), 0.0)
    view.update(page(running("Hello you"), running("Good day")), 1.0)
    view.finish(page(ended("Hello you all."), ended("Good day to you.")))
    out = capsys.readouterr().out
    assert out.index("Hello you all.") < out.index("Good day to you.") < out.index("B against A")
    assert out.count("Hello") == 2, "the answer, and what differs"


def test_where_only_the_end_is_shown_it_is_one_output(wire: Wire) -> None:
    view = EndColumns("en")
    view.show()
    view.update(page(running("o")), 0.1)
    view.finish(ENDED)
    assert kinds(wire) == ["display"]


@pytest.mark.parametrize("mode", ["widget", "html", "off"])
def test_whatever_breaks_the_answers_stand_there_in_the_end(
    wire: Wire, mode: live.Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError("broken")

    for name in ("LiveColumns", "HtmlColumns"):
        monkeypatch.setattr(f"dify_notebook.live.columns.{name}.update", fails)
    view = live.open_columns("en", mode=mode)
    view.show()
    view.update(page(running("o"), None), 0.1)
    view.finish(ENDED)
    left = wire[-2][1] if kinds(wire)[-1] == "close" else wire[-1][1]
    assert "[-one-]{+two+}" in left[0]["text/plain"]


def test_where_nothing_can_be_shown_the_texts_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError("broken")

    for name in ("EndColumns", "TextColumns"):
        monkeypatch.setattr(f"dify_notebook.live.columns.{name}.finish", fails)
    view = live.open_columns("en", mode="off")
    view.show()
    view.finish(ENDED)
    assert "a\none\n\nb\ntwo" in capsys.readouterr().out
