"""A summary to be looked at: HTML, markdown and plain text, harmless."""

from __future__ import annotations

from ...i18n import t
from ...printable import one_line
from ...views.words import Words, price
from ..progress import unit_name
from . import tabular
from .summary import STATES, Cost, Summary, VariantSummary, next_steps, state_line


def bundle(found: Summary) -> dict[str, str]:
    """All three forms by mime type."""
    words = Words()
    rows = [_row(each, words) for each in found.variants]
    title = t("sweep.summary.title")
    return tabular.bundle(title, _head(), rows, _notes(found), "sweep.rates", about=_about(found))


def _about(found: Summary) -> str:
    parts = [one_line(found.directory, 200) if found.directory is not None else t("sweep.summary.memory")]
    if found.prepared:
        parts.append(t("sweep.summary.questions", n=f"{found.questions:,}"))
        parts.append(state_line(found.states, found.cases))
    else:
        parts.append(t("sweep.summary.not_prepared"))
    return " \u00b7 ".join(parts)


def _head() -> list[str]:
    names = ["variant", *STATES, "tokens", "price", "seconds"]
    return [t(f"sweep.summary.head.{name}") for name in names]


def _row(row: VariantSummary, words: Words) -> list[str]:
    cost = row.cost
    seconds = words.seconds(cost.seconds / cost.timed) if cost.timed else "\u2013"
    succeeded = t("sweep.summary.share", n=f"{row.states['succeeded']:,}", all=f"{row.cases:,}")
    others = [f"{row.states[state]:,}" for state in STATES[1:]]
    return [row.name, succeeded, *others, _tokens(cost), _prices(cost), seconds]


def _tokens(cost: Cost) -> str:
    """How many tokens; with a question mark where some answers told none."""
    return _partly(f"{cost.tokens:,}", cost.without_tokens, cost.calls)


def _prices(cost: Cost) -> str:
    amounts = " + ".join(price(amount, name) for name, amount in sorted(cost.prices.items()))
    return _partly(amounts, cost.without_price, cost.calls)


def _partly(amount: str, missing: int, calls: int) -> str:
    """An amount of which some answers reported nothing: at least so much; none at all is a dash."""
    if missing == calls:
        return "\u2013"
    return f"\u2265 {amount}" if missing else amount


def _notes(found: Summary) -> list[str]:
    notes: list[str] = []
    if found.spent.calls:
        cost = found.spent
        amounts = [t("sweep.summary.calls", n=f"{cost.calls:,}")]
        amounts.append(t("sweep.summary.tokens", n=_tokens(cost)))
        amounts.append(t("sweep.summary.price", n=_prices(cost)))
        notes.append(t("sweep.summary.spent", amounts=" \u00b7 ".join(amounts)))
        if cost.without_price:
            notes.append(t("sweep.summary.without_price", n=f"{cost.without_price:,}", all=f"{cost.calls:,}"))
    if found.budget is not None:
        amount = f"{found.budget.amount.normalize():f}"
        notes.append(t("sweep.summary.budget", limit=amount, unit=unit_name(found.budget.unit)))
    notes += found.notes
    if found.under_way:
        notes.append(t("sweep.summary.under_way", n=f"{found.under_way:,}"))
    if found.damaged:
        notes.append(t("sweep.summary.damaged", n=f"{found.damaged:,}"))
    return [*notes, *next_steps(found)]
