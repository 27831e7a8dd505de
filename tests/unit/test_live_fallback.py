"""An answer is shown as well as it can be: whatever breaks, nothing is raised and the answer stands there in the end."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import comm
import pytest

from dify_notebook import live, logs
from dify_notebook.errors import ConfigError
from dify_notebook.live import outputs
from dify_notebook.live.fallback import FallbackView
from dify_notebook.live.plain import EndView, HtmlView, TextView
from dify_notebook.live.view import LiveView
from dify_notebook.live.widget import LiveWidget
from dify_notebook.turn.state import Timing, Turn

RUNNING = Turn(query="q", answer="Forty")
ENDED = Turn(query="q", answer="Forty-two → 42", status="succeeded", end="message_end", timing=Timing(total=9.0))
Log = list[tuple[str, Any]]


class Wire(comm.base_comm.BaseComm):
    """A comm that opens and carries nothing."""

    def publish_msg(self, *_: Any, **__: Any) -> None:
        """Into nothing."""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is displayed, in order."""
    log: Log = []
    monkeypatch.setattr(comm, "create_comm", Wire)
    monkeypatch.setattr(outputs, "display", lambda data, **_: log.append(("display", data)))
    monkeypatch.setattr(outputs, "update_display", lambda data, **_: log.append(("update", data)))
    monkeypatch.setattr(logs, "_said", set())
    live.close()
    yield log
    monkeypatch.undo()
    live.close()


def fails(*_: Any, **__: Any) -> Any:
    raise OSError("broken")


def breaks_later(patch: pytest.MonkeyPatch) -> None:
    """The comm takes the first message and no other."""
    sent: list[object] = []
    patch.setattr(LiveWidget, "send_message", lambda self, message: fails() if sent else sent.append(message))


def play(view: FallbackView[Turn]) -> None:
    view.show()
    for tick in range(3):
        assert view.due(tick) >= 0
        view.update(RUNNING, tick * 10.0)
    view.finish(ENDED)


Patch = Callable[[pytest.MonkeyPatch], None]
BREAKS: dict[str, tuple[Patch, type, str]] = {
    "nothing": (lambda patch: None, LiveView, "display"),
    "a comm that does not open": (lambda patch: patch.setattr(comm, "create_comm", fails), HtmlView, "display"),
    "a widget that cannot be made": (lambda patch: patch.setattr(LiveWidget, "current", fails), HtmlView, "display"),
    "a comm that breaks": (breaks_later, LiveView, "display"),
    "a comm that takes nothing": (lambda patch: patch.setattr(LiveWidget, "send_message", fails), HtmlView, "display"),
    "no library for widgets": (
        lambda patch: patch.setitem(sys.modules, "dify_notebook.live.widget", None),
        HtmlView,
        "display",
    ),
    "drawing": (lambda patch: patch.setattr("dify_notebook.views.TurnView.blocks", fails), LiveView, "display"),
    "displays": (lambda patch: patch.setattr(outputs, "display", fails), TextView, "stdout"),
    "updates": (lambda patch: patch.setattr(outputs, "update_display", fails), LiveView, "display"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_answer_stands_there_whatever_breaks(
    name: str, shown: Log, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks, kind, where = BREAKS[name]
    breaks(monkeypatch)
    view = live.open_view("en", mode="widget")
    play(view)
    assert type(view.view) is kind
    if where == "stdout":
        assert capsys.readouterr().out.count("Forty-two → 42") == 1
    else:
        assert "Forty-two → 42" in shown[-1][1]["text/plain"]
        if name != "updates":
            assert [what for what, _ in shown].count("display") == 1


def test_a_terminal_that_falls_silent_for_a_while_has_the_whole_in_the_end(
    shown: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Moody(io.StringIO):
        fails = 1

        def write(self, text: str) -> int:
            if "Forty" in text and self.fails:
                self.fails -= 1
                raise BlockingIOError("not now")
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", stream := Moody())
    play(live.open_view("en", mode="text"))
    assert stream.getvalue().count("Forty-two → 42") == 1


@pytest.mark.parametrize("mode", ["widget", "html", "text", "off"])
def test_where_nothing_can_be_shown_it_is_said_where_the_answer_is(
    mode: live.Mode, shown: Log, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outputs, "display", fails)
    monkeypatch.setattr(outputs, "update_display", fails)
    monkeypatch.setattr(sys, "stdout", None)
    play(live.open_view("en", mode=mode))
    assert "dify_notebook.last" in capsys.readouterr().err


def test_a_form_that_cannot_be_drawn_leaves_the_others_and_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in (["html"], ["html", "markdown"], ["html", "markdown", "text"]):
        for form in broken:
            monkeypatch.setattr(f"dify_notebook.views.saved.{form}", fails)
        monkeypatch.setattr("dify_notebook.views.html", fails)
        made = ENDED._repr_mimebundle_()
        assert set(made) == {"text/html", "text/markdown", "text/plain"} - {f"text/{form}" for form in broken} | {
            "text/plain"
        }
        assert "Forty-two → 42" in made["text/plain"]
        assert "OSError: broken" in made["text/plain"]


@pytest.mark.parametrize(
    ("name", "value", "values"),
    [
        ("DIFY_NOTEBOOK_LIVE", "widgte", "widget, html, text, off"),
        ("DIFY_NOTEBOOK_LIVE", "on", "widget, html, text, off"),
        ("DIFY_NOTEBOOK_LIVE", "'html'", "widget, html, text, off"),
        ("DIFY_NOTEBOOK_LANG", "klingon", "en, zh-Hans"),
    ],
)
def test_a_mistyped_variable_is_named_with_what_it_may_be(
    name: str, value: str, values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        live.check_environment()
    assert name in caught.value.message
    assert value in caught.value.message
    assert values in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DIFY_NOTEBOOK_LIVE", value) for value in ("", " ", "widget", " HTML ", "Text", "off")),
        *(("DIFY_NOTEBOOK_LANG", value) for value in ("", "en", "en_GB.UTF-8", "English", "zh-Hans", "zh_TW", "ZH")),
    ],
)
def test_spellings_that_are_understood(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    live.check_environment()


@pytest.mark.parametrize(
    ("mode", "kind"), [("widget", LiveView), ("html", HtmlView), ("text", TextView), ("off", EndView)]
)
def test_the_environment_chooses(shown: Log, monkeypatch: pytest.MonkeyPatch, mode: str, kind: type) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_LIVE", mode)
    view = live.open_view("en")
    view.show()
    assert type(view.view) is kind


def test_without_a_shell_it_is_text() -> None:
    view = live.open_view("en")
    view.show()
    assert type(view.view) is TextView
