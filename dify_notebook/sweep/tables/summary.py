"""What a sweep came to so far: counts by variant, what it cost, what is left out, and what to do next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, get_args

import msgspec

from ...i18n import t
from ..budget import Limit
from ..case import Case, Target
from ..records import Outcome, State
from ..variants import by_variant, name_of
from .kept import Attempts

if TYPE_CHECKING:
    from ..store.store import Store

STATES: tuple[State, ...] = get_args(State)


class Cost(msgspec.Struct):
    """What answers cost, as far as it was reported; currencies stand apart."""

    calls: int = 0
    tokens: int = 0
    without_tokens: int = 0
    """Answers that reported no tokens."""
    prices: dict[str, Decimal] = msgspec.field(default_factory=dict)
    without_price: int = 0
    """Answers that reported no price."""
    seconds: float = 0.0
    timed: int = 0
    """Answers whose seconds are known."""

    def add(self, outcome: Outcome) -> None:
        """The answers of one try."""
        for answer in outcome.answers:
            self.calls += 1
            if answer.total_tokens is None:
                self.without_tokens += 1
            else:
                self.tokens += answer.total_tokens
            if answer.price is None or answer.currency is None:
                self.without_price += 1
            else:
                self.prices[answer.currency] = self.prices.get(answer.currency, Decimal(0)) + answer.price
            if answer.seconds is not None:
                self.seconds, self.timed = self.seconds + answer.seconds, self.timed + 1


class VariantSummary(msgspec.Struct):
    """One row."""

    name: str
    cases: int
    states: dict[State, int]
    cost: Cost
    """Of the last try of each case."""


class Summary(msgspec.Struct):
    """What is shown of a sweep."""

    id: str
    directory: str | None
    prepared: bool
    """Whether its cases are known; they are once the apps were asked for their forms."""
    variants: list[VariantSummary] = []
    questions: int = 0
    notes: list[str] = []
    """Sentences about what is left out of comparisons and why, and about repeats that say the same."""
    spent: Cost = msgspec.field(default_factory=Cost)
    """Of all tries that the store has."""
    budget: Limit | None = None
    damaged: int = 0
    """Lines of the store that could not be read."""
    under_way: int = 0
    """Cases that are being asked now, here or in another process."""

    @property
    def states(self) -> dict[State, int]:
        """Cases by state."""
        return {state: sum(each.states[state] for each in self.variants) for state in STATES}

    @property
    def cases(self) -> int:
        """All of them."""
        return sum(each.cases for each in self.variants)


def summary(
    cases: Sequence[Case] | None, store: Store, targets: Mapping[str, Target], budget: Limit | None
) -> Summary:
    """The summary of these cases by what the store has; linear in both.

    Args:
        cases: None where they are not known yet.
    """
    from .contamination import contaminated, notes, same_answers

    directory = str(store.path) if store.path is not None else None
    found = Summary(
        id=store.id, directory=directory, prepared=cases is not None, budget=budget, damaged=store.damaged,
        under_way=len(store.under_way),
    )  # fmt: skip
    for outcome in store.spent:
        found.spent.add(outcome)
    if not cases:
        return found
    attempts = Attempts(cases, store)
    for group in by_variant(cases).values():
        counts = Counter(store.state(case.id) for case in group)
        row = VariantSummary(
            name_of(group[0].variant), len(group), {state: counts[state] for state in STATES}, Cost()
        )
        for case in group:
            if (ended := attempts.last.get(case.id)) is not None:
                row.cost.add(ended)
        found.variants.append(row)
    found.questions = len({case.question for case in cases})
    excluded = contaminated(cases, store, targets, attempts=attempts)
    found.notes = notes(excluded, found.questions, same_answers(cases, store, attempts=attempts))
    return found


def counted(cases: Sequence[Case] | None, store: Store) -> str:
    """The states of all cases on one line; reads no record."""
    if cases is None:
        return t("sweep.summary.not_prepared")
    counts = Counter(store.state(case.id) for case in cases)
    return state_line({state: counts[state] for state in STATES}, len(cases))


def state_line(states: dict[State, int], cases: int) -> str:
    """41 of 50 succeeded, 3 failed, 6 not run"""
    parts = [t("sweep.summary.of", n=f"{states['succeeded']:,}", all=f"{cases:,}")]
    for state in STATES[1:]:
        if states[state]:
            parts.append(t(f"sweep.summary.count.{state}", n=f"{states[state]:,}"))
    return t("sweep.progress.comma").join(parts)


def next_steps(found: Summary) -> list[str]:
    """What to do now, in sentences."""
    if not found.prepared:
        return [t("sweep.summary.next.plan")]
    states = found.states
    steps = []
    if not any(states[state] for state in STATES[:3]):
        steps.append(t("sweep.summary.next.pilot"))
    elif states["failed"] or states["not_run"]:
        steps.append(t("sweep.summary.next.run", n=f"{states['failed'] + states['not_run']:,}"))
    if states["unknown"]:
        steps.append(t("sweep.summary.next.unknown", n=f"{states['unknown']:,}"))
    if states["succeeded"]:
        steps.append(t("sweep.summary.next.results"))
    return steps
