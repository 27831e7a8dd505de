"""Forms of conversations that are opened later, as after a restart of the kernel: the server tells them again."""

from __future__ import annotations

from typing import Any

import pytest
from unit.test_panel_forms import Desk, desk, form, order, submit, succeeded

__all__ = ["desk"]


@pytest.mark.parametrize("query", ["ask may I", "twice please", "two of you"])
def test_what_waits_is_answered_in_a_conversation_that_is_opened_later(desk: Desk, query: str) -> None:
    first = desk.asked(query)
    conversation = first.parts["conversation"]["id"]
    first.panel.close()

    page = desk.page()
    page.until(lambda: (page.parts["conversation"]["resume"] or {}).get("id") == conversation, "the offer")
    page.do("open", conversation=conversation)
    page.ended(1)
    [turn] = page.turns
    assert (turn["status"], turn["can"]["read_on"]) == ("paused", True)
    assert [each["title"] for each in turn["forms"]] == [each["title"] for each in first.turns[0]["forms"]]
    for count in range(1, 3 if query != "ask may I" else 2):
        controls = [part["field"]["control"] for part in form(page)["parts"] if part["field"]]
        given: dict[str, Any] = {"n1": "0"} if "choice" in controls else {"n0": "later"}
        submit(page, **given)
        page.until(lambda count=count: len(desk.app.submissions) == count, "the answer")  # type: ignore[misc]
        page.until(lambda: page.parts["status"]["running"] is None, "the end, for now")
    succeeded(page)
    assert "Draft." in page.html()
    assert {each.status for each in page.turn.forms} == {"filled"}


def test_what_was_answered_is_shown_with_what_was_chosen(desk: Desk) -> None:
    first = desk.asked("ask may I")
    submit(first, "1", n0="not <b>now</b>", n1="0")
    succeeded(first)
    page = desk.page()
    page.do("open", conversation=first.parts["conversation"]["id"])
    page.ended(1)
    assert (page.turns[0]["status"], page.turns[0]["forms"]) == ("succeeded", [])
    assert "Reject" in page.html()
    assert "not &lt;b&gt;now" in page.html()


def test_one_that_was_answered_meanwhile_is_told(desk: Desk) -> None:
    first = desk.asked("ask may I")
    page = desk.page()
    page.do("open", conversation=first.parts["conversation"]["id"])
    page.ended(1)
    desk.app.finish_elsewhere()
    assert "already" in page.refused("submit", **order(page, n1="0"))
    succeeded(page)
    assert "Elsewhere." in page.html()


def test_a_run_that_ended_meanwhile_is_read_to_its_end(desk: Desk) -> None:
    page = desk.asked("ask may I")
    desk.app.finish_elsewhere()
    page.do("read_on", key=page.turns[0]["key"])
    succeeded(page)
    assert "Elsewhere." in page.html()
    assert page.turns[0]["forms"] == []
