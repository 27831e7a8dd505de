"""A chat panel in a notebook, driven as a reader drives it; with the fixtures that open one."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.harness import KERNEL, Notebook, Server
from browser.panel_world import World, world

WIRE = (Path(__file__).parent / "panel_wire.js").read_text(encoding="utf-8")
SECONDS = 60_000
"""Milliseconds; a wait that reaches it has failed."""


def expect(locator: Any) -> Any:
    """Playwright's assertion on it, which waits."""
    from playwright.sync_api import expect as waiting

    waiting.set_options(timeout=SECONDS)
    return waiting(locator)


class Panel:
    """What a reader sees of one panel, and does with it."""

    def __init__(self, notebook: Notebook, world: World, at: int = 0) -> None:
        self.nb = notebook
        self.page = notebook.page
        self.page.set_default_timeout(SECONDS)
        self.world = world
        self.root = self.page.locator(".jp-OutputArea-output .root").nth(at)
        self.box = self.root.locator("form.composer textarea")
        self.turns = self.root.locator("ol.turns:not(.pending) > .turn")
        self.pending = self.root.locator("ol.pending > .turn")
        self.stop = self.root.locator("button.stop")
        self.notices = self.root.locator(".notice")
        self.sheet = self.root.get_by_role("dialog")
        self.items = self.root.locator(".conversation")

    def ready(self) -> Panel:
        """Wait until the kernel's words are there."""
        self.box.or_(self.root.locator("form.run-form")).wait_for()
        return self

    def ask(self, text: str) -> None:
        """Type a question, and send it with Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    def answered(self, count: int) -> Any:
        """Wait until that many turns have ended; gives the last."""
        expect(self.turns).to_have_count(count)
        last = self.turns.nth(count - 1)
        expect(last.locator(".tools")).to_be_visible()
        return last

    def talk(self, text: str) -> Any:
        """Ask, and wait for the end of the answer; gives the turn."""
        count = self.turns.count()
        self.ask(text)
        return self.answered(count + 1)

    def body(self, turn: Any) -> Any:
        """The answer's blocks."""
        return turn.locator(".body")

    def button(self, name: str | re.Pattern[str], of: Any = None) -> Any:
        return (of or self.root).get_by_role("button", name=name, exact=isinstance(name, str))

    def menu(self, button: Any, item: str) -> None:
        """Open a menu and pick from it."""
        button.click()
        self.root.get_by_role("menuitem", name=item, exact=True).click()

    def more(self, turn: Any, item: str) -> None:
        """Pick from an answer's menu."""
        turn.hover()
        self.menu(self.button("More", turn), item)

    def python(self, expression: str) -> Any:
        """The value of an expression in the kernel, by JSON."""
        script = f"""async code => {{
            const reply = await {KERNEL}.requestExecute(
                {{code: '', user_expressions: {{value: code}}, store_history: false}}).done;
            return reply.content.user_expressions.value;
        }}"""
        found = self.page.evaluate(script, f"__import__('json').dumps({expression})")
        assert found["status"] == "ok", found
        return json.loads(eval(found["data"]["text/plain"]))

    def python_until(self, expression: str, wanted: Any) -> None:
        """Wait until the expression has that value."""
        deadline = self.page.evaluate("performance.now()") + SECONDS
        while (found := self.python(expression)) != wanted:
            assert self.page.evaluate("performance.now()") < deadline, f"{expression}: {found!r}"

    def wire(self, which: str) -> list[dict[str, Any]]:
        """Kernel messages so far: `received` or `sent`, each with its kind and content. Needs script=WIRE."""
        found: list[dict[str, Any]] = self.page.evaluate(f"window.wire.{which}")
        return found

    def commands(self, what: str) -> int:
        """How many commands of that kind the browser has sent. Needs script=WIRE."""
        return sum(f'"what":"{what}"' in each["content"] for each in self.wire("sent"))


class Abroad:
    """A browser in another language."""

    def __init__(self, browser: Any, locale: str) -> None:
        self._browser, self._locale = browser, locale

    def new_context(self, **options: Any) -> Any:
        return self._browser.new_context(locale=self._locale, **options)


_numbers = itertools.count(1)
Opener = Callable[..., Panel]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, lab: Server) -> Iterator[World]:
    """The served apps, known to the kernels of the tests' JupyterLab."""
    with world(tmp_path_factory.mktemp("world")) as made:
        made.tell(Path(lab.env["DIFY_NOTEBOOK_DATA_DIR"]))
        yield made


@pytest.fixture
def open_panel(desk: World, notebook: Callable[..., Notebook]) -> Opener:
    """Open a notebook with a panel in its first cell, for a user of its own; `panel` in Python."""

    def make(app: str = "desk", *cells: str, user: str = "", arguments: str = "", **options: Any) -> Panel:
        user = user or f"reader-{next(_numbers)}"
        first = f"import panel_kernel\npanel = panel_kernel.chat({app!r}, {user!r}{arguments})\npanel"
        nb = notebook(first, *cells, **options)
        nb.run_cell(0)
        return Panel(nb, desk).ready()

    return make
