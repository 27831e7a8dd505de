"""What a reader sees of the chat panel; kept in `screenshots/` with what was once wrong in it.

With SCREENSHOTS=keep the pictures there are made anew. Without it the test looks at what a
picture shows: the theme's lightness, and words that stand out from what is behind them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.panel_stage import serving, stage
from browser.test_screenshots import KEPT, contrast, luminance

pytestmark = pytest.mark.browser


def top(page: Any) -> None:
    """Read from the first question on."""
    page.locator(".scroller").evaluate("el => { el.scrollTop = 0; }")


def steps(page: Any) -> None:
    """The details of a step beside the conversation."""
    page.locator("[data-turn=t2]").hover()
    page.locator("[data-turn=t2]").get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Steps in detail").click()
    page.locator(".step summary").nth(2).click()
    page.get_by_text("friendly desk").wait_for()


def streaming(page: Any) -> None:
    """An answer on its way, with a question that waits behind it."""
    page.evaluate("kernel.pace = 40")
    box = page.get_by_role("textbox", name="Your question")
    box.fill("As a table, please")
    box.press("Enter")
    page.locator(".running table").wait_for()
    box.fill("And by train?")
    box.press("Enter")
    page.get_by_text("Waiting", exact=True).wait_for()
    page.locator(".running .dn-pre").wait_for()


PICTURES: dict[str, tuple[dict[str, Any], Callable[[Any], None]]] = {
    "panel-light": ({"width": 1120, "height": 860, "panel_height": 800}, top),
    "panel-dark": ({"width": 1120, "height": 860, "panel_height": 800, "theme": "dark"}, streaming),
    "panel-zh": ({"width": 1120, "height": 800, "panel_height": 740, "lang": "zh-Hans", "empty": True}, top),
    "panel-narrow": ({"width": 320, "height": 760, "panel_height": 760, "padding": "0"}, top),
    "panel-steps": ({"width": 1120, "height": 800, "panel_height": 740, "theme": "dark"}, steps),
    "panel-form": ({"width": 760, "height": 900, "panel_height": 850, "empty": True, "form": True}, top),
}
WORDS = """() => {
    const root = document.querySelector('#panel > div').shadowRoot;
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const plain = (colour, under) => {
        canvas.fillStyle = under;
        canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const paper = el => {
        const papers = [];
        for (let at = el; at; at = at.parentElement ?? at.getRootNode().host)
            papers.unshift(getComputedStyle(at).backgroundColor);
        let seen = [255, 255, 255];
        for (const each of papers) seen = plain(each, `rgb(${seen})`);
        return seen;
    };
    const named = '.title h2, .bubble, .dn-answer p, .dn-answer td, .dn-pre, .facts, .suggestion, .rules, .keys, label';
    const words = root.querySelectorAll(named);
    return [...words].filter(el => el.checkVisibility() && !el.closest('.faint, .sr')).map(el => {
        const behind = paper(el);
        return [plain(getComputedStyle(el).color, `rgb(${behind})`), behind];
    });
}"""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(chromium: Any, base: str, name: str, tmp_path: Path) -> None:
    wish, act = PICTURES[name]
    dark = wish.get("theme") == "dark"
    with stage(chromium, base, **wish) as page:
        page.emulate_media(reduced_motion="reduce")
        act(page)
        pairs = page.evaluate(WORDS)
        assert len(pairs) > 4
        for ink, paper in pairs:
            assert contrast(ink, paper) >= 4.5, (ink, paper)
            assert (luminance(paper) < 0.25) is dark, paper
        picture = tmp_path / f"{name}.png"
        page.screenshot(path=str(picture))
        assert picture.stat().st_size > 10_000
        if os.environ.get("SCREENSHOTS") == "keep":
            shutil.copy(picture, KEPT / picture.name)
        assert page.log == []
