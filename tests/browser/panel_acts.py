"""What the tests of the chat panel on a stage have in common: the fixture that opens one, and what a reader does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser.panel_stage import serving, stage

FILES = [
    {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"abc"},
    {"name": "bad.txt", "mimeType": "text/plain", "buffer": b"abc"},
    {"name": "tool.exe", "mimeType": "application/x-msdownload", "buffer": b"abc"},
]
"""One that fits, one that the kernel refuses, one that the app does not take."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def show(chromium: Any, base: str) -> Iterator[Callable[..., Any]]:
    """Open a stage; what the page complained of fails the test at its end."""
    opened: list[Any] = []

    def make(**wish: Any) -> Any:
        context = stage(chromium, base, **wish)
        page = context.__enter__()
        opened.append((context, page))
        return page

    yield make
    for context, page in opened:
        log = list(page.log)
        context.__exit__(None, None, None)
        assert log == []


def box(page: Any) -> Any:
    return page.get_by_role("textbox", name=re.compile("Your question|你的问题"))


def ask(page: Any, text: str) -> Any:
    """Send it; gives the page."""
    box(page).fill(text)
    box(page).press("Enter")
    return page


def last(page: Any, what: str) -> Any:
    """The last command of that kind, once the kernel has heard one."""
    page.wait_for_function("what => kernel.heard(what)", arg=what)
    return page.evaluate("what => kernel.last(what)", what)


def finished(page: Any) -> None:
    page.wait_for_function("!kernel.running && !kernel.queue.length")


def button(page: Any, name: str, exact: bool = True) -> Any:
    return page.get_by_role("button", name=name, exact=exact)
