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
        expect(panel.box).to_have_value("I mean: heard audio/wav, 1 channel at 16000 Hz, some sound")
        # A recording that is given up goes nowhere.
        panel.button("Speak your question").click()
        panel.button("Cancel").click()
        expect(panel.button("Speak your question")).to_be_visible()
        assert panel.commands("hear") == 1
    finally:
        nb.shut_down()
        nb.close()


def test_answers_are_read_aloud_and_sound_that_comes_with_them_plays(open_panel: Opener) -> None:
    panel = open_panel("desk", "other = panel_kernel.chat('aloud', 'listener')\nother", script=WIRE)
    turn = panel.talk("read this")
    turn.hover()
    panel.button("Read aloud", turn).click()
    stop = panel.button("Stop reading", turn)
    stop.click()
    expect(panel.button("Read aloud", turn)).to_be_visible()
    panel.button("Read aloud", turn).click()
    expect(stop).to_be_visible()
    expect(panel.button("Read aloud", turn)).to_be_visible()  # it has come to its end
    assert panel.page.evaluate(PLAYED, 2)
    assert (panel.commands("sound"), panel.commands("speak")) == (0, 2)

    panel.nb.run_cell(1)
    other = Panel(panel.nb, panel.world, 1).ready()
    turn = other.talk("say it")
    panel.page.wait_for_function(PLAYED, arg=3)
    expect(other.button("Read aloud", turn)).to_be_visible()
    # Played again it is the same sound, and nothing is asked of the server.
    turn.hover()
    other.button("Read aloud", turn).click()
    panel.page.wait_for_function(PLAYED, arg=4)
    assert (panel.commands("sound"), panel.commands("speak")) == (1, 2)
    other.button("Menu", other.root.locator(".top")).click()
    choice = other.root.get_by_role("menuitemcheckbox", name="Play answers aloud")
    expect(choice).to_have_attribute("aria-checked", "true")
    choice.click()
    other.talk("quietly")
    other.python_until("other.turn.audio.complete", True)
    assert panel.page.evaluate(PLAYED, 4)
