"""The one builder of HTML: from blocks to text, with a list of what may occur.

Nothing else in this package writes a tag. What is not on the lists below raises,
since only our own code can ask for it; what comes from elsewhere arrives as text
and leaves escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .block import Block

TAGS = frozenset({
    "a", "blockquote", "br", "code", "del", "details", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "ins", "li", "ol", "p", "pre", "s", "section", "span", "strong", "summary", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
})  # fmt: skip
VOID = frozenset({"br", "hr", "img"})
ATTRIBUTES = frozenset({
    "alt", "class", "colspan", "href", "lang", "open", "rel", "role", "scope", "src", "start", "style", "target",
    "tabindex", "title", "aria-busy", "aria-hidden", "aria-label", "aria-live",
})  # fmt: skip
SCHEMES = ("http://", "https://", "mailto:")
PICTURES = (
    "data:image/png;base64,",
    "data:image/jpeg;base64,",
    "data:image/gif;base64,",
    "data:image/webp;base64,",
)

_KEPT_CLASSES = ("mathjax_", "dn-kept-")
"""Classes that stay in the saved form: what keeps dollars from being math, and what a panel is known by."""

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}
_BLANK_LINE = re.compile(r"[\n\r](?=[^\S\n\r]*+[\n\r])")
"""An end of a line before a blank one, which in markdown ends the HTML: what follows would be read as markdown."""
_OPENING = re.compile(r'<([a-z0-9]+)((?: [a-z-]+="[^"]*")+)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_STYLE = re.compile(r"(?:[a-z-]+:(?:[^;:(){}<>\\@]|(?:rgba?|var|color-mix|calc)\([^;{}<>\\@]*\))*;?)*")

Inliner = Callable[[str], str]
"""From a value of `class` to the declarations that stand for it, or ""."""


def escape(text: str) -> str:
    """Text as it may stand in an element or between double quotes."""
    return text.translate(_ESCAPES)


def safe_link(url: str) -> bool:
    """Whether a link may lead there: the web and mail, nothing that runs or reads files."""
    return url.lower().startswith(SCHEMES)


def attributes(tag: str, attrs: Mapping[str, str], inline: Inliner | None = None) -> str:
    """Attributes of one element as text, each with a blank before it.

    Raises:
        ValueError: an element, attribute or address that is not on the lists.
    """
    if tag not in TAGS:
        raise ValueError(f"<{tag}> is not one of our elements")
    parts = []
    styles = ""
    for name, value in attrs.items():
        if name not in ATTRIBUTES:
            raise ValueError(f"<{tag} {name}> is not one of our attributes")
        if name == "href" and not safe_link(value):
            raise ValueError(f"a link to {value[:40]!r} is not allowed")
        if name == "src" and not value.startswith(PICTURES):
            raise ValueError(f"an image from {value[:40]!r} is not allowed")
        if name == "style":
            if not _STYLE.fullmatch(value):
                raise ValueError(f"the style {value[:80]!r} is not plain declarations")
            styles += value
            continue
        if name == "class" and inline is not None:
            classes = " ".join(each for each in value.split() if each.startswith(_KEPT_CLASSES))
            styles = inline(value) + styles
            if not classes:
                continue
            value = classes
        parts.append(f' {name}="{escape(value)}"')
    if styles:
        parts.append(f' style="{escape(styles)}"')
    return "".join(parts)


def element(tag: str, attrs: Mapping[str, str], inner: str = "") -> str:
    """One element as text; `inner` is safe HTML already."""
    if tag in VOID:
        return f"<{tag}{attributes(tag, attrs)}>"
    return f"<{tag}{attributes(tag, attrs)}>{inner}</{tag}>"


def serialize(block: Block, inline: Inliner | None = None) -> str:
    """A tree of blocks as HTML.

    Args:
        inline: where given, classes are replaced by the declarations that it returns,
            in leaves too; for places that keep no style sheet.
    """
    out: list[str] = []
    _write(block, inline, out)
    text = "".join(out)
    return text if inline is None else _BLANK_LINE.sub(lambda match: f"&#{ord(match[0])};", text)


def _write(block: Block, inline: Inliner | None, out: list[str]) -> None:
    if block.html and block.children:
        raise ValueError(f"the block {block.key!r} has html and children")
    out.append(f"<{block.tag}{attributes(block.tag, block.attrs, inline)}>")
    if block.tag in VOID:
        return
    if block.html:
        # In text "<" is always escaped, so every tag that is found in a leaf is ours.
        out.append(_OPENING.sub(lambda match: _inlined(match, inline), block.html) if inline else block.html)
    for child in block.children:
        _write(child, inline, out)
    out.append(f"</{block.tag}>")


def _inlined(match: re.Match[str], inline: Inliner | None) -> str:
    """A tag inside a leaf once more, with styles instead of classes; values are escaped already."""
    if inline is None or ' class="' not in match.group(2):
        return match.group()
    rendered, styles = [], ""
    for name, value in _ATTRIBUTE.findall(match.group(2)):
        if name == "style":
            styles += value
        elif name == "class":
            styles = escape(inline(value)) + styles
            stays = " ".join(each for each in value.split() if each.startswith(_KEPT_CLASSES))
            if stays:
                rendered.append(f' class="{stays}"')
        else:
            rendered.append(f' {name}="{value}"')
    if styles:
        rendered.append(f' style="{styles}"')
    return f"<{match.group(1)}{''.join(rendered)}>"
