"""What a sweep would ask, and what that would cost by what it has answered so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ...console import displayed
from ...i18n import Language, current_language, t
from ...views.words import Words, number
from ...views.words import price as price_text
from ..budget import COUNTED, Ledger, Limit, cost, currency_of
from ..case import Case, Variant
from ..records import Outcome, State
from ..variants import by_variant, name_of
from .kept import Attempts, Kept
from .tabular import bundle


class Estimate(msgspec.Struct, frozen=True):
    """What something comes to, by cases that were answered: their mean, their least and their most."""

    mean: Decimal
    low: Decimal
    high: Decimal
    cases: int
    """How many cases it is from: those that reported it."""

    def times(self, count: int) -> Estimate:
        """The same for so many cases."""
        return Estimate(self.mean * count, self.low * count, self.high * count, self.cases)


class VariantPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One variant: how many of its cases are in which state, and what each case takes."""

    variant: Variant
    cases: int
    turns: int
    answered: int
    """Succeeded: answered from the store."""
    failed: int
    """Asked again."""
    unknown: int
    """May have been asked; not asked again unless that is wanted."""
    to_ask: int
    """Those that were not asked, and the failed ones."""
    turns_to_ask: int
    tokens: Estimate | None
    """Of one case; None where no finished case reported any."""
    price: Estimate | None
    """Of one case; None where no finished case reported any, or they reported several currencies."""
    currency: str | None
    """Of the price."""
    seconds: Estimate | None
    """Of one case."""


class Total(msgspec.Struct, frozen=True):
    """What is to be asked comes to so much, as far as it can be known."""

    estimate: Estimate | None
    """None where no variant can be estimated."""
    variants: int
    """Variants that it is of."""
    silent: int
    """Variants that have cases to ask and no finished one that reported it: they come on top."""


class Plan:
    """What `run()` would ask now. In a notebook: a table by variant.

    Estimates are from finished cases of the same variant, and say from how many. What is not known is missing.

    Attributes:
        variants: a `VariantPlan` each.
        limit: the budget, or None.
        spent: what all attempts so far have cost, in the limit's unit; None without a limit.
        reserved: what more stays reserved for attempts whose cost nobody knows.
        refused: target -> why it cannot be asked within the budget.
    """

    def __init__(self, variants: Sequence[VariantPlan], limit: Limit | None, ledger: Ledger | None,
                 refused: Mapping[str, str] | None = None) -> None:  # fmt: skip
        self.variants = tuple(variants)
        self.limit = limit
        self.spent = ledger.spent if ledger is not None else None
        self.reserved = ledger.reserved if ledger is not None else None
        self.refused = dict(refused or {})

    @property
    def cases(self) -> int:
        """Of all variants."""
        return sum(one.cases for one in self.variants)

    @property
    def to_ask(self) -> int:
        """Cases that `run()` asks."""
        return sum(one.to_ask for one in self.variants)

    @property
    def turns_to_ask(self) -> int:
        """Calls that these take."""
        return sum(one.turns_to_ask for one in self.variants)

    @property
    def answered(self) -> int:
        """Cases that the store answers."""
        return sum(one.answered for one in self.variants)

    @property
    def failed(self) -> int:
        """Cases that failed; they are among those to ask."""
        return sum(one.failed for one in self.variants)

    @property
    def unknown(self) -> int:
        """Cases of which nobody knows how they ended."""
        return sum(one.unknown for one in self.variants)

    @property
    def tokens(self) -> Total:
        """Of all that is to be asked."""
        return _total([(one.to_ask, one.tokens) for one in self.variants])

    @property
    def seconds(self) -> Total:
        """Of all that is to be asked, one after the other."""
        return _total([(one.to_ask, one.seconds) for one in self.variants])

    @property
    def prices(self) -> dict[str, Total]:
        """Of all that is to be asked, by currency. They are never added.

        `silent` counts the variants that have no price in any currency."""
        silent = sum(one.price is None and one.to_ask > 0 for one in self.variants)
        found = {}
        for currency in sorted({one.currency for one in self.variants if one.price is not None and one.currency}):
            own = [(one.to_ask, one.price) for one in self.variants if one.currency == currency]
            total = _total(own)
            found[currency] = Total(total.estimate, total.variants, silent)
        return found

    def __repr__(self) -> str:
        return f"<Plan: {self.cases:,} cases, {self.answered:,} answered, {self.to_ask:,} to ask>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return displayed(self.bundle())

    def bundle(self, lang: Language | None = None) -> dict[str, str]:
        """html, markdown and plain text, by mime type."""
        lang = lang or current_language()
        words = Words(lang)
        heads = ("variant", "cases", "answered", "failed", "unknown", "to_ask", "tokens", "price", "seconds")
        head = [t(f"sweep.plan.col.{key}", lang) for key in heads]
        rows = [[name_of(one.variant), *_counts(one), *_each(one, words)] for one in self.variants]
        return bundle(t("sweep.plan.title", lang), head, rows, self._lines(words), "sweep.plan().variants", lang)

    def _lines(self, words: Words) -> list[str]:
        lang = words.lang
        lines = [
            t(
                "sweep.plan.all",
                lang,
                cases=number(self.cases),
                answered=number(self.answered),
                ask=number(self.to_ask),
                turns=number(self.turns_to_ask),
            )
        ]
        if self.unknown:
            lines.append(t("sweep.plan.unknown", lang, count=number(self.unknown)))
        if self.to_ask:
            lines += self._estimates(words)
        if self.limit is not None and self.spent is not None:
            spent, limit = amount(self.spent, self.limit.unit, words), amount(self.limit.amount, self.limit.unit, words)
            lines.append(t("sweep.plan.spent", lang, spent=spent, limit=limit))
            if self.reserved:
                held = amount(self.reserved, self.limit.unit, words)
                lines.append(t("sweep.plan.reserved", lang, reserved=held))
        return [*lines, *self.refused.values()]

    def _estimates(self, words: Words) -> list[str]:
        lang = words.lang
        lines = []
        tokens, prices = self.tokens, self.prices
        if tokens.estimate is None and not prices:
            return [t("sweep.plan.nothing", lang)]
        totals = [("tokens", tokens)] if tokens.estimate is not None else []
        for unit, total in [*totals, *prices.items()]:
            if total.estimate is not None:
                lines.append(_estimated(total.estimate, unit, words))
        count = number(len(self.variants))
        if tokens.estimate is not None and tokens.silent:
            lines.append(t("sweep.plan.silent_tokens", lang, count=number(tokens.silent), all=count))
        if not prices:
            lines.append(t("sweep.plan.no_price", lang))
        elif (silent := next(iter(prices.values())).silent) > 0:
            lines.append(t("sweep.plan.silent_price", lang, count=number(silent), all=count))
        return lines


def plan(cases: Sequence[Case], store: Kept, limit: Limit | None = None, unknown: Iterable[Case] = ()) -> Plan:
    """What is to be asked of these cases, and what it would cost.

    Args:
        limit: the budget that it is held against.
        unknown: cases of which nobody knows how they ended, as the `Ledger` takes them; those of `cases` are found.
    """
    attempts = Attempts(cases, store)
    groups = by_variant(cases)
    states = {case.id: store.state(case.id) for case in cases}
    variants = [_variant(members, attempts, states) for members in groups.values()]
    if limit is None:
        return Plan(variants, None, None)
    keys = {case.id: key for key, members in groups.items() for case in members}
    lost = {case.id: case for case in [*unknown, *(one for one in cases if states[one.id] == "unknown")]}
    ledger = Ledger(limit, store.spent, keys.get, lost.values())
    refused = {}
    for members in groups.values():
        if (why := ledger.refuses(members[0])) is not None:
            refused[members[0].variant.target] = why
    return Plan(variants, limit, ledger, refused)


def _variant(members: Sequence[Case], attempts: Attempts, states: Mapping[str, State]) -> VariantPlan:
    counts = Counter(states[case.id] for case in members)
    ask = [case for case in members if states[case.id] in ("failed", "not_run")]
    done = [attempts.last[case.id] for case in members if states[case.id] == "succeeded"]
    currencies = {currency_of(answer) for outcome in done for answer in outcome.answers if answer.price is not None}
    currency = next(iter(currencies)) if len(currencies) == 1 else None
    return VariantPlan(
        variant=members[0].variant,
        cases=len(members),
        turns=sum(len(case.messages) for case in members),
        answered=counts["succeeded"],
        failed=counts["failed"],
        unknown=counts["unknown"],
        to_ask=len(ask),
        turns_to_ask=sum(len(case.messages) for case in ask),
        tokens=_estimate([_sum(outcome, "tokens") for outcome in done]),
        price=_estimate([_sum(outcome, currency) for outcome in done]) if currency is not None else None,
        currency=currency,
        seconds=_estimate([_seconds(outcome) for outcome in done]),
    )


def _sum(outcome: Outcome, unit: str) -> Decimal | None:
    """What a case cost with all its turns; None where one of them did not report it."""
    costs = [cost(answer, unit) for answer in outcome.answers]
    known = [one for one in costs if one is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(costs) else None


def _seconds(outcome: Outcome) -> Decimal | None:
    times = [answer.seconds for answer in outcome.answers]
    known = [one for one in times if one is not None]
    return Decimal(str(sum(known))) if known and len(known) == len(times) else None


def _estimate(values: Sequence[Decimal | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Estimate(sum(known, Decimal(0)) / len(known), min(known), max(known), len(known))


def _total(parts: Sequence[tuple[int, Estimate | None]]) -> Total:
    known = [one.times(count) for count, one in parts if one is not None and count]
    silent = sum(one is None and count > 0 for count, one in parts)
    if not known:
        return Total(None, 0, silent)
    whole = Estimate(
        sum((one.mean for one in known), Decimal(0)),
        sum((one.low for one in known), Decimal(0)),
        sum((one.high for one in known), Decimal(0)),
        sum(one.cases for one in known),
    )
    return Total(whole, len(known), silent)


# -- in words ------------------------------------------------------------------------------------


def amount(value: Decimal, unit: str, words: Words) -> str:
    """An amount for people: $0.13, 1,204 tokens, 12 calls. Prices keep four digits that say something."""
    if unit in COUNTED:
        return t(f"sweep.plan.{unit}", words.lang, count=number(int(value.to_integral_value())))
    digits = value if value == 0 else round(value, max(2, 3 - value.adjusted()))
    return price_text(digits, unit)


def _estimated(estimate: Estimate, unit: str, words: Words) -> str:
    mean, low, high = (amount(one, unit, words) for one in (estimate.mean, estimate.low, estimate.high))
    if estimate.cases == 1:
        return t("sweep.plan.estimate_one", words.lang, mean=mean)
    if low == high:
        return t("sweep.plan.estimate_same", words.lang, mean=mean, count=number(estimate.cases))
    return t("sweep.plan.estimate", words.lang, mean=mean, low=low, high=high, count=number(estimate.cases))


def _counts(one: VariantPlan) -> list[str]:
    return [number(count) for count in (one.cases, one.answered, one.failed, one.unknown, one.to_ask)]


def _each(one: VariantPlan, words: Words) -> list[str]:
    """What one case takes: tokens, price, seconds."""
    missing = t("sweep.plan.not_known", words.lang)

    def said(estimate: Estimate | None, unit: str | None) -> str:
        if estimate is None or unit is None:
            return missing
        if unit == "seconds":
            mean = words.seconds(float(estimate.mean))
        elif unit in COUNTED:
            mean = number(int(estimate.mean.to_integral_value()))
        else:
            mean = amount(estimate.mean, unit, words)
        return t("sweep.plan.each", words.lang, mean=mean, count=number(estimate.cases))

    return [said(one.tokens, "tokens"), said(one.price, one.currency), said(one.seconds, "seconds")]
