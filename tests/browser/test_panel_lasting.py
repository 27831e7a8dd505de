"""What a chat panel lives through in a real JupyterLab: reload, restart, and the end of the notebook."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from browser.harness import KERNEL
from browser.panel_page import Opener, Panel, desk, expect, open_panel
from browser.panel_world import World

from dify_notebook import local

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_page_loaded_again_shows_the_running_answer_and_the_draft_goes_on(open_panel: Opener) -> None:
    panel = open_panel("desk")
    panel.talk("When does the ferry leave?")
    panel.world.hold()
    panel.ask("hold on")
    expect(panel.body(panel.turns.nth(1))).to_contain_text("half5")
    panel.nb.save()
    panel.nb.reload()
    panel.nb.ready()
    panel = Panel(panel.nb, panel.world).ready()
    expect(panel.turns).to_have_count(2)
    expect(panel.body(panel.turns.first).locator(".dn-answer table")).to_contain_text("Bus 12")
    expect(panel.body(panel.turns.nth(1))).to_contain_text("half5")
    expect(panel.stop).to_be_visible()
    panel.world.gate.set()
    expect(panel.body(panel.answered(2))).to_contain_text("half10")
    panel.talk("and on")
    assert panel.python("len(panel.turns)") == 3


def test_a_server_that_is_not_there_yet_is_said_and_tried_again(desk: World, notebook: Any, tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0) as server:
        url, key = server.base_url, server.api_key("guide")
    # Not in the cell: the kernels share one history, which pages ask for.
    (tmp_path / "key").write_text(key)
    nb = notebook(
        "from pathlib import Path\nfrom dify_notebook import ChatPanel, Dify\n"
        f"ChatPanel(Dify(Path({str(tmp_path / 'key')!r}).read_text(), {url!r}), height=400)"
    )
    nb.run_cell(0)
    panel = Panel(nb, desk)
    expect(panel.root.locator(".connecting")).to_contain_text(re.compile("cannot be reached|connect", re.IGNORECASE))
    expect(panel.button("Try again")).to_be_visible()
    assert panel.root.evaluate("el => el.getBoundingClientRect().height") == 400
    # What is saved beside it is for readers without a kernel.
    expect(nb.page.get_by_text("Saved from a panel.")).to_be_hidden()
    with local.serve(data_dir=tmp_path, pace=0) as server:
        assert server.base_url == url
        panel.button("Try again").click()
        panel.ready().talk("How do I stop a running answer?")


def test_a_restarted_kernel_is_said_and_the_conversation_offered(open_panel: Opener) -> None:
    panel = open_panel("desk")
    told = panel.talk("before the restart").locator(".facts").inner_text()
    assert re.search(r"^\d+ tokens · \$", told)
    panel.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
    expect(panel.notices).to_contain_text("The kernel was restarted or this panel was closed.")
    expect(panel.root.locator(".server")).to_have_text("Not connected")
    expect(panel.body(panel.turns.first)).to_contain_text("You said: before the restart")
    expect(panel.box).to_have_attribute("readonly", "")
    panel.nb.wait_status("idle")

    panel.button("Load the conversation again").click()
    again = Panel(panel.nb, panel.world)
    offer = again.button(re.compile("^Go on with “"))
    expect(offer).to_be_visible()
    offer.click()
    first = again.answered(1)
    expect(first.locator(".bubble")).to_have_text("before the restart")
    usage = re.escape(told.rsplit(" · ", 2)[0])  # which the server tells since 1.16, with a time of its own
    expect(first.locator(".facts")).to_have_text(re.compile(rf"^{usage} · \d+\.\d\d s · \d\d:\d\d$"))
    expect(again.body(first)).to_contain_text("You said: before the restart")
    again.talk("after the restart")
    assert again.python("[turn.query for turn in panel.turns]") == ["before the restart", "after the restart"]


def test_without_a_kernel_and_in_nbconvert_the_conversation_is_still_to_be_read(
    open_panel: Opener, tmp_path: Path
) -> None:
    panel = open_panel("desk", "'the end'")
    panel.talk("When does the ferry leave?")
    panel.talk("hostile")
    # While the widget shows, the saved form beside it does not.
    expect(panel.page.locator(".jp-RenderedHTML:visible").filter(has_text="Bus 12")).to_have_count(0)
    panel.nb.run_cell(1)
    panel.nb.save()
    saved = panel.nb.saved()
    kinds = [sorted(output["data"]) for output in saved["cells"][0]["outputs"]]
    assert any({"text/html", "text/markdown", "text/plain"} <= set(each) for each in kinds), kinds
    assert "widgets" not in saved["metadata"]
    key = panel.world.server.api_key("desk")
    path = panel.nb.server.root / panel.nb.name
    assert key not in path.read_text(encoding="utf-8")

    panel.nb.shut_down()
    panel.nb.reload()
    panel.nb.ready(kernel=False)
    left = panel.page.locator(".jp-RenderedHTML").filter(has_text="Bus 12")
    expect(left).to_be_visible()
    for text in ("When does the ferry leave?", "Saved from a panel. Run the cell again to go on with it."):
        expect(left).to_contain_text(text)
    expect(left.locator("summary").filter(has_text="Sources").first).to_be_visible()
    assert panel.page.evaluate("window.pwned") is None

    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=panel.nb.server.env)
    page = panel.page.context.new_page()
    page.goto((tmp_path / f"{path.stem}.html").as_uri())
    expect(page.get_by_text("When does the ferry leave?").first).to_be_visible()
    expect(page.get_by_role("cell", name="Bus 12", exact=True)).to_be_visible()
    expect(page.get_by_text("done", exact=False).last).to_be_visible()
    assert page.evaluate("window.pwned") is None
