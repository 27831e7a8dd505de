"""Talking in the chat panel in a real JupyterLab: beginning, typing, streaming, stopping, waiting, asking again."""

from __future__ import annotations

import re

import pytest
from browser.panel_page import Opener, Panel, desk, expect, open_panel

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def compose(panel: Panel, text: str) -> None:
    """Begin to write with an input method; Enter, which picks a candidate; the text is taken."""
    session = panel.page.context.new_cdp_session(panel.page)
    session.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    # What a browser says of a key that the input method takes.
    key = {"key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **key, "key": "Enter", "windowsVirtualKeyCode": 13})
    session.send("Input.insertText", {"text": text})


def test_beginning_typing_and_following_on(open_panel: Opener) -> None:
    panel = open_panel("desk")
    root = panel.root
    expect(root.locator(".welcome .app")).to_have_text("desk")
    expect(root.locator(".welcome .opening strong")).to_have_text("Hello!")
    starters = root.locator(".starters button")
    expect(starters).to_have_text(["When does the ferry leave?", "Is there a night train?"])

    starters.nth(1).click()
    first = panel.answered(1)
    expect(first.locator(".bubble")).to_have_text("Is there a night train?")
    expect(panel.body(first)).to_contain_text("You said: Is there a night train?")
    expect(first.locator(".next button")).to_have_text(["And on Sunday?", "What does it cost?"])
    first.locator(".next button").first.click()
    second = panel.answered(2)
    expect(second.locator(".bubble")).to_have_text("And on Sunday?")
    expect(first.locator(".next")).to_have_count(0)

    # Shift+Enter is a line, Enter sends; the notebook's own keys do nothing here.
    cells = panel.page.locator(".jp-CodeCell").count()
    panel.box.click()
    panel.page.keyboard.type("two")
    panel.page.keyboard.press("Shift+Enter")
    panel.page.keyboard.type("lines dd")
    expect(panel.box).to_have_value("two\nlines dd")
    panel.page.keyboard.press("Enter")
    third = panel.answered(3)
    expect(third.locator(".bubble")).to_have_text("two\nlines dd")
    assert panel.page.locator(".jp-CodeCell").count() == cells

    # Enter that picks a candidate of an input method sends nothing.
    panel.box.click()
    compose(panel, "渡し船")
    expect(panel.box).to_have_value("渡し船")
    panel.page.keyboard.press("Enter")
    fourth = panel.answered(4)
    expect(fourth.locator(".bubble")).to_have_text("渡し船")

    # ↑ brings back what was asked, ↓ leads to the empty box again.
    panel.box.press("ArrowUp")
    expect(panel.box).to_have_value("渡し船")
    panel.box.press("ArrowUp")
    expect(panel.box).to_have_value("two\nlines dd")
    panel.box.press("ArrowDown")
    panel.box.press("ArrowDown")
    expect(panel.box).to_have_value("")

    expect(root.locator(".totals")).to_have_text(re.compile(r"^4 turns · [\d,]+ tokens · \$[\d.]+ · [\d.]+ s$"))
    expect(fourth.locator(".facts")).to_have_text(re.compile(r"tokens · \$[\d.]+ · [\d.]+ s · \d\d:\d\d$"))


def test_streaming_stopping_waiting_and_asking_again(open_panel: Opener) -> None:
    panel = open_panel("desk")
    panel.world.hold()
    panel.ask("hold on")
    turn = panel.turns.first
    expect(panel.body(turn)).to_contain_text("half5")
    expect(turn.locator("article")).to_have_attribute("aria-busy", "true")

    # What is asked meanwhile waits, and can be taken back.
    panel.ask("first in the queue")
    panel.ask("second in the queue")
    expect(panel.pending).to_have_count(2)
    expect(panel.pending.first.locator(".state")).to_have_text("Waiting")
    panel.button("Remove the waiting question “first in the queue”").click()
    expect(panel.pending).to_have_count(1)

    panel.stop.click()
    expect(turn.locator(".outcome")).to_have_text("stopped")
    expect(panel.body(turn)).to_contain_text("half5")
    assert "half6" not in panel.body(turn).inner_text()
    panel.world.gate.set()
    second = panel.answered(2)
    expect(second.locator(".bubble")).to_have_text("second in the queue")
    expect(panel.pending).to_have_count(0)

    # An error after a part of the answer: the part stays, and the same can be tried again.
    panel.world.server.faults.once("error=8")
    panel.ask("now it breaks")
    third = panel.turns.nth(2)
    expect(panel.button("Try again", third)).to_be_visible()
    expect(panel.body(third)).to_contain_text("asked for by a fault")
    panel.button("Try again", third).click()
    expect(third.locator(".outcome")).to_have_count(0)
    expect(panel.body(third)).to_contain_text("You said: now it breaks")
    expect(panel.turns).to_have_count(3)

    third.hover()
    panel.button("Answer again", third).click()
    fourth = panel.answered(4)
    expect(fourth.locator(".bubble")).to_have_text("now it breaks")
    assert panel.python("[turn.status for turn in panel.turns]") == ["stopped", "succeeded", "succeeded", "succeeded"]


def test_what_a_callback_prints_or_raises_is_seen(open_panel: Opener, kernel: str) -> None:
    panel = open_panel(
        "plain",
        "def told(turn):\n    print('ended:', turn.query)\n    return {}['x']\n_ = panel.on_turn(told)",
        "print('another cell')",
        kernel=kernel,
    )
    panel.nb.run_cell(1)
    panel.nb.run_cell(2)
    panel.talk("hello")
    expect(panel.notices).to_contain_text("The function told, given to on_turn, failed in line 3: KeyError: 'x'")
    printed = panel.page.locator(".jp-CodeCell").nth(1).locator(".jp-Cell-outputArea")
    expect(printed).to_contain_text("ended: hello")
    expect(printed).to_contain_text("failed in line 3: KeyError: 'x'")
    assert "Traceback" not in printed.inner_text()
    assert panel.nb.outputs()[2].strip() == "another cell"
    panel.talk("again")
    expect(printed).to_contain_text("ended: again")


def test_two_panels_and_python_show_one_conversation(open_panel: Opener) -> None:
    panel = open_panel(
        "desk",
        "from dify_notebook import ChatPanel\nheard = []\nended = panel.on_turn(lambda t: heard.append(t.answer))\n"
        "other = ChatPanel(panel.session)\nother",
        "turn = panel.ask('from Python').result()\nprint(turn.status, len(panel.turns))",
        "asked = panel.ask('hold this')",
        "print('stopped:', panel.stop(), panel.turns[-1].query)",
    )
    panel.nb.run_cell(1)
    other = Panel(panel.nb, panel.world, 1).ready()
    panel.talk("seen by both")
    expect(panel.body(other.answered(1))).to_contain_text("You said: seen by both")
    panel.nb.run_cell(2)
    for each in (panel, other):
        expect(each.body(each.answered(2))).to_contain_text("You said: from Python")
    assert "succeeded 2" in panel.nb.outputs()[2]
    panel.python_until("heard", ["You said: *seen by both*", "You said: *from Python*"])

    panel.world.hold()
    panel.nb.run_cell(3)
    expect(other.body(other.turns.nth(2))).to_contain_text("half5")
    panel.nb.run_cell(4)
    assert "stopped: True hold this" in panel.nb.outputs()[4]
    expect(other.turns.nth(2).locator(".outcome")).to_have_text("stopped")
    panel.world.gate.set()
