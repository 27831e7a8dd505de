"""The inside of a paragraph: emphasis, code, links, math; as safe HTML.

Raw HTML is text here. Links lead to the web or to mail or are text. Images are
never fetched: they are links that say what they are. Math stays TeX source, in an
element that a page's MathJax may typeset.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .html import element, escape, safe_link
from .references import Reference

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

SENTENCE = r"(?:[.!?][\"')\]*_]*+\s++|\n[ \t]*+|[。！？；…][”’」』）*_]*+\s*+)"
"""Where a text may be cut: behind a sentence or a line, blanks included."""

LONGEST_FORMULA = 2_000
"""Characters of a formula inside a line; what goes on for longer is text."""

_HAS_TEX = re.compile(r"[\\^_{}=+<>|/*-]|^\S+$")
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_CUT = re.compile(SENTENCE)
# What reaches further than a formula: addresses, scripts, classes, macros for the whole page.
_REACHING = re.compile(
    r"\\(?:href|url|require|class|cssId|style|data|def|gdef|edef|xdef|let|futurelet|newcommand|renewcommand"
    r"|providecommand|newenvironment|renewenvironment|DeclareMathOperator|DeclarePairedDelimiters?X?(?:PP)?"
    r"|unicode|mmlToken|begingroup|bbox|toggle|mathtip|texttip|includegraphics|csname|input|include|color"
    r"|definecolor|html[A-Za-z]*)(?![A-Za-z])"
)


def link_address(address: str) -> str | None:
    """The address as it may stand in `href`, or None where it leads nowhere we go."""
    from markdown_it.common.normalize_url import normalizeLink

    try:
        href: str = normalizeLink(address.strip())
    except ValueError:
        return None
    return href if safe_link(href) else None


def math(tex: str, *, display: bool) -> str:
    """A formula as TeX source between the signs that MathJax looks for."""
    if _REACHING.search(tex):
        return element("code", {"class": "dn-code"}, escape(tex))
    begin, end = ("\\[", "\\]") if display else ("\\(", "\\)")
    return element("span", {"class": "dn-math mathjax_process"}, f"{begin}{escape(tex)}{end}")


class Inlines:
    """What came of one stretch of text."""

    __slots__ = ("html", "open")

    def __init__(self, html: str, open_: bool) -> None:
        self.html = html
        self.open = open_
        """Whether something stands in it that a later text could close."""


def render(text: str, references: dict[str, Reference]) -> Inlines:
    """Read the inside of a paragraph, without line-level markup."""
    if not _MARKUP.search(text):
        return Inlines(escape(text), False)
    from markdown_it.rules_inline import StateInline

    parser = _parser()
    tokens: list[Token] = []
    state = StateInline(text, parser, {"references": references}, tokens)
    parser.inline.tokenize(state)
    for rule in parser.inline.ruler2.getRules(""):
        rule(state)
    return Inlines(_html(tokens), _is_open(state))


_MARKUP = re.compile(r"[\\`*_\[\]!<&~$\n]")


def _is_open(state: StateInline) -> bool:
    for mark in state.delimiters:
        if mark.open and mark.end < 0:
            return True
    brackets = 0
    for token in state.tokens:
        if token.type == "text":
            content = token.content
            if "`" in content or "$$" in content:
                return True
            if "[" in content or "]" in content:
                for char in content:
                    if char == "[":
                        brackets += 1
                    elif char == "]" and brackets:
                        brackets -= 1
        elif token.type == "text_special" and token.markup in ("\\(", "\\["):
            return True
    return brackets > 0


_PAIRS = {"em": "em", "strong": "strong", "s": "s"}


def _html(tokens: list[Token]) -> str:
    out: list[str] = []
    linked = 0
    for token in tokens:
        kind = token.type
        if kind in ("text", "text_special"):
            out.append(escape(token.content))
        elif kind == "softbreak":
            out.append("\n")
        elif kind == "hardbreak":
            out.append("<br>\n")
        elif kind == "code_inline":
            out.append(element("code", {"class": "dn-code"}, escape(token.content)))
        elif kind == "math":
            out.append(math(token.content, display=bool(token.block)))
        elif kind == "link_open":
            linked += 1
            href = str(token.attrs.get("href", ""))
            title = str(token.attrs.get("title", ""))
            out.append(_anchor(href, f"{href} \u2014 {title}" if title else href))
        elif kind == "link_close":
            linked -= 1
            out.append("</a>")
        elif kind == "image":
            out.append(_picture(token, inside_link=linked > 0))
        elif kind.endswith("_open") and (name := _PAIRS.get(kind[:-5])):
            out.append(f"<{name}>")
        elif kind.endswith("_close") and (name := _PAIRS.get(kind[:-6])):
            out.append(f"</{name}>")
        else:
            raise ValueError(f"no HTML for the markdown token {kind!r}")
    return "".join(out)


def _anchor(href: str, title: str) -> str:
    attrs = {"class": "dn-a", "href": href, "target": "_blank", "rel": "noopener noreferrer", "title": title}
    return element("a", attrs).removesuffix("</a>")


def _picture(token: Token, *, inside_link: bool) -> str:
    """An image that is not fetched: its words and its address; opening it is the reader's choice."""
    address = str(token.attrs.get("src", ""))
    words = _plain(token.children or [])
    label = escape(f"\u25a7 {words} ({address})" if words else f"\u25a7 {address}")
    if inside_link:
        return element("span", {"class": "dn-img"}, label)
    return _anchor(address, address) + element("span", {"class": "dn-img"}, label) + "</a>"


def _plain(tokens: list[Token]) -> str:
    parts = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif token.type == "image":
            parts.append(_plain(token.children or []))
        else:
            parts.append(token.content)
    return "".join(parts)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Parser(MarkdownIt):
        def validateLink(self, url: str) -> bool:
            return safe_link(url)

    parser = Parser("commonmark", {"html": False})
    parser.enable(["strikethrough"])
    parser.disable(["html_inline"])
    parser.inline.ruler.before("escape", "math", _math_rule)
    return parser


def _math_rule(state: Any, silent: bool) -> bool:
    found = formula(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        token = state.push("math", "span", 0)
        token.content = state.src[state.pos + found.marks : found.end - found.marks].strip()
        token.block = found.display
    state.pos = found.end
    return True


class Formula(NamedTuple):
    """Where a formula ends."""

    end: int
    marks: int
    """Characters of the sign before it, and of that behind it."""
    display: bool


def formula(text: str, at: int, limit: int) -> Formula | None:
    """`$$…$$`, `\\(…\\)`, `\\[…\\]`, and `$…$` where it can hardly be a price, if one begins there."""
    two = text[at : at + 2]
    if two in ("$$", "\\(", "\\["):
        end = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}[two]
        close = text.find(end, at + 2, min(limit, at + 2 + LONGEST_FORMULA))
        if close < 0 or not text[at + 2 : close].strip() or (end == "$$" and text[close + 2 : close + 3] == "$"):
            return None
        return Formula(close + 2, 2, two != "\\(")
    if two[:1] == "$":
        close = text.find("$", at + 1, min(limit, at + 302))
        if close >= 0 and _formula(text[at + 1 : close], text[at - 1 : at], text[close + 1 : close + 2]):
            return Formula(close + 1, 1, False)
    return None


def _formula(tex: str, before: str, after: str) -> bool:
    """Whether `$tex$` is a formula. What stands between two prices is not."""
    if not tex or tex[0].isspace() or tex[-1].isspace() or tex.endswith("\\"):
        return False
    if before.isalnum() or after.isalnum() or after == "$" or len(tex) > 300 or "`" in tex:
        return False
    return bool(_HAS_TEX.search(tex)) and not _WORDS.search(tex) and not _CUT.search(tex)
