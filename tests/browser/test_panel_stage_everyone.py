"""The chat panel for everyone: languages, themes, losses, widths, keys, screen readers.

The kernel is scripted, see `panel_stage`; the panel in a real notebook has tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.panel_acts import FILES, ask, base, box, button, finished, last, show

__all__ = ["base", "show"]
pytestmark = pytest.mark.browser

# -- languages, themes, loss


def test_chinese_by_the_browsers_language_and_switched(show: Any) -> None:
    page = show(lang="zh-Hans")
    assert "zh-CN" in last(page, "hello")["lang"]
    button(page, "新对话", exact=False).first.wait_for()
    page.evaluate("kernel.lang = 'en'; kernel.everything()")
    button(page, "New chat").first.wait_for()


def test_a_page_that_is_loaded_again_shows_the_same(show: Any) -> None:
    page = show()
    page.evaluate("unmount(); mount()")
    page.get_by_text("Which of these is the quietest?").wait_for()
    assert page.evaluate("kernel.listeners.size") == 1


def test_lost_messages_are_noticed_and_made_good(show: Any) -> None:
    page = show()
    page.evaluate("kernel.log = []; kernel.lose(); kernel.change('t3', {facts: 'seen again'})")
    assert last(page, "hello")["have"] > 0
    page.get_by_text("seen again").wait_for()


def test_a_restarted_kernel_is_said(show: Any) -> None:
    page = show()
    page.evaluate("kernel.restart()")
    page.get_by_text("The kernel was restarted or this panel was closed.").first.wait_for()
    assert page.get_by_text("Which of these is the quietest?").is_visible()
    box(page).press("Enter")
    assert not page.evaluate("kernel.heard('ask')")


def test_a_restart_is_said_once_whatever_was_under_way(show: Any) -> None:
    page = show()
    page.evaluate("kernel.deaf = true")
    button(page, "Good answer").last.click()
    assert page.evaluate("kernel.missed.length") == 1
    page.evaluate(
        "async () => { kernel.restart(); for (const _ of [1, 2]) await new Promise(r => requestAnimationFrame(r)) }"
    )
    assert page.locator(".notice").count() == 1


@pytest.mark.parametrize(
    ("attribute", "value", "dark"),
    [("data-jp-theme-light", "false", True), ("data-jp-theme-light", "true", False), ("class", "vscode-dark", True),
     ("class", "vscode-light", False), ("style", "background:#181a1f", True), ("style", "background:#fafafa", False)],
)  # fmt: skip
def test_the_theme_of_the_page_is_followed(show: Any, attribute: str, value: str, dark: bool) -> None:
    page = show(theme="plain" if dark else "plain-dark")
    page.evaluate("([name, value]) => document.body.setAttribute(name, value)", [attribute, value])
    page.wait_for_function(
        "dark => document.querySelector('#panel > div').shadowRoot.querySelector('.root').classList.contains('dark') === dark",
        arg=dark,
    )


@pytest.mark.parametrize("width", [320, 480, 760, 1600])
def test_nothing_is_cut_off_at_any_width(show: Any, width: int) -> None:
    page = show(width=width, padding="0")
    found = page.evaluate("""() => {
        const root = document.querySelector('#panel > div').shadowRoot;
        const panel = root.querySelector('.root').getBoundingClientRect();
        const over = [...root.querySelectorAll('button, textarea, input:not(.sr), .bubble, .title')]
            .filter(el => el.checkVisibility() && !el.closest('.sr'))
            .filter(el => { const r = el.getBoundingClientRect(); return r.width && (r.right > panel.right + 1 || r.left < panel.left - 1); });
        return [document.documentElement.scrollWidth - innerWidth, over.map(el => el.outerHTML.slice(0, 100))];
    }""")
    assert found == [0, []]
    if width < 560:
        button(page, "Show conversations").click()
        button(page, "Night trains to Vienna", exact=False).first.click()
        assert last(page, "open")["conversation"] == "c1"
        page.get_by_label("Search conversations").wait_for(state="detached")


@pytest.mark.parametrize("wish", [{}, {"empty": True, "form": True}], ids=["conversation", "form"])
def test_nothing_but_the_lists_scrolls(show: Any, wish: dict[str, Any]) -> None:
    """Whoever brings something into view, by focus or by name, never pushes the header out of the panel."""
    page = show(**wish)
    found = page.evaluate("""() => {
        const root = document.querySelector('#panel > div').shadowRoot;
        const scrolls = [...root.querySelectorAll('*')].filter(el => el.scrollHeight > el.clientHeight + 1)
            .filter(el => getComputedStyle(el).overflowY !== 'visible' && !el.matches('.sr, textarea, .scroller, .dn-pre'))
            .filter(el => getComputedStyle(el).display !== 'inline');
        return scrolls.map(el => el.className);
    }""")
    assert found == []


# -- everyone


def tab_to(page: Any, name: str, most: int = 60) -> None:
    """Press Tab until the element of that name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => {
            let el = document.activeElement;
            while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
            return el?.getAttribute('aria-label') ?? el?.innerText ?? '';
        }""")
        if found.startswith(name):
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_the_keyboard_alone_suffices(show: Any) -> None:
    """Ask, stop, rate and rename without a pointer."""
    page = show()
    page.evaluate("kernel.pace = 30")
    tab_to(page, "Your question")
    page.keyboard.type("by keys alone")
    page.keyboard.press("Enter")
    button(page, "Stop").wait_for()
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    page.get_by_text("stopped", exact=True).wait_for()
    page.keyboard.press("Shift+Tab")
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(
            "document.querySelector('#panel > div').shadowRoot.activeElement?.getAttribute('aria-label')"
        ) in ("Good answer", "Bad answer"):
            break
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("kernel.turns.at(-1).rating === 'dislike'")
    page.keyboard.type("no")
    page.keyboard.press("Enter")
    page.wait_for_function("kernel.turns.at(-1).comment === 'no'")
    tab_to(page, "Three days in Lisbon")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.get_by_label("New name").wait_for()
    page.keyboard.type("Trains")
    page.keyboard.press("Enter")
    assert last(page, "rename")["name"] == "Trains"


def test_a_screen_reader_hears_states_and_the_beginning_of_an_answer(show: Any) -> None:
    page = show()
    page.evaluate("kernel.pace = 0")
    ask(page, "go")
    finished(page)
    status = page.locator("[role=status]")
    page.wait_for_function(
        "document.querySelector('#panel > div').shadowRoot.querySelector('[role=status]').textContent.includes('Answer: Here it is')"
    )
    said = status.locator("p").all_inner_texts()
    assert "The question was sent." in said
    assert len(said) <= 5
    assert max(map(len, said)) < 260


STATES: dict[str, Callable[[Any], object]] = {
    "conversation": lambda page: None,
    "menu": lambda page: button(page, "More").last.click(),
    "steps": lambda page: (button(page, "More").last.click(), page.get_by_role("menuitem").nth(1).click()),
    "busy": lambda page: (page.evaluate("kernel.deaf = true"), ask(page, "?"), button(page, "Interrupt the kernel").click()),
    "failed": lambda page: (page.evaluate("kernel.pace = 0; kernel.failing = true"), ask(page, "?"), button(page, "Try again").wait_for()),
    "refused": lambda page: (page.evaluate("kernel.refuse = {message: 'No.', hint: 'Do.'}"), ask(page, "?"), page.get_by_role("alert").wait_for()),
    "files": lambda page: (page.locator("input[type=file]").first.set_input_files(FILES), page.get_by_text("refused bad").wait_for()),
    "rated": lambda page: (button(page, "Good answer").last.click(), page.get_by_label("Comment on your rating").wait_for()),
    "lost": lambda page: page.evaluate("kernel.restart()"),
}  # fmt: skip


def violations(page: Any) -> list[Any]:
    """What axe finds, once nothing moves any more."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_function(
        "document.querySelector('#panel > div').shadowRoot.getAnimations().every(each => each.playState !== 'running' || each.effect.getTiming().iterations === Infinity)"
    )
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("theme", ["light", "dark", "plain", "plain-dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(show: Any, theme: str, state: str) -> None:
    page = show(theme=theme)
    STATES[state](page)
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_axe_finds_nothing_before_the_first_question(show: Any, theme: str, width: int) -> None:
    page = show(theme=theme, empty=True, form=True, width=width, lang="zh-Hans" if width == 320 else "en")
    ask(page, "?")
    page.locator(".problem").first.wait_for()
    assert violations(page) == []
    if width == 320:
        page.locator(".toggle").click()
        assert violations(page) == []


def test_less_motion_where_it_is_wished(show: Any) -> None:
    page = show()
    page.emulate_media(reduced_motion="reduce")
    longest = page.evaluate("""() => Math.max(0, ...document.querySelector('#panel > div').shadowRoot.getAnimations()
        .map(each => each.effect.getComputedTiming().duration))""")
    assert longest < 1
