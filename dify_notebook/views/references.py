"""Link definitions: `[label]: https://address "title"` at the beginning of a paragraph."""

from __future__ import annotations

import re
from typing import TypedDict

_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){1,999}?)\]:", re.DOTALL)
_GAP = re.compile(r"[ \t]*\n?[ \t]*")
_LINE_END = re.compile(r"[ \t]*(?:\n|$)")
_BRACKETS = re.compile(r"\[((?:[^\[\]\\]|\\.){1,999}?)\]", re.DOTALL)

LONGEST_ADDRESS = 2_000
"""Characters of an address or a title in a definition; what is longer defines nothing."""


class Reference(TypedDict):
    """Where a label leads."""

    title: str
    href: str


def definitions(text: str) -> tuple[list[tuple[str, Reference]], str]:
    """The definitions at the beginning of a paragraph, and the rest of it."""
    found = []
    at = 0
    while at < len(text) and text[at] == "[":
        one = _definition(text, at)
        if one is None:
            break
        label, reference, at = one
        found.append((label, reference))
    return found, text[at:]


def labels(text: str) -> frozenset[str]:
    """Every label that a text could refer to."""
    if "[" not in text:
        return frozenset()
    from markdown_it.common.utils import normalizeReference

    return frozenset(normalizeReference(found) for found in _BRACKETS.findall(text))


def _definition(text: str, at: int) -> tuple[str, Reference, int] | None:
    from markdown_it.common.utils import normalizeReference
    from markdown_it.helpers import parseLinkDestination, parseLinkTitle

    from .inline import link_address

    named = _LABEL.match(text, at)
    if named is None or not named.group(1).strip():
        return None
    gap = _GAP.match(text, named.end())
    assert gap is not None
    limit = min(len(text), gap.end() + LONGEST_ADDRESS)
    place = parseLinkDestination(text, gap.end(), limit)
    if not place.ok or (place.pos == limit < len(text)):
        return None
    href = link_address(place.str)
    if href is None:
        return None
    title, end = "", None
    gap = _GAP.match(text, place.pos)
    assert gap is not None
    if gap.end() > place.pos:
        words = parseLinkTitle(text, gap.end(), min(len(text), gap.end() + LONGEST_ADDRESS))
        if words.ok and (line_end := _LINE_END.match(text, words.pos)):
            title, end = words.str, line_end.end()
    if end is None:
        line_end = _LINE_END.match(text, place.pos)
        if line_end is None:
            return None
        end = line_end.end()
    return normalizeReference(named.group(1)), {"title": title, "href": href}, end
