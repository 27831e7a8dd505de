"""The core of the chat panel in a real Notebook 7."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.harness import KERNEL, Notebook, Server
from browser.panel_page import Panel, expect
from browser.panel_world import World, world

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory, seven: Server) -> Iterator[tuple[Server, World]]:
    """A Jupyter server that shows Notebook 7, and the served apps."""
    with world(tmp_path_factory.mktemp("classic")) as made:
        made.tell(Path(seven.env["DIFY_NOTEBOOK_DATA_DIR"]))
        yield seven, made


def test_talking_judging_and_lasting(classic: tuple[Server, World], chromium: Any, tmp_path: Path) -> None:
    server, served = classic
    release = tmp_path / "release"
    cell = "import panel_kernel\npanel = panel_kernel.chat('desk', 'classic')\npanel"
    server.write("talk.ipynb", [cell, f"panel_kernel.busy({str(release)!r})"])
    nb = Notebook(chromium, server, "talk.ipynb")
    try:
        nb.run_cell(0)
        panel = Panel(nb, served).ready()
        panel.root.locator(".starters button").first.click()
        turn = panel.answered(1)
        expect(panel.body(turn).locator(".dn-answer table")).to_contain_text("Bus 12")
        expect(turn.locator(".next button")).to_have_text(["And on Sunday?", "What does it cost?"])

        # Keys stay in the panel: no cell is run again, none is added or cut.
        cells = nb.page.locator(".jp-CodeCell").count()
        panel.box.click()
        nb.page.keyboard.type("hold")
        nb.page.keyboard.press("Shift+Enter")
        nb.page.keyboard.type("ddx")
        nb.page.keyboard.press("Enter")
        second = panel.turns.nth(1)
        expect(panel.body(second)).to_contain_text("half5")
        expect(second.locator(".bubble")).to_have_text("hold\nddx")
        assert nb.page.locator(".jp-CodeCell").count() == cells
        panel.stop.click()
        expect(second.locator(".outcome")).to_have_text("stopped")
        served.gate.set()

        turn.hover()
        panel.button("Good answer", turn).click()
        panel.python_until("[one.rating for one in panel.ratings.values()]", ["like"])
        panel.more(turn, "Insert as a new cell")
        source = "window.jupyterapp.shell.currentWidget.content.model.cells.get(1).sharedModel.getSource()"
        nb.page.wait_for_function(f"{source}.startsWith('%%dify')")

        # Beside a blocking cell a running answer goes on.
        panel.ask("count to 400")
        third = panel.turns.nth(2)
        expect(panel.body(third)).to_contain_text("w3 ")
        nb.run_cell(2, wait=False)
        output = nb.page.locator(".jp-CodeCell").nth(2).locator(".jp-Cell-outputArea")
        expect(output).to_contain_text("begun")
        seen = len(re.findall(r"w\d+", panel.body(third).inner_text()))
        expect(panel.body(third)).to_contain_text(f"w{seen + 20} ")
        expect(output).not_to_contain_text("free")
        release.touch()
        expect(output).to_contain_text("free")
        panel.stop.click()
        expect(third.locator(".outcome")).to_have_text("stopped")

        nb.save()
        nb.reload()
        nb.ready()
        panel = Panel(nb, served).ready()
        expect(panel.turns).to_have_count(3)
        expect(panel.body(panel.turns.first).locator(".dn-answer table")).to_contain_text("Bus 12")

        nb.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
        expect(panel.notices).to_contain_text("The kernel was restarted")
        nb.save()
        nb.shut_down()
        nb.reload()
        nb.ready(kernel=False)
        left = nb.page.locator(".jp-RenderedHTML").filter(has_text="Bus 12")
        expect(left).to_be_visible()
        expect(left).to_contain_text("half5")
    finally:
        nb.shut_down()
        nb.close()
