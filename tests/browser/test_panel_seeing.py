"""What a reader sees of an answer's making in a real JupyterLab: steps, tools, sources, pictures, files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser.panel_gallery import KEY, SIGNED, TABLE, gallery
from browser.panel_page import WIRE, Opener, desk, expect, open_panel

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_steps_and_their_values_sources_and_the_agents_tools(open_panel: Opener) -> None:
    panel = open_panel("desk", "other = panel_kernel.chat('agent', 'reader-of-tools')\nother")
    turn = panel.talk("When does the ferry to Runde leave?")
    body = panel.body(turn)
    expect(body.locator(".dn-answer table")).to_contain_text("Bus 12")
    expect(body.locator(".dn-answer pre")).to_contain_text("minutes = 25 + 50")

    # Sources: document and score, and the passage on demand.
    sources = body.locator("details").filter(has=panel.page.locator(":scope > summary", has_text="Sources"))
    sources.locator("summary").first.click()
    line = sources.locator("details.dn-src summary")
    expect(line).to_have_text(re.compile(r"facts\.md · Timetables · score \d\.\d\d"))
    line.click()
    expect(sources.locator(".dn-val")).to_contain_text("leaves at 07:40 from the north quay")

    # The timeline names the steps; their inputs and outputs come when they are opened.
    steps = body.locator("details").filter(has=panel.page.locator(":scope > summary", has_text="Steps"))
    expect(steps.locator("summary").first).to_contain_text("5")
    panel.more(turn, "Steps in detail")
    writer = panel.sheet.locator("details.step").filter(has_text="Writer")
    expect(panel.sheet.locator("details.step .step-title")).to_contain_text(["Timetables", "Writer"])
    writer.locator("summary").first.click()
    expect(writer.locator(".step-status")).to_have_text("done")
    expect(writer.locator(".step-body")).to_contain_text("The ferry to **Runde** leaves")
    expect(writer.locator(".step-body h3")).to_contain_text(["Outputs"])
    panel.page.keyboard.press("Escape")
    expect(panel.sheet).to_have_count(0)

    panel.nb.run_cell(1)
    agent = type(panel)(panel.nb, panel.world, 1).ready()
    said = agent.talk("From which platform?")
    thought = said.locator(".body details").filter(has_text="platform").first
    thought.locator("summary").first.click()
    expect(said.locator(".body")).to_contain_text("I look at the board.")
    expect(said.locator(".body")).to_contain_text("Bergen: platform 4")


def test_icons_pictures_downloads_and_sound_come_through_the_client(open_panel: Opener, tmp_path: Path) -> None:
    with gallery() as (shown, url):
        panel = open_panel(
            "plain",
            "import os, json\nfrom dify_notebook import ChatPanel, Dify\n"
            "told = json.load(open(os.path.join(os.environ['DIFY_NOTEBOOK_DATA_DIR'], 'gallery.json')))\n"
            "seen = ChatPanel(Dify(told['key'], told['url'], user='looker'))\nseen",
            script=WIRE,
        )
        (Path(panel.nb.server.env["DIFY_NOTEBOOK_DATA_DIR"]) / "gallery.json").write_text(
            json.dumps({"key": KEY, "url": url})
        )
        panel.nb.run_cell(1)
        seen = type(panel)(panel.nb, panel.world, 1).ready()
        turn = seen.talk("Show me the chart")
        body = seen.body(turn)
        picture = body.locator("img.dn-pic")
        expect(picture).to_be_visible()
        assert picture.evaluate("el => [el.naturalWidth, el.naturalHeight]") == [240, 96]
        expect(body.locator("summary").filter(has_text="Weather").first).to_contain_text("⛅")
        expect(body.locator("summary").filter(has_text="Draw").first.locator("img")).to_be_visible()
        sources = body.locator("details").filter(has=panel.page.locator(":scope > summary", has_text="Sources"))
        sources.locator("summary").first.click()
        expect(sources.locator("details.dn-src summary")).to_have_text(re.compile(r"harbours\.pdf.*0\.91"))

        with panel.page.expect_download() as begun:
            seen.button(re.compile(r"^Download legs\.csv"), turn).click()
        kept = tmp_path / "legs.csv"
        begun.value.save_as(kept)
        assert kept.read_bytes() == TABLE
        assert begun.value.suggested_filename == "legs.csv"

        seen.button(re.compile(r"^Play call\.wav"), turn).click()
        panel.page.wait_for_function("window.wire.plays === 1")

        # All of it was fetched by the kernel; neither key nor signed addresses reached the page.
        assert {name for name, _ in shown.fetched} >= {"chart.png", "legs.csv", "call.wav", "icon.png"}
        heard = json.dumps(panel.wire("received"))
        for secret in (KEY, SIGNED, "/files/tools/"):
            assert secret not in heard
