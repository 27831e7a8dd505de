"""The answers to many questions as one table: a row for each question, the first lines of each variant's answer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from ..printable import one_line, shown
from . import facts, limits
from .block import Block
from .columns_page import cell, note, question, row_head, scrolling
from .columns_text import query_document, query_lines
from .comparison import NOTHING
from .guard import escaped
from .terminal import terminal_text
from .words import Words, number, price

_WIDTH = 165
"""Pixels of a column, at least."""


class Cell(msgspec.Struct, frozen=True):
    """One answer in short."""

    text: str = ""
    """The answer, or why there is none; as long as it is."""
    status: str = "succeeded"
    """The turn's, or not_run, unknown."""


class TableRow(msgspec.Struct, frozen=True):
    """What one question came to."""

    question: str
    cells: list[Cell]
    """One for each variant."""


class Total(msgspec.Struct, frozen=True):
    """What all answers of a variant come to. None is what no server told."""

    asked: int
    """How many were to be asked."""
    succeeded: int
    total_tokens: int | None = None
    prices: dict[str, Decimal] = {}
    """By currency; amounts of two are never added."""
    unpriced: int = 0
    """Of how many answers the price is missing."""
    seconds: float | None = None
    """The median."""
    first_token: float | None = None
    """The median, in seconds."""


class Table(msgspec.Struct, frozen=True):
    """What a cell shows of many questions when they have ended."""

    variants: list[str]
    """Their headings."""
    rows: list[TableRow]
    """The first of them, as many as the caller likes; `limits.TABLE_ROWS` are shown."""
    count: int
    """How many there are."""
    totals: list[Total] = []
    """One for each variant, over all questions."""
    where: str = "sweep.results"
    """Where the rest is."""
    note: str = ""
    """What is to be known of all: one line, such as why it ended early."""
    query: str | None = None
    """The template that made the questions."""
    status: str = "succeeded"

    @property
    def answer(self) -> str:
        """The first lines of the answers that are shown."""
        cells = [one.text[: limits.TABLE_CELL] for row in self.rows[: limits.TABLE_ROWS] for one in row.cells]
        return "\n\n".join(text for text in cells if text)


def totals(table: Table, words: Words) -> list[list[str]]:
    """The foot: what is measured, and what it comes to for each variant. What none of them tells is left out."""
    found = [_total(total, words) for total in table.totals]
    rows = []
    for name in ("succeeded", "total_tokens", "total_price", "seconds", "first_token"):
        cells = [column.get(name) for column in found]
        if any(cells):
            rows.append([words(f"columns.total.{name}"), *(text or NOTHING for text in cells)])
    return rows


def _total(total: Total, words: Words) -> dict[str, str]:
    out = {"succeeded": words("columns.of", n=number(total.succeeded), all=number(total.asked))}
    if total.total_tokens is not None:
        out["total_tokens"] = number(total.total_tokens)
    prices = [price(amount, currency) for currency, amount in total.prices.items()]
    if total.prices and total.unpriced:
        prices.append(words.count("columns.unpriced", total.unpriced))
    if prices:
        out["total_price"] = " \u00b7 ".join(prices)
    for name, value in (("seconds", total.seconds), ("first_token", total.first_token)):
        if value is not None:
            out[name] = words.seconds(value)
    return out


def short(answer: Cell) -> str:
    """The beginning of an answer, on a line."""
    text = one_line(shown(terminal_text(answer.text[: 4 * limits.TABLE_CELL])), limits.TABLE_CELL)
    whole = len(answer.text) <= 4 * limits.TABLE_CELL and len(text) < limits.TABLE_CELL
    return text if whole or text.endswith("\u2026") else f"{text}\u2026"


def said(answer: Cell, words: Words) -> str:
    """An answer in short; how it ended, where that is not well."""
    text = short(answer)
    if answer.status == "succeeded":
        return text
    sign = facts.STATUS_SYMBOLS.get(answer.status, "\u00b7")
    known = words.known(f"status.{answer.status}", answer.status)
    state = f"{sign} {words.known(f'columns.state.{answer.status}', known)}"
    return f"{state}{words.colon}{text}" if text else state


def _head(table: Table, words: Words) -> list[str]:
    return [words("columns.question"), *(one_line(variant, 120) for variant in table.variants)]


def _rows(table: Table, words: Words) -> list[list[str]]:
    return [
        [one_line(row.question, limits.TABLE_CELL), *(said(answer, words) for answer in row.cells)]
        for row in table.rows[: limits.TABLE_ROWS]
    ]


def _omitted(table: Table, words: Words) -> str:
    return words.omitted(table.count, min(limits.TABLE_ROWS, len(table.rows)), table.where)


def block(table: Table, words: Words) -> Block:
    """The table as it stays in a notebook."""
    body: list[Block] = [*note("about", table.note), *question(table.query, words)]
    top = "".join(cell("th", text) for text in _head(table, words))
    lines = [_line(f"row-{at}", row) for at, row in enumerate(_rows(table, words))]
    foot = [_line(f"total-{at}", row) for at, row in enumerate(totals(table, words))]
    width = f"min-width:{_WIDTH * (1 + len(table.variants))}px"
    whole = Block("table", "table", {"class": "dn-table dn-even", "style": width}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, top),)),
        Block("body", "tbody", {}, "", tuple(lines)),
        Block("foot", "tbody", {}, "", tuple(foot)),
    ))  # fmt: skip
    body.append(scrolling("answers", whole, ", ".join(_head(table, words))))
    body += note("rest", _omitted(table, words))
    return Block("page", "div", {"class": "mathjax_ignore dn dn-wide"}, "", tuple(body))


def _line(key: str, row: Sequence[str]) -> Block:
    return Block(key, "tr", {"class": "dn-tr"}, row_head(row[0]) + "".join(cell("td", text) for text in row[1:]))


def document(table: Table, words: Words) -> str:
    """The table as markdown."""
    head = _head(table, words)
    rows = [[escaped(text) for text in row] for row in [*_rows(table, words), *totals(table, words)]]
    lines = [[escaped(text) for text in head], ["---"] * len(head), *rows]
    parts = [escaped(one_line(table.note, 600)), *query_document(table.query, words)]
    parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(part for part in [*parts, escaped(_omitted(table, words))] if part) + "\n"


def text(table: Table, words: Words) -> str:
    """The table as text: a question, and below it the answers."""
    blocks = [one_line(table.note, 600), *query_lines(table.query, words)]
    for row in _rows(table, words):
        blocks.append("\n".join([row[0], *_named(table, row[1:], words)]))
    for row in totals(table, words):
        blocks.append("\n".join([row[0] + words.colon.rstrip(), *_named(table, row[1:], words)]))
    blocks.append(_omitted(table, words))
    return "\n\n".join(block for block in blocks if block)


def _named(table: Table, cells: Sequence[str], words: Words) -> list[str]:
    return [f"  {one_line(name, 120)}{words.colon}{text}" for name, text in zip(table.variants, cells, strict=False)]
