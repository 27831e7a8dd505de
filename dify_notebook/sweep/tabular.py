"""A small table with a title and a few sentences, as html, markdown and plain text. All texts are taken as hostile."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ..i18n import Language
from ..printable import one_line
from ..views.block import Block
from ..views.guard import escaped
from ..views.html import element, escape, serialize
from ..views.style import inline_styles
from ..views.words import Words

ROWS = 50
"""How many rows are shown."""
CELL = 200
"""How many characters of a cell are shown."""
SENTENCE = 1_000


def bundle(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    lines: Sequence[str] = (),
    where: str = "",
    lang: Language | None = None,
) -> dict[str, str]:
    """All three forms by mime type. The first column is text, the others are numbers.

    Args:
        lines: sentences under the table.
        where: what holds all rows, where not all are shown.
    """
    more = Words(lang).omitted(len(rows), ROWS, where)
    cells = [[one_line(text, CELL) for text in row] for row in [head, *rows[:ROWS]]]
    said = [one_line(line, SENTENCE) for line in ([more] if more else []) + list(lines)]
    title = one_line(title, CELL)
    return {
        "text/html": serialize(_block(title, cells[0], cells[1:], said), inline_styles),
        "text/markdown": _document(title, cells[0], cells[1:], said),
        "text/plain": _text(title, cells, said),
    }


def _block(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]) -> Block:
    names = ["", *["dn-right"] * (len(head) - 1)]
    top = "".join(
        element("th", {"class": f"dn-th {name}".strip(), "scope": "col"}, escape(text))
        for name, text in zip(names, head, strict=True)
    )
    body = []
    for index, row in enumerate(rows):
        first = element("th", {"class": "dn-td", "scope": "row"}, escape(row[0]))
        rest = "".join(element("td", {"class": "dn-td dn-right"}, escape(text)) for text in row[1:])
        body.append(Block(str(index), "tr", {"class": "dn-tr"}, first + rest))
    table = Block("table", "table", {"class": "dn-table dn-rows"}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, top),)),
        Block("body", "tbody", {}, "", tuple(body)),
    ))  # fmt: skip
    parts = [
        Block("title", "div", {"class": "dn-head"}, element("span", {"class": "dn-title"}, escape(title))),
        Block("scroll", "div", {"class": "dn-scroll"}, "", (table,)),
        *(Block(f"line-{at}", "div", {"class": "dn-note-cut"}, escape(line)) for at, line in enumerate(lines)),
    ]
    return Block("tabular", "div", {"class": "mathjax_ignore dn"}, "", tuple(parts))


def _document(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]) -> str:
    marks = ["---", *["--:"] * (len(head) - 1)]
    table = [head, marks, *rows]
    written = ["| " + " | ".join(row if row is marks else map(escaped, row)) + " |" for row in table]
    return "\n\n".join([f"**{escaped(title)}**", "\n".join(written), *map(escaped, lines)]) + "\n"


def _text(title: str, table: Sequence[Sequence[str]], lines: Sequence[str]) -> str:
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    written = []
    for row in table:
        first = row[0] + " " * (widths[0] - _width(row[0]))
        rest = [" " * (width - _width(text)) + text for text, width in zip(row[1:], widths[1:], strict=True)]
        written.append("  ".join([first, *rest]).rstrip())
    return "\n".join([title, *written, *lines])


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
