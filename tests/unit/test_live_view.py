"""A turn in a notebook: what is sent, in which order, and what a browser's messages do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anywidget
import comm
import ipywidgets
import msgspec
import pytest
from unit import views_examples as examples

from dify_notebook import live
from dify_notebook.live import outputs
from dify_notebook.live.plain import EndView, HtmlView, TextView
from dify_notebook.live.protocol import Packed, unpack
from dify_notebook.live.throttle import TICK
from dify_notebook.live.view import LiveView
from dify_notebook.live.widget import CLOSED_KEPT, LiveWidget
from dify_notebook.turn.state import Timing, Turn
from dify_notebook.views.diff import apply, from_wire, to_wire

WIDGET = "application/vnd.jupyter.widget-view+json"


class Wire(comm.base_comm.BaseComm):
    """A comm that remembers what was sent over it."""

    log: list[tuple[str, Any]] = []

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
        if msg_type == "comm_msg" and data.get("method") == "custom":
            Wire.log.append(("message", data["content"]))
        elif msg_type != "comm_msg":
            Wire.log.append((msg_type, data))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """Everything that leaves the kernel, in order."""
    Wire.log = []
    monkeypatch.setattr(comm, "create_comm", Wire)
    monkeypatch.setattr(outputs, "display", lambda data, **kw: Wire.log.append(("display", (data, kw))))
    monkeypatch.setattr(outputs, "update_display", lambda data, **kw: Wire.log.append(("update", (data, kw))))
    yield Wire.log
    live.close()


def read(content: Any) -> Any:
    """A message as the browser reads it."""
    if "packed" in content:
        return msgspec.to_builtins(unpack(Packed(**content)))
    return content


def messages(wire: list[tuple[str, Any]]) -> list[Any]:
    return [read(content) for kind, content in wire if kind == "message"]


def kinds(wire: list[tuple[str, Any]]) -> list[str]:
    """One word for each thing that left."""
    return [content.get("kind", "patch") if kind == "message" else kind for kind, content in wire]


def hear(content: Any) -> None:
    """As if the browser had sent this."""
    widget = LiveWidget.current()
    widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def running(answer: str = "") -> Turn:
    return Turn(query="q", answer=answer)


def ended(answer: str = "The end.") -> Turn:
    return Turn(query="q", answer=answer, status="succeeded", end="message_end", timing=Timing(total=9.0))


def picture(sent: list[Any]) -> Any:
    """What a browser shows that lost nothing."""
    root = None
    for message in sent:
        if "ops" in message:
            root = apply(root, message["ops"])
    return root


def test_open_display_patches_whole_replacement_close(wire: list[tuple[str, Any]]) -> None:
    view = LiveView("en")
    view.show()
    view.update(running("He"), 0.1)
    view.update(running("Hello"), 0.2)
    view.finish(ended("Hello."))
    # The widget and its layout open first; the saved form comes before the end is said.
    assert kinds(wire) == [
        "comm_open",
        "comm_open",
        "open",
        "display",
        "patch",
        "patch",
        "patch",
        "update",
        "close",
    ]
    (shown, how), (left, how_left) = wire[3][1], wire[-2][1]
    assert set(shown) == {"text/plain", WIDGET}
    assert set(left) == {"text/html", "text/markdown", "text/plain"}
    assert how["display_id"] == how_left["display_id"]
    assert "Hello." in left["text/plain"]
    last = messages(wire)[-2]
    assert last["base"] == 0
    assert from_wire(last["ops"][0][2]) == picture(messages(wire))


def test_updates_come_as_often_as_one_likes(wire: list[tuple[str, Any]]) -> None:
    """1,000 calls in a second are 25 messages at most; the last state is never forgotten."""
    view = LiveView("en", clock=lambda: 0.0)
    view.show()
    before = len(messages(wire))
    for ms in range(1000):
        view.update(running("x" * ms), ms / 1000)
    assert 20 <= len(messages(wire)) - before <= 26
    assert 0 <= view.due(1.0) <= 1 / 25
    view.update(running("the last"), 1.04)
    assert "the last" in str(to_wire(picture(messages(wire))))


def test_end_and_error_never_wait(wire: list[tuple[str, Any]]) -> None:
    ticks = iter([0.0, 5.0] + [5.0] * 10)
    view = LiveView("en", clock=lambda: next(ticks))
    view.show()
    view.update(running("a"), 0.0)  # took five seconds, so the next waits for fifteen
    assert view.due(1.0) == pytest.approx(14.0)
    view.update(running("ab"), 1.0)
    count = len(messages(wire))
    view.update(msgspec.structs.replace(running("abc"), status="failed"), 1.1)
    assert len(messages(wire)) == count + 1


def test_seconds_go_on_while_nothing_comes(wire: list[tuple[str, Any]]) -> None:
    view = LiveView("en", clock=lambda: 0.0)
    view.show()
    turn = running()
    view.update(turn, 0.0)
    now, before = 0.0, len(messages(wire))
    while now < 5:
        wait = view.due(now)
        assert 0 <= wait <= TICK + 1e-9
        now += max(wait, 0.001)
        view.update(turn, now)
    assert len(messages(wire)) - before >= 4


def test_stop_is_passed_on_and_answered(wire: list[tuple[str, Any]]) -> None:
    stops = []
    view = LiveView("en", on_stop=lambda: stops.append(1))
    view.show()
    hear({"kind": "stop", "view": view.number})
    assert stops == [1]
    assert messages(wire)[-1] == {"view": view.number, "kind": "heard"}
    view.finish(ended())
    hear({"kind": "stop", "view": view.number})
    assert stops == [1]
    assert messages(wire)[-1] == {"view": view.number, "kind": "close"}


def test_hello_brings_the_whole(wire: list[tuple[str, Any]]) -> None:
    """After a reload of the page nothing is sent again by itself."""
    view = LiveView("en", clock=lambda: 0.0)
    view.show()
    hear({"kind": "hello", "view": None, "seq": 0})
    assert kinds(wire)[-1] == "open"
    view.update(running("Hello"), 0.1)
    view.update(running("Hello you"), 0.2)
    expected = picture(messages(wire))
    for which in (None, view.number):
        wire.clear()
        hear({"kind": "hello", "view": which, "seq": 0})
        [message] = messages(wire)
        assert message["open"]["labels"]["stop"] == "Stop"
        assert picture(messages(wire)) == expected
    assert view.channel.differ.seq == 2


def test_hello_after_the_end_repeats_the_end(wire: list[tuple[str, Any]]) -> None:
    """Where the last messages were lost, the saved form comes once more."""
    view = LiveView("en")
    view.show()
    view.finish(ended())
    wire.clear()
    hear({"kind": "hello", "view": view.number, "seq": 1})
    assert kinds(wire) == ["update", "patch", "close"]
    wire.clear()
    hear({"kind": "hello", "view": None, "seq": 0})
    assert kinds(wire) == ["patch", "close"]
    wire.clear()
    hear({"kind": "hello", "view": 999_999, "seq": 0})
    assert kinds(wire) == ["close"]


class Ending(dict[int, Any]):
    """The views that run; each ends when somebody has just seen that it does."""

    def __contains__(self, number: Any) -> bool:
        return self.pop(number, None) is not None


def test_hello_while_a_view_ends_is_answered(wire: list[tuple[str, Any]]) -> None:
    """Messages are read on another thread than the cell's."""
    view = LiveView("en")
    view.show()
    LiveWidget.current()._open = Ending({view.number: view})
    hear({"kind": "hello", "view": view.number, "seq": 0})
    assert kinds(wire)[-1] == "open"


def test_only_a_few_ended_views_are_kept(wire: list[tuple[str, Any]]) -> None:
    views_ = []
    for _ in range(CLOSED_KEPT + 1):
        view = LiveView("en")
        view.show()
        view.finish(ended())
        views_.append(view)
    wire.clear()
    hear({"kind": "hello", "view": views_[0].number, "seq": 1})
    hear({"kind": "hello", "view": views_[1].number, "seq": 1})
    assert kinds(wire) == ["close", "update", "patch", "close"]


def test_one_widget_for_all_cells_until_it_is_closed(wire: list[tuple[str, Any]]) -> None:
    before = len(ipywidgets.Widget.get_manager_state()["state"])
    first = LiveWidget.current()
    for _ in range(3):
        LiveView("en").show()
    assert kinds(wire).count("comm_open") == 2  # the widget and its layout
    live.close()
    live.close()
    assert "comm_close" in kinds(wire)
    assert first.comm is None
    assert len(ipywidgets.Widget.get_manager_state()["state"]) == before
    LiveView("en").show()
    assert LiveWidget.current() is not first


def test_saved_state_is_small_and_holds_nothing_of_anyone(wire: list[tuple[str, Any]]) -> None:
    """nbclient saves every trait into the notebook."""
    secret = "do-not-keep-this"
    view = LiveView("en")
    view.show()
    view.update(Turn(query=secret, answer=secret, user=secret, inputs={"a": secret}), 0.1)
    view.finish(ended(secret))
    state = msgspec.json.encode(ipywidgets.Widget.get_manager_state()["state"]).decode()
    assert secret not in state
    assert len(state) <= 33_000
    assert isinstance(LiveWidget.current(), anywidget.AnyWidget)


def test_a_screen_reader_hears_changes_of_status_only(wire: list[tuple[str, Any]]) -> None:
    view = LiveView("en", clock=lambda: 0.0)
    view.show()
    for tick in range(100):
        view.update(running("word " * (tick // 20)), tick / 10)
    view.finish(ended())
    said = [message["say"] for message in messages(wire) if message.get("say")]
    assert said == ["Waiting for the answer", "The answer has begun", "The answer is complete"]


def test_a_screen_reader_hears_of_a_run_that_it_is_one(wire: list[tuple[str, Any]]) -> None:
    view = LiveView("en", clock=lambda: 0.0)
    view.show()
    for second in (0.2, 1.0, 3.0, 4.5, 5.0):
        view.update(examples.workflow(second), second)
    view.finish(examples.workflow())
    said = [message["say"] for message in messages(wire) if message.get("say")]
    assert said == ["The run has been started", "The run gives its first text", "The run is complete"]


def test_finish_needs_show() -> None:
    with pytest.raises(RuntimeError, match="show"):
        LiveView("en").finish(ended())


def test_text_view_prints_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    view = TextView("en")
    view.show()
    view.update(running("Hello "), 0.0)
    view.update(running("Hello you"), 1.0)
    view.finish(ended("Hello you."))
    assert capsys.readouterr().out.count("Hello") == 1


def test_html_view_keeps_to_its_budget(wire: list[tuple[str, Any]]) -> None:
    view = HtmlView("en")
    view.show()
    for tick in range(5000):
        view.update(running("word " * 2 * tick), tick / 100)
    view.finish(ended("word " * 10_000))
    updates = [data for kind, (data, _) in wire if kind == "update"]
    assert len(updates) <= 101
    assert sum(len(data["text/html"]) for data in updates) <= 50 * 40_000
    assert set(updates[-1]) == {"text/html", "text/markdown", "text/plain"}


def test_end_view_leaves_one_output(wire: list[tuple[str, Any]]) -> None:
    view = EndView("en")
    view.show()
    view.update(running("a"), 1.0)
    view.finish(ended())
    assert kinds(wire) == ["display"]
