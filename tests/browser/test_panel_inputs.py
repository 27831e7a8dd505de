"""The app's form and a conversation's variables in the chat panel in a real JupyterLab."""

from __future__ import annotations

import pytest
from browser.panel_page import WIRE, Opener, desk, expect, open_panel

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_every_control_of_a_form_is_filled_checked_and_sent(open_panel: Opener) -> None:
    panel = open_panel("form", script=WIRE)
    form = panel.root.locator(".welcome .fields")
    labels = ["City", "About you", "Tone", "Age", "Politely", "More", "Paper", "Notes"]
    expect(form.locator(".field")).to_have_count(len(labels))
    for index, label in enumerate(labels):
        expect(form.locator(".field").nth(index)).to_contain_text(label)
    expect(form.get_by_label("Tone")).to_have_value("formal")

    # What is missing keeps the question back, and the keyboard goes there.
    panel.ask("hello")
    city = form.get_by_label("City")
    expect(city).to_be_focused()
    expect(form.locator(".problem")).to_have_text(["Please fill this in."])
    expect(panel.box).to_have_value("hello")
    assert panel.commands("ask") == 0

    city.fill("a name that is too long")
    expect(form.locator(".field").first.locator(".problem")).to_be_visible()
    city.fill("Bergen")
    form.get_by_label("About you").fill("two\nlines")
    form.get_by_label("Tone").select_option("casual")
    form.get_by_label("Age").fill("many")
    expect(form.locator(".problem")).to_have_text(["This is not a number."])
    form.get_by_label("Age").fill("41")
    form.get_by_role("checkbox", name="Politely").check()
    form.get_by_label("More").fill('{"rail": ')
    expect(form.locator(".problem")).to_have_text(["This is not JSON."])
    form.get_by_label("More").fill('{"rail": ["night"]}')
    inputs = form.locator("input[type=file]")
    inputs.first.set_input_files({"name": "paper.txt", "mimeType": "text/plain", "buffer": b"the paper"})
    expect(form.locator(".chip-state")).to_have_text("9 B")
    notes = [{"name": f"{n}.md", "mimeType": "text/markdown", "buffer": b"# note"} for n in "ab"]
    form.locator("input[type=file]").last.set_input_files(notes)
    expect(form.locator(".chip-state")).to_have_text(["9 B", "6 B", "6 B"])

    panel.box.press("Enter")
    panel.answered(1)
    sent = panel.python("{k: v for k, v in panel.turn.inputs.items() if not k.startswith('doc')}")
    assert sent == {
        "city": "Bergen", "bio": "two\nlines", "tone": "casual", "age": 41, "polite": True, "extra": {"rail": ["night"]}
    }  # fmt: skip
    prompt = panel.world.model.asked[-1]["messages"][0]["content"]
    assert prompt.startswith("Bergen|two\nlines|casual|41|")

    # This server honours other values in every turn.
    panel.menu(panel.button("Menu", panel.root.locator(".top")), "Inputs")
    expect(panel.sheet.get_by_label("City")).to_have_value("Bergen")
    panel.sheet.get_by_label("City").fill("Oslo")
    panel.button("OK", panel.sheet).click()
    panel.talk("again")
    assert panel.world.model.asked[-1]["messages"][0]["content"].startswith("Oslo|")
    assert panel.python("panel.turn.inputs['city']") == "Oslo"


def test_conversation_variables_are_shown_and_changed(open_panel: Opener) -> None:
    panel = open_panel("desk", user="counter")
    panel.talk("one")
    panel.talk("two")
    panel.menu(panel.button("Menu", panel.root.locator(".top")), "Conversation variables")
    asked = panel.sheet.get_by_label("Value of asked (JSON)")
    expect(asked).to_have_value("2")
    expect(panel.sheet).to_contain_text("How many questions were asked")
    cities = panel.sheet.get_by_label("Value of cities (JSON)")
    cities.fill('["Bergen", "Runde"')
    expect(panel.sheet.locator(".problem")).to_have_text("This is not JSON.")
    cities.fill('["Bergen", "Runde"]')
    panel.button("Save", panel.sheet).click()
    expect(panel.root.locator(".toast")).to_have_text("Saved")
    id = panel.python("panel.conversation_id")
    kept = panel.world.dify("desk", "counter").conversations.variables(id).to_list()
    assert {one.name: one.parsed for one in kept} == {"asked": 2, "cities": ["Bergen", "Runde"]}
    # A value of the wrong type is the server's to refuse; it says so, and the sheet stays.
    asked.fill('"many"')
    panel.button("Save", panel.sheet).click()
    expect(panel.notices).to_be_visible()
    expect(asked).to_have_value('"many"')
