"""The answers to many questions as one table: a row for each question, the first lines of each variant's answer."""

from __future__ import annotations

from decimal import Decimal

import msgspec


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
    status: str = "succeeded"
