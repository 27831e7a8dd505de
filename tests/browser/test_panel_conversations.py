"""Conversations in the chat panel in a real JupyterLab: listed, searched, named, deleted, opened, read backwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from browser.panel_page import WIRE, Opener, Panel, desk, expect, open_panel
from browser.panel_world import World, until

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

USER = "traveller"
TOP = """el => {
    // The turn that the reader sees first, and where it stands.
    const box = el.getBoundingClientRect();
    const turn = [...el.querySelectorAll('[data-turn]')].find((li) => li.getBoundingClientRect().bottom > box.top + 4);
    return [turn.querySelector('.bubble').textContent, Math.round(turn.getBoundingClientRect().top - box.top)];
}"""

UP = f"el => {{ el.scrollTop = 130; return ({TOP})(el) }}"


def names(panel: Panel) -> list[str]:
    found: list[str] = panel.root.locator(".conversation-name").all_inner_texts()
    return found


def test_the_list_is_searched_renamed_deleted_from_and_opened(open_panel: Opener, desk: World) -> None:
    dify = desk.dify("plain", USER)
    ids = {name: desk.talked("plain", USER, f"about {name}") for name in ("Oslo", "Rome", "Bergen")}
    for name, id in ids.items():
        dify.conversations.rename(id, f"Trip to {name}")
    panel = open_panel("plain", user=USER)
    listed = panel.root.locator(".conversation-name")
    expect(listed).to_have_text(["Trip to Bergen", "Trip to Rome", "Trip to Oslo"])
    # A new panel offers to go on with the last one.
    expect(panel.notices).to_contain_text("Your last conversation here was “Trip to Bergen”")

    search = panel.root.get_by_role("searchbox", name="Search conversations")
    search.fill("ROME")
    expect(listed).to_have_text(["Trip to Rome"])
    search.fill("nowhere")
    expect(panel.root.locator(".sidebar .none")).to_have_text("Nothing found for “nowhere”")
    search.fill("")
    expect(listed).to_have_count(3)

    # Open one, go on with it, and find it first.
    panel.items.filter(has_text="Oslo").locator(".conversation-open").click()
    expect(panel.answered(1).locator(".bubble")).to_have_text("about Oslo")
    expect(panel.root.locator(".top h2")).to_have_text("Trip to Oslo")
    expect(panel.items.filter(has_text="Oslo").locator(".conversation-open")).to_have_attribute("aria-current", "true")
    panel.talk("and on Sunday")
    assert len(dify.messages.list(ids["Oslo"]).to_list()) == 2
    expect(listed.first).to_have_text("Trip to Oslo")

    # A new one; the first stays as it is.
    panel.button("New chat", panel.root.locator(".sidebar")).click()
    expect(panel.turns).to_have_count(0)
    panel.talk("a fresh start")
    expect(listed).to_have_count(4)
    expect(panel.turns).to_have_count(1)
    panel.items.filter(has_text="Oslo").locator(".conversation-open").click()
    panel.answered(2)

    # Rename by hand, and let the server find a name.
    panel.menu(panel.button("Actions for “Trip to Rome”"), "Rename")
    field = panel.root.get_by_role("textbox", name="New name")
    expect(field).to_have_value("Trip to Rome")
    field.fill("Rome, by train")
    field.press("Enter")
    expect(listed.filter(has_text="Rome, by train")).to_be_visible()
    until(lambda: "Rome, by train" in [each.name for each in dify.conversations.list().to_list()])
    panel.menu(panel.button("Actions for “Rome, by train”"), "Find a name")
    expect(listed.filter(has_text="Rome, by train")).to_have_count(0)
    found = dify.conversations.list().to_list()
    assert next(each.name for each in found if each.id == ids["Rome"]) in names(panel)

    # Delete with undo, then for good.
    panel.menu(panel.button("Actions for “Trip to Bergen”"), "Delete")
    expect(listed.filter(has_text="Bergen")).to_have_count(0)
    expect(panel.root.locator(".toast")).to_contain_text("“Trip to Bergen” is deleted in a moment.")
    panel.button("Undo").click()
    expect(listed.filter(has_text="Bergen")).to_be_visible()
    panel.menu(panel.button("Actions for “Trip to Bergen”"), "Delete")
    expect(panel.root.locator(".toast")).to_have_count(1)
    assert ids["Bergen"] in [each.id for each in dify.conversations.list().to_list()], "not yet: it can be undone"
    until(lambda: ids["Bergen"] not in [each.id for each in dify.conversations.list().to_list()])
    expect(panel.root.locator(".toast")).to_have_count(0)
    expect(listed.filter(has_text="Bergen")).to_have_count(0)


def test_more_of_a_long_list_and_older_messages_come_without_a_jump(open_panel: Opener, desk: World) -> None:
    user = "talker"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: desk.talked("plain", user, f"talk {n}"), range(33)))
    long = desk.talked("plain", user, *(f"question {n}" for n in range(45)))
    desk.dify("plain", user).conversations.rename(long, "The long one")
    panel = open_panel("plain", user=user, script=WIRE)
    expect(panel.items).to_have_count(30)
    panel.root.locator(".conversations").hover()
    panel.page.mouse.wheel(0, 4000)
    expect(panel.items).to_have_count(34)
    assert panel.commands("conversations") >= 1
    expect(panel.button("Show more")).to_have_count(0)

    panel.button("Go on with “The long one”").click()
    expect(panel.turns.last.locator(".bubble")).to_have_text("question 44")
    scroller = panel.root.locator(".scroller")
    near = "el => el.scrollHeight - el.scrollTop - el.clientHeight < 50"
    assert scroller.evaluate(near), "a conversation opens at its end"
    first = panel.turns.first.locator(".bubble")
    begin = first.inner_text()
    assert begin not in ("question 0", "")

    # Upwards: more comes above, and what the reader sees stays where it is.
    scroller.hover()
    while (head := first.inner_text()) != "question 0":
        count = panel.turns.count()
        before = scroller.evaluate(UP)
        expect(panel.turns).not_to_have_count(count)
        expect(first).not_to_have_text(head)
        name, place = scroller.evaluate(TOP)
        assert name == before[0]
        assert abs(place - before[1]) <= 2, (before, place)
    assert first.inner_text() == "question 0"
    expect(panel.turns).to_have_count(45)
