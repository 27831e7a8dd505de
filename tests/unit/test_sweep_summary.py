"""What is shown of a sweep, and the line that says how far it is."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from dify_notebook.i18n import Language, set_language
from dify_notebook.sweep import progress as progress_module
from dify_notebook.sweep.budget import Ledger, parse_budget
from dify_notebook.sweep.case import Case, Message, Target, Variant
from dify_notebook.sweep.progress import Progress, ProgressLine, line
from dify_notebook.sweep.records import Answer, Outcome
from dify_notebook.sweep.store.store import Store
from dify_notebook.sweep.tables.summary import counted, next_steps, summary
from dify_notebook.sweep.tables.summary_view import bundle
from dify_notebook.sweep.tables.tabular import ROWS

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m|`$x$\u202e"
TARGETS: dict[str, Target] = {}
"""Nothing was checked of any."""


def cases(count: int, *variants: Variant) -> list[Case]:
    variants = variants or (Variant(target="v1"), Variant(target="v2"))
    return [
        Case(id=f"{number}-{at}", question=f"q{number}", variant=variant, repeat=0,
             messages=(Message(query="?", inputs={}),))
        for number in range(count)
        for at, variant in enumerate(variants)
    ]  # fmt: skip


def answer(**facts: Any) -> Answer:
    return Answer(**{
        "status": "succeeded", "answer": "yes", "total_tokens": 1_000, "price": Decimal("0.25"), "currency": "USD",
        "seconds": 2.0, **facts,
    })  # fmt: skip


def end(store: Store, case: str, state: Any = "succeeded", *answers: Answer) -> Outcome:
    outcome = Outcome(case=case, state=state, answers=list(answers), began=1.0, ended=2.0)
    with store.locked():
        store.begin(case, 1.0)
        store.end(outcome)
    return outcome


def text(store: Store, asked: list[Case] | None, budget: Any = None) -> str:
    return bundle(summary(asked, store, TARGETS, None if budget is None else parse_budget(budget)))["text/plain"]


def test_every_rate_has_its_denominator_and_every_amount_says_what_is_missing() -> None:
    store, asked = Store.open(), cases(4)
    end(store, "0-0", "succeeded", answer())
    end(store, "1-0", "failed", answer(price=None, currency=None, total_tokens=None, seconds=None))
    end(store, "1-0", "succeeded", answer(price=Decimal("0.50")))
    end(store, "0-1", "succeeded", answer(price=None, currency=None))
    end(store, "1-1", "failed", answer(total_tokens=None, price=Decimal(2), currency="EUR"))
    with store.locked():
        store.begin("2-1", 1.0)
    shown = text(store, asked, "2 USD")
    lines = shown.splitlines()
    assert lines[0] == "Sweep \u00b7 in memory \u00b7 questions: 4 \u00b7 3 of 8 succeeded, 1 failed, 1 unknown, 3 not run"
    rows = {row.split()[0]: re.split(r"\s{2,}", row) for row in lines[2:4]}
    assert rows["v1"] == ["v1", "2 of 4", "0", "0", "2", "2,000", "$0.75", "2.00 s"]
    assert rows["v2"] == ["v2", "1 of 4", "1", "1", "1", "\u2265 1,000", "\u2265 \u20ac2", "2.00 s"]
    assert "Asked in all, with tries that failed: 5 calls \u00b7 tokens \u2265 3,000 \u00b7 price \u2265 \u20ac2 + $0.75" in shown
    assert "2 of 5 answers reported no price, which is not 0." in shown
    assert "Budget of the whole sweep: 2 USD." in shown
    assert "sweep.run() asks what is missing or failed: 4." in shown
    assert 'nobody knows how it ended: 1. sweep.run(again="unknown")' in shown


def test_what_nobody_reported_is_a_dash() -> None:
    store, asked = Store.open(), cases(1, Variant(target="v1"))
    assert "\u2013" in text(store, asked).splitlines()[2]
    end(store, "0-0", "failed", answer(price=None, currency=None, total_tokens=None, seconds=None))
    assert text(store, asked).splitlines()[2].count("\u2013") == 3


def test_what_to_do_next() -> None:
    store, asked = Store.open(), cases(1, Variant(target="v1"))
    found = [next_steps(summary(each, store, TARGETS, None)) for each in (None, asked)]
    end(store, "0-0", "succeeded", answer())
    found.append(next_steps(summary(asked, store, TARGETS, None)))
    assert [[re.findall(r"sweep\.(\w+)", step)[0] for step in steps] for steps in found] == [["plan"], ["plan"], ["results"]]
    assert counted(None, store) == "nothing asked so far"
    assert counted(asked, store) == "1 of 1 succeeded"


def test_a_question_that_cannot_be_compared_is_said() -> None:
    store, asked = Store.open(), cases(2)
    end(store, "0-0", "succeeded", answer(annotation=True))
    assert "annotation" in text(store, asked)


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_names_are_harmless(language: Language) -> None:
    store = Store.open()
    hostile = [Variant(target=HOSTILE, prompt=HOSTILE, inputs={HOSTILE: HOSTILE})]
    set_language(language)
    try:
        forms = bundle(summary(cases(1, *hostile), store, TARGETS, None))
    finally:
        set_language(None)
    assert "<img" not in forms["text/html"]
    assert "<img" not in forms["text/markdown"]
    for form in forms.values():
        assert "\x1b" not in form
        assert "\u202e" not in form
    heads = [row for row in forms["text/markdown"].splitlines() if row.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in heads} == {9}


def test_many_variants_are_cut_and_said() -> None:
    many = [Variant(target="v", inputs={"n": number}) for number in range(ROWS + 3)]
    shown = text(Store.open(), cases(1, *many))
    assert "sweep.rates" in shown.splitlines()[ROWS + 2]
    assert shown.count("v \u00b7 n=") == ROWS


# -- progress --------------------------------------------------------------------------


def progress(**facts: Any) -> Progress:
    found = Progress()
    found.begin(**{"kept": 40, "to_ask": 60, "beyond": 0, "ledger": None, **facts})
    return found


def test_the_line_says_what_came_from_the_store_what_was_asked_and_what_it_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 12.0, 12.0])
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: next(now)))
    asked = cases(1, Variant(target="v1"))
    ledger = Ledger(parse_budget("2 USD"))
    found = progress(ledger=ledger)
    ended = Outcome(case="0-0", state="succeeded", answers=[answer(price=Decimal("0.13"))])
    ledger.ask(asked[0])
    ledger.settle(asked[0], ended)
    found.add(ended)
    found.add(Outcome(case="1-0", state="failed"))
    assert line(found) == "40 from the store, 2 of 60 asked, 1 failed \u00b7 0.13 of 2 USD \u00b7 12 s"
    assert line(found, ended=True) == "40 from the store, 2 asked, 1 failed \u00b7 0.13 of 2 USD \u00b7 12.0 s"
    assert (found.asked, found.left, found.tokens) == (2, 58, 1_000)


def test_without_a_budget_prices_stand_apart() -> None:
    found = progress(kept=0, beyond=5)
    for amount, currency in (("1", "USD"), ("2", "EUR"), ("1.5", "USD")):
        found.add(Outcome(case="c", state="succeeded", answers=[answer(price=Decimal(amount), currency=currency)]))
    found.add(Outcome(case="c", state="succeeded", answers=[answer(price=None)]))
    assert line(found).startswith("4 of 60 asked \u00b7 \u20ac2 \u00b7 $2.50 \u00b7 ")
    assert found.left == 61


def test_the_line_is_written_over_itself_and_left_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(progress_module, "watched", lambda: stream)
    monkeypatch.setattr(progress_module, "SECONDS", 0.0)
    found, written = progress(), ProgressLine()
    written.show(found)
    found.add(Outcome(case="c", state="succeeded"))
    written.show(found)
    written.end(found, "Stopped.")
    assert stream.getvalue().count("\n") == 2
    assert [part.strip()[:5] for part in stream.getvalue().split("\r")] == ["", "40 fr", "40 fr", "40 fr", "Stopp"]
    hidden = ProgressLine(False)
    hidden.end(found)
    assert stream.getvalue().count("\n") == 2
