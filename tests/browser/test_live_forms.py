"""The form of a run that waits, in a real JupyterLab: filled in where its saved form stands, after the cell."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from browser.form_driver import TOKEN
from browser.harness import KERNEL, Notebook, Server
from browser.test_screenshots import KEPT, contrast, wear
from support import human_app
from support.human_app import HumanApp
from support.raw_server import RawServer

from dify_notebook.local.store.paused import FormTokens

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Make = Callable[..., Notebook]
FOCUS = """() => {
    let el = document.activeElement;
    while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
    return [el?.localName, el?.textContent ?? ''];
}"""
FORM = ".form"
ANSWERS = "print(desk.answers, desk.turn.status)"


def asking(make: Make, *rounds: str, options: str = "", **more: Any) -> Notebook:
    """A notebook whose second cell asks these rounds of forms, with two cells below that show what came of it."""
    ask = f"desk = fd.Desk({', '.join(rounds)}{', ' if options else ''}{options})\ndesk.ask()"
    nb = make("import form_driver as fd", ask, ANSWERS, "print('below')", **more)
    nb.run_all()
    nb.page.locator(FORM).first.wait_for()
    return nb


def form(nb: Notebook, number: int = 0) -> Any:
    return nb.page.locator(FORM).nth(number)


def answered(nb: Notebook, text: str) -> str:
    """What the third cell says, once it holds the text."""
    nb.page.wait_for_function(f"() => ({KERNEL})?.status === 'idle'")
    nb.run_cell(2)
    wait_output(nb, text, 2)
    return nb.outputs()[2]


def wait_forms(nb: Notebook, count: int) -> None:
    """Until so many forms stand in the page, none of them in a view that still runs."""
    nb.page.wait_for_function(
        """count => {
            const places = [...document.querySelectorAll('.jp-OutputArea-output [class*=dn-kept-form]')];
            return places.filter(el => el.shadowRoot?.querySelector('.form')).length === count;
        }""",
        arg=count,
    )


def wait_output(nb: Notebook, text: str, cell: int = 1) -> None:
    """Until a cell's own output, and no live view in it, holds the text; by default the one that asks."""
    nb.page.wait_for_function(
        """([text, cell]) => document.querySelectorAll('.jp-CodeCell')[cell]
            ?.querySelector('.jp-OutputArea')?.textContent.includes(text)""",
        arg=[text, cell],
    )


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Path]:
    """A file; while it is there, runs that go on stream."""
    path = tmp_path / "hold"
    yield path
    path.unlink(missing_ok=True)


def test_answered_in_the_cell_twice_in_one_run(notebook: Make, hold: Path) -> None:
    nb = asking(notebook, "[fd.form(1)]", "[fd.form(2)]", options=f"hold={str(hold)!r}")
    assert "below" in nb.outputs()[3], "Run All goes on"
    one = form(nb)
    one.locator("textarea").fill("mine")
    one.locator("select").select_option(label="essay")
    hold.touch()
    one.get_by_role("button", name="Approve").click()
    nb.page.locator(".dn-stop button").wait_for()  # it streams in the same place
    hold.unlink()
    wait_forms(nb, 1)
    two = form(nb)
    assert two.get_by_role("button").all_text_contents() == ["Approve", "Reject", "Escalate", "Ask me later"]
    two.locator("select").select_option(label="news")
    two.get_by_role("button", name="Reject").click()
    wait_output(nb, "form-2 was answered: reject.")
    assert nb.page.locator(FORM).count() == 0
    assert answered(nb, "succeeded") == (
        "[('form-1', 'approve', {'note': 'mine', 'kind': 'essay'}), ('form-2', 'reject', {'kind': 'news'})] succeeded\n"
    )
    nb.save()
    [output] = nb.saved()["cells"][1]["outputs"]
    assert sorted(output["data"]) == ["text/html", "text/markdown", "text/plain"]


def test_two_at_once_and_the_other_keeps_what_was_typed(notebook: Make, hold: Path) -> None:
    nb = asking(notebook, "[fd.form(1), fd.form(2)]", options=f"hold={str(hold)!r}")
    wait_forms(nb, 2)
    form(nb, 1).locator("textarea").fill("half a")
    form(nb, 0).locator("select").select_option(label="news")
    hold.touch()
    form(nb, 0).get_by_role("button", name="Approve").click()
    nb.page.locator(".dn-stop button").wait_for()
    left = nb.page.locator(FORM).filter(has_text="Question 2")
    left.wait_for()
    assert left.locator("textarea").input_value() == "half a"
    left.locator("textarea").press("End")
    nb.page.keyboard.type(" sentence")  # while the run streams around it
    hold.unlink()
    wait_forms(nb, 1)
    assert form(nb).locator("textarea").input_value() == "half a sentence"
    nb.page.wait_for_function(f"{FOCUS.replace('return [', 'return el?.localName === `textarea` && [')}")
    nb.page.keyboard.type("!")
    form(nb).locator("select").select_option(label="news")
    form(nb).get_by_role("button", name="Approve").click()
    wait_output(nb, "form-2 was answered: approve.")
    assert "half a sentence!" in answered(nb, "succeeded")


def test_what_is_wrong_is_said_and_nothing_typed_is_lost(notebook: Make) -> None:
    refusals = ["This form was answered already: by somebody else."]
    nb = asking(notebook, "[fd.form(1)]", options=f"refusals={refusals}")
    one = form(nb)
    one.locator("textarea").fill("mine")
    one.get_by_role("button", name="Approve").click()
    assert one.locator(".problem").all_text_contents() == ["", "kind needs a value."]
    assert nb.page.evaluate(FOCUS)[0] == "select"
    assert one.locator("[aria-invalid]").count() == 1
    one.locator("select").select_option(label="essay")
    one.get_by_role("button", name="Approve").click()
    one.get_by_role("alert").filter(has_text=refusals[0]).wait_for()
    assert one.locator("textarea").input_value() == "mine"
    one.get_by_role("button", name="Approve").click()
    wait_output(nb, "form-1 was answered: approve.")


def test_a_form_that_asks_for_a_file_says_where_it_can_be_given(notebook: Make) -> None:
    nb = asking(notebook, "[fd.form(1, files=True)]")
    one = form(nb)
    one.locator("select").select_option(label="essay")
    one.get_by_role("button", name="Approve").click()
    assert one.locator(".problem").all_text_contents() == ["", "", "proof needs a value."]
    about = one.locator("input").get_attribute("aria-describedby").split()
    texts = [one.locator(f"#{each}").inner_text() for each in about]
    assert "A file is given from Python" in texts[1]


def test_a_form_that_expires_shuts_and_says_so(notebook: Make) -> None:
    nb = asking(notebook, "[fd.form(1, expires=12)]")
    one = form(nb)
    one.get_by_role("status").filter(has_text="This form has expired").wait_for()
    one.locator("select").select_option(label="essay")
    one.get_by_role("button", name="Approve").click(force=True)
    assert answered(nb, "paused") == "[] paused\n"


def test_filled_in_by_keys_alone_and_the_notebook_hears_none_of_them(notebook: Make) -> None:
    nb = asking(notebook, "[fd.form(1)]")
    cells = nb.page.locator(".jp-CodeCell").count()
    page = nb.page
    form(nb).locator("textarea").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("dd a")
    page.keyboard.press("Enter")
    page.keyboard.type("b")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("c")
    assert form(nb).locator("textarea").input_value() == "dd a\nb\nc"
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)[0] == "select"
    page.keyboard.press("e")  # an option by its first letter
    assert form(nb).locator("select").evaluate("el => el.selectedOptions[0].text") == "essay"
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(page.evaluate(FOCUS)[1])
    assert names == ["Approve", "Reject", "Escalate", "Ask me later"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Control+Enter")  # the primary one, wherever the keyboard is
    wait_output(nb, "form-1 was answered: approve.")
    assert page.locator(".jp-CodeCell").count() == cells
    assert "'note': 'dd a\\nb\\nc', 'kind': 'essay'" in answered(nb, "succeeded")


def test_a_page_loaded_again_has_the_form_and_a_second_browser_sees_it_answered(notebook: Make, chromium: Any) -> None:
    """Neither page knows the output any more that the kernel replaces: there the run goes on in the form's place."""
    nb = asking(notebook, "[fd.form(1)]", "[fd.form(2)]")
    nb.save()
    nb.reload()
    nb.ready(kernel=False)
    form(nb).wait_for()
    other = Notebook(chromium, nb.server, nb.name)
    try:
        form(other).locator("textarea").fill("typed in the other")
        form(nb).locator("select").select_option(label="essay")
        form(nb).get_by_role("button", name="Approve").click()
        for each in (nb, other):
            form(each).filter(has_text="Question 2").wait_for()
            assert "form-1 was answered: approve." in each.outputs()[1]
        form(other).locator("select").select_option(label="news")
        form(other).get_by_role("button", name="Reject").click()
        for each in (nb, other):
            each.page.get_by_text("form-2 was answered: reject.").wait_for()
            form(each).wait_for(state="detached")
    finally:
        other.close()


def test_a_restarted_kernel_leaves_words_that_help(notebook: Make) -> None:
    nb = asking(notebook, "[fd.form(1), fd.form(2)]")
    form(nb, 1).locator("textarea").fill("not to be lost")
    nb.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
    for number in (0, 1):
        form(nb, number).get_by_role("status").filter(has_text="Run %dify resume in a new cell").wait_for()
    assert form(nb, 0).locator("textarea").count() == 0
    assert form(nb, 1).locator("textarea").input_value() == "not to be lost"
    assert form(nb, 1).get_by_role("button", name="Approve").get_attribute("aria-disabled") == "true"
    kept = nb.page.locator(".jp-OutputArea-output section[class*=dn-kept-form]").first
    assert kept.evaluate("el => el.checkVisibility() && [...el.children].every(each => each.checkVisibility())")
    assert kept.evaluate("el => getComputedStyle(el).borderTopWidth") == "1px", "in its own box"


def test_a_saved_notebook_reads_well_without_a_kernel(notebook: Make) -> None:
    """Nothing of the widget is left in it: a notebook that is trusted would show that and nothing else."""
    nb = asking(notebook, "[fd.form(1)]")
    nb.save()
    nb.shut_down()
    nb.reload()
    nb.ready(kernel=False)
    wait_output(nb, "May this be published?")
    text = nb.outputs()[1]
    assert "A draft." in text
    assert "model not found" not in text
    assert "Loading widget" not in text
    assert "action='approve'" in text, "how to answer it from Python"
    assert nb.page.locator(FORM).count() == 0


def test_the_token_reaches_neither_page_nor_notebook(notebook: Make) -> None:
    seen = "window.heard = []; const was = WebSocket.prototype.send; const on = MessageEvent.prototype;"
    seen += """
        const told = Object.getOwnPropertyDescriptor(on, 'data').get;
        Object.defineProperty(on, 'data', {get() {
            const data = told.call(this);
            window.heard.push(data instanceof ArrayBuffer ? new TextDecoder().decode(data) : String(data));
            return data;
        }});"""
    nb = asking(notebook, "[fd.form(1)]", "[fd.form(2)]", script=seen)
    form(nb).locator("select").select_option(label="essay")
    form(nb).get_by_role("button", name="Approve").click()
    wait_output(nb, "form-1 was answered")
    form(nb).filter(has_text="Question 2").wait_for()
    nb.save()
    heard = "".join(nb.page.evaluate("window.heard"))
    assert "Question 2" in heard, "what the kernel said was listened to"
    for where in (heard, nb.page.content(), str(nb.saved()), *nb.outputs()):
        assert TOKEN not in where


def test_in_notebook_7_while_another_cell_is_at_work(seven: Server, chromium: Any, hold: Path) -> None:
    """The answer is sent when the kernel hears it, which is at once or when it is free."""
    hold.touch()
    busy = f"import os, time\nwhile os.path.exists({str(hold)!r}): time.sleep(0.05)"
    name = "forms-in-seven.ipynb"
    seven.write(name, ["import form_driver as fd", "desk = fd.Desk([fd.form(1)])\ndesk.ask()", ANSWERS, busy])
    nb = Notebook(chromium, seven, name)
    try:
        nb.run_cell(0)
        nb.run_cell(1)
        form(nb).locator("select").select_option(label="essay")
        nb.run_cell(3, wait=False)
        nb.wait_status("busy")
        approve = form(nb).get_by_role("button", name="Approve")
        approve.click()
        approve.click(force=True)
        hold.unlink()
        wait_output(nb, "form-1 was answered: approve.")
        assert answered(nb, "succeeded") == "[('form-1', 'approve', {'kind': 'essay'})] succeeded\n"
    finally:
        nb.shut_down()
        nb.close()


@pytest.fixture
def human() -> Iterator[tuple[HumanApp, RawServer]]:
    """A Dify that asks people."""
    app, server = human_app.human()
    yield app, server
    server.close()
    assert not server.errors


def chatflow(server: RawServer) -> str:
    """The first cell of a notebook that talks to it."""
    told = {"DIFY_API_KEY": human_app.KEY, "DIFY_BASE_URL": server.url, "DIFY_USER": "anna"}
    return f"import os\nos.environ |= {told}\n%load_ext dify_notebook\nimport dify_notebook"


def test_a_cell_of_a_chatflow_is_answered_in_its_output(notebook: Make, human: tuple[HumanApp, RawServer]) -> None:
    app, server = human
    nb = notebook(chatflow(server), "%%dify --new -o turn\ntwice may I", "print(turn.status, turn.answer)")
    nb.run_all()
    wait_output(nb, "paused Draft.", 2)
    form(nb).locator("textarea").fill("mine")
    form(nb).locator("select").select_option(label="y")
    form(nb).get_by_role("button", name="Approve").click()
    form(nb).filter(has_text="Person of again").wait_for()
    form(nb).get_by_role("button", name="Reject").click()
    assert form(nb).locator(".problem").all_text_contents() == ["", "kind needs a value."]
    form(nb).locator("select").select_option(label="x")
    form(nb).get_by_role("button", name="Reject").click()
    wait_output(nb, "[again: reject] Done.")
    wait_forms(nb, 0)
    nb.run_cell(2)
    wait_output(nb, "succeeded Draft. [ask: approve] [again: reject] Done.", 2)
    assert [(each["action"], each["inputs"]) for each in app.submissions] == [
        ("approve", {"note": "mine", "kind": "y"}),
        ("reject", {"note": "my note", "kind": "x"}),
    ]


def test_after_a_restart_the_run_is_resumed_in_another_cell(notebook: Make, human: tuple[HumanApp, RawServer]) -> None:
    app, server = human
    nb = notebook(chatflow(server), "%%dify --new\nask me", "%dify resume", "print(dify_notebook.last.answer)")
    nb.run_cell(0)
    nb.run_cell(1)
    form(nb).wait_for()
    nb.save()
    nb.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
    nb.ready()
    nb.run_cell(0)
    nb.run_cell(2)
    resumed = nb.page.locator(".jp-CodeCell").nth(2).locator(FORM)
    resumed.wait_for()
    resumed.locator("select").select_option(label="x")
    resumed.get_by_role("button", name="Approve").click()
    wait_output(nb, "[ask: approve] Done.", 2)
    nb.run_cell(3)
    wait_output(nb, "Draft. [ask: approve] Done.", 3)
    nb.save()
    heard = "".join(nb.log) + nb.page.content() + str(nb.saved())
    home = nb.server.root.parent
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert any("tapes" in str(path) or path.suffix for path in kept)
    for token in app.tokens:
        assert token not in heard
        for path in kept:
            assert token.encode() not in path.read_bytes(), path


def test_the_embedded_pipeline_asks_and_its_tokens_are_nowhere(notebook: Make) -> None:
    nb = notebook(
        "%load_ext dify_notebook\n%dify use pipeline",
        "%%dify --new -o a\napprove: send the letters",
        "print(a.status, a.answer)",
        "a = a.forms[0].submit(action='reject', inputs={'when': 'later'})",
    )
    for cell in (0, 1):
        nb.run_cell(cell)
    form(nb).locator("textarea").fill("mine")
    form(nb).locator("select").select_option(label="now")
    form(nb).get_by_role("button", name="Approve").click()
    wait_output(nb, "answered: Approve")
    wait_forms(nb, 0)
    nb.run_cell(2)
    wait_output(nb, "succeeded Approved, now: **send the letters** (mine)", 2)
    nb.run_cell(1)
    form(nb).wait_for()
    nb.run_cell(3)
    wait_output(nb, "answered: Reject")
    nb.run_cell(2)
    wait_output(nb, "succeeded Rejected: **send the letters** (no objection)", 2)
    nb.save()
    home = nb.server.root.parent
    local = home / "dify" / "local"
    with closing(sqlite3.connect(f"file:{local / 'store.sqlite3'}?mode=ro", uri=True)) as store:
        forms = store.execute("SELECT id, token_hash FROM forms").fetchall()
    made = FormTokens(json.loads((local / "keys.json").read_text())["signing"])
    kept = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    kept |= {path: gzip.decompress(data) for path, data in kept.items() if path.suffix == ".gz"}
    assert len(forms) >= 2
    for form_id, hashed in forms:
        assert hashlib.sha256(made.of(form_id).encode()).hexdigest() == hashed, "these are the tokens"
        assert made.of(form_id) not in "".join(nb.log) + nb.page.content()
        assert [path for path, data in kept.items() if made.of(form_id).encode() in data] == []
        assert any(form_id.encode() in data for path, data in kept.items() if path.suffix == ".gz"), "tapes were read"


INKS = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const plain = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const root = document.querySelector('[class*=dn-kept-form]').shadowRoot;
    const paper = el => {
        for (let at = el; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
        }
    };
    return [...root.querySelectorAll('button, label, span, textarea, .title, .error, p')]
        .filter(el => el.checkVisibility() && (el.textContent.trim() || el.value))
        .map(el => [plain(getComputedStyle(el).color), plain(paper(el))]);
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everyone_can_read_it(notebook: Make, dark: bool, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    nb = asking(notebook, "[fd.form(1, files=True), fd.form(2)]", options="refusals=['Not like this, please.']")
    wear(nb, dark)
    try:
        one = form(nb)
        one.get_by_role("button", name="Approve").click()  # a choice is missing
        two = form(nb, 1)
        two.locator("select").select_option(label="news")
        two.get_by_role("button", name="Reject").click()
        two.get_by_role("alert").filter(has_text="Not like this").wait_for()
        one.scroll_into_view_if_needed()
        pairs = nb.page.evaluate(INKS)
        assert len(pairs) > 10
        for ink, paper in pairs:
            assert contrast(ink, paper) >= 4.5, (ink, paper)
        for state in ("as it is", "forced colours"):
            found = Axe().run(nb.page, context={"include": [["section[class*=dn-kept-form]"]]}).response
            wrong = [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]]
            assert wrong == [], state
            nb.page.emulate_media(forced_colors="active")
        nb.page.emulate_media(forced_colors="none")
        path = KEPT / f"form-{'dark' if dark else 'light'}.png"
        nb.screenshot(tmp_path / path.name)
        assert (tmp_path / path.name).stat().st_size > 10_000
        if os.environ.get("SCREENSHOTS") == "keep":
            shutil.copy(tmp_path / path.name, path)
    finally:
        nb.page.emulate_media(forced_colors="none")
        wear(nb, False)


def test_a_narrow_page_holds_it(notebook: Make) -> None:
    nb = asking(notebook, "[fd.form(1)]")
    page = "el => { el.getRootNode().host.parentElement.style.width = '260px' }"
    form(nb).evaluate(page)
    assert form(nb).evaluate("el => el.getBoundingClientRect().width") <= 260
    assert form(nb).evaluate("el => el.scrollWidth - el.clientWidth") <= 0


def test_chinese(notebook: Make) -> None:
    nb = notebook(
        "import form_driver as fd\nfrom dify_notebook.i18n import set_language\nset_language('zh-Hans')",
        "desk = fd.Desk([fd.form(1)])\ndesk.ask()",
    )
    nb.run_all()
    form(nb).wait_for()
    text = form(nb).inner_text()
    assert "（必填）" in text
    assert "分钟后截止" in text
    form(nb).get_by_role("button", name="Approve").click()
    form(nb).get_by_text("请填写 kind。").wait_for()
