"""Several answers in a terminal while they come: one after another, only ever more text."""

from __future__ import annotations

from ..i18n import Language
from ..printable import one_line
from . import answer_table, columns, columns_text
from .answer_table import Table
from .columns import Entry, Page
from .stream import TextStream
from .words import Words

STEPS = 10
"""Lines that tell how far the answers of a table are."""


class ColumnsStream:
    """The text to print next for a page that grows.

    The answers are printed in their order, each as it comes once the one before it has ended; those that ended
    meanwhile are printed whole. Of the answers of a table only their number is told.
    """

    def __init__(self, lang: Language | None = None) -> None:
        self._lang = lang
        self._words = Words(lang)
        self._stream = TextStream(lang, head=False)
        self._headed = False
        self._at = 0
        """How many answers were printed to their end."""
        self._begun = False
        """Whether the next one was begun."""
        self._reported = 0
        """How many tenths of the answers were told of."""
        self._line_open = False

    def feed(self, page: Page) -> str:
        """What to print next; "" when nothing is new."""
        return self._track(self._more(page, last=False))

    def end(self, state: Page | Table) -> str:
        """The rest: what was not printed, the facts, and what the answers have not in common; or the table."""
        line_end = "\n" if self._line_open else ""
        if isinstance(state, Table):
            return self._track(f"{line_end}{answer_table.text(state, self._words)}\n")
        out = line_end if state.done is not None else ""
        out += self._more(state, last=True)
        words = self._words
        rows = columns.laid_out(state, words)
        blocks = []
        for row, found in zip(rows, columns.compared(rows, words), strict=True):
            heading = [one_line(row.heading, 200)] if row.heading and row.first else []
            blocks += [*heading, columns_text.facts_table(row, words), *columns_text.difference_texts(found, words)]
        blocks.append(columns.omitted(state, words))
        return self._track(out + "\n" + "\n\n".join(block for block in blocks if block) + "\n")

    def _track(self, text: str) -> str:
        if text:
            self._line_open = not text.endswith("\n")
        return text

    def _more(self, page: Page, *, last: bool) -> str:
        out = "" if self._headed else f"{columns_text.asked(page, self._words)}\n".lstrip("\n")
        self._headed = True
        if page.done is not None and not last:
            return out + self._progress(page)
        entries = self._listed(page)
        while self._at < len(entries):
            title, entry = entries[self._at]
            text, ended = self._next(title, entry, last)
            out += text
            if not ended:
                break
            self._at += 1
            self._begun, self._stream = False, TextStream(self._lang, head=False)
        return out

    def _progress(self, page: Page) -> str:
        done, asked = columns.counts(page)
        step = STEPS * done // max(1, asked)
        if step <= self._reported:
            return ""
        self._reported = step
        return f"{columns.progress(page, self._words)}\n"

    def _listed(self, page: Page) -> list[tuple[str, Entry]]:
        """The answers in their order, with what stands above each."""
        out = []
        for row in columns.laid_out(page, self._words):
            heading = f"{one_line(row.heading, 200)} \u00b7 " if row.heading else ""
            titles = columns_text.titles(row)
            out += [(heading + title, entry) for title, entry in zip(titles, row.entries, strict=True)]
        return out

    def _next(self, title: str, entry: Entry, last: bool) -> tuple[str, bool]:
        """What to print of the answer that is due, and whether that was all of it."""
        waits = entry.turn is None and not entry.error
        if waits and not last:
            return "", False
        out = ""
        if not self._begun:
            self._begun = True
            out = f"\n{columns_text.rule(title)}\n" + (f"{one_line(entry.note, 600)}\n" if entry.note else "")
        if entry.turn is None:
            return out + f"{one_line(entry.error, 600) or columns.status_text(entry, self._words)}\n", True
        turn = columns.bounded(entry.turn)
        if turn.status == "running" and not last:
            return out + self._stream.feed(turn, entry.now), False
        cut = columns.cut(entry.turn, self._words)
        return out + self._stream.end(turn) + (f"({cut})\n" if cut else ""), True
