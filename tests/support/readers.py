"""What readers of markdown make of a text: nbconvert, markdown-it and GitHub's, each with HTML switched on."""

from __future__ import annotations

from collections.abc import Callable

import cmarkgfm
from bs4 import BeautifulSoup
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import markdown2html_mistune

ELEMENTS = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "br", "blockquote", "ul", "ol", "li", "dl", "dt", "dd"]
    + ["pre", "code"]
    + ["a", "em", "strong", "del", "s", "table", "thead", "tbody", "tr", "th", "td", "div", "span"]
    + ["input", "sup", "section"]
)  # fmt: skip
"""What markdown itself can make, and what the readers put around code and lists. An image is not among them."""


def _github(text: str) -> str:
    options: int = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    html: str = cmarkgfm.github_flavored_markdown_to_html(text, options)
    return html


READERS: dict[str, Callable[[str], str]] = {
    "GitHub": _github,
    "markdown-it, GFM": MarkdownIt("gfm-like", {"html": True, "linkify": True}).render,
    "markdown-it, CommonMark": MarkdownIt("commonmark", {"html": True}).render,
    "nbconvert": markdown2html_mistune,
}


def live(html: str) -> list[str]:
    """What stands in a page that markdown alone could not have put there."""
    found = []
    for element in BeautifulSoup(html, "html.parser").find_all(True):
        if element.name not in ELEMENTS:
            found.append(f"<{element.name}>")
        for name, value in element.attrs.items():
            if name.startswith(("on", "data-x")):
                found.append(f"<{element.name} {name}>")
            if name in ("href", "src") and not str(value).lower().startswith(("http://", "https://", "mailto:", "#")):
                found.append(f"{name}={value}")
    return found


def shown(html: str) -> str:
    """The text that a reader sees."""
    text: str = BeautifulSoup(html, "html.parser").get_text()
    return text
