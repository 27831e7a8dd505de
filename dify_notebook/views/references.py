"""Link definitions: `[label]: https://address "title"` at the beginning of a paragraph."""

from __future__ import annotations

import re
from typing import TypedDict

_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){1,999}?)\]:", re.DOTALL)
_GAP = re.compile(r"[ \t]*\n?[ \t]*")
_LINE_END = re.compile(r"[ \t]*(?:\n|$)")
_BRACKETS = re.compile(r"\[((?:[^\[\]\\]|\\.){1,999}?)\]", re.DOTALL)

MAX_ADDRESS = 2_000
"""Characters of an address or a title in a definition; what is longer defines nothing."""


class Reference(TypedDict):
    """Where a label leads."""

    title: str
    href: str


def definitions(text: str) -> tuple[list[tuple[str, Reference]], str]:
    """The definitions at the beginning of a paragraph, and the rest of it."""
    result = []
    at = 0
    while at < len(text) and text[at] == "[":
        definition = _definition(text, at)
        if definition is None:
            break
        label, reference, at = definition
        result.append((label, reference))
    return result, text[at:]


def labels(text: str) -> frozenset[str]:
    """Every label that a text could refer to."""
    if "[" not in text:
        return frozenset()
    from markdown_it.common.utils import normalizeReference

    return frozenset(normalizeReference(label) for label in _BRACKETS.findall(text))


def _definition(text: str, at: int) -> tuple[str, Reference, int] | None:
    from markdown_it.common.utils import normalizeReference
    from markdown_it.helpers import parseLinkDestination, parseLinkTitle

    from .inline import link_address

    label_match = _LABEL.match(text, at)
    if label_match is None or not label_match.group(1).strip():
        return None
    gap = _GAP.match(text, label_match.end())
    assert gap is not None
    limit = min(len(text), gap.end() + MAX_ADDRESS)
    destination = parseLinkDestination(text, gap.end(), limit)
    if not destination.ok or (destination.pos == limit < len(text)):
        return None
    href = link_address(destination.str)
    if href is None:
        return None
    title, end = "", None
    gap = _GAP.match(text, destination.pos)
    assert gap is not None
    if gap.end() > destination.pos:
        title_match = parseLinkTitle(text, gap.end(), min(len(text), gap.end() + MAX_ADDRESS))
        if title_match.ok and (line_end := _LINE_END.match(text, title_match.pos)):
            title, end = title_match.str, line_end.end()
    if end is None:
        line_end = _LINE_END.match(text, destination.pos)
        if line_end is None:
            return None
        end = line_end.end()
    return normalizeReference(label_match.group(1)), {"title": title, "href": href}, end
