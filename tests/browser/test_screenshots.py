"""What a reader sees, in light and in dark; kept beside this file with what was once wrong in it.

With SCREENSHOTS=keep the pictures in `screenshots/` are made anew; their
README has a sentence for each. Without it the test looks at what a picture shows: that the
page is as light or dark as its theme, and that words stand out from what is behind them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.harness import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KEPT = Path(__file__).parent / "screenshots"
CELLS = [
    "%load_ext dify_notebook",
    "%%dify toolbox --new\nWhat is 17% of 2340, and what time is it in Tokyo?",
    "%%dify pipeline --new -i style=table\nCompare: send a file, stop a running cell, keys and security",
    "%%dify guide --new\n怎么把文件和问题一起发送？",
]
WORDS = """() => {
    // The colour of the answers' words and of what is painted behind them.
    const found = [...document.querySelectorAll('.jp-RenderedHTML p, .jp-RenderedHTML td, .jp-RenderedHTML code')]
        .filter(el => el.checkVisibility() && el.textContent.trim());
    const paper = el => {
        for (let at = el; at; at = at.parentElement ?? at.getRootNode().host) {
            const colour = getComputedStyle(at).backgroundColor;
            // Tints of less than half are looked through.
            if (!/rgba\\(.*, 0(\\.[0-4]\\d*)?\\)|transparent/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const plain = colour => {  // color-mix and others, as red, green and blue
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    return found.map(el => [plain(getComputedStyle(el).color), plain(paper(el))]);
}"""


def luminance(colour: list[int]) -> float:
    """WCAG's relative luminance of red, green and blue, 0 to 255."""
    channels = [part / 255 for part in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[int], other: list[int]) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def keep(nb: Notebook, path: Path, folder: Path) -> None:
    picture = folder / path.name
    nb.screenshot(picture)
    assert picture.stat().st_size > 10_000
    if os.environ.get("SCREENSHOTS") == "keep":
        path.parent.mkdir(exist_ok=True)
        shutil.copy(picture, path)


def check(pairs: list[list[Any]], dark: bool) -> None:
    assert pairs
    for ink, paper in pairs:
        assert contrast(ink, paper) >= 4.5, (ink, paper)
        assert (luminance(paper) < 0.2) is dark, paper


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_live_and_left_behind(notebook: Callable[..., Notebook], dark: bool, tmp_path: Path) -> None:
    theme = "dark" if dark else "light"
    nb = notebook(*CELLS, dark=dark)
    try:
        wear(nb, dark)
        look(nb, theme, dark, tmp_path)
    finally:
        wear(nb, False)  # the setting is the server's, and other tests use it


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_workflow_live_and_left_behind(notebook: Callable[..., Notebook], dark: bool, tmp_path: Path) -> None:
    theme = "dark" if dark else "light"
    nb = notebook("import driver", f"_ = driver.workflow('ended-{theme}')", dark=dark)
    try:
        wear(nb, dark)
        nb.run_cell(0)
        nb.run_cell(1, wait=False)
        nb.page.wait_for_function(
            """() => [...document.querySelectorAll('.jp-OutputArea-output *')].some(({shadowRoot}) =>
                shadowRoot?.querySelectorAll('.dn-tlr').length > 4 && shadowRoot.textContent.includes('refunds'))"""
        )
        nb.page.evaluate("document.querySelectorAll('.jp-CodeCell')[1].scrollIntoView()")
        keep(nb, KEPT / f"workflow-live-{theme}.png", tmp_path)
        assert faults(nb) == []
        (nb.server.root / f"ended-{theme}").touch()
        nb.wait_cell(1)
        nb.page.wait_for_function(
            """() => document.querySelectorAll('.jp-CodeCell')[1]
                .querySelector('.jp-RenderedHTML')?.innerText.includes('Done')"""
        )
        nb.page.evaluate("document.querySelectorAll('.jp-CodeCell')[1].scrollIntoView()")
        keep(nb, KEPT / f"workflow-{theme}.png", tmp_path)
        check(nb.page.evaluate(WORDS), dark)
        assert faults(nb) == []
    finally:
        wear(nb, False)


def faults(nb: Notebook) -> list[tuple[str, list[str]]]:
    """What axe-core finds in the outputs of cells."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(nb.page, context={"include": [[".jp-Cell-outputArea"]]}).response
    return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]]


def wear(nb: Notebook, dark: bool) -> None:
    """Put JupyterLab into one of its own themes."""
    name = "JupyterLab Dark" if dark else "JupyterLab Light"
    nb.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
    nb.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{'false' if dark else 'true'}'")


def look(nb: Notebook, theme: str, dark: bool, tmp_path: Path) -> None:
    nb.run_cell(0)
    nb.run_cell(1)
    nb.run_cell(2, wait=False)
    # While the nodes run: the timeline is open and the Stop button there.
    nb.page.wait_for_function(
        """() => [...document.querySelectorAll('.jp-OutputArea-output *')].some(el =>
            el.shadowRoot?.querySelectorAll('.dn-tlr').length > 4)"""
    )
    nb.page.evaluate("document.querySelectorAll('.jp-CodeCell')[2].scrollIntoView()")
    keep(nb, KEPT / f"live-{theme}.png", tmp_path)
    nb.wait_cell(2)
    nb.run_cell(3)
    nb.wait_cell(3)
    nb.page.wait_for_function(
        """() => document.querySelectorAll('.jp-CodeCell')[3]
            .querySelector('.jp-RenderedHTML')?.innerText.includes('Done')"""
    )
    nb.page.evaluate("document.querySelectorAll('.jp-CodeCell')[1].scrollIntoView()")
    keep(nb, KEPT / f"left-{theme}.png", tmp_path)
    check(nb.page.evaluate(WORDS), dark)
