"""One conversation for the browser and Python, and what the notebook keeps of it, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.harness import Notebook

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
    # Asked and rated: a rated answer has no button "Good answer" any more, so nothing else can be waited for.
    nb.page.get_by_role("button", name="Take the rating back").wait_for(state="attached")
    nb.run_cell(3)
    seen(nb, 3, "succeeded like")


NAMELESS = """
import gc, weakref
from IPython.display import display
from dify_notebook import ChatPanel

def show():
    panel = ChatPanel()
    display(panel)
    return weakref.ref(panel)

found = show()
"""
ALIVE = """document.querySelectorAll('.jp-CodeCell')[1]?.querySelector('.jp-Cell-outputArea')?.textContent
    .match(/alive: (True|False)/)?.[0]"""


def test_a_panel_without_a_name_goes_with_its_output(notebook: Make) -> None:
    nb = opened(notebook(NAMELESS, "gc.collect()\nprint('alive:', found() is not None)"))
    ask(nb, QUERY)
    answered(nb)
    nb.run_cell(1)
    seen(nb, 1, "alive: True")
    nb.command("notebook:clear-all-cell-outputs")
    # The kernel waits a second for a view that only moves, and hears of its end between two cells: ask until it is so.
    for _ in range(60):
        nb.run_cell(1)
        nb.page.wait_for_function(f"() => {ALIVE}")
        if nb.page.evaluate(ALIVE) == "alive: False":
            return
        nb.page.wait_for_timeout(250)
    pytest.fail("the panel outlived its output by a quarter of a minute")


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
