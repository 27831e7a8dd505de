"""A table of short texts and numbers, in all three forms: the first column is text, the others are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

from .block import Block
from .guard import escaped
from .html import element, escape


def block(key: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, words_last: bool = False) -> Block:
    """As a block.

    Args:
        words_last: whether the last column is text, too.
    """
    numbers = range(1, len(head) - words_last)
    names = ["dn-right" if column in numbers else "" for column in range(len(head))]
    top = "".join(cell("th", name, text) for name, text in zip(names, head, strict=True))
    cells = ("".join(cell("td", *each) for each in zip(names, row, strict=True)) for row in rows)
    lines = tuple(Block(str(index), "tr", {"class": "dn-tr"}, row) for index, row in enumerate(cells))
    table = Block("table", "table", {"class": "dn-table dn-rows"}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, top),)),
        Block("body", "tbody", {}, "", lines),
    ))  # fmt: skip
    return Block(key, "div", {"class": "dn-scroll"}, "", (table,))


def cell(tag: str, name: str, text: str) -> str:
    """One cell as HTML."""
    scope = {"scope": "col"} if tag == "th" else {}
    return element(tag, {"class": f"dn-{tag} {name}".strip(), **scope}, escape(text))


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], *, words_last: bool = False) -> str:
    """As a table of GitHub's markdown."""
    numbers = ["--:"] * (len(head) - 1 - words_last)
    lines = [head, ["---", *numbers, *["---"] * words_last], *([escaped(text) for text in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As columns for a terminal."""
    lines = [head, *rows]
    widths = [max(width(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            each + " " * (size - width(each)) if column == 0 else " " * (size - width(each)) + each
            for column, (each, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def width(text: str) -> int:
    """How many columns of a terminal a text takes; a Chinese character takes two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
