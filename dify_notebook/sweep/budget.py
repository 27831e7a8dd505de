"""What a sweep may cost at most, and what it has cost so far. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from ..errors import InputError
from ..i18n import t
from ..printable import one_line
from .case import Case
from .records import LARGEST, Answer, Outcome
from .variants import VariantKey, variant_key

COUNTED = ("calls", "tokens")
"""Units that are no currency."""
FAILURES = 3
"""So many attempts may fail before the first price of a target is known."""
_SIGNS = {"$": "USD", "\u20ac": "EUR", "\u00a3": "GBP", "\u00a5": "CNY", "\uffe5": "CNY"}
_THOUSANDS = {"k": 1_000, "m": 1_000_000}
_LENGTH = 60


class Limit(msgspec.Struct, frozen=True):
    """So much and no more."""

    amount: Decimal
    unit: str
    """calls, tokens, or a currency: three capital letters such as USD."""

    def __str__(self) -> str:
        return f"{self.amount:f} {self.unit}"


def parse_budget(value: Any) -> Limit:
    """A budget as users write it.

    Args:
        value: `"2 USD"`, `"2USD"`, `"0.5 usd"`, `"500 tokens"`, `"10k tokens"` (10,000; `M` is a million),
            `"100 calls"`, `100` (calls), `{"USD": 2}`, or a `Limit`. A call is one question: a script of three
            turns is three.

    Raises:
        InputError: no budget, more than one, none above 0, or an amount that could be read in two ways.
    """
    if isinstance(value, Limit):
        return _limit(value.amount, value.unit, value)
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise _wrong("one", value)
        [(unit, amount)] = value.items()
        if not isinstance(unit, str) or isinstance(amount, bool | str):
            raise _wrong("form", value)
        return _limit(_decimal(amount, value), unit, value)
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool):
        raise _wrong("form", value)
    try:
        return _limit(Decimal(operator.index(value)), "calls", value)
    except TypeError:
        raise _wrong("form", value) from None


def _parse_text(value: str) -> Limit:
    text = value.strip()
    if not text or len(text) > _LENGTH:
        raise _wrong("form", value)
    for sign, currency in _SIGNS.items():
        if sign in text:
            raise _wrong("sign", value, currency=currency)
    if "," in text:
        raise _wrong("comma", value)
    end = next((at for at, letter in enumerate(text) if letter.isalpha()), len(text))
    number, unit = text[:end].strip(), text[end:].strip()
    if unit.lower() in ("nan", "inf", "infinity"):
        raise _wrong("amount", value)
    if not unit or not number:
        raise _wrong("form", value)
    factor = 1
    if unit[0].lower() in _THOUSANDS and _word(unit[1:].strip()) in COUNTED:
        factor, unit = _THOUSANDS[unit[0].lower()], unit[1:].strip()
    if not number.isascii() or "_" in number:
        raise _wrong("form", value)
    return _limit(_decimal(number, value) * factor, unit, value)


def _decimal(amount: Any, value: Any) -> Decimal:
    try:
        return amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except InvalidOperation:
        raise _wrong("form", value) from None


def _word(unit: str) -> str:
    """The unit as a `Limit` names it."""
    low = unit.lower()
    return f"{low}s" if low in ("call", "token") else low if low in COUNTED else unit.upper()


def _limit(amount: Decimal, unit: str, value: Any) -> Limit:
    unit = _word(unit.strip())
    if unit not in COUNTED and not (len(unit) == 3 and unit.isascii() and unit.isalpha()):
        raise _wrong("unit", value)
    if not amount.is_finite() or not 0 < amount <= LARGEST:
        raise _wrong("amount", value)
    if unit in COUNTED:
        if amount != int(amount):
            raise _wrong("whole", value)
        amount = Decimal(int(amount))
    return Limit(amount, unit)


def _wrong(why: str, value: Any, **values: str) -> InputError:
    said = t(f"sweep.budget.{why}", value=one_line(repr(value), _LENGTH), **values)
    return InputError(said, code="budget", hint=t("sweep.budget.hint"))


# -- what it cost ------------------------------------------------------------------------------


def cost(answer: Answer, unit: str) -> Decimal | None:
    """What one answer cost in that unit; None where it told nothing that can be counted so."""
    if unit == "calls":
        return Decimal(1)
    if unit == "tokens":
        tokens = answer.total_tokens
        return None if tokens is None or not 0 <= tokens <= LARGEST else Decimal(tokens)
    price = answer.price
    if price is None or not price.is_finite() or not 0 <= price <= LARGEST:
        return None
    return price if currency_of(answer) == unit else None


def currency_of(answer: Answer) -> str | None:
    """The currency of its price, as a `Limit` names it; None where it has no price."""
    return answer.currency.strip().upper() if answer.price is not None and answer.currency else None


def _may_be_silent(answer: Answer) -> bool:
    """Whether it is no wonder that an answer tells no price: it failed, or no model was asked."""
    return answer.status not in ("succeeded", "partial_succeeded") or answer.annotation


class _Group:
    """What is known of a variant, or of a target, and what is under way of it."""

    __slots__ = ("cases", "held", "held_turns", "most", "most_of_turn", "turns")

    def __init__(self) -> None:
        self.cases = self.turns = self.held = self.held_turns = 0
        self.most: Decimal | None = None
        self.most_of_turn = Decimal(0)

    def see(self, turns: list[Decimal]) -> None:
        self.most = max(self.most or Decimal(0), sum(turns, Decimal(0)))
        self.most_of_turn = max(self.most_of_turn, *turns)


class Ledger:
    """What a sweep has spent of its budget, and what is reserved for cases that are under way.

    Whoever asks for a case calls `refuses`, then `ask`, and after a "go" `settle` once it has ended.
    A case is begun only where what was spent, what is reserved and the most that a case of its variant has
    cost so far keep within the limit together. An answer may cost more than any before it: by that much,
    times the answers that are under way, the limit can be passed.

    An attempt that may have cost something and told no price (it failed, an annotation answered, or nobody
    knows how it ended) is no 0: the most that a case of its variant has cost stays reserved for it.
    """

    def __init__(
        self,
        limit: Limit,
        spent: Iterable[Outcome] = (),
        name_of: Callable[[str], VariantKey | None] = lambda case_id: None,
        unknown: Iterable[Case] = (),
        currencies: Mapping[str, str | None] | None = None,
    ) -> None:
        """Args:
            spent: every attempt that the store has: all of them cost.
            name_of: the variant's key (`variants.variant_key`) of a case's id; None for a case that is asked no more.
            unknown: cases that may have been asked and of which nobody knows how they ended.
            currencies: what the targets' answers told their prices in, by name, as far as there were any.
        """
        self.limit = limit
        self.spent = Decimal(0)
        """In the limit's unit: the sum of what was reported."""
        self.missing = 0
        """Answers that reported nothing in the limit's unit."""
        self._variants: dict[VariantKey, _Group] = {}
        self._active: dict[VariantKey, _Group] = {}
        self._targets: dict[str, _Group] = {}
        self._under_way: dict[str, tuple[VariantKey, int]] = {}
        self._pilots: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        for target, currency in (currencies or {}).items():
            if currency:
                self._check_currency(target, currency.strip().upper())
        for outcome in spent:
            self._book(name_of(outcome.case), outcome)
        for case in unknown:
            self._hold(variant_key(case.variant), 1, len(case.messages))

    @property
    def reserved(self) -> Decimal:
        """In the limit's unit: for what is under way, and for attempts whose cost is not known."""
        return sum((self._reserved(key, group) for key, group in self._active.items()), Decimal(0))

    @property
    def under_way(self) -> int:
        """Cases that were begun and have not been settled."""
        return len(self._under_way)

    def refuses(self, case: Case) -> str | None:
        """Why no case of this one's target can be asked within this budget, as a sentence; None where it can."""
        target = case.variant.target
        failures = self._failures.get(target, 0)
        if target in self._refused or failures < FAILURES or self._targets[target].most is not None:
            return self._refused.get(target)
        name = one_line(target, _LENGTH)
        return t("sweep.budget.only_failures", app=name, unit=self.limit.unit, count=failures)

    def ask(self, case: Case) -> Literal["go", "wait", "over"]:
        """Whether a case may begin now.

        Returns:
            "go": it is reserved for it. "wait": once something that is under way was settled, ask again.
            "over": what is left is not enough for it, and will not be; also where `refuses` has a reason.
        """
        target = case.variant.target
        if self.spent >= self.limit.amount or self.refuses(case) is not None:
            return "over"
        key = variant_key(case.variant)
        group = self._group(key)
        turns = len(case.messages)
        pilot = self.limit.unit != "calls" and self._most(key, group)[0] is None
        if pilot and target in self._pilots:
            return "wait"
        self._change(key, group, 1, turns)
        if self.spent + self.reserved > self.limit.amount:
            self._change(key, group, -1, -turns)
            return "wait" if self._under_way and self._alone(key, group, turns) <= self.limit.amount else "over"
        self._under_way[case.id] = key, turns
        if pilot:
            self._pilots[target] = case.id
        return "go"

    def settle(self, case: Case, outcome: Outcome | None) -> None:
        """Give back what was reserved for a case, and book what it cost; None: nothing of it was sent."""
        key, turns = self._under_way.pop(case.id, (None, 0))
        if key is not None:
            self._change(key, self._group(key), -1, -turns)
            if self._pilots.get(key[0]) == case.id:
                del self._pilots[key[0]]
        if outcome is not None:
            self._book(variant_key(case.variant), outcome)

    def book(self, amounts: Mapping[str, Decimal]) -> None:
        """Book what something else cost that belongs to the sweep, such as a judge.

        Args:
            amounts: by unit; one of them has to be the limit's.

        Raises:
            InputError: nothing in the limit's unit.
        """
        if self.limit.unit not in amounts:
            units = one_line(", ".join(amounts) or "-", _LENGTH)
            raise InputError(t("sweep.budget.other_unit", unit=self.limit.unit, units=units), code="budget")
        self.spent += amounts[self.limit.unit]

    # -- groups

    def _group(self, key: VariantKey) -> _Group:
        self._targets.setdefault(key[0], _Group())
        return self._variants.setdefault(key, _Group())

    def _most(self, key: VariantKey, group: _Group) -> tuple[Decimal | None, Decimal]:
        """The most that a case, and that a turn has cost: of the variant, or while it has no answer, of its target."""
        known = group if group.most is not None else self._targets[key[0]]
        return known.most, known.most_of_turn

    def _price(self, key: VariantKey, group: _Group, cases: int, turns: int) -> Decimal:
        """What so many cases with so many turns in all cost at most, by what was seen; 0 where nothing was."""
        if self.limit.unit == "calls":
            return Decimal(turns)
        most, most_of_turn = self._most(key, group)
        return max((most or Decimal(0)) * cases, most_of_turn * turns)

    def _reserved(self, key: VariantKey, group: _Group) -> Decimal:
        return self._price(key, group, group.cases + group.held, group.turns + group.held_turns)

    def _alone(self, key: VariantKey, group: _Group, turns: int) -> Decimal:
        """What would be spent and reserved if this case ran alone."""
        held = sum((self._price(k, g, g.held, g.held_turns) for k, g in self._active.items()), Decimal(0))
        return self.spent + held + self._price(key, group, 1, turns)

    def _change(self, key: VariantKey, group: _Group, cases: int, turns: int) -> None:
        """So many more, or fewer, are under way."""
        group.cases, group.turns = group.cases + cases, group.turns + turns
        self._keep_active(key, group)

    def _hold(self, key: VariantKey, cases: int, turns: int) -> None:
        """Keep reserving for what may have cost something."""
        group = self._group(key)
        group.held, group.held_turns = group.held + cases, group.held_turns + turns
        self._keep_active(key, group)

    def _keep_active(self, key: VariantKey, group: _Group) -> None:
        if group.turns or group.held_turns:
            self._active[key] = group
        else:
            self._active.pop(key, None)

    def _book(self, key: VariantKey | None, outcome: Outcome) -> None:
        costs = [cost(answer, self.limit.unit) for answer in outcome.answers]
        known = [one for one in costs if one is not None]
        self.spent += sum(known, Decimal(0))
        self.missing += len(costs) - len(known)
        if key is None or not costs:
            return
        if known:
            self._group(key).see(known)
            self._targets[key[0]].see(known)
        for answer, one in zip(outcome.answers, costs, strict=True):
            if one is None:
                self._miss(key, answer)

    def _miss(self, key: VariantKey, answer: Answer) -> None:
        """An answer that reported nothing in the limit's unit."""
        self._hold(key, 0, 1)
        target = key[0]
        name, unit = one_line(target, _LENGTH), self.limit.unit
        other = currency_of(answer)
        if other is not None and self._check_currency(target, other):
            return
        if not _may_be_silent(answer):
            silent = "no_tokens" if unit == "tokens" else "no_price"
            self._refused.setdefault(target, t(f"sweep.budget.{silent}", app=name, unit=unit))
        elif self._targets[target].most is None:
            self._failures[target] = self._failures.get(target, 0) + 1

    def _check_currency(self, target: str, currency: str) -> bool:
        """Whether prices in that currency cannot be measured by the limit; then the target is refused."""
        unit = self.limit.unit
        if unit in COUNTED or currency == unit:
            return False
        name = one_line(target, _LENGTH)
        said = t("sweep.budget.other_currency", app=name, unit=unit, other=one_line(currency, 12))
        self._refused.setdefault(target, said)
        return True
