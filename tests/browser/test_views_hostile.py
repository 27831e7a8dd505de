"""Hostile texts in a real browser: nothing runs, nothing is fetched, nothing opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from unit.views_hostile import HOSTILE, hostile_run, hostile_turn

from dify_notebook import views
from dify_notebook.views.html import serialize

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

pytestmark = pytest.mark.browser

@pytest.fixture
def page(chromium: Any) -> Iterator[Page]:
    """An empty page, in the browser that all tests share."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("form", ["saved", "live"])
def test_nothing_runs_and_nothing_is_fetched(page: Page, form: str) -> None:
    """All hostile texts in all fields on one page, every fold opened, every element poked by script."""
    events: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        events.append("dialog")
        dialog.dismiss()

    page.on(
        "request",
        lambda request: events.append(f"request {request.url[:80]}") if request.url[:5] != "data:" else None,
    )
    page.on("dialog", dismiss)
    page.on("popup", lambda _: events.append("popup"))
    page.on(
        "framenavigated",
        lambda frame: events.append(f"navigated {frame.url}") if frame.url != "about:blank" else None,
    )
    turns = [make(text) for text in HOSTILE for make in (hostile_turn, hostile_run)]
    if form == "saved":
        body = "".join(views.html(turn, "en") for turn in turns)
    else:
        body = "".join(serialize(views.TurnView("en").blocks(turn, 2.0)) for turn in turns)
    page.set_content("<!doctype html><meta charset=utf-8><p id=canary>there</p><main></main>")
    page.evaluate(
        """([html, css]) => {
            const main = document.querySelector("main");
            const root = css ? main.attachShadow({mode: "open"}) : main;
            root.innerHTML = (css ? `<style>${css}</style>` : "") + html;
            for (const one of root.querySelectorAll("details")) one.open = true;
            for (const one of root.querySelectorAll("*"))
                for (const kind of ["mouseover", "focus", "load", "error", "toggle"])
                    one.dispatchEvent(new Event(kind));
        }""",
        [body, views.css() if form == "live" else ""],
    )
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("() => window.pwned") is None
    assert page.evaluate("() => document.querySelector('#canary').textContent") == "there"
    assert (
        page.evaluate("() => document.querySelectorAll('script, iframe, form, object, embed, link, base').length") == 0
    )
    assert page.evaluate("() => document.querySelector('main').getBoundingClientRect().width <= innerWidth")
    assert events == []


def test_a_very_long_word_breaks(page: Page) -> None:
    """It must not push the notebook wider."""
    page.set_viewport_size({"width": 500, "height": 400})
    page.set_content("<!doctype html><body>" + views.html(hostile_turn("W" * 5_000), "en"))
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
