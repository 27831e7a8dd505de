"""The inside of a paragraph: emphasis, code, links, math; as safe HTML.

Raw HTML is text here, but for `<br>`, a cell's only line break. Links lead to the web or to mail or are text.
Images are never fetched: they are links that say what they are, or shown where the text itself holds them. Math
stays TeX source, in an element that a page's MathJax may typeset.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..data_uri import Data
from .html import element, escape, safe_link
from .pictures import COMING, MARK, Pictures
from .references import Reference

if TYPE_CHECKING:
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

SENTENCE = r"(?:[.!?][\"')\]*_]*+\s++|\n[ \t]*+|[。！？；…][”’」』）]*+(?![*_~])\s*+)"
"""Where a text may be cut: behind a sentence or a line, blanks included; not before marks that may begin something."""

LINE_BREAK = re.compile(r"(?i:</?br[ \t]*+/?>)[ \t]*+\n?[ \t]*+")
"""A line break as HTML has it, and the blanks behind it."""

MAX_FORMULA = 2_000
"""Characters of a formula inside a line; what goes on for longer is text."""

_HAS_TEX = re.compile(r"[\\^_{}=+<>|/*-]|^\S+$")
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_CUT = re.compile(SENTENCE)
# What reaches further than a formula: addresses, scripts, classes, macros for the whole page.
_UNSAFE_TEX = re.compile(
    r"\\(?:href|url|require|class|cssId|style|data|def|gdef|edef|xdef|let|futurelet|newcommand|renewcommand"
    r"|providecommand|newenvironment|renewenvironment|DeclareMathOperator|DeclarePairedDelimiters?X?(?:PP)?"
    r"|unicode|mmlToken|begingroup|bbox|toggle|mathtip|texttip|includegraphics|csname|input|include|color"
    r"|definecolor|html[A-Za-z]*)(?![A-Za-z])"
)


def link_address(address: str) -> str | None:
    """The address as it may stand in `href`, or None where it leads nowhere we go. The mark of whole data stays one."""
    from markdown_it.common.normalize_url import normalizeLink

    if MARK in address:
        return address if len(address) == 2 and address != COMING else None
    try:
        href: str = normalizeLink(address.strip())
    except ValueError:
        return None
    return href if safe_link(href) else None


def math(tex: str, *, display: bool) -> str:
    """A formula as TeX source between the signs that MathJax looks for."""
    if _UNSAFE_TEX.search(tex):
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


_NO_PICTURES = Pictures()


def render(text: str, references: dict[str, Reference], pictures: Pictures = _NO_PICTURES) -> Inlines:
    """Read the inside of a paragraph, without line-level markup.

    Args:
        pictures: what the marks in the text stand for.
    """
    if not _MARKUP.search(text):
        return Inlines(escape(text), False)
    from .scanner import read

    state = read(text, {"references": references})
    return Inlines(_Html(pictures).render(state.tokens), _is_open(state))


_MARKUP = re.compile(rf"(?i)[\\`*_\[\]!<&~$\n{MARK}]|://|www\.")


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
                for character in content:
                    if character == "[":
                        brackets += 1
                    elif character == "]" and brackets:
                        brackets -= 1
        elif token.type == "text_special" and token.markup in ("\\(", "\\["):
            return True
    return brackets > 0


_PAIRS = {"em": "em", "strong": "strong", "s": "s"}


class _Html:
    """Writes the tokens of one text."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.links: list[str] = []
        """How each link that is open has to end."""

    def render(self, tokens: list[Token]) -> str:
        return "".join(
            [  # most are text without a mark
                escape(token.content) if token.type == "text" and MARK not in token.content else self.token(token)
                for token in tokens
            ]
        )

    def token(self, token: Token) -> str:
        kind = token.type
        if kind in ("text", "text_special"):
            return self.text(token.content)
        if kind == "softbreak":
            return "\n"
        if kind == "hardbreak":
            return "<br>\n"
        if kind == "code_inline":
            return element("code", {"class": "dn-code"}, self.text(token.content))
        if kind == "math":
            return math(self.pictures.replace_marks(token.content), display=bool(token.block))
        if kind == "link_open":
            return self.link(str(token.attrs.get("href", "")), str(token.attrs.get("title", "")))
        if kind == "link_close":
            return self.links.pop()
        if kind == "image":
            return self.image(token)
        if kind.endswith("_open") and (name := _PAIRS.get(kind[:-5])):
            return f"<{name}>"
        if kind.endswith("_close") and (name := _PAIRS.get(kind[:-6])):
            return f"</{name}>"
        raise ValueError(f"no HTML for the markdown token {kind!r}")

    def text(self, text: str) -> str:
        return escape(self.pictures.replace_marks(text))

    def link(self, href: str, title: str) -> str:
        if MARK in href:
            self.links.append(f" ({self.text(href)})")  # data is no place to go to
            return ""
        if not href:
            self.links.append("]()")  # a link to nowhere is the text that it was
            return "["
        self.links.append("</a>")
        return _anchor(href, f"{href} \u2014 {self.pictures.replace_marks(title)}" if title else href)

    def image(self, token: Token) -> str:
        """An image that is not fetched: its words and its address; opening it is the reader's choice."""
        address = str(token.attrs.get("src", ""))
        words = self.pictures.replace_marks(_plain(token.children or []))
        data = self.pictures.find(address)
        if data is not None:
            return _picture(data, words)
        if not address:
            return escape(f"![{words}]()")
        label = escape(f"\u25a7 {words} ({address})" if words else f"\u25a7 {address}")
        if "</a>" in self.links:
            return element("span", {"class": "dn-img"}, label)
        return _anchor(address, address) + element("span", {"class": "dn-img"}, label) + "</a>"


def _anchor(href: str, title: str) -> str:
    attrs = {"class": "dn-a", "href": href, "target": "_blank", "rel": "noopener noreferrer", "title": title}
    return element("a", attrs).removesuffix("</a>")


def _picture(data: Data, words: str) -> str:
    """A picture that the text itself holds; in a line what it is, where it may not be shown or is not complete."""
    if data.source:
        return element("img", {"class": "dn-pic", "src": data.source, "alt": words or data.kind})
    label = " \u00b7 ".join(part for part in (words, data.named()) if part)
    return element("span", {"class": "dn-img"}, escape(f"\u25a7 {label}"))


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
        close = text.find(end, at + 2, min(limit, at + 2 + MAX_FORMULA))
        if close < 0 or not text[at + 2 : close].strip() or (end == "$$" and text[close + 2 : close + 3] == "$"):
            return None
        return Formula(close + 2, 2, two != "\\(")
    if two[:1] == "$":
        close = text.find("$", at + 1, min(limit, at + 302))
        if close >= 0 and _is_formula(text[at + 1 : close], text[at - 1 : at], text[close + 1 : close + 2]):
            return Formula(close + 1, 1, False)
    return None


def _is_formula(tex: str, before: str, after: str) -> bool:
    """Whether `$tex$` is a formula. What stands between two prices is not."""
    if not tex or tex[0].isspace() or tex[-1].isspace() or tex.endswith("\\"):
        return False
    if before.isalnum() or after.isalnum() or after == "$" or len(tex) > 300 or "`" in tex:
        return False
    return bool(_HAS_TEX.search(tex)) and not _WORDS.search(tex) and not _CUT.search(tex)
