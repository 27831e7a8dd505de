"""What a person can do in the chat panel: talk, attach files, fill in the form.

The kernel is scripted, see `panel_stage`; the panel in a real notebook has tests of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from browser.panel_acts import FILES, ask, base, box, button, finished, last, show

__all__ = ["base", "show"]
pytestmark = pytest.mark.browser

# -- talking


def test_a_question_is_asked_and_its_answer_streams(show: Any) -> None:
    page = show(empty=True)
    page.evaluate("kernel.pace = 30")
    button(page, "Three quiet towns by the sea").click()
    page.locator(".dn-answer table").wait_for()  # the first rows, while the rest is still coming
    assert page.evaluate("kernel.running") is not None
    assert button(page, "Stop").is_visible()
    page.evaluate("kernel.pace = 0")
    finished(page)
    page.get_by_text("can be changed; the total follows").wait_for()
    assert last(page, "ask")["query"] == "Three quiet towns by the sea"
    button(page, "Add a day in Sintra").click()
    page.wait_for_function("kernel.last('ask').query === 'Add a day in Sintra'")


def test_enter_sends_and_input_methods_are_left_alone(show: Any) -> None:
    page = show()
    field = box(page)
    field.fill("你")
    for init in ("{isComposing: true}", "{keyCode: 229}"):
        field.evaluate(
            f"el => el.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, ...{init}}}))"
        )
    assert field.input_value() == "你"
    field.press("Shift+Enter")
    assert field.input_value() == "你\n"
    assert not page.evaluate("kernel.heard('ask')")
    field.press("Enter")
    assert last(page, "ask")["query"] == "你"
    assert field.input_value() == ""


def test_earlier_questions_come_back(show: Any) -> None:
    page = show()
    field = box(page)
    field.press("ArrowUp")
    assert field.input_value() == "Which of these is the quietest?"
    field.press("ArrowUp")
    assert field.input_value().startswith("As a table")
    field.press("ArrowDown")
    field.press("ArrowDown")
    assert field.input_value() == ""
    field.fill("a draft")
    field.press("ArrowUp")
    assert field.input_value() == "a draft"


def test_keys_never_reach_the_notebook(show: Any) -> None:
    page = show()
    page.evaluate(
        "window.leaked = []; for (const name of ['keydown', 'keypress', 'keyup']) document.addEventListener(name, (e) => leaked.push(e.key))"
    )
    box(page).press("a")
    box(page).press("Shift+Enter")
    box(page).press("Escape")
    button(page, "Menu").press("d")
    assert page.evaluate("leaked") == []


def test_stop_and_a_queue(show: Any) -> None:
    page = show()
    page.evaluate("kernel.pace = 30")
    ask(page, "first")
    button(page, "Stop").wait_for()
    ask(page, "second")
    ask(page, "third")
    button(page, "Remove the waiting question “third”").click()
    page.wait_for_function("kernel.queue.length === 1")
    button(page, "Stop").click()
    assert last(page, "stop")
    page.get_by_text("stopped", exact=True).first.wait_for()
    page.evaluate("kernel.pace = 0")
    finished(page)
    assert page.locator(".turns .bubble").all_inner_texts()[-2:] == ["first", "second"]


def test_a_kernel_that_cannot_hear(show: Any) -> None:
    """A question and a stop are shown as queued; to interrupt is a step of its own, and confirmed."""
    page = show()
    page.evaluate("kernel.pace = 30")
    ask(page, "first")
    button(page, "Stop").wait_for()
    page.evaluate("kernel.deaf = true")
    ask(page, "are you there?")
    page.get_by_text("The kernel is busy with a cell; this is sent as soon as it is free.").wait_for()
    page.locator("[data-asked]").get_by_text("Waiting").wait_for()
    button(page, "Stop").click()
    page.get_by_text("The kernel is busy with a cell; the stop waits until it is free.").wait_for()
    button(page, "Interrupt the kernel").click()
    dialog = page.get_by_role("alertdialog")
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.evaluate("kernel.interrupts") == 0
    button(page, "Interrupt the kernel").click()
    dialog.get_by_role("button", name="Interrupt the kernel").click()
    page.wait_for_function("kernel.interrupts === 1")
    page.evaluate("kernel.pace = 0")
    page.get_by_text("The kernel is busy").first.wait_for(state="detached")
    finished(page)
    assert page.get_by_text("are you there?").count() == 1


def test_what_could_not_be_asked_comes_back(show: Any) -> None:
    page = show()
    page.evaluate("kernel.refuse = {message: 'The key was refused.', hint: 'Connect again.'}")
    ask(page, "my long text")
    page.get_by_role("alert").get_by_text("The key was refused.").wait_for()
    assert page.get_by_text("Connect again.").is_visible()
    assert box(page).input_value() == "my long text"
    button(page, "Dismiss").click()
    page.get_by_role("alert").wait_for(state="detached")


def test_a_failed_answer_is_tried_again(show: Any) -> None:
    page = show()
    page.evaluate("kernel.pace = 0; kernel.failing = true")
    ask(page, "fail, please")
    button(page, "Try again").click()
    assert last(page, "retry")
    finished(page)
    button(page, "Try again").wait_for(state="detached")
    assert page.get_by_text("fail, please").count() == 1
    button(page, "Answer again").last.click()
    finished(page)
    page.wait_for_function("kernel.heard('regenerate') && kernel.turns.length === 5")


# -- files


def test_attachments_are_checked_uploaded_shown_and_removed(show: Any) -> None:
    page = show()
    assert page.get_by_text("Up to 3 files: images to 10 MB").is_visible()  # said before anything is chosen
    page.evaluate("kernel.holding = true")
    page.locator("input[type=file]").first.set_input_files(FILES)
    page.get_by_role("alert").get_by_text("tool.exe is of a type that this app does not take.").wait_for()
    page.get_by_role("progressbar").first.wait_for()
    box(page).fill("with files")
    assert button(page, "Send").get_attribute("aria-disabled") == "true"
    box(page).press("Enter")
    assert not page.evaluate("kernel.heard('ask')")
    page.evaluate("kernel.holding = false")
    page.get_by_text("The server refused bad.txt.").wait_for()
    button(page, "Remove bad.txt").click()
    page.wait_for_function("kernel.uploads.size === 1")
    page.get_by_role("progressbar").first.wait_for(state="detached")
    box(page).press("Enter")
    assert len(last(page, "ask")["files"]) == 1
    page.locator(".turn").last.get_by_text("notes.txt").wait_for()
    assert page.locator(".composer .chip").count() == 0


def test_paste_and_drop(show: Any) -> None:
    page = show()
    give = """(el, name) => {
        const data = new DataTransfer();
        data.items.add(new File(['x'], name, {type: 'text/plain'}));
        const to = {bubbles: true, composed: true, cancelable: true};
        if (name === 'pasted.txt') el.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, ...to}));
        else for (const type of ['dragover', 'drop']) el.dispatchEvent(new DragEvent(type, {dataTransfer: data, ...to}));
    }"""
    box(page).evaluate(give, "pasted.txt")
    page.get_by_text("pasted.txt").first.wait_for()
    page.locator(".scroller").evaluate(give, "dropped.txt")
    page.locator(".composer").get_by_text("dropped.txt").wait_for()
    assert page.locator(".drop").count() == 0


def test_a_large_file_goes_in_pieces(show: Any) -> None:
    page = show()
    page.evaluate("() => { kernel.on_upload = (_, reply) => reply(); }")
    size = 5 * 2**20
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * size}]
    )
    page.wait_for_function("kernel.last('upload_part')?.last")
    parts = page.evaluate("kernel.log.filter(c => c.what === 'upload_part').map(c => [c.offset, c.bytes[0]])")
    assert sum(length for _, length in parts) == size
    assert [offset for offset, _ in parts] == [sum(n for _, n in parts[:i]) for i in range(len(parts))]


def test_a_file_of_an_answer_is_downloaded_through_the_kernel(show: Any) -> None:
    page = show()
    with page.expect_download() as waiting:
        button(page, "Download prices.csv").click()
    assert waiting.value.suggested_filename == "prices.csv"
    assert waiting.value.path().read_text() == "item,price\n"
    assert last(page, "file")["file"] == "d"


# -- inputs


def test_the_form_keeps_back_what_is_missing_and_sends_its_types(show: Any) -> None:
    page = show(empty=True, form=True)
    ask(page, "hello")
    page.get_by_text("Please fill this in.").wait_for()
    assert page.evaluate("document.querySelector('#panel > div').shadowRoot.activeElement.dataset.field") == "name"
    assert not page.evaluate("kernel.heard('ask')")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Budget (€)").fill("many")
    page.get_by_text("This is not a number.").wait_for()
    page.get_by_label("Budget (€)").fill("250.5")
    page.get_by_label("Pace").select_option("slow")
    page.get_by_label("I travel with children").check()
    page.get_by_label("More settings").fill("[1, 2")
    page.get_by_text("This is not JSON.").wait_for()
    page.get_by_label("More settings").fill("[1, 2]")
    page.locator("input[data-field=tickets]").set_input_files(
        [{"name": f"{n}.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"} for n in range(3)]
    )
    page.wait_for_function("kernel.uploads.size === 2")
    page.locator(".files-field .bar").first.wait_for(state="detached")
    box(page).press("Enter")
    inputs = last(page, "ask")["inputs"]
    tickets = inputs.pop("tickets")
    assert inputs == {"name": "Ada", "pace": "slow", "budget": 250.5, "children": True, "more": [1, 2]}
    assert tickets == page.evaluate("[...kernel.uploads.keys()]")


def test_frozen_inputs_are_shown_and_said_so(show: Any) -> None:
    page = show(form=True, frozen=True)
    button(page, "Menu").click()
    page.get_by_role("menuitem", name="Inputs").click()
    page.get_by_text("Inputs belong to the start of a conversation.").wait_for()
    assert page.get_by_label("Your name").get_attribute("readonly") is not None
    page.keyboard.press("Escape")
    ask(page, "go on")
    assert last(page, "ask")["inputs"] == {}
