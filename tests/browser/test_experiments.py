"""The notebook on experiments in JupyterLab: Run All, save, open it again without a kernel; light and dark."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.harness import Notebook
from browser.test_history import wear
from browser.test_screenshots import WORDS, check

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXPERIMENTS = Path(__file__).parents[2] / "notebooks" / "experiments.ipynb"
KEPT = Path(__file__).parent / "screenshots"
SHOWN = {
    "first": "You find the sauna in the cellar",
    "again": "The handbook does not say.",
    "plan": "200 are to ask",
    "ten": "10 of 200 succeeded, 190 not run",
    "all": "200 of 200 succeeded",
    "stored": "200 from the store, 0 asked",
    "extended": "400 of 400 succeeded",
    "mapped": "there is nothing to sort",
    "floors": "noise",
}
"""Cell -> a piece of what it shows, as a reader sees it."""


def drawn(nb: Notebook, cells: int) -> None:
    """Wait until every code cell is there, one after another, and the last table among their outputs."""
    nb.page.wait_for_function(
        """([cells, text]) => document.querySelectorAll('.jp-CodeCell').length === cells
            && [...document.querySelectorAll('.jp-OutputArea')].some(area => area.innerText.includes(text))""",
        arg=[cells, SHOWN["floors"]],
    )


def in_lab(notebook: Callable[..., Notebook], dark: bool) -> Notebook:
    """The notebook open in JupyterLab, and nothing beside it that an earlier run left."""
    nb = notebook(file=EXPERIMENTS, dark=dark)
    shutil.rmtree(nb.server.root / "runs", ignore_errors=True)
    if dark:
        wear(nb, dark)
    return nb


def keep(nb: Notebook, ids: list[str], cells: tuple[str, str], path: Path, folder: Path) -> None:
    """A picture of the page from the one cell to the other; with SCREENSHOTS=keep in its place."""
    first, last = (nb.page.locator(".jp-CodeCell").nth(ids.index(cell)).bounding_box() for cell in cells)
    assert first is not None
    assert last is not None
    height = last["y"] + last["height"] - first["y"]
    picture = folder / path.name
    nb.page.screenshot(path=str(picture), clip={**first, "height": height})
    assert picture.stat().st_size > 10_000
    if os.environ.get("SCREENSHOTS") == "keep":
        shutil.copy(picture, path)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_run_all_shows_experiments_and_they_are_there_without_a_kernel(
    notebook: Callable[..., Notebook], dark: bool, tmp_path: Path
) -> None:
    cells = json.loads(EXPERIMENTS.read_text(encoding="utf-8"))["cells"]
    ids = [cell["id"] for cell in cells if cell["cell_type"] == "code"]
    nb = in_lab(notebook, dark)
    nb.run_all()
    # Lab draws cells when they come into sight; the whole notebook is seen in a high window.
    nb.page.set_viewport_size({"width": 1280, "height": 14_000})
    drawn(nb, len(ids))
    live = dict(zip(ids, nb.outputs(), strict=True))
    assert {cell: text in live[cell] for cell, text in SHOWN.items()} == dict.fromkeys(SHOWN, True)
    assert nb.page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert [line for line in nb.log if line.startswith("error")] == []
    check(nb.page.evaluate(WORDS), dark)
    nb.save()
    nb.shut_down()
    nb.reload()
    nb.ready(kernel=False)
    drawn(nb, len(ids))
    again = dict(zip(ids, nb.outputs(), strict=True))
    assert {cell: text in again[cell] for cell, text in SHOWN.items()} == dict.fromkeys(SHOWN, True)
    theme = "dark" if dark else "light"
    keep(nb, ids, ("first", "first"), KEPT / f"experiment-{theme}.png", tmp_path)
    keep(nb, ids, ("all", "lost"), KEPT / f"sweep-{theme}.png", tmp_path)
