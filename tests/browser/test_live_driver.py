"""The live view in a real JupyterLab, fed by a made-up turn: loss, noise, Stop, Interrupt, reload."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser.harness import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Make = Callable[..., Notebook]
TAP = (Path(__file__).parent / "wiretap.js").read_text(encoding="utf-8")
RATE = 150
BUTTON = ".dn-stop button"


def tap(loss: float) -> str:
    return f"const LOSS = {loss}, SEED = 1;\n{TAP}"


def wait_for_word(notebook: Notebook, number: int) -> None:
    """Until the reader sees at least that many words."""
    notebook.page.wait_for_function("n => window.wiretap.samples.at(-1)?.words >= n", arg=number)


def wait_output(notebook: Notebook, cell: int, text: str) -> None:
    """Until a cell's own outputs (not a shadow root in them) hold the text; -1 is the last cell."""
    notebook.page.wait_for_function(
        """([cell, text]) => [...document.querySelectorAll('.jp-CodeCell')].at(cell)
            ?.querySelector('.jp-Cell-outputArea')?.textContent.includes(text)""",
        arg=[cell, text],
    )


def wait_done(notebook: Notebook, last: str) -> None:
    """Until the last cell, a print, has been answered."""
    wait_output(notebook, -1, last)


def test_tokens_appear_while_the_cell_runs_and_the_saved_form_replaces_them(notebook: Make, tmp_path: Path) -> None:
    end = tmp_path / "end"
    nb = notebook(
        "import driver",
        f"turn = driver.stream(driver.until({str(end)!r}), {RATE})",
        "print(f'after {turn.status} {len(turn.answer.split())}')",
        script=tap(0),
    )
    nb.run_all(wait=False)
    wait_for_word(nb, 20)
    assert nb.page.locator(BUTTON).is_visible()
    end.touch()
    wait_done(nb, "after succeeded")
    last = nb.outputs()[2].split()[-1]
    assert "w1 w2" in nb.outputs()[1]
    assert f"w{last}" in nb.outputs()[1]
    assert nb.page.locator(BUTTON).count() == 0
    samples = nb.page.evaluate("window.wiretap.samples")
    assert all(sample["whole"] for sample in samples)
    nb.save()
    assert [sorted(output["data"]) for output in nb.saved()["cells"][1]["outputs"]] == [
        ["text/html", "text/markdown", "text/plain"]
    ]


def test_a_tenth_of_the_messages_lost_is_made_up_for_while_the_answer_goes_on(notebook: Make, tmp_path: Path) -> None:
    """How soon is said by the table of losses in the unit tests of the channel, whose clock is made up."""
    end = tmp_path / "end"
    nb = notebook(
        "import driver",
        f"turn = driver.stream(driver.until({str(end)!r}), {RATE})",
        "print(f'after {len(turn.answer.split())}')",
        script=tap(0.1),
    )
    nb.run_all(wait=False)
    nb.page.wait_for_function("() => window.wiretap.lost >= 20")
    nb.page.wait_for_function("() => new Set(window.wiretap.samples.map(each => each.words)).size >= 40")
    end.touch()
    wait_done(nb, "after ")
    samples = nb.page.evaluate("window.wiretap.samples")
    assert all(sample["whole"] for sample in samples), "a picture may be late, never wrong"
    assert f"w{nb.outputs()[2].split()[-1]}" in nb.outputs()[1]


def test_faster_than_the_frontend_loses_nothing(notebook: Make) -> None:
    nb = notebook("import driver", "turn = driver.stream(driver.words(10_000)); print(len(turn.answer))", script=tap(0))
    nb.run_all()
    wait_output(nb, 1, "w10000")
    assert nb.page.evaluate("window.wiretap.passed") < 1_000, "a message for each word"


def test_a_noisy_neighbour_costs_nothing_of_the_answer(notebook: Make) -> None:
    """The server drops messages above 1,000 a second, ours too, whoever sends them.

    The neighbour still prints when the answer ends, so the saved form may be lost at first;
    it comes once more when the browser asks. Only the display itself must have come through.
    """
    nb = notebook(
        "import driver",
        f"noise = driver.shout(4, after=0.5)\ndriver.stream(driver.words({RATE * 3}), {RATE}) and None",
        script=tap(0),
    )
    nb.run_all(wait=False)
    wait_for_word(nb, 10)
    nb.page.wait_for_function(f"() => !document.querySelector('{BUTTON}')")
    wait_output(nb, 1, f"w{RATE * 3}")
    assert all(sample["whole"] for sample in nb.page.evaluate("window.wiretap.samples"))


@pytest.mark.parametrize("how", ["button", "interrupt"])
def test_stop_and_interrupt_keep_what_came_and_the_next_cell_works(notebook: Make, how: str) -> None:
    """On the kernels that differ in what they hear then: test_live_cell.py."""
    nb = notebook(
        "import driver",
        f"turn = driver.stream(driver.words(100_000), {RATE})",
        "print('after', turn.status)",
        script=tap(0),
    )
    nb.run_cell(0)
    nb.run_cell(1, wait=False)
    wait_for_word(nb, 30)
    if how == "button":
        nb.page.locator(BUTTON).click()
    else:
        nb.interrupt()
    nb.wait_cell(1)
    kept = nb.outputs()[1]
    assert "w30" in kept
    nb.run_cell(2)
    wait_done(nb, "after stopped")


def test_the_stop_button_is_reached_and_pressed_by_keyboard(notebook: Make) -> None:
    """And the keys do not reach the notebook: Enter would edit the cell, Space would scroll."""
    nb = notebook(
        "import driver",
        f"turn = driver.stream(driver.words(100_000), {RATE})",
        "print('after', turn.status)",
        script=tap(0),
    )
    nb.run_all(wait=False)
    wait_for_word(nb, 30)
    cells = nb.page.locator(".jp-CodeCell").count()
    nb.page.locator(BUTTON).focus()
    for key in ("d", "d", "a"):
        nb.page.keyboard.press(key)
    nb.page.keyboard.press("Enter")
    wait_done(nb, "after stopped")
    assert nb.page.locator(".jp-CodeCell").count() == cells
    assert "w30" in nb.outputs()[1]


def test_a_page_loaded_again_shows_the_running_answer(notebook: Make, tmp_path: Path) -> None:
    """When its cell is over: until then a kernel of this version does not hear that a page asks."""
    end = tmp_path / "end"
    nb = notebook("import driver", f"turn = driver.stream(driver.until({str(end)!r}), {RATE})", script=tap(0))
    nb.run_all(wait=False)
    wait_for_word(nb, 50)
    nb.save()
    nb.reload()
    nb.ready(kernel=False)
    end.touch()
    wait_for_word(nb, 51)
    assert all(sample["whole"] for sample in nb.page.evaluate("window.wiretap.samples"))


def test_one_bundle_in_the_browser_for_many_cells(notebook: Make) -> None:
    nb = notebook(
        "import driver",
        *[f"turn = driver.stream(driver.words({40 * n}))" for n in range(1, 6)],
        "from dify_notebook.live.widget import LiveWidget\nimport ipywidgets\n"
        "print([m['model_name'] for m in ipywidgets.Widget.get_manager_state()['state'].values()])",
        script=tap(0),
    )
    nb.run_all()
    wait_done(nb, "AnyModel")
    outputs = nb.outputs()
    assert outputs[-1].count("AnyModel") == 1
    for number in range(1, 6):
        assert f"w{40 * number}" in outputs[number]
        assert f"w{40 * number + 1}" not in outputs[number]


def test_captured_cells_hold_one_output(notebook: Make) -> None:
    nb = notebook(
        "import driver",
        "%%capture kept\nturn = driver.stream(driver.words(90))",
        "print(len(kept.outputs), sorted(kept.outputs[0].data))\nkept.show()",
    )
    nb.run_all()
    wait_output(nb, 2, "w90")
    outputs = nb.outputs()
    assert outputs[1].strip() == ""
    assert "1 ['text/html', 'text/markdown', 'text/plain']" in outputs[2]
