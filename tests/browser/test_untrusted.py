"""A saved answer as a colleague sees it: another server, where nothing of it is trusted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.harness import Notebook, Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_answer_and_timeline_survive_the_sanitizer(
    notebook: Callable[..., Notebook], chromium: Any, tmp_path: Path
) -> None:
    nb = notebook("%load_ext dify_notebook", "%%dify pipeline --new\ncompare: files, stopping")
    nb.run_all()
    nb.wait_cell(1)
    nb.save()
    with Server(tmp_path / "elsewhere").running() as elsewhere:
        shutil.copy(nb.server.root / nb.name, elsewhere.root / "theirs.ipynb")
        theirs = Notebook(chromium, elsewhere, "theirs.ipynb")
        try:
            trusted = "window.jupyterapp.shell.currentWidget.content.model.cells.get(1).trusted"
            assert theirs.page.evaluate(trusted) is False
            theirs.page.wait_for_selector(".jp-RenderedHTML details")
            text = theirs.outputs()[1]
            for piece in ("Worked through 2 items", "For each item", "Done", "Sources"):
                assert piece in text
            theirs.page.locator(".jp-RenderedHTML summary").first.click()
            bars = theirs.page.evaluate(
                """() => [...document.querySelectorAll('.jp-RenderedHTML td div div')]
                    .filter(bar => bar.checkVisibility() && bar.getBoundingClientRect().height === 6)
                    .map(bar => getComputedStyle(bar).backgroundColor)"""
            )
            assert len(bars) >= 8
            assert "rgba(0, 0, 0, 0)" not in bars
        finally:
            theirs.shut_down()
            theirs.close()
