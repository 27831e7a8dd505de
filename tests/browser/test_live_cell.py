"""`%%dify` in a real JupyterLab, against the embedded server: Run All, Interrupt, Stop, reopening."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser.harness import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Make = Callable[..., Notebook]
LOAD = "%load_ext dify_notebook"
ASK = "%%dify -o first\nHow do I pass a variable of the notebook into a question?"
AGAIN = "%%dify -o second\nAnd how do I attach a file?"
STATE = "print('after', first.status, first.complete)"
BUTTON = ".dn-stop button"
LIVE = """length => {
    const roots = [...document.querySelectorAll('.jp-OutputArea-output *')].map(el => el.shadowRoot);
    const seen = roots.map(root => root?.querySelector('.dn-answer')?.textContent ?? '').join('').trim();
    return seen.length >= length && roots.some(root => root?.querySelector('.dn-stop button')) ? seen : '';
}"""


def wait_output(notebook: Notebook, cell: int, text: str) -> None:
    """Until a cell's own outputs hold the text."""
    notebook.page.wait_for_function(
        """([cell, text]) => document.querySelectorAll('.jp-CodeCell')[cell]
            ?.querySelector('.jp-Cell-outputArea')?.textContent.includes(text)""",
        arg=[cell, text],
    )


def wait_answer(notebook: Notebook, length: int) -> str:
    """Until so much of an answer is seen, with the button that stops it; give it."""
    seen: str = notebook.page.wait_for_function(LIVE, arg=length).json_value()
    return seen


def test_run_all_streams_each_cell_and_leaves_the_saved_form(notebook: Make) -> None:
    nb = notebook(LOAD, ASK, AGAIN, STATE)
    nb.run_all(wait=False)
    early = wait_answer(nb, 5)
    wait_output(nb, 3, "after succeeded True")
    outputs = nb.outputs()
    assert early[:5] in outputs[1]
    assert nb.page.locator(BUTTON).count() == 0
    nb.save()
    for cell in nb.saved()["cells"][1:3]:
        assert [sorted(output["data"]) for output in cell["outputs"]] == [["text/html", "text/markdown", "text/plain"]]


@pytest.mark.parametrize("how", ["button", "interrupt"])
def test_stop_and_interrupt_keep_what_came_and_the_next_cell_works(notebook: Make, kernel: str, how: str) -> None:
    nb = notebook(LOAD, ASK, STATE, AGAIN, kernel=kernel)
    nb.run_cell(0)
    nb.run_cell(1, wait=False)
    early = wait_answer(nb, 5)
    if how == "button":
        nb.page.locator(BUTTON).click()
    else:
        nb.interrupt()
    nb.wait_cell(1)
    assert early[:5] in nb.outputs()[1]
    nb.run_cell(2)
    wait_output(nb, 2, "after stopped")
    nb.run_cell(3)
    nb.wait_cell(3)
    wait_output(nb, 3, "documentation")


def test_a_saved_notebook_shows_the_answer_without_a_kernel(notebook: Make) -> None:
    nb = notebook(LOAD, ASK)
    nb.run_all()
    nb.wait_cell(1)
    wait_output(nb, 1, "Sources")
    shown = nb.outputs()[1]
    assert len(shown) > 100
    nb.save()
    nb.shut_down()
    nb.reload()
    nb.ready(kernel=False)
    wait_output(nb, 1, shown[:40])
