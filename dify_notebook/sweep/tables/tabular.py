"""A small table with a title and a few sentences, as html, markdown and plain text. All texts are taken as hostile."""

from __future__ import annotations

from collections.abc import Sequence

from ...i18n import Language
from ...printable import one_line
from ...views import table
from ...views.block import Block
from ...views.guard import escaped
from ...views.html import escape, serialize
from ...views.parts import span
from ...views.style import inline_styles
from ...views.words import Words

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
    about: str = "",
) -> dict[str, str]:
    """All three forms by mime type. The first column is text, the others are numbers. No table without rows.

    Args:
        lines: sentences under the table.
        where: what holds all rows, where not all are shown.
        about: what stands beside the title.
    """
    more = Words(lang).omitted(len(rows), ROWS, where)
    cells = [[one_line(text, CELL) for text in row] for row in [head, *rows[:ROWS]]]
    said = [one_line(line, SENTENCE) for line in ([more] if more else []) + list(lines)]
    title, about = one_line(title, CELL), one_line(about, SENTENCE)
    beside = f" \u00b7 {about}" if about else ""
    line = span("dn-title", title) + (span("dn-meta", beside) if beside else "")
    blocks = [Block("title", "div", {"class": "dn-head"}, line)]
    document, text = [f"**{escaped(title)}**{escaped(beside)}"], [title + beside]
    if rows:
        blocks.append(table.block("rows", cells[0], cells[1:]))
        document.append(table.markdown(cells[0], cells[1:]))
        text.append(table.text(cells[0], cells[1:]))
    for at, sentence in enumerate(said):
        blocks.append(Block(f"line-{at}", "div", {"class": "dn-note-cut"}, escape(sentence)))
    shown = Block("tabular", "div", {"class": "mathjax_ignore dn"}, "", tuple(blocks))
    return {
        "text/html": serialize(shown, inline_styles),
        "text/markdown": "\n\n".join([*document, *map(escaped, said)]) + "\n",
        "text/plain": "\n".join([*text, *said]),
    }
