"""Answers beside each other as a reader sees them: live and left behind, light and dark, narrow, untrusted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.harness import Notebook, Server
from browser.test_screenshots import KEPT, WORDS, check, faults, keep, wear

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIVE = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].some(({shadowRoot}) =>
    shadowRoot?.textContent.includes('warehouse'))"""
PLACES = """() => [...document.querySelectorAll('.jp-OutputArea-output *')]
    .flatMap(({shadowRoot}) => [...(shadowRoot?.querySelectorAll('.dn-colm') ?? [])])
    .map(el => el.getBoundingClientRect()).map(({x, y}) => [x, y])"""
LEFT = """at => document.querySelectorAll('.jp-CodeCell')[at]
    .querySelector('.jp-RenderedHTML')?.innerText.includes('Monday')"""
FREE = """() => [...document.querySelectorAll('.jp-OutputArea-output *')]
    .flatMap(({shadowRoot}) => [...(shadowRoot?.querySelectorAll('.dn-colm') ?? [])])
    .map(el => el.getRootNode().host.getBoundingClientRect().right - el.getBoundingClientRect().right)"""
"""Pixels beside each column."""
NAMES = """() => [...document.querySelectorAll('.jp-OutputArea-output *')]
    .flatMap(({shadowRoot}) => [...(shadowRoot?.querySelectorAll('.dn-on') ?? [])])
    .map(el => getComputedStyle(el).display)"""
"""How the names of inputs stand: above their values, or beside them."""
MARKS = """() => ['ins', 'del'].map(tag => [...document.querySelectorAll(`.jp-RenderedHTML ${tag}`)].map(el =>
    [el.textContent, getComputedStyle(el).textDecorationLine]))"""


def show(nb: Notebook, cell: int) -> None:
    nb.page.evaluate("at => document.querySelectorAll('.jp-CodeCell')[at].scrollIntoView()", cell)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_live_and_left_behind(notebook: Callable[..., Notebook], dark: bool, tmp_path: Path) -> None:
    theme = "dark" if dark else "light"
    end = f"columns-{theme}"
    nb = notebook("import columns_driver", f"columns_driver.columns({end!r})", "columns_driver.table()", dark=dark)
    (nb.server.root / end).unlink(missing_ok=True)  # a second try begins anew
    try:
        wear(nb, dark)
        nb.run_cell(0)
        nb.run_cell(1, wait=False)
        nb.page.wait_for_function(LIVE)
        show(nb, 1)
        keep(nb, KEPT / f"columns-live-{theme}.png", tmp_path)
        assert faults(nb) == []
        places = nb.page.evaluate(PLACES)
        assert len(places) == 4
        assert len({y for _, y in places}) <= 2, "they stand beside each other"
        assert len({x for x, _ in places}) >= 2
        (nb.server.root / end).touch()
        nb.wait_cell(1)
        nb.page.wait_for_function(LEFT, arg=1)
        show(nb, 1)
        keep(nb, KEPT / f"columns-{theme}.png", tmp_path)
        check(nb.page.evaluate(WORDS), dark)
        assert faults(nb) == []
        inserted, deleted = nb.page.evaluate(MARKS)
        assert ["Tuesday", "underline"] in inserted
        assert ["Monday", "line-through"] in deleted
        nb.run_cell(2)
        nb.page.wait_for_function(LEFT, arg=2)
        show(nb, 2)
        keep(nb, KEPT / f"columns-table-{theme}.png", tmp_path)
        check(nb.page.evaluate(WORDS), dark)
        assert faults(nb) == []
    finally:
        wear(nb, False)


def test_in_a_narrow_window_they_stand_below_each_other(notebook: Callable[..., Notebook], tmp_path: Path) -> None:
    nb = notebook("import columns_driver", "columns_driver.columns('columns-narrow')")
    (nb.server.root / "columns-narrow").unlink(missing_ok=True)
    size = nb.page.viewport_size
    nb.run_cell(0)
    nb.run_cell(1, wait=False)
    nb.page.wait_for_function(LIVE)
    nb.page.set_viewport_size({"width": 620, "height": 1000})
    try:
        nb.page.wait_for_function(f"() => new Set(({PLACES})().map(([x]) => x)).size === 1")
        assert max(nb.page.evaluate(FREE)) < 30, "the Stop button stands above them, and takes no room beside"
        assert nb.page.evaluate(NAMES) == ["block", "block"]
        show(nb, 1)
        keep(nb, KEPT / "columns-live-narrow.png", tmp_path)
        assert faults(nb) == []
        (nb.server.root / "columns-narrow").touch()
        nb.wait_cell(1)
        nb.page.wait_for_function(LEFT, arg=1)
        show(nb, 1)
        keep(nb, KEPT / "columns-narrow.png", tmp_path)
        assert faults(nb) == []
    finally:
        nb.page.set_viewport_size(size)


def test_stop_stops_all(notebook: Callable[..., Notebook]) -> None:
    nb = notebook("import columns_driver", "columns_driver.columns('never')")
    nb.run_cell(0)
    nb.run_cell(1, wait=False)
    nb.page.wait_for_function(LIVE)
    nb.page.get_by_role("button", name="Stop").click()
    nb.wait_cell(1)
    nb.page.wait_for_function(LEFT, arg=1)
    assert nb.outputs()[1].count("Stopped") >= 3


def test_facts_and_differences_survive_the_sanitizer(
    notebook: Callable[..., Notebook], chromium: Any, tmp_path: Path
) -> None:
    nb = notebook("import columns_driver", "columns_driver.columns('columns-theirs')")
    (nb.server.root / "columns-theirs").touch()
    nb.run_all()
    nb.wait_cell(1)
    nb.page.wait_for_function(LEFT, arg=1)
    nb.save()
    with Server(tmp_path / "elsewhere").running() as elsewhere:
        shutil.copy(nb.server.root / nb.name, elsewhere.root / "theirs.ipynb")
        theirs = Notebook(chromium, elsewhere, "theirs.ipynb")
        try:
            trusted = "window.jupyterapp.shell.currentWidget.content.model.cells.get(1).trusted"
            assert theirs.page.evaluate(trusted) is False
            theirs.page.wait_for_selector(".jp-RenderedHTML ins")
            inserted, deleted = theirs.page.evaluate(MARKS)
            assert ["Tuesday", "underline"] in inserted
            assert ["Monday", "line-through"] in deleted
            text = theirs.outputs()[1]
            asked = ("Where is my order?", "only this app takes it")
            for piece in (*asked, "A \u00b7 support", "$0.00214", "The app is not there"):
                assert piece in text
        finally:
            theirs.shut_down()
            theirs.close()
