"""Judging and taking away in the chat panel in a real JupyterLab: ratings, annotations, copies, cells."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from browser.panel_page import SECONDS, Opener, desk, expect, open_panel

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_ratings_and_annotations_are_in_python_at_once(open_panel: Opener) -> None:
    panel = open_panel("desk", user="judge")
    turn = panel.talk("Is this good?")
    turn.hover()
    good, bad = panel.button("Good answer", turn), panel.button("Bad answer", turn)
    bad.click()
    comment = panel.root.get_by_role("textbox", name="Comment on your rating")
    comment.fill("It misses the Sunday boat.")
    comment.press("Enter")
    expect(comment).to_have_count(0)
    expect(panel.button("Take the rating back", turn)).to_have_attribute("aria-pressed", "true")
    panel.python_until("[panel.turn.feedback, *[r.comment for r in panel.ratings.values()]]",
                       ["dislike", "It misses the Sunday boat."])  # fmt: skip
    told = panel.world.dify("desk", "judge").app.feedbacks().to_list()
    assert [(one.rating, one.content) for one in told] == [("dislike", "It misses the Sunday boat.")]

    good.click()
    panel.page.keyboard.press("Escape")
    panel.python_until("[panel.turn.feedback]", ["like"])
    panel.button("Take the rating back", turn).click()
    panel.python_until("[panel.turn.feedback, len(panel.ratings)]", [None, 0])
    expect(good).to_have_attribute("aria-pressed", "false")
    expect(bad).to_have_attribute("aria-pressed", "false")

    panel.more(turn, "Make an annotation")
    question = panel.sheet.get_by_role("textbox", name="Question")
    answer = panel.sheet.get_by_role("textbox", name="Answer")
    expect(question).to_have_value("Is this good?")
    expect(answer).to_have_value("You said: *Is this good?*")
    answer.fill("Ask the harbour master.")
    panel.button("Save", panel.sheet).click()
    expect(panel.sheet).to_have_count(0)
    expect(turn.locator(".facts [title='An annotation was made of this answer']")).to_be_visible()
    panel.python_until("[r.annotated for r in panel.ratings.values()]", [True])
    kept = panel.world.dify("desk", "judge").annotations.list().to_list()
    assert [(one.question, one.answer) for one in kept] == [("Is this good?", "Ask the harbour master.")]

    # And the other way: what Python does is seen in the panel.
    panel.python("panel.rate('like', 'from Python')")
    expect(panel.button("Take the rating back", turn)).to_have_attribute("aria-pressed", "true")


def test_an_answer_is_copied_inserted_and_exported(open_panel: Opener, tmp_path: Path) -> None:
    panel = open_panel("desk", "'a last cell'")
    panel.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    turn = panel.talk("When does the ferry leave?")
    clipboard = "navigator.clipboard.readText()"
    turn.hover()
    panel.button("Copy as Markdown", turn).click()
    expect(panel.root.locator(".toast")).to_have_text("Copied")
    copied = panel.page.evaluate(clipboard)
    assert "leaves at 07:40" in copied
    assert "```python\nminutes = 25 + 50" in copied

    panel.more(turn, "Copy as a %%dify cell")
    expect(panel.root.locator(".toast")).to_have_text("Copied")
    end = time.monotonic() + SECONDS / 1000
    while not (cell := panel.page.evaluate(clipboard)).startswith("%%dify"):  # the first "Copied" may still stand there
        assert time.monotonic() < end, cell
    assert cell.endswith("\nWhen does the ferry leave?")

    panel.more(turn, "Insert as a new cell")
    cells = "window.jupyterapp.shell.currentWidget.content.model.cells"
    panel.page.wait_for_function(f"{cells}.length === 3")
    sources = [panel.page.evaluate(f"{cells}.get({n}).sharedModel.getSource()") for n in range(3)]
    assert sources[1] == cell, "right below the panel"
    assert sources[2] == "'a last cell'"
    expect(panel.turns).to_have_count(1)

    for item, ending in [("Export as Markdown", ".md"), ("Export as notebook cells", ".ipynb")]:
        with panel.page.expect_download() as begun:
            panel.menu(panel.button("Menu", panel.root.locator(".top")), item)
        assert begun.value.suggested_filename.endswith(ending)
        kept = tmp_path / f"kept{ending}"
        begun.value.save_as(kept)
        assert "leaves at 07:40" in kept.read_text() or ending == ".ipynb"
    exported = json.loads((tmp_path / "kept.ipynb").read_text())
    assert any(re.search(r"^%%dify.*\nWhen does the ferry leave\?$", "".join(each["source"]), re.DOTALL)
               for each in exported["cells"])  # fmt: skip
