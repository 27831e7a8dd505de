"""markdown-it's reader of a paragraph's inside with what CommonMark leaves out.

Emphasis beside Chinese, Japanese and Korean (`flanking.py`), bare addresses (`addresses.py`), `<br>`, formulas, and
marks in the place of data (`pictures.py`). Imported late: markdown-it takes its time.
"""

from __future__ import annotations

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token

from .addresses import BEHIND_FIRST, address_end
from .flanking import flanks, side
from .html import safe_link
from .inline import LINE_BREAK, formula, link_address
from .pictures import MARK

_NEXT = re.compile(rf"[\n!&*<\[\\\]_`~$hHwW](?:(?<![hHwW])|(?=[tTwW]{{2}}){BEHIND_FIRST})")
"""Where a rule may have something to do. One set of characters at its beginning: others are passed over quickly."""


class State(StateInline):
    """The state of one reading."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        """What a run of marks may do. `_` stays CommonMark's: inside of words it is a letter."""
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        if not canSplitWord or (self.src[max(0, start - 1) : start] + self.src[end : end + 1]).isascii():
            return scanned
        before = side(self.src, start - 1, -1, self.posMax)
        after = side(self.src, end, 1, self.posMax)
        if not (before.cjk or after.cjk):
            return scanned
        return Scanned(*flanks(before, after, alone=scanned.length == 1), scanned.length)


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return safe_link(url) if MARK not in url else url.startswith(MARK) and len(url) == 2

    def normalizeLink(self, url: str) -> str:
        normal: str = url if MARK in url else super().normalizeLink(url)
        return normal


def read(text: str, env: dict[str, Any]) -> State:
    """The state after the text was read; its tokens are what was found."""
    tokens: list[Token] = []
    state = State(text, _PARSER, env, tokens)
    _PARSER.inline.tokenize(state)
    for rule in _PARSER.inline.ruler2.getRules(""):
        rule(state)
    return state


def _text(state: StateInline, silent: bool) -> bool:
    match = _NEXT.search(state.src, state.pos, state.posMax)
    end = match.start() if match else state.posMax
    if end == state.pos:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _address(state: StateInline, silent: bool) -> bool:
    """A bare address; inside of a link and its label it is text."""
    if silent or state.linkLevel or state.src[state.pos] not in "hHwW":
        return False
    end = address_end(state.src, state.pos, state.posMax)
    if end is None:
        return False
    address = unescapeAll(state.src[state.pos : end])
    href = link_address(address if "://" in address[:8] else f"http://{address}")
    if href is None:
        return False
    state.push("link_open", "a", 1).attrs = {"href": href}
    state.push("text", "", 0).content = address
    state.push("link_close", "a", -1)
    state.pos = end
    return True


def _break(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    match = LINE_BREAK.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


def _math(state: StateInline, silent: bool) -> bool:
    result = formula(state.src, state.pos, state.posMax)
    if result is None:
        return False
    if not silent:
        token = state.push("math", "span", 0)
        token.content = state.src[state.pos + result.marks : result.end - result.marks].strip()
        token.block = result.display
    state.pos = result.end
    return True


def _made() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False})
    parser.enable(["strikethrough"])
    parser.disable(["html_inline"])
    parser.inline.ruler.at("text", _text)
    parser.inline.ruler.push("address", _address)  # no other rule begins with its letters
    parser.inline.ruler.before("escape", "math", _math)
    parser.inline.ruler.before("autolink", "break", _break)
    return parser


_PARSER = _made()
