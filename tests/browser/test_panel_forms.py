"""Runs that wait for a person, in a real JupyterLab: asked, answered and read on in the panel."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.harness import KERNEL, Notebook, Server
from browser.panel_page import WIRE, Panel, expect
from browser.test_panel_everyone import FOCUS, tab_to, violations
from browser.test_panel_secrets import everything
from browser.test_screenshots import wear
from support.asking_app import KEY, AskingApp, asking

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_numbers = itertools.count(1)
Opener = Callable[..., Panel]


@pytest.fixture
def asks(lab: Server) -> Iterator[AskingApp]:
    """A server whose app asks people, known to the kernels."""
    app, server = asking()
    told = Path(lab.env["DIFY_NOTEBOOK_DATA_DIR"]) / "panel-tests.json"
    told.parent.mkdir(parents=True, exist_ok=True)
    told.touch(0o600)
    told.write_text(json.dumps({"url": server.url, "keys": {"asks": KEY}}))
    yield app
    app.released.set()
    server.close()
    assert not server.errors


@pytest.fixture
def open_panel(asks: AskingApp, notebook: Callable[..., Notebook]) -> Opener:
    """Open a notebook with a panel of that app in its first cell."""

    def make(*cells: str, **options: Any) -> Panel:
        user = f"asked-{next(_numbers)}"
        first = f"import panel_kernel\npanel = panel_kernel.chat('asks', {user!r})\npanel"
        nb = notebook(first, *cells, **options)
        nb.run_cell(0)
        return Panel(nb, asks).ready()  # type: ignore[arg-type]  # its world is this app

    return make


def asked(panel: Panel, query: str) -> Any:
    """Ask, and wait for the form; gives it."""
    panel.ask(query)
    found = form(panel)
    expect(found).to_be_visible()
    return found


def form(panel: Panel, title: str = "") -> Any:
    """The forms that can be filled in, or the one of that title."""
    return panel.root.locator(".form[aria-labelledby]").filter(has=panel.page.locator(".title", has_text=title))


def outcome(panel: Panel, at: int = 0) -> Any:
    """The body of an answer that has come to its end."""
    turn = panel.turns.nth(at)
    expect(panel.body(turn)).to_contain_text("Done.")
    expect(turn.locator(".outcome")).to_have_count(0)
    return panel.body(turn)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_form_is_answered_by_keys_alone_and_axe_finds_nothing(
    open_panel: Opener, asks: AskingApp, dark: bool, tmp_path: Path
) -> None:
    panel = open_panel(script=WIRE)
    page = panel.page
    try:
        wear(panel.nb, dark)
        found = asked(panel, "ask hold may I")
        said = panel.root.locator("[role=status] p")
        expect(said.filter(has_text="The run waits for your answer: First")).to_have_count(1)
        assert violations(panel) == []
        picture = tmp_path / "form.png"
        panel.root.screenshot(path=str(picture))
        assert picture.stat().st_size > 10_000
        expect(panel.stop).to_have_count(0)
        expect(panel.turns.first).to_contain_text("You can ask something else meanwhile.")
        expect(panel.turns.first.get_by_text("dify.forms.submit")).to_be_hidden()
        assert found.locator("b").count() == 0, "what an app says is text"

        expect(panel.box).to_be_focused()
        tab_to(page, "Approve", "Shift+Tab")
        page.keyboard.press("Shift+Tab")
        expect(found.get_by_label("kind")).to_be_focused()
        page.keyboard.press("y")
        page.keyboard.press("Shift+Tab")
        expect(found.get_by_label("note")).to_be_focused()
        page.keyboard.press("Control+a")
        page.keyboard.type("by keys")
        tab_to(page, "Approve")
        page.keyboard.press("Enter")
        expect(panel.body(panel.turns.first)).to_contain_text("First: approve, by keys")
        expect(form(panel)).to_have_count(0)
        expect(panel.stop).to_be_visible()
        assert violations(panel) == []
        asks.gate.set()
        body = outcome(panel)
        expect(body).to_contain_text("Approve")
        assert violations(panel) == []
        [(_, sent)] = asks.submissions
        assert (sent["action"], sent["inputs"]) == ("approve", {"note": "by keys", "kind": "y"})
        assert page.evaluate(FOCUS) != "", "the keyboard is somewhere"
    finally:
        wear(panel.nb, False)
    harmless(panel, asks)


def harmless(panel: Panel, asks: AskingApp) -> None:
    """No token is in the notebook, in a widget's state, in a message to the page, or on it. Needs script=WIRE."""
    panel.nb.save()
    state = panel.python("repr(panel.get_state())")
    sent = [message["content"] for message in panel.wire("sent")]
    seen = "\n".join([everything(panel), json.dumps(panel.nb.saved()), state, *sent])
    assert "Please check" in seen
    assert asks.tokens
    assert [token for token in asks.tokens if token in seen] == []
    assert KEY not in seen


def test_twice_in_one_run_and_what_does_not_fit(open_panel: Opener, asks: AskingApp) -> None:
    panel = open_panel(script=WIRE)
    found = asked(panel, "twice please")
    found.get_by_role("button", name="Approve").click()
    expect(found.get_by_text("kind", exact=False).last).to_be_visible()
    assert asks.submissions == [], "a choice was missing"
    found.get_by_label("kind").select_option("x")
    found.get_by_label("note").fill("refuse")
    found.get_by_role("button", name="Reject").click()
    expect(found.get_by_role("alert")).to_contain_text("Invalid value")
    expect(found.get_by_label("note")).to_have_value("refuse")
    found.get_by_label("note").fill("now fine")
    found.get_by_role("button", name="Reject").click()
    second = form(panel, "Second")
    expect(second).to_be_visible()
    expect(panel.body(panel.turns.first)).to_contain_text("First: reject, now fine")
    panel.ask("meanwhile")
    expect(panel.body(panel.turns.nth(1))).to_contain_text("You said: meanwhile")
    second.get_by_role("button", name="Approve").click()
    outcome(panel)
    expect(panel.turns).to_have_count(2)
    assert [(title, sent["action"]) for title, sent in asks.submissions] == [
        ("First", "reject"), ("First", "reject"), ("Second", "approve"),
    ]  # fmt: skip
    assert panel.python("[turn.status for turn in panel.turns]") == ["succeeded", "succeeded"]
    harmless(panel, asks)


def test_of_two_at_once_what_is_typed_into_the_other_stays(open_panel: Opener, asks: AskingApp) -> None:
    panel = open_panel("from dify_notebook import ChatPanel\nother = ChatPanel(panel.session)\nother")
    panel.ask("two of you")
    left, right = form(panel, "Left"), form(panel, "Right")
    right.get_by_label("note").fill("half writ")
    panel.nb.run_cell(1)
    other = Panel(panel.nb, panel.world, 1).ready()
    form(other, "Left").get_by_role("button", name="Approve").click()
    for each in (panel, other):
        expect(form(each, "Left")).to_have_count(0)
        expect(panel.body(each.turns.first)).to_contain_text("Left: approve")
    expect(left).to_have_count(0)
    expect(right.get_by_label("note")).to_have_value("half writ")
    right.get_by_label("note").fill("half written")
    right.get_by_role("button", name="Approve").click()
    for each in (panel, other):
        outcome(each)
    assert [sent["inputs"]["note"] for _, sent in asks.submissions] == ["my note", "half written"]


def test_a_page_loaded_again_and_a_second_browser_ask_too(
    open_panel: Opener, asks: AskingApp, chromium: Any, lab: Server
) -> None:
    panel = open_panel()
    asked(panel, "ask may I")
    panel.nb.save()
    second = Notebook(chromium, lab, panel.nb.name)
    try:
        seen = Panel(second, panel.world).ready()
        expect(form(seen)).to_be_visible()
        panel.nb.reload()
        panel.nb.ready()
        again = Panel(panel.nb, panel.world).ready()
        found = form(again)
        found.get_by_label("kind").select_option("y")
        found.get_by_role("button", name="Approve").click()
        outcome(again)
        outcome(seen)
        expect(form(seen)).to_have_count(0)
    finally:
        second.close()
    assert len(asks.submissions) == 1


def test_a_file_goes_up_with_the_answer(open_panel: Opener, asks: AskingApp) -> None:
    panel = open_panel()
    found = asked(panel, "file please")
    picker = found.get_by_label("paper")
    picker.set_input_files({"name": "song.mp3", "mimeType": "audio/mpeg", "buffer": b"abc"})
    expect(found).to_contain_text("song.mp3")
    found.get_by_role("button", name="Approve").click()
    assert asks.submissions == []
    picker.set_input_files({"name": "paper.txt", "mimeType": "text/plain", "buffer": b"abc"})
    expect(found).to_contain_text("paper.txt (3 B)")
    found.get_by_role("button", name="Approve").click()
    outcome(panel)
    assert asks.uploads == ["paper.txt"]
    [(_, sent)] = asks.submissions
    assert sent["inputs"]["paper"]["type"] == "document"


def test_a_form_outlives_the_kernel(open_panel: Opener, asks: AskingApp) -> None:
    panel = open_panel(script=WIRE)
    found = asked(panel, "ask may I")
    found.get_by_label("note").fill("typed")
    panel.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
    expect(panel.notices).to_contain_text("The kernel was restarted or this panel was closed.")
    panel.nb.wait_status("idle")
    panel.button("Load the conversation again").click()
    again = Panel(panel.nb, panel.world)
    again.button(re.compile("^Go on with “")).click()
    found = form(again)
    expect(found).to_be_visible()
    found.get_by_label("kind").select_option("x")
    found.get_by_role("button", name="Approve").click()
    body = outcome(again)
    expect(body).to_contain_text("Draft.")
    [(_, sent)] = asks.submissions
    assert sent["inputs"] == {"note": "my note", "kind": "x"}
    harmless(again, asks)


def test_without_a_kernel_the_form_is_to_be_read(open_panel: Opener, asks: AskingApp) -> None:
    panel = open_panel("'the end'")
    asked(panel, "ask may I")
    panel.nb.run_cell(1)
    # The form is shown a little before the run has paused, and with that the notebook has it.
    kept = panel.page.locator(".mathjax_ignore[class*=dn-kept-]")
    expect(kept.filter(has_text="Please check")).to_be_attached()
    panel.nb.save()
    panel.nb.shut_down()
    panel.nb.reload()
    panel.nb.ready(kernel=False)
    left = panel.page.locator(".jp-RenderedHTML").filter(has_text="Please check")
    expect(left).to_be_visible()
    for text in ("First", "Approve", "my note"):
        expect(left).to_contain_text(text)
    text = (panel.nb.server.root / panel.nb.name).read_text(encoding="utf-8")
    assert [token for token in asks.tokens if token in text] == []
