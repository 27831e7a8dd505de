"""Apps that are run, in the chat panel in a real JupyterLab: form, run, outputs, and the runs before."""

from __future__ import annotations

import re

import pytest
from browser.harness import KERNEL
from browser.panel_page import WIRE, Opener, Panel, desk, expect, open_panel
from browser.test_panel_everyone import tab_to, violations
from browser.test_screenshots import wear

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAPER = {"name": "paper.txt", "mimeType": "text/plain", "buffer": b"the paper"}


def test_a_form_is_filled_checked_and_run(open_panel: Opener) -> None:
    panel = open_panel("words", script=WIRE)
    form = panel.root.locator("form.run-form")
    expect(panel.box).to_have_count(0)
    expect(panel.button("New chat")).to_have_count(0)
    expect(panel.root.get_by_text("What the app gives stands here after a run.")).to_be_visible()

    # What is missing keeps the run back, and the keyboard goes there.
    panel.button("Run", form).click()
    text = form.get_by_label("Text")
    expect(text).to_be_focused()
    expect(form.locator(".problem")).to_have_text(["Please fill this in."])
    assert panel.commands("ask") == 0

    text.fill("a b a <b>c</b>")
    form.get_by_label("At most").fill("many")
    expect(form.locator(".problem")).to_have_text(["This is not a number."])
    form.get_by_label("At most").fill("3")
    form.get_by_label("Style").select_option("long")
    form.get_by_role("checkbox", name="Polite").check()
    form.get_by_label("Extra").fill('{"k": [1]}')
    form.locator("input[type=file]").set_input_files(PAPER)
    expect(form.locator(".chip-state")).to_have_text("9 B")
    form.get_by_label("At most").press("Enter")  # alone it runs nothing
    assert panel.commands("ask") == 0
    form.get_by_label("At most").press("Control+Enter")
    turn = panel.answered(1)
    body = panel.body(turn)
    expect(body.get_by_role("table", name="Outputs")).to_contain_text("4 words")
    expect(body.get_by_role("row", name="a 2")).to_be_visible()
    expect(turn.locator(".downloads .chip-name")).to_have_text("paper.txt")
    assert body.locator("b").count() == 0, "what it was given is text"
    sent = panel.python("{k: v for k, v in panel.turn.inputs.items() if k != 'paper'}")
    assert sent == {"text": "a b a <b>c</b>", "style": "long", "most": 3, "polite": True, "extra": {"k": [1]}}
    expect(text).to_have_value("a b a <b>c</b>")

    # The form stays, with its file: another run is a change and a key away.
    text.fill("once")
    text.press("Control+Enter")
    panel.python_until("(panel.turn.outputs or {}).get('number')", 1)
    expect(panel.body(panel.answered(1)).get_by_role("table", name="Outputs")).to_contain_text("1 words")
    assert panel.python("panel.turn.outputs['paper'].name") == "paper.txt"


def test_runs_are_listed_opened_and_their_inputs_taken_up(open_panel: Opener) -> None:
    panel = open_panel("words", script=WIRE)
    form = panel.root.locator("form.run-form")
    panel.python("panel.run({'text': 'of Python', 'style': 'short'}).result().status")
    panel.answered(1)
    expect(panel.root.locator(".run-title")).to_have_text("of Python · short")
    expect(form.get_by_label("Style")).to_have_value("short")  # what ran last stands in the form
    form.get_by_label("Text").fill("of the form")
    form.get_by_label("Style").select_option("")
    panel.button("Run", form).click()
    expect(panel.root.locator(".run-title")).to_have_text("of the form")
    if not panel.root.locator(".sidebar").count():
        panel.button("Show runs").click()
    lines = panel.root.locator(".conversation")
    expect(lines.nth(0)).to_contain_text("of the form")
    expect(lines.nth(1)).to_contain_text("of Python · short")
    expect(lines.nth(1)).to_contain_text("done")
    expect(panel.root.locator(".sidebar .menu-place")).to_have_count(0)

    lines.nth(1).locator(".conversation-open").click()
    expect(panel.root.locator(".run-title")).to_have_text("of Python · short")
    turn = panel.turns.last
    turn.hover()
    panel.button("Use these inputs again", turn).click()
    expect(form.get_by_label("Text")).to_have_value("of Python")
    expect(form.get_by_label("Text")).to_be_focused()
    expect(form.get_by_label("Style")).to_have_value("short")

    # By keys alone: search, down to the line, open it.
    search = panel.root.get_by_role("searchbox", name="Search runs")
    search.fill("of the form")
    expect(lines).to_have_count(1)
    search.press("Tab")
    panel.page.keyboard.press("Enter")
    expect(panel.root.locator(".run-title")).to_have_text("of the form")


def test_run_stop_and_try_again_by_keys_alone(open_panel: Opener) -> None:
    panel = open_panel("slow")
    page = panel.page
    panel.world.step.clear()
    go = panel.button("Run", panel.root.locator("form.run-form"))
    page.locator(".jp-Notebook").focus()
    tab_to(page, "Form and result")
    page.keyboard.press("Tab")
    page.keyboard.type("by keys")
    page.keyboard.press("Control+Enter")
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    expect(panel.turns.last.locator(".outcome")).to_have_text("stopped")
    expect(go).to_be_focused()  # what was pressed is gone
    panel.world.step.set()
    tab_to(page, "Try again")
    page.keyboard.press("Enter")
    expect(panel.turns.last.locator(".outcome")).to_have_count(0)
    expect(go).to_be_focused()
    expect(panel.body(panel.answered(1))).to_contain_text("by keys")


def test_a_run_is_stopped_and_another_waits_for_nothing(open_panel: Opener) -> None:
    panel = open_panel("slow")
    panel.world.step.clear()
    form = panel.root.locator("form.run-form")
    form.get_by_label("Q").fill("x")
    form.get_by_label("Q").press("Control+Enter")
    expect(panel.stop).to_be_visible()
    expect(panel.button("Run", form)).to_have_attribute("aria-disabled", "true")
    form.get_by_label("Q").press("Control+Enter")
    expect(panel.root.locator(".toast")).to_have_text("It is running. Stop it or wait for its end.")
    panel.stop.click()
    expect(panel.stop).to_have_count(0)
    panel.world.step.set()
    expect(panel.turns.last.locator(".outcome")).to_have_text("stopped")
    expect(panel.button("Try again")).to_be_visible()


def test_a_kernel_that_is_restarted_in_the_middle_of_a_run(open_panel: Opener) -> None:
    panel = open_panel("slow")
    panel.nb.save()
    texts = [output["data"]["text/plain"] for output in panel.nb.saved()["cells"][0]["outputs"]]
    assert "conversation" not in str(texts)
    panel.world.step.clear()
    form = panel.root.locator("form.run-form")
    form.get_by_label("Q").fill("lost and found")
    form.get_by_label("Q").press("Control+Enter")
    expect(panel.body(panel.turns.first).get_by_role("row", name="Hold")).to_contain_text("Running")
    panel.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
    expect(panel.notices).to_contain_text("The kernel was restarted or this panel was closed.")
    expect(panel.stop).to_have_count(0)  # nobody would hear it
    panel.world.step.set()
    panel.nb.wait_status("idle")
    panel.button("Load the panel again").click()
    again = Panel(panel.nb, panel.world).ready()
    expect(again.items.first).to_contain_text("done")
    again.items.first.locator(".conversation-open").click()
    expect(again.root.locator(".run-title")).to_have_text("lost and found")
    expect(again.items.first.locator(".conversation-when")).to_have_text(re.compile(r"\d\d:\d\d"))


def test_a_file_is_dropped_on_the_form(open_panel: Opener) -> None:
    panel = open_panel("words")
    panel.root.locator(".panel").evaluate(
        """el => {
            const data = new DataTransfer();
            data.items.add(new File(["dropped"], "dropped.txt", {type: "text/plain"}));
            for (const kind of ["dragover", "drop"])
                el.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
        }"""
    )
    form = panel.root.locator("form.run-form")
    expect(form.locator(".field .chip-name")).to_have_text("dropped.txt")
    form.get_by_label("Text").fill("x")
    panel.button("Run", form).click()
    panel.answered(1)
    assert panel.python("panel.turn.outputs['paper'].name") == "dropped.txt"


def test_a_completion_is_run_and_rated(open_panel: Opener) -> None:
    panel = open_panel("letter")
    form = panel.root.locator("form.run-form")
    form.get_by_label("About").fill("rain")
    form.get_by_label("About").press("Control+Enter")
    turn = panel.answered(1)
    expect(panel.body(turn)).to_contain_text("You said")
    turn.hover()
    panel.button("Good result", turn).click()
    panel.python_until("panel.turn.feedback", "like")
    if not panel.root.locator(".sidebar").count():
        panel.button("Show runs").click()
    expect(panel.root.locator(".here")).to_contain_text("keeps no list")


def test_in_chinese(open_panel: Opener) -> None:
    panel = open_panel("words", arguments=", lang='zh-Hans'")
    form = panel.root.locator("form.run-form")
    expect(panel.button("运行", form)).to_be_visible()
    form.get_by_label("Text").fill("一 二")
    panel.button("运行", form).click()
    turn = panel.answered(1)
    expect(panel.root.get_by_role("region", name="结果")).to_contain_text("一 二")
    turn.hover()
    expect(panel.button("再次使用这些输入", turn)).to_be_visible()


def test_axe_finds_nothing(open_panel: Opener) -> None:
    panel = open_panel("words")
    form = panel.root.locator("form.run-form")

    def look() -> None:
        for dark in (True, False):
            wear(panel.nb, dark)
            assert violations(panel) == [], "dark" if dark else "light"

    try:
        panel.button("Run", form).click()
        expect(form.locator(".problem").first).to_be_visible()
        look()
        form.get_by_label("Text").fill("a b")
        form.locator("input[type=file]").set_input_files(PAPER)
        expect(form.locator(".chip-state")).to_have_text("9 B")
        panel.button("Run", form).click()
        panel.answered(1).hover()
        if not panel.root.locator(".sidebar").count():
            panel.button("Show runs").click()
        expect(panel.root.locator(".conversation").first).to_be_visible()
        look()
    finally:
        wear(panel.nb, False)
