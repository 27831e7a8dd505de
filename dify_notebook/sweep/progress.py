"""How far a run of a sweep is, as one line."""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..console import StatusLine, watched
from ..i18n import t
from ..views.words import price
from .records import Outcome

if TYPE_CHECKING:
    from .budget import Ledger

SECONDS = 0.5
"""Between two lines: a saved notebook keeps each of them."""


class Progress:
    """Counts of one run. Changed on its loop's thread alone, read on any."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.begun = False
        """Whether it is known what there is to ask."""
        self.kept = 0
        """Cases that had succeeded before; they are answered from the store."""
        self.to_ask = 0
        """Cases that this run asks, unless it stops."""
        self.beyond = 0
        """Cases that its limit leaves for another run."""
        self.succeeded = 0
        self.failed = 0
        self.tokens = 0
        self.prices: dict[str, Decimal] = {}
        """What this run cost, by currency, as far as it was reported."""
        self.ledger: Ledger | None = None
        self._ended: float | None = None

    def begin(self, *, kept: int, to_ask: int, beyond: int, ledger: Ledger | None) -> None:
        """What is known before the first is asked."""
        self.kept, self.to_ask, self.beyond, self.ledger = kept, to_ask, beyond, ledger
        self.begun = True

    def add(self, outcome: Outcome) -> None:
        """A case that ended."""
        if outcome.state == "succeeded":
            self.succeeded += 1
        else:
            self.failed += 1
        for answer in outcome.answers:
            self.tokens += answer.total_tokens or 0
            if answer.price is not None and answer.currency is not None:
                self.prices[answer.currency] = self.prices.get(answer.currency, Decimal(0)) + answer.price

    def end(self) -> None:
        """The clock stands still from now on."""
        self._ended = time.monotonic()

    @property
    def asked(self) -> int:
        """Cases that ended in this run."""
        return self.succeeded + self.failed

    @property
    def left(self) -> int:
        """Cases that this run has not asked, and those beyond its limit."""
        return self.to_ask - self.asked + self.beyond

    @property
    def seconds(self) -> float:
        """Since the start, until the end."""
        return (self._ended or time.monotonic()) - self.started


class ProgressLine:
    """Writes the line again and again over itself.

    Args:
        shown: None shows it where somebody looks: in a terminal and in a kernel.
    """

    def __init__(self, shown: bool | None = None) -> None:
        stream: Any = watched() if shown is None else (watched() or sys.stderr if shown else None)
        self._line = StatusLine(stream, "how far a sweep is")
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        """Write how far it is, unless that was written a moment ago, or nothing is known so far."""
        now = time.monotonic()
        if progress.begun and now - self._last >= SECONDS and now - progress.started >= SECONDS:
            self._last = now
            self._line.write(line(progress))

    def end(self, progress: Progress, more: str = "") -> None:
        """Write how it went, and leave the line.

        Args:
            more: why it ended before everything was asked; a sentence.
        """
        self._line.write(line(progress, ended=True), end="\n")
        if more:
            self._line.write(more, end="\n")


def line(progress: Progress, *, ended: bool = False) -> str:
    """40 from the store, 60 asked, 2 failed · 0.13 of 2 USD · 12 s"""
    counts = [t("sweep.progress.kept", n=f"{progress.kept:,}")] if progress.kept else []
    asked = "sweep.progress.asked" if ended else "sweep.progress.asked_of"
    counts.append(t(asked, n=f"{progress.asked:,}", all=f"{progress.to_ask:,}"))
    if progress.failed:
        counts.append(t("sweep.progress.failed", n=f"{progress.failed:,}"))
    parts = [t("sweep.progress.comma").join(counts)]
    parts += _money(progress)
    parts.append(t("sweep.progress.seconds", n=f"{progress.seconds:,.1f}" if ended else f"{int(progress.seconds):,}"))
    return " \u00b7 ".join(parts)


def _money(progress: Progress) -> list[str]:
    """What was spent of the budget, else what this run cost, as far as it was reported."""
    ledger = progress.ledger
    if ledger is not None:
        spent, limit = f"{ledger.spent.normalize():f}", f"{ledger.limit.amount.normalize():f}"
        return [t("sweep.progress.spent", spent=spent, limit=limit, unit=unit_name(ledger.limit.unit))]
    return [price(amount, currency) for currency, amount in sorted(progress.prices.items())]


def unit_name(unit: str) -> str:
    """The unit of a budget in words: calls, tokens, or the currency."""
    return t(f"sweep.progress.unit.{unit}") if unit in ("calls", "tokens") else unit
