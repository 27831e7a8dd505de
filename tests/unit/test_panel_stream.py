"""What a panel sends for every recorded stream: patches that give the picture at each step, and no gap."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from contract.streams import load
from support import panel_stage
from support.panel_stage import Stage
from support.panels import Browser

from dify_notebook.panel import messages as m
from dify_notebook.panel.channel import TurnChannel
from dify_notebook.turn.state import Turn
from dify_notebook.views.html import serialize

RECORDINGS = load()


class Page(Browser):
    """A browser of a stage, fed with what was sent since it last looked."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.stage = stage
        self.read = 0
        stage.renderer.hello(1, "en")

    def catch_up(self) -> None:
        for content, buffers in zip(self.stage.sent[self.read :], self.stage.buffers[self.read :], strict=True):
            self.take(content, buffers)
        self.read = len(self.stage.sent)


@pytest.mark.parametrize("case", sorted(RECORDINGS))
def test_applied_patches_are_the_picture_at_every_step(case: str) -> None:
    """The browser has exactly what a drawing from nothing gives, after every event of the stream."""
    stage = Stage()
    page = Page(stage)
    for turn in stage.play(RECORDINGS[case]):
        page.catch_up()
        [meta] = page.turns
        channel = next(iter(stage.renderer._channels.values()))
        assert meta["status"] == turn.status
        assert channel.turn is turn, "nothing of a stream at this pace is left out"
        _, root = page.views[meta["view"]]
        assert root == TurnChannel(9, "en").blocks(turn, channel._throttle.now)
    assert page.failures == []


@pytest.mark.parametrize("case", panel_stage.CASES)
def test_a_browser_that_comes_in_the_middle_has_the_same_at_the_end(case: str) -> None:
    total = sum(1 for _ in panel_stage.turns_of(RECORDINGS[case]))
    stage = Stage()
    first = Page(stage)
    for at, _ in enumerate(stage.play(RECORDINGS[case])):
        if at == total // 2:
            first.catch_up()
            second = Page(stage)
            second.read = len(stage.sent)
    first.catch_up()
    second.catch_up()
    assert (second.views, second.turns, second.parts) == (first.views, first.turns, first.parts)
    assert second.failures == []


def test_what_the_browser_s_tests_read_is_what_is_sent() -> None:
    """js/test reads the same file."""
    now, stored = panel_stage.fixture(), panel_stage.read()
    assert panel_stage.plain(stored) == panel_stage.plain(now), "run: python tests/support/panel_stage.py"
    assert panel_stage.FIXTURE.stat().st_size < 100_000


def test_the_fixture_comes_out_as_it_says() -> None:
    stored = panel_stage.read()
    page = Browser(None)  # type: ignore[arg-type]
    for step, before in zip(stored["steps"], [0, *(one["after"] for one in stored["steps"])], strict=False):
        for content in stored["messages"][before : step["after"]]:
            page.take(content, [b""])
        expected = {int(view): panel_stage.from_wire(root) for view, root in step["views"].items()}
        assert {view: root for view, (_, root) in page.views.items()} == expected
    assert page.failures == []


def test_what_the_panel_shows_elsewhere_is_not_in_the_blocks() -> None:
    """The header's names and the foot of an ended answer are the panel's own; the counted seconds stay."""
    channel = TurnChannel(1, "en")
    waiting = Turn(query="q", app="App", server="http://h/v1", turn_number=1)
    html = serialize(channel.blocks(waiting, 3.0))
    assert "3 s" in html
    assert "New conversation" not in html
    assert "App" not in html
    ended = Turn(
        query="q", answer="The end", status="succeeded", suggested=("More?",), conversation_id="c" * 20, feedback="like"
    )
    html = serialize(channel.blocks(ended, 3.0))
    assert "The end" in html
    assert "More?" not in html
    assert "dn-foot" not in html


def test_a_retry_begins_a_view_of_its_own() -> None:
    stage = Stage()
    page = Page(stage)
    for _ in stage.play(RECORDINGS[panel_stage.CASES[0]]):
        pass
    [item] = stage.controller.state.items
    again = msgspec.structs.replace(item, attempt=1, turn=Turn(query="q", answer="new", status="succeeded"))
    stage.controller.state = msgspec.structs.replace(stage.controller.state, items=(again,))
    stage.renderer.round()
    page.catch_up()
    [meta] = page.turns
    assert (meta["key"], meta["view"]) == (item.key, 2)
    assert "new" in page.html()


def test_a_mistake_in_drawing_is_told_and_drawing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    stage = Stage()
    stage.renderer._send = lambda message, buffers: sent.append(message)
    broken: list[bool] = []
    whole = stage.renderer._send_turns

    def turns(*given: Any) -> float:
        if broken.pop() if broken else False:
            raise RuntimeError("app-thisisnokey")
        return whole(*given)

    monkeypatch.setattr(stage.renderer, "_send_turns", turns)
    stage.renderer.start()
    assert stage.renderer.settle()
    broken.append(True)
    stage.renderer.reply(m.Reply(id=7, ok=True), [])
    assert stage.renderer.settle()
    stage.renderer.close()
    problems = [each.value.error for each in sent if isinstance(each, m.SetStatus)]
    assert [problem is not None for problem in problems] == [False, True, False]
    assert "RuntimeError" in str(problems[1])
    assert "thisisnokey" not in str(sent)
    assert [each.id for each in sent if isinstance(each, m.Reply)] == [7]
