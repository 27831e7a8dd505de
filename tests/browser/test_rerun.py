"""Running cells again in JupyterLab, which tells the kernel their ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser.harness import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def heads(nb: Notebook) -> list[str]:
    """What the headers of the questions say, without app and server."""
    return [text.partition(" · guide")[0] for text in nb.outputs()[1:]]


def test_a_cell_three_times_the_next_and_all_of_them_twice(notebook: Callable[..., Notebook]) -> None:
    nb = notebook(
        "%load_ext dify_notebook", "%%dify guide\nWhat is dify_notebook?", "%%dify guide\nHow do I stop an answer?"
    )
    nb.run_cell(0)
    seen = []
    for _ in range(3):
        nb.run_cell(1)
        seen.append(heads(nb)[0])
    again = "New conversation: this cell was turn 1 of the last one"
    assert seen == ["New conversation", f"{again} · %dify mode append adds it to the old one", again]
    nb.run_cell(2)
    assert heads(nb) == [again, "Turn 2"]
    nb.run_cell(2)
    refused = nb.outputs()[2]
    for word in ("turn 2 of 2", "--again", "--new", "--append"):
        assert word in refused
    for _ in range(2):
        nb.run_all()
        assert heads(nb) == [again, "Turn 2"], "each time as in a fresh kernel"
