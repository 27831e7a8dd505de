"""Charts and the notebook on histories in real frontends: without a network, after reopening, on light and dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser.harness import Notebook, Server
from nbformat.v4 import new_code_cell, new_notebook
from support import notebooks

from dify_notebook import local

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HISTORY = Path(__file__).parents[2] / "notebooks" / "history.ipynb"
KEPT = Path(__file__).parent / "screenshots"
DRAWN = ".jp-OutputArea-output .vega-embed canvas.marks"
ERRORS = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
CHARTS = 7
CELLS = [
    "history.plot.ratings('month')",
    "history.plot.latency('month')",
    "history.conversation(history.search('refund').loc[0, 'conversation_id'])",
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A history of 900 conversations, and what is shown of it."""
    folder = tmp_path_factory.mktemp("past")
    local.seed(str(folder), conversations=900)
    export = str(folder / "export")
    local.dump(export, str(folder), app="guide")
    return [f"from dify_notebook import History\nhistory = History.from_export({export!r})", *CELLS]


def watch(nb: Notebook) -> list[str]:
    """Addresses beyond this machine that the page asks for, from now on."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if not request.url.startswith((nb.server.base, "data:", "blob:")):
            asked.append(request.url)

    nb.page.on("request", note)
    return asked


def wait_for_charts(nb: Notebook, count: int) -> None:
    nb.page.wait_for_function(
        "([drawn, count]) => document.querySelectorAll(drawn).length >= count", arg=[DRAWN, count]
    )


def test_the_notebook_runs_and_its_charts_are_there_without_a_kernel(notebook: Callable[..., Notebook]) -> None:
    nb = notebook(file=HISTORY)
    asked = watch(nb)
    nb.page.set_default_timeout(180_000)
    nb.run_all()
    # Lab draws cells when they come into sight; the whole notebook is seen in a high window.
    nb.page.set_viewport_size({"width": 1280, "height": 14_000})
    wait_for_charts(nb, CHARTS)
    assert nb.page.locator(ERRORS).count() == 0
    nb.save()
    nb.shut_down()
    nb.reload()
    nb.ready(kernel=False)
    wait_for_charts(nb, CHARTS)
    assert asked == [], "charts came from somewhere else"
    assert nb.page.locator(".vega-actions a[href*='http']").count() == 0, "a menu that would send data away"
    assert nb.page.locator(".vega-actions a:not([download])").count() == 0
    assert [line for line in nb.log if line.startswith("error")] == []


def test_charts_show_in_notebook_7(seven: Server, chromium: Any, cells: list[str]) -> None:
    seven.write("charts.ipynb", cells)
    nb = Notebook(chromium, seven, "charts.ipynb")
    asked = watch(nb)
    try:
        for index in range(3):
            nb.run_cell(index)
        wait_for_charts(nb, 2)
        assert asked == []
    finally:
        nb.shut_down()
        nb.close()


def test_charts_show_in_a_notebook_that_is_not_trusted(
    notebook: Callable[..., Notebook], cells: list[str], tmp_path: Path
) -> None:
    """Somebody else's notebook: html is cut, scripts are dropped; the chart is data, and stays."""
    theirs = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    nbformat.write(notebooks.execute(theirs, tmp_path, DIFY_NOTEBOOK_LANG="en"), tmp_path / "theirs.ipynb")
    nb = notebook(file=tmp_path / "theirs.ipynb")
    wait_for_charts(nb, 2)
    assert "refund" in nb.outputs()[3]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_charts_stand_on_the_page_s_own_colour(
    notebook: Callable[..., Notebook], cells: list[str], dark: bool, tmp_path: Path
) -> None:
    nb = notebook(*cells, dark=dark)
    try:
        wear(nb, dark)
        for index in range(len(cells)):
            nb.run_cell(index)
            nb.wait_cell(index)
        nb.page.set_viewport_size({"width": 1280, "height": 1150})
        wait_for_charts(nb, 2)
        nb.page.evaluate("document.querySelectorAll('.jp-CodeCell')[1].scrollIntoView()")
        picture = tmp_path / f"plots-{'dark' if dark else 'light'}.png"
        nb.screenshot(picture)
        if os.environ.get("SCREENSHOTS") == "keep":
            shutil.copy(picture, KEPT / picture.name)
        assert transparent(nb), "a sheet of white lies on the dark page"
    finally:
        wear(nb, False)  # the setting is the server's, and other tests use it


def transparent(nb: Notebook) -> bool:
    """Whether nothing is painted where a chart has nothing to say, nor behind it."""
    found: list[bool] = nb.page.evaluate(
        """drawn => [...document.querySelectorAll(drawn)].map(canvas => {
            const corner = canvas.getContext ? canvas.getContext('2d').getImageData(1, 1, 1, 1).data[3] : 0;
            let clear = corner === 0;
            for (let at = canvas; at && !at.classList.contains('jp-OutputArea-output'); at = at.parentElement)
                clear &&= /rgba\\(.*, 0\\)|transparent/.test(getComputedStyle(at).backgroundColor);
            return clear;
        })""",
        DRAWN,
    )
    return len(found) >= 2 and all(found)


def wear(nb: Notebook, dark: bool) -> None:
    """Put JupyterLab into one of its own themes."""
    name = "JupyterLab Dark" if dark else "JupyterLab Light"
    nb.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
    nb.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{'false' if dark else 'true'}'")
