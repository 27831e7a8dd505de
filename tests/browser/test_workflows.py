"""The notebook on workflow apps in JupyterLab: Run All, save, open it again without a kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.harness import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORKFLOWS = Path(__file__).parents[2] / "notebooks" / "workflows.ipynb"
SHOWN = {
    "first": "8 of 8 rounds",
    "second": "invoice",
    "values": "(8, 23.375)",
    "compared": "Steps side by side",
    "one-row": "green pears",
}
"""Cell -> a piece of what it shows, as a reader sees it."""


def drawn(nb: Notebook, cells: int) -> None:
    """Wait until every code cell is there, one after another, and the last run among their outputs."""
    nb.page.wait_for_function(
        """([cells, text]) => document.querySelectorAll('.jp-CodeCell').length === cells
            && [...document.querySelectorAll('.jp-OutputArea')].some(area => area.innerText.includes(text))""",
        arg=[cells, SHOWN["one-row"]],
    )


def test_run_all_shows_runs_and_they_are_there_without_a_kernel(notebook: Callable[..., Notebook]) -> None:
    cells = json.loads(WORKFLOWS.read_text(encoding="utf-8"))["cells"]
    ids = [cell["id"] for cell in cells if cell["cell_type"] == "code"]
    nb = notebook(file=WORKFLOWS)
    nb.run_all()
    # Lab draws cells when they come into sight; the whole notebook is seen in a high window.
    nb.page.set_viewport_size({"width": 1280, "height": 14_000})
    nb.page.get_by_role("button", name="Run", exact=True).last.wait_for()
    drawn(nb, len(ids))
    live = dict(zip(ids, nb.outputs(), strict=True))
    assert {cell: text in live[cell] for cell, text in SHOWN.items()} == dict.fromkeys(SHOWN, True)
    assert nb.page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert [line for line in nb.log if line.startswith("error")] == []
    nb.save()
    nb.shut_down()
    nb.reload()
    nb.ready(kernel=False)
    drawn(nb, len(ids))
    again = dict(zip(ids, nb.outputs(), strict=True))
    assert {cell: text in again[cell] for cell, text in SHOWN.items()} == dict.fromkeys(SHOWN, True)
