"""Answers beside each other as blocks: while they come, in columns that wrap, and at the end as tables."""

from __future__ import annotations

from collections.abc import Sequence

from ..i18n import Language
from ..printable import one_line, shown
from . import columns, facts, outputs
from .block import Block
from .blocks import TurnView
from .columns import Compared, Differences, Entry, Page, Row
from .html import element, escape
from .limits import COLUMN_FIELD
from .parts import Memo, caption, span, status_symbol
from .values import Reading
from .words import Words, truncated

_OF_ALL = frozenset({"header", "inputs"})
"""Slots of a turn that stand above the columns, once."""
_SAVED = ("answer", "outputs", "files", "citations", "notice")
"""Those that stand in the table at the end: what was said, not how it came about."""
_HEAD_WIDTH, _WIDTH = 110, 165
"""Pixels of the first column of a table, and of each other, at least."""


class ColumnsView:
    """Draws a page again and again while its answers grow."""

    def __init__(self, lang: Language | None = None) -> None:
        self._lang = lang
        self._words = Words(lang)
        self._views: dict[tuple[int, int], TurnView] = {}
        self._memo = Memo()

    def blocks(self, page: Page, now: float = 0.0) -> Block:
        """The tree at this moment; what runs tells itself how long it does."""
        words = self._words
        rows = columns.laid_out(page, words)
        body: list[Block] = [*head(page, words, self._memo)]
        for at, row in enumerate(rows):
            if row.heading and row.first:
                body.append(Block(f"name-{at}", "div", {"class": "dn-field"}, escape(one_line(row.heading, 200))))
            entries = tuple(self._entry(at, index, row) for index in range(len(row.entries)))
            body.append(Block(f"row-{at}", "div", {"class": "dn-cols"}, "", entries))
        body += note("rest", columns.omitted(page, words))
        return Block("page", "div", {"class": "dn dn-wide"}, "", tuple(body))

    def _entry(self, at: int, index: int, row: Row) -> Block:
        entry, words = row.entries[index], self._words
        line = status_symbol(entry.status) + " "
        line += span("dn-title", columns.title(entry, row.letters[index], len(row.entries) == 1 and row.first))
        if entry.turn is None:
            line += span("dn-quiet", f" \u00b7 {columns.status_text(entry, words)}")
        elif wait := facts.waiting(entry.turn, words, entry.now):
            line += span("dn-quiet", f" \u00b7 {wait}")
        out = [Block("head", "div", {"class": "dn-head"}, line), *note("note", entry.note)]
        if entry.turn is None:
            out += alert(entry.error, words)
        else:
            view = self._views.setdefault((at, index), TurnView(self._lang))
            root = view.blocks(columns.bounded(entry.turn), entry.now)
            slots = tuple(slot for slot in root.children if slot.key not in _OF_ALL)
            out += [Block("turn", "div", root.attrs, "", slots), *note("cut", columns.cut(entry.turn, words))]
        return Block(f"entry-{index}", "section", {"class": "dn-colm"}, "", tuple(out))


def saved(page: Page, differences: Differences, words: Words) -> Block:
    """What stays: what was asked, and of each row a table of facts, answers and differences."""
    rows = columns.laid_out(page, words)
    body: list[Block] = [*head(page, words, Memo())]
    for at, (row, found) in enumerate(zip(rows, differences, strict=True)):
        if row.heading and row.first:
            line = element("strong", {}, escape(one_line(row.heading, 200)))
            body.append(Block(f"name-{at}", "div", {"class": "dn-h"}, line))
        body.append(_table(f"row-{at}", row, found, words))
    body += note("rest", columns.omitted(page, words))
    return Block("page", "div", {"class": "mathjax_ignore dn dn-wide"}, "", tuple(body))


def head(page: Page, words: Words, memo: Memo) -> list[Block]:
    """What stands above the answers: how far they are, what was asked, what all were given."""
    done, asked = columns.counts(page)
    statuses = {entry.status for row in page.rows for entry in row}
    sign = page.status
    if sign != "running" and (done < asked or "stopped" in statuses):
        sign = "stopped"
    elif statuses == {"failed"}:
        sign = "failed"
    line = status_symbol(sign) + " " + span("dn-state", columns.progress(page, words))
    out = [Block("progress", "div", {"class": "dn-head"}, line)]
    if page.status == "running" and page.done is not None and asked:
        share = min(100, 100 * done // asked)
        bar = element("div", {"class": "dn-bar dn-run", "style": f"width:{share}%"})
        out.append(Block("bar", "div", {"class": "dn-track", "aria-hidden": "true"}, bar))
    out += [*note("about", page.note), *question(page.query, words)]
    if page.inputs:
        values = memo.get("inputs", (page.inputs,), _inputs, page, words)
        lead = Block("lead", "div", {}, caption(words("inputs")))
        out.append(Block("given", "div", {"class": "dn-given"}, "", (lead, *values)))
    return out


def _inputs(page: Page, words: Words) -> list[Block]:
    return outputs.table(page.inputs, Reading(words, "turn.inputs", plain=True), "inputs")


def question(query: str | None, words: Words) -> list[Block]:
    """What was asked."""
    if not query:
        return []
    text, rest = truncated(shown(query), words, COLUMN_FIELD)
    lead = Block("asked", "div", {}, caption(words("columns.asked")))
    return [lead, Block("query", "div", {"class": "dn-quote dn-plain"}, escape(text)), *note("query-cut", rest)]


def note(key: str, text: str) -> list[Block]:
    """A quiet line; nothing where there is no text."""
    return [Block(key, "div", {"class": "dn-note-cut"}, escape(one_line(text, 600)))] if text else []


def alert(text: str, words: Words) -> list[Block]:
    """Why there is no answer."""
    if not text:
        return []
    line = status_symbol("failed") + " " + element("strong", {}, escape(one_line(text, 600)))
    return [Block("error", "div", {"class": "dn-note dn-nbad", "role": "alert"}, line)]


def _table(key: str, row: Row, found: Sequence[Compared | None], words: Words) -> Block:
    alone = len(row.entries) == 1 and row.first
    titles = [columns.title(entry, mark, alone) for mark, entry in zip(row.letters, row.entries, strict=True)]
    top = cell("th", words("compare.name"), "dn-ch") + "".join(cell("th", title) for title in titles)
    lines = [
        Block(f"fact-{at}", "tr", {"class": "dn-tr"}, row_head(name) + "".join(cell("td", text) for text in cells))
        for at, (name, *cells) in enumerate(columns.measures(row.entries, words))
    ]
    if any(entry.note for entry in row.entries):
        notes = "".join(cell("td", one_line(entry.note, 600)) for entry in row.entries)
        lines.append(Block("notes", "tr", {"class": "dn-tr"}, row_head(words("columns.note")) + notes))
    answers = [
        Block(str(at), "td", {"class": "dn-td dn-top"}, "", tuple(_said(entry, words)))
        for at, entry in enumerate(row.entries)
    ]
    lines.append(_line("answers", words("columns.answer"), answers))
    if any(found):
        cells = [Block(str(at), "td", {"class": "dn-td dn-top"}, _differs(one, words)) for at, one in enumerate(found)]
        lines.append(_line("differences", words("columns.differences"), cells))
    width = f"min-width:{_HEAD_WIDTH + _WIDTH * len(row.entries)}px"
    table = Block("table", "table", {"class": "dn-table dn-even", "style": width}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, top),)),
        Block("body", "tbody", {}, "", tuple(lines)),
    ))  # fmt: skip
    return scrolling(key, table, ", ".join([*([one_line(row.heading, 200)] if row.heading else []), *titles]))


def scrolling(key: str, table: Block, name: str) -> Block:
    """A table that may be wider than its page, which is then scrolled by keys too."""
    attrs = {"class": "dn-scroll", "role": "group", "aria-label": name, "tabindex": "0"}
    return Block(key, "div", attrs, "", (table,))


def _line(key: str, name: str, cells: Sequence[Block]) -> Block:
    head = Block("name", "th", {"class": "dn-th dn-ch", "scope": "row"}, escape(name))
    return Block(key, "tr", {"class": "dn-tr"}, "", (head, *cells))


def cell(tag: str, text: str, name: str = "") -> str:
    """A cell of a table; a th heads its column."""
    scope = {"scope": "col"} if tag == "th" else {}
    return element(tag, {"class": f"dn-{tag} dn-top {name}".strip(), **scope}, escape(text))


def row_head(text: str) -> str:
    """The cell that heads a row."""
    return element("th", {"class": "dn-th dn-ch", "scope": "row"}, escape(text))


def _said(entry: Entry, words: Words) -> list[Block]:
    """What an answer says, and what is to be known of it."""
    if entry.turn is None:
        return alert(entry.error, words) or note("status", columns.status_text(entry, words))
    root = TurnView(words.lang).blocks(columns.bounded(entry.turn), entry.now)
    slots = {slot.key: slot for slot in root.children if slot.children}
    kept = [Block(name, "div", {}, "", slots[name].children) for name in _SAVED if name in slots]
    if not kept:
        kept = note("status", columns.status_text(entry, words))
    return [*kept, *note("cut", columns.cut(entry.turn, words))]


def _differs(found: Compared | None, words: Words) -> str:
    if found is None:
        return ""
    tags = {"gone": ("del", "dn-del"), "new": ("ins", "dn-ins")}
    pieces = [
        element(tags[kind][0], {"class": tags[kind][1]}, escape(text)) if kind in tags else escape(text)
        for kind, text in found.pieces
    ]
    text = ""
    if pieces:
        about = words("columns.legend", a=found.letters[0], b=found.letters[1])
        text = element("div", {"class": "dn-note-cut"}, escape(about))
        text += element("div", {"class": "dn-plain"}, "".join(pieces))
    return text + (element("div", {"class": "dn-note-cut"}, escape(found.note)) if found.note else "")
