"""Several answers beside each other: what is shown of them, live and saved.

A page is rows of entries. The entries of a row are compared with the first of it that has an answer; a row is one
repeat, its entries are the variants, in the same order in each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..printable import one_line, shown
from ..turn import comparing
from ..turn.price import price_of
from ..turn.state import Turn
from . import facts, limits, outputs, worddiff
from .comparison import NOTHING, measure_text
from .first_difference import first_difference
from .terminal import terminal_text
from .worddiff import Piece
from .words import Words, number, price, truncated


class Entry(msgspec.Struct, frozen=True):
    """One answer, or its place."""

    heading: str
    """Which app, version, prompt: one line."""
    turn: Turn | None = None
    """Running or ended; None while it waits for its turn, or where nothing could be sent."""
    note: str = ""
    """What is to be known of it alone, such as inputs that it alone was given: one line."""
    now: float = 0.0
    """Seconds since its question was sent; matters while it runs."""
    error: str = ""
    """Why there is no turn and none will come."""
    not_asked: bool = False
    """Whether it was left out in the end: a stop or a budget came before its turn."""

    @property
    def status(self) -> str:
        """The turn's; waiting where there is none yet, failed where none will come."""
        if self.turn is not None:
            return self.turn.status
        return "failed" if self.error else "not_run" if self.not_asked else "waiting"


class Page(msgspec.Struct, frozen=True):
    """All that a cell shows of several answers."""

    rows: list[list[Entry]]
    query: str | None = None
    """What was asked, where all were asked the same."""
    inputs: Mapping[str, Any] = {}
    """What all were given."""
    headings: list[str] = []
    """Of the rows; without these they are numbered where there are several."""
    done: int | None = None
    """How many answers have ended, where these are only some of them; else they are counted."""
    asked: int | None = None
    """How many there will be, likewise."""
    note: str = ""
    """What is to be known of all: one line."""
    ended: bool = False
    """Whether no more comes, although an entry may still wait (a stop, a budget)."""

    @property
    def status(self) -> str:
        """running while something may come; else succeeded."""
        open_ones = any(entry.status in ("running", "waiting") for row in self.rows for entry in row)
        more = self.done is not None and self.asked is not None and self.done < self.asked
        return "running" if not self.ended and (open_ones or more) else "succeeded"

    @property
    def answer(self) -> str:
        """All answers, one after another."""
        entries = [entry for row in self.rows for entry in row]
        return "\n\n".join(f"{entry.heading}\n{entry.turn.answer}" for entry in entries if entry.turn is not None)


class Row(NamedTuple):
    """A row as it is laid out."""

    heading: str
    """\"\" where there is one row alone."""
    letters: list[str]
    entries: list[Entry]
    first: bool
    """Whether it begins a row of the page, and is not the rest of one that was too wide."""


def laid_out(page: Page, words: Words) -> list[Row]:
    """The rows as they are shown: several of one entry become one, and what is too wide goes on below."""
    rows, headings = [row for row in page.rows if row], page.headings
    if len(rows) > 1 and all(len(row) == 1 for row in rows):
        headings = headings or [words("columns.repeat", n=number(at + 1)) for at in range(len(rows))]
        names = [f"{row[0].heading} \u00b7 {heading}" for row, heading in zip(rows, headings, strict=False)]
        entries = [row[0] for row in rows][: len(names)]
        rows = [[msgspec.structs.replace(one, heading=name) for one, name in zip(entries, names, strict=True)]]
        headings = []
    out: list[Row] = []
    left = limits.ANSWERS
    for at, row in enumerate(rows):
        heading = headings[at] if at < len(headings) else words("columns.repeat", n=number(at + 1))
        lines = -(-len(row) // limits.ACROSS)
        size = -(-len(row) // lines)  # as even as can be
        for begin in range(0, len(row), size):
            part = row[begin : begin + size][: max(0, left)]
            left -= len(part)
            if part:
                letters = [letter(index) for index in range(begin, begin + len(part))]
                out.append(Row(heading if len(rows) > 1 else "", letters, part, begin == 0))
    return out


def omitted(page: Page, words: Words) -> str:
    """The sentence about what is not shown; "" where all is."""
    return words.omitted(sum(len(row) for row in page.rows), limits.ANSWERS, "sweep.results")


def letter(index: int) -> str:
    """A to Z, then A2 to Z2, ….

    >>> letter(1), letter(27)
    ('B', 'B2')
    """
    rounds, place = divmod(index, 26)
    return chr(ord("A") + place) + (str(rounds + 1) if rounds else "")


def title(entry: Entry, mark: str, alone: bool) -> str:
    """The heading of an entry, with its letter where there are others beside it."""
    heading = one_line(entry.heading, 120)
    return heading if alone or not mark else f"{mark} \u00b7 {heading}"


def counts(page: Page) -> tuple[int, int]:
    """How many answers have ended, and how many were to come."""
    entries = [entry for row in page.rows for entry in row]
    ended = sum(entry.status not in ("running", "waiting", "not_run") for entry in entries)
    return ended if page.done is None else page.done, len(entries) if page.asked is None else page.asked


def progress(page: Page, words: Words) -> str:
    """How many answers have ended, of how many."""
    done, asked = counts(page)
    return words.count("columns.progress", asked, done=number(done))


def status_text(entry: Entry, words: Words) -> str:
    """The status of an entry in a word or two."""
    if entry.turn is None:
        if entry.not_asked and not entry.error:
            return words("columns.state.not_run")
        return words("status.failed") if entry.error else words("columns.waiting")
    return facts.status_text(entry.turn, words)


def bounded(turn: Turn) -> Turn:
    """The turn with as much of its answer as is shown in a column."""
    if len(turn.answer) <= limits.COLUMN_TEXT:
        return turn
    return msgspec.structs.replace(turn, answer=turn.answer[: limits.COLUMN_TEXT])


def cut(turn: Turn, words: Words) -> str:
    """The sentence about what of the answer is left out."""
    if not outputs.has_answer(turn):
        return ""
    return truncated(turn.answer, words, limits.COLUMN_TEXT)[1]


_MEASURES = ("status", "total_tokens", "price", "seconds", "first_token", "steps")


def measures(entries: Sequence[Entry], words: Words) -> list[list[str]]:
    """Rows of a table: what is measured, and its value for each entry. What none of them tells is left out."""
    table = [_measured(entry, words) for entry in entries]
    rows = []
    for name in _MEASURES:
        cells = [column.get(name) for column in table]
        if any(cell is not None for cell in cells):
            key = "total_price" if name == "price" else name
            rows.append([words(f"compare.{key}"), *(NOTHING if cell is None else cell for cell in cells)])
    return rows


def _measured(entry: Entry, words: Words) -> dict[str, str]:
    turn = entry.turn
    out = {"status": f"{facts.STATUS_SYMBOLS.get(entry.status, chr(183))} {status_text(entry, words)}"}
    if turn is None:
        return out
    reported = comparing.facts(turn)
    for name in ("total_tokens", "seconds", "first_token", "steps"):
        if reported[name] is not None:
            out[name] = measure_text(name, reported[name], turn, words)
    amount, currency = price_of(turn)
    if amount is not None:
        out["price"] = price(amount, currency)
    return out


def reading(turn: Turn, words: Words) -> str:
    """What an answer says, as it is read: without HTML; of a run its outputs."""
    if outputs.has_answer(turn):
        return shown(terminal_text(outputs.answer(turn)))
    return "\n".join(line.removeprefix("  ") for line in outputs.lines(turn, words)[1:])


class Compared(NamedTuple):
    """What an entry has that the first has not."""

    letters: tuple[str, str]
    """Of the first, and of this."""
    pieces: list[Piece]
    """What is to be read of it; empty where a sentence says all."""
    note: str
    """A sentence about it, such as that both say the same; may be empty."""


Differences = list[list[Compared | None]]
"""One for each entry of each row that is laid out."""


def compared(rows: Sequence[Row], words: Words) -> Differences:
    """Each entry's comparison with the first that has an answer, row by row; None of that, and of what has none."""
    out: Differences = []
    base: tuple[str, str] | None = None
    for row in rows:
        if row.first:
            base = None
        line: list[Compared | None] = []
        for mark, entry in zip(row.letters, row.entries, strict=True):
            running = entry.turn is None or entry.turn.status == "running"
            text = "" if entry.turn is None or running else reading(entry.turn, words)
            if not text.strip():
                line.append(None)
            elif base is None:
                base = (mark, text)
                line.append(None)
            else:
                line.append(_difference(base[1], text, (base[0], mark), words))
        out.append(line)
    return out


def _difference(a: str, b: str, letters: tuple[str, str], words: Words) -> Compared:
    found = worddiff.compare(a, b)
    if found.same:
        return Compared(letters, [], words("columns.same", which=letters[0]))
    if found.by == "nothing" or found.unlike:
        place = comparing.Place((), a, b)
        where = first_difference(place, words, letters)
        return Compared(letters, [], where or words("columns.other", which=letters[0]))
    pieces, left, note = [], limits.DIFF_SHOWN, words("columns.by_line") if found.by == "lines" else ""
    for piece in worddiff.shortened(found.pieces):
        if left <= 0:
            note = words("columns.cut", n=number(limits.DIFF_SHOWN))
            break
        pieces.append(piece._replace(text=piece.text[:left]))
        left -= len(piece.text)
    return Compared(letters, pieces, note)


def marked(pieces: Sequence[Piece]) -> str:
    """A comparison as text: what is gone as [-so-], what is new as {+so+}."""
    signs = {"same": ("", ""), "gone": ("[-", "-]"), "new": ("{+", "+}")}
    return "".join(signs[kind][0] + text + signs[kind][1] for kind, text in pieces)
