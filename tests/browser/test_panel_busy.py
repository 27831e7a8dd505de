"""The chat panel beside a cell that blocks the kernel, on the ipykernels that differ in what they hear then."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser.panel_page import Opener, Panel, desk, expect, open_panel

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

DEAF = ("6.31", "7.4")
"""Kernels that take messages of widgets only when no cell runs."""
WORDS = "el => [...(el.textContent.matchAll(/w(\\d+)/g))].length"


def block(panel: Panel) -> None:
    """Run the cell that keeps the kernel busy, and wait until it does."""
    panel.nb.run_cell(1, wait=False)
    expect(panel.page.locator(".jp-CodeCell").nth(1).locator(".jp-Cell-outputArea")).to_contain_text("begun")


def test_an_answer_goes_on_beside_a_blocking_cell_and_what_waits_is_said(
    open_panel: Opener, kernel: str, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    panel = open_panel("plain", f"panel_kernel.busy({str(release)!r})", kernel=kernel)
    version = panel.python("__import__('ipykernel').__version__")
    if kernel != "python3":
        assert kernel == f"ipykernel-{version}"
    interrupt = version.startswith("7.4")  # tried with one of them
    panel.ask("count to 400")
    body = panel.body(panel.turns.first)
    expect(body).to_contain_text("w5 ")

    block(panel)
    before = body.evaluate(WORDS)
    # The kernel is busy all the time until `free`; words come meanwhile.
    panel.page.wait_for_function(
        """([from]) => {
            const roots = [...document.querySelectorAll('.jp-OutputArea-output *')].map(el => el.shadowRoot);
            const text = roots.map(root => root?.querySelector('.turn .body')?.textContent ?? '').join('');
            return [...text.matchAll(/w(\\d+)/g)].length > from + 30;
        }""",
        arg=[before],
    )
    assert "free" not in panel.nb.outputs()[1], "that was not while the cell ran"

    panel.ask("and this next")
    panel.stop.click()
    if version.startswith(DEAF):
        expect(panel.notices).to_contain_text("The kernel is busy with a cell; the stop waits until it is free.")
        expect(panel.pending.locator(".state")).to_have_text("Waiting")
        expect(panel.stop).to_have_text("Stopping …")
        # Interrupting is offered, not done: it asks first.
        panel.button("Interrupt the kernel").click()
        confirm = panel.root.get_by_role("alertdialog")
        expect(confirm).to_contain_text("This interrupts the cell that the kernel works on now.")
        assert "free" not in panel.nb.outputs()[1]
        panel.page.keyboard.press("Escape")
        expect(confirm).to_have_count(0)
        if interrupt:
            panel.button("Interrupt the kernel").click()
            panel.button("Interrupt the kernel", confirm).click()
        else:
            release.touch()
    else:
        expect(panel.turns.first.locator(".outcome")).to_have_text("stopped")
        assert "free" not in panel.nb.outputs()[1], "a kernel that hears stops at once"
        release.touch()
    panel.nb.wait_cell(1)
    assert ("KeyboardInterrupt" in panel.nb.outputs()[1]) is interrupt
    expect(panel.turns.first.locator(".outcome")).to_have_text("stopped")
    expect(panel.body(panel.answered(2))).to_contain_text("You said: and this next")
    expect(panel.notices).to_have_count(0)
    words = [int(n) for n in re.findall(r"w(\d+)", body.inner_text())]
    assert words == list(range(1, len(words) + 1)), "nothing of the answer was lost"
    assert 30 < len(words) < 400
