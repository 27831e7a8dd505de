"""Files of a question in the chat panel in a real JupyterLab: picked, pasted, dropped, refused, removed, sent."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from browser.panel_page import WIRE, Opener, Panel, desk, expect, open_panel

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAKUlEQVR4nGNkYGD4z4AHsGATZGRkhEkw4ZNkZGRkwiZJyCgGRgZGXAAA"
    "kxYEBRYG0XgAAAAASUVORK5CYII="
)
TRANSFER = """(el, {kind, files}) => {
    const data = new DataTransfer();
    for (const {name, type, text} of files) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], name, {type}));
    }
    const how = {bubbles: true, composed: true, cancelable: true};
    if (kind === "paste") return void el.dispatchEvent(new ClipboardEvent("paste", {...how, clipboardData: data}));
    for (const name of ["dragenter", "dragover"]) el.dispatchEvent(new DragEvent(name, {...how, dataTransfer: data}));
    window.dropping = !!el.getRootNode().querySelector(".drop");
    requestAnimationFrame(() => requestAnimationFrame(() => {
        window.dropping = !!el.getRootNode().querySelector(".drop");
        el.dispatchEvent(new DragEvent("drop", {...how, dataTransfer: data}));
    }));
}"""
SHARES = """el => {
    window.shares = [];
    new MutationObserver(() => {
        const bar = el.querySelector('[role=progressbar]');
        if (bar) window.shares.push(Number(bar.getAttribute('aria-valuenow')));
    }).observe(el, {subtree: true, childList: true, attributes: true});
}"""


def hand(panel: Panel, kind: str, *files: tuple[str, str, bytes]) -> None:
    """Paste or drop these files (name, type, content) on the composer."""
    told = [{"name": n, "type": t, "text": base64.b64encode(data).decode()} for n, t, data in files]
    panel.box.evaluate(TRANSFER, {"kind": kind, "files": told})


def pick(panel: Panel, *files: tuple[str, str, bytes]) -> None:
    """Choose files in the browser's own dialog."""
    with panel.page.expect_file_chooser() as chosen:
        panel.button(re.compile("^Attach files")).click()
    chosen.value.set_files([{"name": n, "mimeType": t, "buffer": data} for n, t, data in files])


def test_files_are_picked_pasted_dropped_and_sent(open_panel: Opener) -> None:
    panel = open_panel("plain")
    root, chips = panel.root, panel.root.locator("form.composer .chip")
    expect(root.locator("form.composer .rules")).to_contain_text("Up to 2 files: documents")

    pick(panel, ("notes.txt", "text/plain", b"The quay is closed on Sunday."))
    expect(chips).to_have_count(1)
    expect(chips.locator(".chip-state")).to_have_text("29 B")
    hand(panel, "paste", ("pasted.md", "text/markdown", b"# pasted"))
    expect(chips).to_have_count(2)
    expect(chips.nth(1).locator(".chip-state")).to_have_text("8 B")
    panel.button("Remove notes.txt").click()
    expect(chips).to_have_count(1)
    hand(panel, "drop", ("dropped.csv", "text/csv", b"leg,minutes\nferry,50\n"))
    expect(chips).to_have_count(2)
    assert panel.page.evaluate("window.dropping"), "where to drop is shown while files hang over the panel"
    expect(root.locator(".drop")).to_have_count(0)
    expect(chips.nth(1).locator(".chip-state")).to_have_text("21 B")

    turn = panel.talk("what is in these?")
    expect(turn.locator(".sent .chip-name")).to_have_text(["pasted.md", "dropped.csv"])
    expect(chips).to_have_count(0)
    asked = str(panel.world.model.asked[-1]["messages"])
    assert "# pasted" in asked
    assert "ferry,50" in asked
    assert "closed on Sunday" not in asked, "a file that was taken away is not sent"
    # Asking the same again sends the files again.
    turn.hover()
    panel.button("Answer again", turn).click()
    panel.answered(2)
    assert "ferry,50" in str(panel.world.model.asked[-1]["messages"][-1])


def test_what_the_app_refuses_is_said_before_upload_and_large_files_show_how_far_they_are(
    open_panel: Opener, tmp_path: Path
) -> None:
    panel = open_panel("desk", script=WIRE)
    chips = panel.root.locator("form.composer .chip")
    pick(panel, ("program.exe", "application/octet-stream", b"MZ"))
    expect(panel.notices).to_have_text("program.exe is of a type that this app does not take.")
    large = tmp_path / "large.png"
    large.write_bytes(PICTURE + b"\0" * (10 * 1024 * 1024))
    with panel.page.expect_file_chooser() as chosen:
        panel.button(re.compile("^Attach files")).click()
    chosen.value.set_files(large)
    expect(panel.notices).to_have_text("large.png is larger than 10 MB.")
    pick(panel, ("empty.txt", "text/plain", b""))
    expect(panel.notices).to_have_text("empty.txt is empty.")
    assert panel.commands("upload") == 0
    expect(chips).to_have_count(0)

    # Larger than one message: in pieces, and the reader sees how far it is.
    panel.root.locator(".panel").evaluate(SHARES)
    book = tmp_path / "book.txt"
    book.write_bytes(b"0123456789abcde\n" * (9 * 1024 * 1024 // 16))
    with panel.page.expect_file_chooser() as chosen:
        panel.button(re.compile("^Attach files")).click()
    chosen.value.set_files(book)
    expect(chips.locator(".chip-state")).to_have_text("9 MB")
    shares = panel.page.evaluate("window.shares")
    assert len(set(shares)) > 5, shares
    assert shares == sorted(shares), "progress never goes back"
    assert panel.commands("upload_part") == 9

    pick(panel, ("quay.png", "image/png", PICTURE))
    expect(chips.nth(1).locator("img.thumb")).to_be_visible()
    pick(panel, ("third.txt", "text/plain", b"three"))
    expect(panel.notices).to_have_text("At most 2 files can be attached.")
    turn = panel.talk("a picture and a book")
    expect(turn.locator(".sent img.thumb")).to_be_visible()
    assert panel.commands("upload") == 2
