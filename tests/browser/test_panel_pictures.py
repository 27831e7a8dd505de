"""What a reader sees of the chat panel in JupyterLab; kept beside this file with what was once wrong in it.

With SCREENSHOTS=keep the pictures in `screenshots/` are made anew; their README has a sentence for each.
Without it the test looks at what a picture shows: that words stand out from what is behind them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from browser.harness import Notebook
from browser.panel_page import Abroad, Panel, desk, expect
from browser.panel_world import World
from browser.test_screenshots import contrast, luminance, wear

__all__ = ["desk"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

KEPT = Path(__file__).parent / "screenshots"
MOVING = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].every(
    el => !el.shadowRoot || el.shadowRoot.getAnimations().every(
        each => each.playState !== 'running' || each.effect.getTiming().iterations === Infinity))"""
INKS = """el => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const plain = (colour, under) => {
        canvas.fillStyle = under;
        canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return `rgb(${[...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).join()})`;
    };
    const paper = (at) => {
        const colours = [];
        for (; at; at = at.parentElement ?? at.getRootNode().host) colours.push(getComputedStyle(at).backgroundColor);
        return colours.reverse().reduce((under, colour) => plain(colour, under), 'rgb(255,255,255)');
    };
    const parts = (colour) => colour.match(/\\d+/g).map(Number);
    const words = '.bubble, .dn-answer p, .dn-answer td, .facts, .conversation-name, .top h2, label, .run-title';
    return [...el.querySelectorAll(words)]
        .filter((each) => each.checkVisibility() && each.textContent.trim())
        .map((each) => [parts(plain(getComputedStyle(each).color, paper(each))), parts(paper(each))]);
}"""
CELL = "from dify_notebook import ChatPanel\nChatPanel(height=818)"
SHOTS = {
    "light": {"dark": False, "locale": "en-US"},
    "dark": {"dark": True, "locale": "en-US"},
    "zh": {"dark": False, "locale": "zh-CN"},
    "narrow": {"dark": False, "locale": "en-US"},
}
TALK = {"en-US": "When does the ferry to Runde leave?", "zh-CN": "去 Runde 的渡轮 (ferry) 几点开？"}
NAMES = {
    "en-US": ["Night trains to Vienna", "A weekend on the coast", "Why is the bus late?", "Packing for rain"],
    "zh-CN": ["去维也纳的夜车", "海边的周末", "巴士为什么晚点？", "雨天行李"],
}


@pytest.mark.parametrize("shot", SHOTS)
def test_a_conversation_looks_well(shot: str, lab: Any, chromium: Any, desk: World, tmp_path: Path) -> None:
    dark, locale = bool(SHOTS[shot]["dark"]), str(SHOTS[shot]["locale"])
    app, user = ("desk" if locale == "en-US" else "时刻表"), f"looker-{shot}"
    for name in reversed(NAMES[locale]):
        desk.dify(app, user).conversations.rename(desk.talked(app, user, "hello"), name)
    lab.write(f"{shot}.ipynb", [CELL])
    nb = Notebook(Abroad(chromium, locale), lab, f"{shot}.ipynb", dark=dark)
    try:
        wear(nb, dark)
        nb.page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        if shot == "narrow":
            nb.page.set_viewport_size({"width": 438, "height": 1000})
        panel = Panel(nb, desk)
        panel.python(f"__import__('panel_kernel').environment({app!r}, {user!r})")
        nb.run_cell(0)
        panel.ready()
        legs = {"name": "legs.csv", "mimeType": "text/csv", "buffer": b"leg,leaves\nbus,07:05\nferry,07:40\n"}
        panel.root.locator("form.composer input[type=file]").set_input_files(legs)
        expect(panel.root.locator("form.composer .chip-state")).to_have_text("33 B")
        turn = panel.talk(TALK[locale])
        if shot == "narrow":
            panel.body(turn).locator("summary").first.click()
        else:
            sources = panel.body(turn).locator("details:has(.dn-src)").last
            sources.locator("summary").first.click()
            sources.locator("details.dn-src summary").click()
        turn.hover()
        turn.locator("button.rate").first.click()
        comment = turn.locator(".comment input")
        expect(comment).to_be_focused()
        comment.press("Escape")
        expect(comment).to_have_count(0)
        expect(turn.locator("button.rate[aria-pressed=true]")).to_have_count(1)
        expect(turn.locator(".next button")).to_have_count(2)
        panel.box.focus()
        nb.page.mouse.move(5, 995)
        nb.page.evaluate("document.querySelector('.jp-CodeCell').scrollIntoView()")
        if shot == "narrow":
            panel.root.locator(".scroller").evaluate(
                "el => { el.scrollTop += el.querySelector('.sent').getBoundingClientRect().top "
                "- el.getBoundingClientRect().top - 12 }"
            )
        else:
            panel.root.locator(".scroller").evaluate("el => { el.scrollTop = el.scrollHeight }")
            expect(panel.root.locator("button.newest")).to_have_count(0)
        expect(panel.root.locator(".toast")).to_have_count(0)
        nb.page.wait_for_function(MOVING)
        keep(nb, KEPT / f"panel-lab-{shot}.png", tmp_path)
        pairs = panel.root.evaluate(INKS)
        assert pairs
        for ink, paper in pairs:
            assert contrast(ink, paper) >= 4.5, (ink, paper)
            assert (luminance(paper) < 0.3) is dark, paper
    finally:
        wear(nb, False)  # the setting is the server's, and other tests use it
        nb.shut_down()
        nb.close()


TICKETS = """ticket,minutes
The export crashes on every large file,42
Refund for the second seat please,7
An error after the update,25
The money has not come back,12
How do I change the language?,3"""
CLASSES = "bug=crash|error; refund=money|refund"


@pytest.mark.parametrize("shot", ["light", "dark", "narrow"])
def test_a_run_looks_well(shot: str, lab: Any, chromium: Any, desk: World, tmp_path: Path) -> None:
    dark = shot == "dark"
    lab.write(f"run-{shot}.ipynb", [CELL])
    nb = Notebook(chromium, lab, f"run-{shot}.ipynb", dark=dark)
    try:
        wear(nb, dark)
        nb.page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        if shot == "narrow":
            nb.page.set_viewport_size({"width": 458, "height": 1000})
        panel = Panel(nb, desk)
        panel.python(f"__import__('panel_kernel').environment('tally', 'runner-{shot}')")
        nb.run_cell(0)
        form = panel.ready().root.locator("form.run-form")
        form.get_by_label("A CSV, or a list").fill(TICKETS)
        form.get_by_label("Classes").fill(CLASSES)
        form.get_by_label("Classes").press("Control+Enter")
        turn = panel.answered(1)
        expect(panel.body(turn).get_by_role("table", name="Outputs")).to_contain_text("5 rows")
        nb.page.mouse.move(5, 995)
        nb.page.evaluate("document.querySelector('.jp-CodeCell').scrollIntoView()")
        panel.root.locator(".scroller").evaluate(
            """el => {
                const rows = [...el.querySelectorAll('[role=row], tr')].find(row => /^For each/.test(row.innerText));
                el.scrollTop += rows.getBoundingClientRect().top - el.getBoundingClientRect().top - 110;
            }"""
        )
        nb.page.wait_for_function(MOVING)
        keep(nb, KEPT / f"panel-run-{shot}.png", tmp_path)
        pairs = panel.root.evaluate(INKS)
        assert pairs
        for ink, paper in pairs:
            assert contrast(ink, paper) >= 4.5, (ink, paper)
            assert (luminance(paper) < 0.3) is dark, paper
        frame = panel.root.locator(".panel")
        assert frame.evaluate("el => el.scrollWidth - el.clientWidth") <= 0
    finally:
        wear(nb, False)  # the setting is the server's, and other tests use it
        nb.shut_down()
        nb.close()


def keep(nb: Notebook, path: Path, folder: Path) -> None:
    picture = folder / path.name
    nb.screenshot(picture)
    assert picture.stat().st_size > 10_000
    if os.environ.get("SCREENSHOTS") == "keep":
        path.parent.mkdir(exist_ok=True)
        shutil.copy(picture, path)
