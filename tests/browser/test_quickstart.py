"""What a new user does first: open the quickstart in JupyterLab, Run All, save, open it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.harness import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
SHOWN = {
    "question": "Nothing has to be set up to try it",
    "chinese": "文件会先上传",
    "agent": "397.8",
    "file": "sales.csv has 24 rows",
    "pipeline": "Worked through 5 items",
    "asks": "Approved, now",
    "last-question": "Connecting to a Dify server",
}
"""Cell -> a piece of its answer, as a reader sees it."""


def test_run_all_shows_every_answer_and_they_are_there_without_a_kernel(notebook: Callable[..., Notebook]) -> None:
    ids = [
        cell["id"]
        for cell in json.loads(QUICKSTART.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    nb = notebook(file=QUICKSTART)
    nb.run_all()
    # Lab draws cells when they come into sight; the whole notebook is seen in a high window.
    nb.page.set_viewport_size({"width": 1280, "height": 12_000})
    nb.page.wait_for_function(
        "text => [...document.querySelectorAll('.jp-CodeCell')].at(-1)?.innerText.includes(text)",
        arg=SHOWN["last-question"],
    )
    live = dict(zip(ids, nb.outputs(), strict=True))
    assert {cell: text in live[cell] for cell, text in SHOWN.items()} == dict.fromkeys(SHOWN, True)
    assert nb.page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert [line for line in nb.log if line.startswith("error")] == []
    nb.save()
    nb.shut_down()
    nb.reload()
    nb.ready(kernel=False)
    nb.page.wait_for_function(
        "text => [...document.querySelectorAll('.jp-CodeCell')].at(-1)?.innerText.includes(text)",
        arg=SHOWN["last-question"],
    )
    again = dict(zip(ids, nb.outputs(), strict=True))
    assert {cell: text in again[cell] for cell, text in SHOWN.items()} == dict.fromkeys(SHOWN, True)


def test_the_form_may_be_filled_in_instead(notebook: Callable[..., Notebook]) -> None:
    read = json.loads(QUICKSTART.read_text(encoding="utf-8"))
    cells = {cell["id"]: "".join(cell["source"]) for cell in read["cells"]}
    nb = notebook("%load_ext dify_notebook", cells["asks"], cells["approve"])
    nb.run_cell(0)
    nb.run_cell(1)
    form = nb.page.locator(".form")
    form.locator("textarea").fill("until June")
    form.locator("select").select_option(label="later")
    form.get_by_role("button", name="Approve").click()
    nb.page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-CodeCell')][1].querySelector('.jp-OutputArea').textContent"
        ".includes('went on later')"
    )
    nb.run_cell(2)
    nb.wait_cell(2)
    assert nb.outputs()[2].startswith("succeeded \u00b7 Approved, later")
    assert "until June" in nb.outputs()[2]
