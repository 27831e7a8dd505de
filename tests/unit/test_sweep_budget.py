"""Budgets: how they are written, and that no case begins beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dify_notebook.errors import InputError
from dify_notebook.sweep.budget import FAILURES, Ledger, Limit, parse_budget
from dify_notebook.sweep.case import Case, Message, Variant
from dify_notebook.sweep.records import Answer, Outcome
from dify_notebook.sweep.variants import VariantKey, name_of, variant_key

USD = Limit(Decimal(2), "USD")


def case(number: int, target: str = "v1", turns: int = 1, **inputs: Any) -> Case:
    variant = Variant(target=target, inputs=inputs)
    messages = tuple(Message(query="hi", inputs={}) for _ in range(turns))
    return Case(id=f"{target}-{number}", question=f"q{number}", variant=variant, repeat=0, messages=messages)


def answer(price: str | None = None, currency: str | None = "USD", **values: Any) -> Answer:
    return Answer(**{"status": "succeeded", "price": price and Decimal(price), "currency": currency, **values})


def ended(of: Case, *answers: Answer) -> Outcome:
    well = len(answers) == len(of.messages) and all(one.status == "succeeded" for one in answers)
    return Outcome(case=of.id, state="succeeded" if well else "failed", answers=list(answers))


def run(ledger: Ledger, of: Case, *answers: Answer) -> None:
    assert ledger.ask(of) == "go"
    ledger.settle(of, ended(of, *answers))


# -- how it is written -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "amount", "unit"),
    [
        ("2 USD", "2", "USD"), ("2USD", "2", "USD"), (" 0.5 usd ", "0.5", "USD"), (".5 EUR", "0.5", "EUR"),
        ("3 mxn", "3", "MXN"), ("500 tokens", "500", "tokens"), ("1 token", "1", "tokens"),
        ("10k tokens", "10000", "tokens"), ("1.5M tokens", "1500000", "tokens"), ("2 K calls", "2000", "calls"),
        ("100 calls", "100", "calls"), (100, "100", "calls"), ({"USD": 2}, "2", "USD"),
        ({"usd": 0.1}, "0.1", "USD"), ({"tokens": 7}, "7", "tokens"), (Limit(Decimal(3), "EUR"), "3", "EUR"),
    ],
)  # fmt: skip
def test_a_budget_as_it_is_written(written: Any, amount: str, unit: str) -> None:
    assert parse_budget(written) == Limit(Decimal(amount), unit)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("2,50 EUR", "2.50"), ("10,000 tokens", "10000"), ("\u00a520", "CNY"), ("$2", "USD"), ("2 \u20ac", "EUR"),
        ("-2 USD", "more than 0"), ("0 USD", "more than 0"), (0, "more than 0"), (-1, "more than 0"),
        ("1000000000000000000 USD", "at most"), ({"USD": float("nan")}, "more than 0"),
        ({"USD": float("inf")}, "more than 0"), (Limit(Decimal("sNaN"), "USD"), "more than 0"),
        ("1.5 calls", "whole"), ("0.0001k tokens", "whole"), ("2", "no budget"), ("USD", "no budget"),
        ("", "no budget"), ("USD 2", "no budget"), ("nan USD", "no budget"), ("1_0 USD", "no budget"),
        ("\u0662 USD", "no budget"), (2.5, "no budget"), (True, "no budget"), (None, "no budget"),
        ("2 dollars", "three letters"), ("2 USD tokens", "three letters"), ("2 k", "three letters"),
        ({"USD": 1, "EUR": 1}, "never added"), ({}, "one amount"), ({"USD": True}, "no budget"),
    ],
)  # fmt: skip
def test_what_is_no_budget_is_refused_with_how_to_write_one(written: Any, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_budget(written)
    assert says in caught.value.message
    assert "2 USD" in caught.value.hint


def test_what_is_refused_is_shown_harmless() -> None:
    with pytest.raises(InputError) as caught:
        parse_budget("2 \x1b[31m" + "x" * 500)
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 200


# -- the ledger --------------------------------------------------------------------------------


def test_the_first_of_each_target_goes_alone_until_its_price_is_known() -> None:
    ledger = Ledger(USD)
    assert [ledger.ask(case(1)), ledger.ask(case(2)), ledger.ask(case(3, "v2"))] == ["go", "wait", "go"]
    ledger.settle(case(1), ended(case(1), answer("0.5")))
    assert ledger.spent == Decimal("0.5")
    assert [ledger.ask(case(2)), ledger.ask(case(4)), ledger.ask(case(4, "v2"))] == ["go", "go", "wait"]
    assert ledger.reserved == Decimal(1)
    assert ledger.ask(case(5)) == "go"  # exactly the limit
    assert ledger.ask(case(6)) == "wait"  # those that run may turn out cheaper
    for number in (2, 4, 5):
        ledger.settle(case(number), ended(case(number), answer("0.5")))
    assert ledger.ask(case(6)) == "over"


def test_a_budget_in_calls_needs_no_pilot_and_counts_turns() -> None:
    ledger = Ledger(parse_budget(7))
    assert [ledger.ask(case(number, turns=3)) for number in range(3)] == ["go", "go", "wait"]
    ledger.settle(case(0, turns=3), ended(case(0, turns=3), answer()))  # failed after its first turn
    assert ledger.ask(case(2, turns=3)) == "go"
    assert ledger.spent + ledger.reserved == 7
    ledger.settle(case(1, turns=3), ended(case(1, turns=3), answer(), answer(), answer()))
    ledger.settle(case(2, turns=3), None)
    assert [ledger.spent, ledger.reserved] == [4, 0]


def test_another_variant_is_reserved_for_as_its_target_and_then_as_itself() -> None:
    ledger = Ledger(USD)
    run(ledger, case(1, tone="formal"), answer("0.3"))
    assert ledger.ask(case(2, tone="casual")) == "go"
    assert ledger.reserved == Decimal("0.3")
    ledger.settle(case(2, tone="casual"), ended(case(2), answer("0.1")))
    assert ledger.ask(case(3, tone="casual")) == "go"
    assert ledger.reserved == Decimal("0.1")


def test_a_script_is_reserved_for_with_all_its_turns() -> None:
    ledger = Ledger(USD)
    run(ledger, case(1, turns=3), answer("0.1"), answer("0.2"), answer("0.3", status="failed"))
    assert ledger.ask(case(2, turns=3)) == "go"
    assert ledger.reserved == Decimal("0.9")  # three times its dearest turn


def test_every_attempt_in_the_store_counts() -> None:
    tries = [ended(case(1), answer("0.6")), ended(case(1), answer("0.6")), ended(case(9, "gone"), answer("0.3"))]
    names = {case(1).id: variant_key(case(1).variant)}
    ledger = Ledger(USD, tries, names.get)
    assert ledger.spent == Decimal("1.5")
    assert ledger.ask(case(2)) == "over"
    assert Ledger(Limit(Decimal("2.1"), "USD"), tries, names.get).ask(case(2)) == "go"


def test_what_may_have_been_asked_stays_reserved() -> None:
    names = {case(1).id: variant_key(case(1).variant)}
    ledger = Ledger(USD, [ended(case(1), answer("0.6"))], names.get, unknown=[case(2)])
    assert ledger.reserved == Decimal("0.6")
    assert [ledger.ask(case(3)), ledger.ask(case(4))] == ["go", "wait"]
    assert Ledger(parse_budget(2), [], names.get, unknown=[case(2, turns=2)]).ask(case(3)) == "over"


@pytest.mark.parametrize(
    ("limit", "first", "says"),
    [
        ("2 USD", answer(None), "no price in USD"),
        ("2 USD", answer("0.1", None), "no price in USD"),
        ("2 USD", answer(None, status="partial_succeeded"), "no price in USD"),
        ("2 USD", answer("NaN"), "no price in USD"),
        ("2 USD", answer("-1"), "no price in USD"),
        ("2 USD", answer("1E+99999"), "no price in USD"),
        ("2 USD", answer("0.1", "EUR"), "prices in EUR"),
        ("100 tokens", answer("0.1"), "no tokens"),
        ("100 tokens", answer(total_tokens=-5), "no tokens"),
    ],
)
def test_an_app_that_does_not_report_the_unit_is_asked_no_more(limit: str, first: Answer, says: str) -> None:
    ledger = Ledger(parse_budget(limit))
    run(ledger, case(1), first)
    assert says in (ledger.refuses(case(2)) or "")
    assert ledger.ask(case(2)) == "over"
    assert [ledger.spent, ledger.missing] == [0, 1]
    assert ledger.refuses(case(2, "v2")) is None
    assert ledger.ask(case(2, "v2")) == "go"
    # With what the store knows it is refused before anything is sent.
    again = Ledger(parse_budget(limit), [ended(case(1), first)], lambda name: variant_key(case(1).variant))
    assert says in (again.refuses(case(2)) or "")


@pytest.mark.parametrize(("known", "refused"), [("EUR", True), ("eur ", True), ("USD", False), ("usd", False), (None, False)])
def test_what_a_target_told_before_the_sweep_is_known(known: str | None, refused: bool) -> None:
    ledger = Ledger(parse_budget("2 USD"), currencies={case(1).variant.target: known, "another": "CNY"})
    assert ("prices in EUR" in (ledger.refuses(case(1)) or "")) == refused
    assert ledger.ask(case(1)) == ("over" if refused else "go")
    assert Ledger(parse_budget(7), currencies={case(1).variant.target: "EUR"}).ask(case(1)) == "go"


def test_a_price_of_nothing_is_a_price() -> None:
    ledger = Ledger(USD)
    run(ledger, case(1), answer("0", "usd"))
    assert [ledger.ask(case(number)) for number in range(2, 30)] == ["go"] * 28


def test_a_failed_answer_without_a_price_is_held_as_the_dearest() -> None:
    ledger = Ledger(USD)
    run(ledger, case(1), answer("0.4"))
    run(ledger, case(2), answer(None, status="failed"))
    assert (ledger.spent, ledger.reserved, ledger.missing) == (Decimal("0.4"), Decimal("0.4"), 1)
    assert ledger.refuses(case(3)) is None
    run(ledger, case(3), answer(None, annotation=True))
    assert ledger.reserved == Decimal("0.8")


def test_a_target_that_only_fails_is_not_asked_for_ever() -> None:
    ledger = Ledger(USD)
    for number in range(FAILURES):
        assert ledger.refuses(case(number)) is None
        run(ledger, case(number), answer(None, status="failed"))
    assert "failed 3 times" in (ledger.refuses(case(9)) or "")


def test_failures_before_the_first_price_count_for_nothing_once_there_is_one() -> None:
    """A server that was down when a sweep began, and was asked again with another budget."""
    failures = [ended(case(number), answer(status="failed")) for number in range(FAILURES)]
    assert Ledger(USD, failures, lambda id: variant_key(case(0).variant)).refuses(case(9))
    answered = [*failures, ended(case(0), answer("0.10"))]
    ledger = Ledger(USD, answered, lambda id: variant_key(case(0).variant))
    assert ledger.refuses(case(9)) is None
    assert ledger.ask(case(9)) == "go"
    assert ledger.reserved == Decimal("0.40")  # and for each of these the price of one stays reserved


def test_what_could_not_be_sent_costs_nothing() -> None:
    ledger = Ledger(USD)
    for number in range(10):
        run(ledger, case(number))
    assert [ledger.spent, ledger.reserved, ledger.refuses(case(1))] == [0, 0, None]


def test_judges_book_on_the_same_ledger() -> None:
    ledger = Ledger(USD)
    ledger.book({"calls": Decimal(1), "USD": Decimal("1.9")})
    run(ledger, case(1), answer("0.1"))
    assert ledger.ask(case(2)) == "over"
    with pytest.raises(InputError, match="EUR"):
        ledger.book({"EUR": Decimal(1)})


def test_variants_are_told_apart_by_what_is_varied() -> None:
    one, other = Variant(target="a", inputs={"n": 1}), Variant(target="a", inputs={"n": "1"})
    assert variant_key(one) != variant_key(other)
    assert variant_key(one) == variant_key(Variant(target="a", inputs={"n": 1}))
    assert name_of(Variant(target="v1", prompt="short", inputs={"tone": "x\x1b"})).count("\x1b") == 0
    assert len(variant_key(Variant(target="a", inputs={"f": b"x" * 100_000}))[2][0][1]) < 100


PRICES = st.decimals("0", "0.9", places=2, allow_nan=False)
ANSWERS = st.one_of(
    st.builds(lambda price: answer(str(price)), PRICES),
    st.builds(lambda price: answer(str(price), "EUR"), PRICES),
    st.sampled_from([answer(None), answer(None, status="failed"), answer(None, annotation=True), None]),
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.sampled_from("xy")), max_size=30),
    st.lists(ANSWERS, min_size=1, max_size=20),
    st.lists(st.integers(0, 100), min_size=1, max_size=20),
    st.integers(1, 6),
    st.sampled_from(["1 USD", "3 USD", "8 calls"]),
)
def test_no_case_begins_beyond_the_limit_and_nothing_waits_for_ever(
    wanted: Sequence[tuple[str, int, str]],
    answers: Sequence[Answer | None],
    picks: Sequence[int],
    concurrency: int,
    limit: str,
) -> None:
    """Workers take cases in their order and settle in any; what waits is asked again after each settlement."""
    cases = [case(at, target, turns, tone=tone) for at, (target, turns, tone) in enumerate(wanted)]
    ledger = Ledger(parse_budget(limit))
    waiting, running, steps = list(cases), list[Case](), 0
    while waiting or running:
        steps += 1
        assert steps < 500
        for one in list(waiting):
            if len(running) >= concurrency:
                break
            word = ledger.ask(one)
            if word == "wait":
                assert running
                continue
            waiting.remove(one)
            if word == "go":
                running.append(one)
                assert ledger.spent + ledger.reserved <= ledger.limit.amount
        if running:
            one = running.pop(picks[steps % len(picks)] % len(running))
            each = [answers[(steps + turn) % len(answers)] for turn in range(len(one.messages))]
            whole = [found for found in each if found is not None]
            ledger.settle(one, ended(one, *whole) if whole else None)
    assert ledger.under_way == 0


def test_keys_are_what_the_store_is_looked_up_by() -> None:
    key: VariantKey = variant_key(case(1).variant)
    assert key == ("v1", None, ())
