"""Sound in the chat panel in a real JupyterLab: a microphone, answers read aloud, sound that comes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser.harness import FLAGS, Notebook, require
from browser.panel_page import WIRE, Opener, Panel, desk, expect, open_panel
from browser.panel_world import World

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAYED = "n => window.wire.plays === n"


@pytest.fixture
def hearing(chromium: Any) -> Iterator[Any]:
    """A browser with a microphone that hums, and nobody to ask for permission."""
    flags = [*FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    found = chromium.browser_type.launch(executable_path=require(), args=flags)
    yield found
    found.close()


def test_what_is_said_becomes_text(hearing: Any, lab: Any, desk: World) -> None:
    lab.write("microphone.ipynb", ["import panel_kernel\npanel_kernel.chat('desk', 'speaker')"])
    nb = Notebook(hearing, lab, "microphone.ipynb", script=WIRE)
    try:
        nb.run_cell(0)
        panel = Panel(nb, desk).ready()
        panel.box.fill("I mean:")
        panel.button("Speak your question").click()
        end = panel.button("End the recording")
        expect(end).to_be_visible()
        expect(panel.root.locator(".seconds")).to_have_text("0:01")
        end.click()
        expect(panel.box).to_have_value("I mean: heard audio/webm of some length")
        # A recording that is given up goes nowhere.
        panel.button("Speak your question").click()
        panel.button("Cancel").click()
        expect(panel.button("Speak your question")).to_be_visible()
        assert panel.commands("hear") == 1
    finally:
        nb.shut_down()
        nb.close()


def test_an_answer_is_read_aloud_until_it_is_stopped(open_panel: Opener) -> None:
    panel = open_panel("desk", script=WIRE)
    turn = panel.talk("read this")
    turn.hover()
    panel.button("Read aloud", turn).click()
    stop = panel.button("Stop reading", turn)
    expect(stop).to_be_visible()
    stop.click()
    expect(panel.button("Read aloud", turn)).to_be_visible()
    panel.button("Read aloud", turn).click()
    expect(stop).to_be_visible()
    expect(panel.button("Read aloud", turn)).to_be_visible()  # it has come to its end
    assert panel.page.evaluate(PLAYED, 2)


def test_sound_that_comes_with_an_answer_plays_by_itself_unless_switched_off(open_panel: Opener) -> None:
    panel = open_panel("aloud", script=WIRE)
    turn = panel.talk("say it")
    panel.page.wait_for_function(PLAYED, arg=1)
    expect(panel.button("Read aloud", turn)).to_be_visible()
    # Played again it is the same sound, and nothing is asked of the server.
    turn.hover()
    panel.button("Read aloud", turn).click()
    panel.page.wait_for_function(PLAYED, arg=2)
    assert (panel.commands("sound"), panel.commands("speak")) == (1, 0)
    menu = panel.button("Menu", panel.root.locator(".top"))
    menu.click()
    choice = panel.root.get_by_role("menuitemcheckbox", name="Play answers aloud")
    expect(choice).to_have_attribute("aria-checked", "true")
    choice.click()
    panel.talk("quietly")
    panel.python_until("panel.turn.audio.complete", True)
    assert panel.page.evaluate(PLAYED, 2)
