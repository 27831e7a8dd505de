"""Answers beside each other as markdown and as text: what was asked, facts in a table, the answers, what differs."""

from __future__ import annotations

from collections.abc import Sequence

from ..printable import one_line, shown
from . import columns, facts, forms, limits, outputs, plain
from .canonical import canonical
from .columns import Compared, Differences, Entry, Page, Row
from .guard import escaped, fenced
from .terminal import terminal_text
from .values import Reading
from .words import Words, truncated


def document(page: Page, differences: Differences, words: Words) -> str:
    """The page as markdown."""
    parts = [f"**{escaped(columns.progress(page, words))}**", escaped(one_line(page.note, 600))]
    parts += query_document(page.query, words)
    if page.inputs:
        parts += outputs.written(page.inputs, Reading(words, "turn.inputs", plain=True), "inputs")
    rows = columns.laid_out(page, words)
    for row, found in zip(rows, differences, strict=True):
        if row.heading and row.first:
            parts.append(f"### {escaped(one_line(row.heading, 200))}")
        parts.append(_table(row, words))
        for title, entry in zip(titles(row), row.entries, strict=True):
            parts += [f"**{escaped(title)}**", *_said(entry, words)]
        parts += [_difference(one, words) for one in found if one is not None]
    parts.append(escaped(columns.omitted(page, words)))
    return "\n\n".join(part for part in parts if part) + "\n"


def query_document(query: str | None, words: Words) -> list[str]:
    """What was asked, as pieces of markdown."""
    if not query:
        return []
    text, rest = truncated(shown(query), words, limits.COLUMN_FIELD)
    return [f"**{words('columns.asked')}**", fenced(text, "text"), escaped(rest)]


def titles(row: Row) -> list[str]:
    """The headings of a row's entries."""
    alone = len(row.entries) == 1 and row.first
    return [columns.title(entry, mark, alone) for mark, entry in zip(row.letters, row.entries, strict=True)]


def _table(row: Row, words: Words) -> str:
    head = [words("compare.name"), *(escaped(title) for title in titles(row))]
    rows = [[escaped(text) for text in cells] for cells in columns.measures(row.entries, words)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def _said(entry: Entry, words: Words) -> list[str]:
    parts = [escaped(one_line(entry.note, 600))]
    if entry.turn is None:
        text = one_line(entry.error, 600) or columns.status_text(entry, words)
        return [*parts, f"> {escaped(text)}"]
    turn = columns.bounded(entry.turn)
    parts += [canonical(outputs.answer(turn)).strip("\n"), *outputs.document(turn, words), *forms.document(turn, words)]
    for item in facts.notices(turn, words):
        detail = f"{words.colon}{one_line(item.detail, 400)}" if item.detail else ""
        parts.append(f"> {escaped(item.text + detail)}")
    parts.append("\n".join(f"- {escaped(line.strip())}" for line in plain.file_lines(turn, words)))
    return [*parts, escaped(columns.cut(entry.turn, words))]


def about(found: Compared, words: Words) -> str:
    """Which is compared with which, and what the signs mean."""
    key = "columns.against" if found.pieces else "columns.legend"
    return words(key, a=found.letters[0], b=found.letters[1])


def _difference(found: Compared, words: Words) -> str:
    parts = [f"**{escaped(about(found, words))}**"]
    if found.pieces:
        parts.append(fenced(columns.marked(found.pieces), "text"))
    if found.note:
        parts.append(escaped(found.note))
    return "\n\n".join(parts)


# -- text --------------------------------------------------------------------------------------


def text(page: Page, differences: Differences, words: Words) -> str:
    """The page as plain text for a terminal, without control characters."""
    rows = columns.laid_out(page, words)
    blocks = [columns.progress(page, words), asked(page, words)]
    for row, found in zip(rows, differences, strict=True):
        if row.heading and row.first:
            blocks.append(one_line(row.heading, 200))
        for title, entry in zip(titles(row), row.entries, strict=True):
            blocks.append("\n".join([rule(title), *said(entry, words)]))
        blocks += [facts_table(row, words), *difference_texts(found, words)]
    blocks.append(columns.omitted(page, words))
    return "\n\n".join(block for block in blocks if block)


def asked(page: Page, words: Words) -> str:
    """What was asked, and what is to be known of all."""
    lines = [one_line(page.note, 600)] if page.note else []
    lines += query_lines(page.query, words)
    if page.inputs:
        lines += outputs.written_lines(page.inputs, Reading(words, "turn.inputs", plain=True), "inputs")
    return "\n".join(lines)


def query_lines(query: str | None, words: Words) -> list[str]:
    """What was asked, as lines."""
    if not query:
        return []
    text, rest = truncated(shown(query), words, limits.COLUMN_FIELD)
    return [words("columns.asked") + words.colon.rstrip(), plain.indented(text, "  "), *([f"  {rest}"] if rest else [])]


def rule(title: str) -> str:
    """A line that begins an answer."""
    return f"== {title} =="


def said(entry: Entry, words: Words) -> list[str]:
    """What an answer says, and how it ended."""
    lines = [one_line(entry.note, 600)] if entry.note else []
    if entry.turn is None:
        return [*lines, one_line(entry.error, 600) or columns.status_text(entry, words)]
    turn = columns.bounded(entry.turn)
    if answer := shown(terminal_text(outputs.answer(turn))).strip("\n"):
        lines.append(answer)
    if rest := columns.cut(entry.turn, words):
        lines.append(f"({rest})")
    lines += outputs.lines(turn, words) + forms.text(turn, words) + plain.file_lines(turn, words)
    return [*lines, *plain.notice_lines(turn, words)]


def facts_table(row: Row, words: Words) -> str:
    """The facts of a row, one line each."""
    letters = row.letters if len(row.entries) > 1 or not row.first else [""]
    lines = []
    for name, *cells in columns.measures(row.entries, words):
        pairs = (f"{mark} {text}".strip() for mark, text in zip(letters, cells, strict=True))
        lines.append(f"{name}{words.colon}" + " \u00b7 ".join(pairs))
    return "\n".join(lines)


def difference_texts(found: Sequence[Compared | None], words: Words) -> list[str]:
    """What each answer has that the first has not."""
    out = []
    for one in found:
        if one is None:
            continue
        lines = [about(one, words)]
        if one.pieces:
            lines.append(plain.indented(columns.marked(one.pieces), "  "))
        if one.note:
            lines.append(f"  {one.note}")
        out.append("\n".join(lines))
    return out
