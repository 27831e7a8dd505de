"""The chat panel for everyone, in a real JupyterLab: by keys alone, by axe-core, narrow, in Chinese."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.harness import Notebook
from browser.panel_page import Abroad, Opener, Panel, desk, expect, open_panel
from browser.panel_world import World
from browser.test_screenshots import wear

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOCUS = """() => {
    let el = document.activeElement;
    while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
    return el?.getAttribute('aria-label') ?? el?.innerText ?? '';
}"""
MOVING = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].every(
    el => !el.shadowRoot || el.shadowRoot.getAnimations().every(
        each => each.playState !== 'running' || each.effect.getTiming().iterations === Infinity))"""


def tab_to(page: Any, name: str, key: str = "Tab") -> None:
    """Press Tab (or Shift+Tab) until what has that name has the focus."""
    seen = []
    for _ in range(60):
        page.keyboard.press(key)
        seen.append(page.evaluate(FOCUS).split("\n")[0])
        if seen[-1].startswith(name):
            return
    raise AssertionError(f"{name} is not reached by {key}: {seen}")


def test_ask_stop_rate_and_rename_by_keys_alone(open_panel: Opener) -> None:
    panel = open_panel("desk")
    page = panel.page
    page.locator(".jp-Notebook").focus()
    # From here on no pointer, and no focus but by keys.
    tab_to(page, "Your question")
    panel.world.hold()
    page.keyboard.type("hold on")
    page.keyboard.press("Enter")
    expect(panel.body(panel.turns.first)).to_contain_text("half5")
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    expect(panel.turns.first.locator(".outcome")).to_have_text("stopped")
    expect(panel.box).to_be_focused()  # the button is gone, and the keyboard goes on where one writes
    panel.world.gate.set()

    tab_to(page, "Good answer", "Shift+Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUS) == "Bad answer"
    page.keyboard.press("Space")
    expect(panel.root.get_by_role("textbox", name="Comment on your rating")).to_be_focused()
    page.keyboard.type("too short")
    page.keyboard.press("Enter")
    panel.python_until("[[r.rating, r.comment] for r in panel.ratings.values()]", [["dislike", "too short"]])

    expect(panel.items).to_have_count(1)
    tab_to(page, "Actions for", "Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS) == "Rename"
    page.keyboard.press("Enter")
    expect(panel.root.get_by_role("textbox", name="New name")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Renamed by keys")
    page.keyboard.press("Enter")
    expect(panel.root.locator(".conversation-name")).to_have_text("Renamed by keys")
    expect(panel.root.locator(".top h2")).to_have_text("Renamed by keys")
    # The focus is where it was, and Escape leaves a menu without anything done.
    assert page.evaluate(FOCUS).startswith("Renamed by keys")
    tab_to(page, "Menu")
    page.keyboard.press("Enter")
    expect(panel.root.get_by_role("menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel.root.get_by_role("menu")).to_have_count(0)
    assert page.evaluate(FOCUS) == "Menu"


def violations(panel: Panel) -> list[Any]:
    """What axe-core finds in the panel, once nothing moves any more."""
    from axe_playwright_python.sync_playwright import Axe

    panel.page.wait_for_function(MOVING)
    # Each panel by itself; the notebook around it is not ours.
    place = panel.root.evaluate("el => { el.getRootNode().host.id = 'looked-at'; return '#looked-at' }")
    found = Axe().run(panel.page, context={"include": [place]}).response["violations"]
    panel.root.evaluate("el => { el.getRootNode().host.id = '' }")
    return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]


def test_axe_finds_nothing(open_panel: Opener) -> None:
    panel = open_panel("desk", "other = panel_kernel.chat('form', 'former')\nother")

    def look(at: Panel) -> None:
        for dark in (True, False):
            wear(panel.nb, dark)
            assert violations(at) == [], "dark" if dark else "light"

    try:
        look(panel)
        turn = panel.talk("When does the ferry leave?")
        for name in ("Workflow", "Sources"):
            panel.body(turn).locator("summary").filter(has_text=name).first.click()
        turn.hover()
        panel.button("Good answer", turn).click()
        panel.world.server.faults.once("error=3")
        panel.ask("it fails")
        expect(panel.button("Try again")).to_be_visible()
        look(panel)
        panel.more(turn, "Steps in detail")
        panel.sheet.locator("details.step summary").nth(2).click()
        expect(panel.sheet.locator(".step-body h3").first).to_be_visible()
        look(panel)
        panel.page.keyboard.press("Escape")
        panel.nb.run_cell(1)
        form = Panel(panel.nb, panel.world, 1).ready()
        form.ask("too early")
        expect(form.root.locator(".problem").first).to_be_visible()
        look(form)
    finally:
        wear(panel.nb, False)  # the setting is the server's, and other tests use it


def test_two_panels_on_a_page_have_landmarks_of_their_own(open_panel: Opener) -> None:
    from axe_playwright_python.sync_playwright import Axe

    panel = open_panel("desk", "from dify_notebook import ChatPanel\nChatPanel(panel.session)", "panel")
    for cell in (1, 2):
        panel.nb.run_cell(cell)
        Panel(panel.nb, panel.world, cell).ready()
    names = panel.page.locator(".root .panel").evaluate_all("all => all.map(el => el.getAttribute('aria-label'))")
    assert names == ["Chat with desk", "Chat with desk (2)", "Chat with desk (3)"]
    panel.button("Show conversations").or_(panel.button("Hide conversations")).first.wait_for()
    options = {"runOnly": {"type": "rule", "values": ["landmark-unique"]}}
    found = Axe().run(panel.page, context={"include": [".jp-OutputArea-output"]}, options=options).response
    assert [node["html"][:200] for each in found["violations"] for node in each["nodes"]] == []
    assert found["passes"], "the rule had something to look at"
    # A number that is free again is given again.
    panel.nb.run_cell(1)
    again = panel.root.page.locator(".root .panel")
    expect(again).to_have_count(3)
    expect(again.nth(1)).to_have_attribute("aria-label", "Chat with desk (2)")


def test_chinese_by_the_browsers_language(lab: Any, chromium: Any, desk: World) -> None:
    lab.write("chinese.ipynb", ["import panel_kernel\npanel = panel_kernel.chat('desk', '读者')\npanel"])
    nb = Notebook(Abroad(chromium, "zh-CN"), lab, "chinese.ipynb")
    try:
        nb.run_cell(0)
        panel = Panel(nb, desk).ready()
        expect(panel.root.locator(".panel")).to_have_attribute("lang", "zh-Hans")
        expect(panel.button("发送")).to_be_visible()
        turn = panel.talk("渡轮 (ferry) 几点开？")
        expect(turn.locator(".facts")).to_contain_text("秒")
        expect(panel.body(turn).locator("summary").filter(has_text="来源").first).to_be_visible()
        english = panel.root.locator("button").evaluate_all(
            "all => all.map(b => b.getAttribute('aria-label') ?? '').filter(t => /^[A-Z][a-z]+ [a-z]/.test(t))"
        )
        assert english == [], "every label is in Chinese"
    finally:
        nb.shut_down()
        nb.close()


def test_at_320_pixels_nothing_is_cut_off(open_panel: Opener) -> None:
    panel = open_panel("desk")
    page = panel.page
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    frame = panel.root.locator(".panel")
    expect(page.locator("#jp-left-stack")).to_be_hidden()
    page.set_viewport_size({"width": 438, "height": 1000})
    expect(frame).to_have_class(re.compile(r"\bnarrow\b"))
    turn = panel.talk("When does the ferry leave?")
    assert frame.evaluate("el => Math.round(el.getBoundingClientRect().width)") in range(300, 325)
    outside = """el => {
        const edge = el.getBoundingClientRect().right + 1;
        const hidden = (node) => {
            for (let at = node.parentElement; at && at !== el; at = at.parentElement)
                if (/auto|scroll|hidden/.test(getComputedStyle(at).overflowX)) return true;
            return false;
        };
        return [...el.querySelectorAll('*')]
            .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > edge && !hidden(node))
            .map((node) => node.outerHTML.slice(0, 120));
    }"""
    assert frame.evaluate(outside) == []
    # The list covers the conversation, takes the focus, and gives it back.
    panel.button("Show conversations").click()
    expect(panel.items).to_have_count(1)
    expect(panel.button("Hide conversations", panel.root.locator(".sidebar"))).to_be_focused()
    assert frame.evaluate(outside) == []
    page.keyboard.press("Escape")
    expect(panel.items).to_have_count(0)
    expect(panel.button("Show conversations")).to_be_focused()
    expect(turn).to_be_visible()
    panel.talk("still usable")
