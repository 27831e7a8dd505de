"""The chat panel in a real JupyterLab and Notebook 7, with a real kernel and the embedded server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser.harness import KERNEL, Notebook, Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Make = Callable[..., Notebook]
OPEN = "from dify_notebook import ChatPanel\npanel = ChatPanel()\npanel"
LOOK = "print([turn.query for turn in panel.turns], panel.turn.status, panel.turn.feedback)"
QUERY = "How do I stop a running answer?"
SAVED = "[class*=dn-kept-]"


def box(nb: Notebook) -> Any:
    return nb.page.get_by_role("textbox", name="Your question")


def ask(nb: Notebook, text: str) -> None:
    box(nb).fill(text)
    box(nb).press("Enter")


def answered(nb: Notebook, count: int = 1) -> None:
    """Until so many answers have ended."""
    nb.page.get_by_role("button", name="Good answer").nth(count - 1).wait_for(state="attached")


def opened(nb: Notebook) -> Notebook:
    nb.run_cell(0)
    box(nb).wait_for()
    return nb


def seen(nb: Notebook, cell: int, text: str) -> None:
    nb.page.wait_for_function(
        """([cell, text]) => document.querySelectorAll('.jp-CodeCell')[cell]
            ?.querySelector('.jp-Cell-outputArea')?.textContent.includes(text)""",
        arg=[cell, text],
    )


def test_browser_and_python_ask_in_one_conversation(notebook: Make) -> None:
    nb = opened(notebook(OPEN, LOOK, "panel.ask('And how do I attach a file?').result()\npanel.rate('like')", LOOK))
    ask(nb, QUERY)
    answered(nb)
    nb.run_cell(1)
    seen(nb, 1, f"['{QUERY}'] succeeded None")
    nb.run_cell(2)
    answered(nb, 2)
    nb.page.get_by_role("button", name="Take the rating back").wait_for(state="attached")
    nb.run_cell(3)
    seen(nb, 3, "succeeded like")


def test_the_saved_conversation_is_hidden_while_the_panel_is_there_and_read_afterwards(notebook: Make) -> None:
    nb = opened(notebook(OPEN, "panel.close()"))
    ask(nb, QUERY)
    answered(nb)
    kept = nb.page.locator(SAVED)
    nb.page.wait_for_function(f"() => document.querySelector('{SAVED}')?.textContent.includes('{QUERY}')")
    assert not kept.is_visible()
    nb.save()
    first, second = nb.saved()["cells"][0]["outputs"]
    assert "application/vnd.jupyter.widget-view+json" in first["data"]
    assert set(second["data"]) == {"text/html", "text/markdown", "text/plain"}
    nb.run_cell(1)
    kept.wait_for(state="visible")
    assert box(nb).count() == 0


def test_a_page_that_is_loaded_again_goes_on(notebook: Make) -> None:
    """The kernel lives: the panel comes back with its conversation."""
    nb = opened(notebook(OPEN, LOOK))
    ask(nb, QUERY)
    answered(nb)
    nb.save()
    nb.page.reload()
    nb.ready()
    answered(nb)
    assert not nb.page.locator(SAVED).is_visible()
    ask(nb, "And how do I attach a file?")
    answered(nb, 2)


def test_a_restarted_kernel_offers_the_conversation(notebook: Make) -> None:
    nb = opened(notebook(OPEN, LOOK))
    ask(nb, QUERY)
    answered(nb)
    nb.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
    nb.wait_status("idle")
    opened(nb)
    nb.page.get_by_role("button", name=re.compile("Go on with")).click()
    answered(nb)
    nb.run_cell(1)
    seen(nb, 1, f"['{QUERY}'] succeeded")


def test_an_answer_goes_on_while_another_cell_works(notebook: Make, kernel: str) -> None:
    """What is asked before a cell blocks the kernel streams to its end behind it."""
    block = "import time\nquestion = panel.ask('How do I stop a running answer?')\ntime.sleep(20)\nprint('slept')"
    nb = opened(notebook(OPEN, block, kernel=kernel))
    nb.run_cell(1, wait=False)
    nb.wait_status("busy")
    answered(nb)
    assert nb.page.evaluate(f"() => {KERNEL}.status") == "busy"
    nb.interrupt()


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("nb7"), "notebook").running() as server:
        yield server


def test_notebook_seven(chromium: Any, seven: Server) -> None:
    seven.write("panel.ipynb", [OPEN, LOOK])
    nb = Notebook(chromium, seven, "panel.ipynb")
    try:
        opened(nb)
        ask(nb, QUERY)
        answered(nb)
        nb.run_cell(1)
        seen(nb, 1, f"['{QUERY}'] succeeded")
        assert not nb.page.locator(SAVED).is_visible()
    finally:
        nb.shut_down()
        nb.close()
