"""The tables of a sweep: results, nodes, thoughts, rates, what is left out of comparisons, and the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import linear

import dify_notebook
from dify_notebook.errors import TapeGone
from dify_notebook.frames.dataframes import array
from dify_notebook.frames.schema import as_markdown
from dify_notebook.i18n import speaking
from dify_notebook.sweep.budget import parse_budget
from dify_notebook.sweep.case import Case, Message, Target, Variant
from dify_notebook.sweep.records import Answer, Checked, Outcome, State
from dify_notebook.sweep.store.store import Store
from dify_notebook.sweep.tables.contamination import contaminated, notes, same_answers
from dify_notebook.sweep.tables.kept import Kept
from dify_notebook.sweep.tables.plan import plan
from dify_notebook.sweep.tables.rates import Rate, rate, rates, succeeded
from dify_notebook.sweep.tables.results import (
    RESULTS,
    SWEEP_NODES,
    SWEEP_THOUGHTS,
    nodes,
    results,
    results_table,
    thoughts,
)
from dify_notebook.sweep.variants import variant_key
from dify_notebook.turn.state import Node, Thought, Turn


class Records:
    """A store in memory, as far as tables read it."""

    def __init__(
        self,
        spent: Sequence[Outcome] = (),
        unknown: Sequence[Case] = (),
        checks: Sequence[Checked] = (),
        turns: dict[str, Turn] | None = None,
    ) -> None:
        self.spent = list(spent)
        self.checks = list(checks)
        self.reads = 0
        self._unknown = {case.id for case in unknown}
        self._states: dict[str, State] = {outcome.case: outcome.state for outcome in spent}
        self._turns = turns or {}

    def state(self, case_id: str) -> State:
        return "unknown" if case_id in self._unknown else self._states.get(case_id, "not_run")

    def turn(self, answer: Answer) -> Turn:
        self.reads += 1
        if answer.tape not in self._turns:
            raise TapeGone("gone")
        return self._turns[answer.tape]


def case(question: int, target: str = "v1", repeat: int = 0, turns: int = 1, label: Any = None, **more: Any) -> Case:
    return Case(
        id=f"{target}-{question}-{repeat}-{sorted(map(str, more.get('inputs', {}).values()))}",
        question=f"q{question}",
        variant=Variant(target=target, prompt=more.get("prompt"), inputs=more.get("inputs", {})),
        repeat=repeat,
        messages=tuple(Message(query=f"ask {question} {turn}", inputs={}) for turn in range(1, turns + 1)),
        labels=(question,) if label is None else label,
        cluster=more.get("cluster"),
    )


def answered(of: Case, *answers: Answer, began: float = 100.0, state: Any = "succeeded", **values: Any) -> Outcome:
    return Outcome(case=of.id, state=state, answers=list(answers), began=began, ended=began + 1, **values)


def said(text: str = "yes", **values: Any) -> Answer:
    return Answer(**{"status": "succeeded", "answer": text, **values})


TARGETS = {
    "v1": Target(name="v1", client=None, identity="id1"),  # type: ignore[arg-type]  # nothing asks it
    "v2": Target(name="v2", client=None, identity="id2", workflow_id="pin"),  # type: ignore[arg-type]
}


def test_a_store_is_what_tables_read(tmp_path: Path) -> None:
    """On a disk: what was written comes back, also where it is opened again."""
    cases = [case(1), case(2), case(3)]
    with Store.open(tmp_path / "runs").locked() as store:
        for one in cases[:2]:
            store.begin(one.id, 1.0)
            store.end(answered(one, said(price=Decimal("0.25"), currency="USD", total_tokens=4)))
        store.begin(cases[2].id, 2.0)
    kept: Kept = Store.open(tmp_path / "runs", read_only=True)
    frame = results(cases, kept)
    assert frame["state"].tolist() == [*["succeeded"] * 2, "unknown"]
    assert frame["price"].tolist()[:2] == [0.25, 0.25]
    found = plan(cases, kept, parse_budget("1 USD"))
    assert (found.spent, found.reserved) == (Decimal("0.50"), Decimal("0.25"))
    assert contaminated(cases, kept, TARGETS) == {}
    with pytest.warns(UserWarning, match="not kept any more: 2"):
        assert nodes(cases, kept).empty


# -- results -----------------------------------------------------------------------------------


def test_every_case_has_a_row_for_each_turn_with_the_dtypes_of_the_table() -> None:
    cases = [case(1, turns=3), case(2), case(3), case(4), case(5)]
    failed = Answer(status="failed", answer="half", error_code="bad", error="it broke")
    told = said(
        "one", query="sent 1", prompt_tokens=3, completion_tokens=4, total_tokens=7, price=Decimal("0.0010"),
        currency="USD", seconds=1.5, first_token=0.25, message_id="m1", workflow_id="w1", moderated=True,
        outputs={"label": "a"},
    )  # fmt: skip
    store = Records(
        [
            answered(cases[0], told, failed, state="failed", conversation_id="c1"),
            answered(cases[1], state="failed", error_code="no_server", error="nobody there"),
            answered(cases[1], state="failed", error_code="no_server", error="nobody there"),
            answered(cases[2], said(began_late := "fine")),
        ],
        unknown=[cases[3]],
    )
    frame = results(cases, store, {"q3": "annotation"})
    table = results_table(cases)
    assert list(frame.columns) == list(table.names)
    for column in table.columns:
        assert frame[column.name].dtype == pd.Series(array(column, None, 0)).dtype, column.name
    assert frame["case"].tolist() == [cases[0].id] * 3 + [one.id for one in cases[1:]]
    assert frame["turn"].tolist() == [1, 2, 3, 1, 1, 1, 1]
    assert " ".join(frame["state"]) == "succeeded failed not_run failed succeeded unknown not_run"
    assert frame["tries"].tolist() == [1, 1, 1, 2, 1, 0, 0]
    first = frame.iloc[0]
    assert (first["price"], first["currency"], first["total_tokens"], first["seconds"]) == (0.001, "USD", 7, 1.5)
    assert json.loads(first["outputs"]) == {"label": "a"}
    assert (first["query"], first["conversation_id"], bool(first["moderated"])) == ("sent 1", "c1", True)
    assert first["created_at"] == pd.Timestamp(100, unit="s", tz="UTC")
    assert frame.loc[1, ["answer", "error_code", "error", "query"]].tolist() == ["half", "bad", "it broke", "ask 1 2"]
    assert frame.loc[3, ["error_code", "error"]].tolist() == ["no_server", "nobody there"]
    assert frame.loc[[5, 6], ["answer", "price", "total_tokens", "annotation", "created_at"]].isna().all(axis=None)
    assert frame.loc[[2, 3], ["answer", "price", "total_tokens", "annotation"]].isna().all(axis=None)
    assert frame.loc[4, "excluded"] == "annotation"
    assert frame.loc[4, "answer"] == began_late
    assert frame["excluded"].isna().sum() == 6
    assert frame["repeat"].tolist() == [1] * 7


def test_a_table_without_cases_and_one_without_a_store_have_the_same_columns() -> None:
    assert list(results([], Records()).columns) == list(RESULTS.names)
    frame = results([case(1)], Records())
    assert list(frame.columns) == list(RESULTS.names)
    assert frame["state"].tolist() == ["not_run"]


def test_what_is_varied_has_columns_that_never_collide() -> None:
    inputs: list[dict[str, Any]] = [
        {"tone": "formal", "n": 1, "on": True, "price": 2, "input_price": "x", "list": [1, "é"]},
        {"tone": "casual", "n": 2, "on": False, "price": 2.5, "input_price": "y", "list": [2]},
    ]
    cases = [case(1, prompt="short", inputs=one) for one in inputs]
    frame = results(cases, Records())
    assert frame["tone"].tolist() == ["formal", "casual"]
    assert [str(frame[name].dtype) for name in ("n", "on", "input_input_price")] == ["Int64", "boolean", "float64"]
    assert frame["input_input_price"].tolist() == [2.0, 2.5]
    assert frame["input_price"].tolist() == ["x", "y"]
    assert frame["price"].isna().all()
    assert json.loads(frame.loc[0, "list"]) == [1, "é"]
    assert frame["prompt"].tolist() == ["short", "short"]


@pytest.mark.parametrize(
    ("labels", "dtype", "values"),
    [
        ([1, np.int64(2)], "Int64", [1, 2]),
        (["a", "b"], "string", ["a", "b"]),
        (["a", 2], "string", ["a", "2"]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([2**70, 1], "string", [str(2**70), "1"]),
        ([("a", 1), ("b", 2)], "string", ['["a", 1]', '["b", 2]']),
        (["half \ud800", "b"], "string", ["half ?", "b"]),
    ],
)
def test_labels_stay_what_they_are(labels: list[Any], dtype: str, values: list[Any]) -> None:
    frame = results([case(at, label=(one,)) for at, one in enumerate(labels)], Records())
    assert str(frame["label"].dtype) == dtype
    assert frame["label"].tolist() == values
    assert frame["labels"].isna().all()


def test_equal_rows_keep_both_labels() -> None:
    frame = results([case(1, label=(np.int64(3), 4), cluster="doc")], Records())
    assert frame.loc[0, "label"] == 3
    assert json.loads(frame.loc[0, "labels"]) == [3, 4]
    assert frame.loc[0, "cluster"] == "doc"


def test_numbers_that_no_column_holds_are_missing() -> None:
    one = case(1)
    answer = said(total_tokens=2**80, price=Decimal("1E+400"), currency="USD")
    frame = results([one], Records([answered(one, answer)]))
    assert frame[["total_tokens", "price"]].isna().all(axis=None)


def test_the_last_attempt_counts() -> None:
    one = case(1)
    store = Records([answered(one, said("old"), state="failed"), answered(one, said("new"))])
    frame = results([one], store)
    assert frame.loc[0, ["answer", "state", "tries"]].tolist() == ["new", "succeeded", 2]


def test_an_attempt_before_one_that_nobody_knows_the_end_of_is_no_answer() -> None:
    one = case(1)
    turns = {"t1": Turn(message_id="m1", nodes=(Node(id="n1"),))}
    store = Records([answered(one, said(annotation=True, tape="t1"))], unknown=[one], turns=turns)
    frame = results([one], store)
    assert frame.loc[0, ["state", "tries"]].tolist() == ["unknown", 1]
    assert frame[["answer", "created_at"]].isna().all(axis=None)
    assert contaminated([one], store, TARGETS) == {}
    assert nodes([one], store).empty


def test_results_grow_with_their_cases() -> None:
    def make(count: int) -> tuple[list[Case], Records]:
        cases = [case(at, inputs={"tone": str(at % 3)}) for at in range(count)]
        return cases, Records([answered(one, said()) for one in cases])

    assert linear.growth(make, lambda made: results(*made), 200) < linear.MOST


# -- nodes and thoughts ------------------------------------------------------------------------


def test_nodes_and_thoughts_come_from_the_tapes_and_join() -> None:
    cases = [case(1, turns=2), case(2)]
    turns = {
        "t1": Turn(message_id="m1", nodes=(Node(id="n1", node_id="a"), Node(id="n2", node_id="b"))),
        "t2": Turn(message_id="m2", thoughts=(Thought(id="th", position=1, thought="hm", tool="search"),)),
    }
    store = Records(
        [answered(cases[0], said(tape="t1"), said(tape="t2")), answered(cases[1], said(tape="gone"))], turns=turns
    )
    with pytest.warns(UserWarning, match="not kept any more: 1"):
        found = nodes(cases, store)
    assert found[["case", "turn", "message_id", "node_id"]].values.tolist() == [
        [cases[0].id, 1, "m1", "a"], [cases[0].id, 1, "m1", "b"],
    ]  # fmt: skip
    assert list(found.columns) == list(SWEEP_NODES.names)
    with pytest.warns(UserWarning, match="sweep.thoughts"):
        thought = thoughts(cases, store)
    assert thought[["case", "turn", "message_id", "tool"]].values.tolist() == [[cases[0].id, 2, "m2", "search"]]
    assert store.reads == 6
    both = nodes([case(3, prompt="a"), case(3, prompt="b")], Records([answered(case(3), said(tape="t1"))], turns=turns))
    assert both["node_id"].tolist() == ["a", "b"], "one case is told of once, also where two variants send the same"
    assert list(nodes([], store).columns) == list(SWEEP_NODES.names)
    assert list(thoughts([], store).columns) == list(SWEEP_THOUGHTS.names)


# -- contamination -----------------------------------------------------------------------------


def test_the_whole_question_is_left_out_for_all_variants() -> None:
    cases = [case(at, target) for at in (1, 2, 3) for target in ("v1", "v2")]
    store = Records(
        [
            answered(cases[0], said(annotation=True)),
            answered(cases[1], said(workflow_id="pin")),
            answered(cases[2], said(moderated=True)),
            answered(cases[3], state="failed", error_code="x"),
        ]
    )
    excluded = contaminated(cases, store, TARGETS)
    assert excluded == {"q1": "annotation"}
    frame = results(cases, store, excluded)
    assert frame.loc[frame["excluded"].notna(), "app"].tolist() == ["v1", "v2"]


def test_answers_of_another_version_than_the_newest_are_left_out() -> None:
    cases = [case(at, turns=2 if at == 3 else 1) for at in (1, 2, 3, 4)]
    store = Records(
        [
            answered(cases[0], said(workflow_id="old"), began=1),
            answered(cases[1], said(workflow_id="new"), began=5),
            answered(cases[2], said(workflow_id="old"), said(workflow_id="new"), began=3),
            answered(cases[3], said(), began=9),  # which one is not reported
        ]
    )
    assert contaminated(cases, store, TARGETS) == {"q1": "republished", "q3": "republished"}


def test_a_pinned_version_is_the_one_that_counts_and_nothing_else_changes_it() -> None:
    cases = [case(at, "v2") for at in (1, 2)]
    store = Records(
        [answered(cases[0], said(workflow_id="pin"), began=1), answered(cases[1], said(workflow_id="new"), began=5)],
        checks=[Checked(target="id2", hash="a", at=0), Checked(target="id2", hash="b", at=3)],
    )
    assert contaminated(cases, store, TARGETS) == {"q2": "republished"}


@pytest.mark.parametrize(
    ("checks", "left_out"),
    [
        ([], []),
        ([(0, "a"), (90, "a")], []),
        ([(0, "a")], []),
        ([(90, "a")], []),
        ([(0, "a"), (29, "b"), (90, "b")], [1, 2]),  # somewhere between 0 and 29 it became b
        ([(0, "a"), (15, "b"), (90, "b")], [1]),
        ([(0, "a"), (20.5, "b"), (90, "b")], [1, 2]),  # in the middle of 2
        ([(0, "a"), (15, "b"), (25, "a"), (90, "a")], [1, 2]),
        ([(0, "a"), (90, "b")], [1, 2, 3]),
    ],
)
def test_answers_around_a_change_of_the_app_are_left_out(checks: list[tuple[float, str]], left_out: list[int]) -> None:
    cases = [case(at) for at in (1, 2, 3)]
    store = Records(
        [answered(one, said(), began=10.0 * at) for at, one in enumerate(cases, 1)],
        checks=[Checked(target="id1", hash=word, at=at) for at, word in checks]
        + [Checked(target="another", hash="z", at=21)],
    )
    assert contaminated(cases, store, TARGETS) == {f"q{number}": "changed" for number in left_out}


def test_repeats_that_say_the_same_are_noted_only() -> None:
    cases = [case(question, repeat=repeat) for question in (1, 2, 3) for repeat in (0, 1)]
    texts = ["a", "a", "b", "c", "d"]
    store = Records([answered(one, said(text)) for one, text in zip(cases, texts, strict=False)])
    same = same_answers(cases, store)
    key = variant_key(cases[0].variant)
    assert same == {("q1", key): True, ("q2", key): False}
    assert contaminated(cases, store, TARGETS) == {}
    column = results(cases, store)["same_in_all_repeats"]
    assert column.tolist() == [True, True, False, False, pd.NA, pd.NA]
    with speaking("en"):
        assert notes({"q1": "annotation", "q9": "changed"}, 10, same) == [
            "2 of 10 questions are left out of comparisons, for all variants: 1 answered by an annotation, "
            "1 asked while the app's parameters were different.",
            "All repeats answered the same in 1 of 2 questions with repeats, counted for each variant.",
        ]
        assert notes({}, 10, {}) == []


# -- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Rate(41, 6, 3), "41 of 50; 3 unknown: between 82 % and 88 %"),
        (Rate(50, 0), "50 of 50: 100 %"),
        (Rate(0, 7), "0 of 7: 0 %"),
        (Rate(9_999, 1), "9,999 of 10,000: 99.9 %"),
        (Rate(1, 2), "1 of 3: 33.3 %"),
        (Rate(0, 0, 4), "0 of 4; 4 unknown: between 0 % and 100 %"),
        (Rate(0, 0), "none of 0"),
    ],
)
def test_a_rate_says_its_denominator_and_its_bounds(found: Rate, text: str) -> None:
    with speaking("en"):
        assert str(found) == text


@pytest.mark.parametrize(
    "column",
    [
        [True, False, None, True],
        pd.Series([True, False, pd.NA, True], dtype="boolean"),
        pd.Series([1.0, 0.0, np.nan, 1.0]),
        [np.True_, np.False_, float("nan"), True],
    ],
)
def test_a_rate_counts_any_column_of_booleans(column: Any) -> None:
    assert rate(column) == Rate(2, 1, 1)
    assert rate(column).rate == 2 / 3


def test_a_score_is_no_verdict() -> None:
    with pytest.raises(TypeError, match="float"):
        rate([0.5])


def test_rates_by_variant() -> None:
    cases = [case(at, inputs={"tone": tone}) for at in (1, 2, 3, 4) for tone in ("a", "b")]
    outcomes = [answered(cases[0], said()), answered(cases[1], state="failed"), answered(cases[2], said())]
    store = Records(outcomes, unknown=[cases[4]])
    frame = rates(cases, succeeded(cases, store), {"q2"})
    assert frame[["app", "tone", "yes", "no", "missing", "of", "excluded"]].values.tolist() == [
        ["v1", "a", 1, 0, 2, 3, 1], ["v1", "b", 0, 1, 2, 3, 1],
    ]  # fmt: skip
    assert frame["low"].tolist() == [pytest.approx(1 / 3), 0.0]
    assert frame["high"].tolist() == [1.0, pytest.approx(2 / 3)]
    assert rates([], {}).empty


# -- the plan ----------------------------------------------------------------------------------


def priced(price: str, tokens: int, currency: str = "USD", **values: Any) -> Answer:
    return said(price=Decimal(price), currency=currency, total_tokens=tokens, seconds=2.0, **values)


def test_a_plan_estimates_from_finished_cases_of_the_same_variant() -> None:
    cases = [case(at, target, turns=2) for at in range(5) for target in ("v1", "v2")]
    store = Records(
        [
            answered(cases[0], priced("0.1", 10), priced("0.2", 20)),
            answered(cases[2], priced("0.2", 20), priced("0.3", 30)),
            answered(cases[4], priced("9", 900), state="failed"),
        ],
        unknown=[cases[6]],
    )
    found = plan(cases, store, parse_budget("20 USD"))
    one, two = found.variants
    assert (one.cases, one.turns, one.answered, one.failed, one.unknown, one.to_ask) == (5, 10, 2, 1, 1, 2)
    assert one.turns_to_ask == 4
    assert one.price is not None
    assert (one.price.mean, one.price.low, one.price.high, one.price.cases, one.currency) == (
        Decimal("0.4"), Decimal("0.3"), Decimal("0.5"), 2, "USD",
    )  # fmt: skip
    assert one.tokens is not None
    assert one.tokens.mean == 40
    assert (two.price, two.tokens, two.seconds, two.to_ask) == (None, None, None, 5)
    total = found.prices["USD"]
    assert total.estimate is not None
    assert (total.estimate.mean, total.silent) == (Decimal("0.8"), 1)
    assert found.spent == Decimal("9.8")
    assert found.reserved == 18  # the unknown one has two turns
    with speaking("en"):
        text = found.bundle()["text/plain"]
    assert "about $0.80, between $0.60 and $1, estimated from 2 cases" in text
    assert "The price of 1 of 2 variants is not known" in text
    assert "The tokens of 1 of 2 variants are not known" in text
    assert "$9.80 of $20 spent so far" in text
    assert "not known" in text


def test_a_plan_names_bounds_only_where_there_are_some() -> None:
    cases = [case(at) for at in range(3)]
    found = plan(cases, Records([answered(each, priced("0", 0)) for each in cases[:2]]))
    with speaking("en"):
        text = found.bundle()["text/plain"]
    assert "about 0 tokens, estimated from 2 cases." in text
    assert "about $0, estimated from 2 cases." in text
    assert "between" not in text


def test_a_plan_of_nothing_finished_says_that_nothing_is_known() -> None:
    found = plan([case(1), case(2)], Records())
    assert (found.to_ask, found.prices, found.tokens.estimate, found.spent) == (2, {}, None, None)
    with speaking("en"):
        assert "not known yet" in found.bundle()["text/plain"]
    with speaking("zh-Hans"):
        assert "费用尚不可知" in found.bundle()["text/markdown"]


def test_a_plan_never_adds_currencies_and_says_what_a_budget_refuses() -> None:
    cases = [case(at, target) for at in range(3) for target in ("v1", "v2")]
    store = Records([answered(cases[0], priced("1", 5)), answered(cases[1], priced("7", 5, "CNY"))])
    found = plan(cases, store, parse_budget("20 USD"))
    assert {name: total.estimate and total.estimate.mean for name, total in found.prices.items()} == {
        "CNY": 14, "USD": 2,
    }  # fmt: skip
    assert "CNY" in found.refused["v2"]
    with speaking("en"):
        assert "about $2, estimated from one case" in found.bundle()["text/plain"]
    assert found.spent == 1
    mixed = Records([answered(cases[0], priced("1", 5)), answered(cases[2], priced("1", 5, "EUR"))])
    assert plan(cases, mixed).variants[0].price is None


def forms(found: Any) -> Iterator[tuple[str, str]]:
    yield from found._repr_mimebundle_().items()


def test_hostile_names_are_harmless_in_every_form() -> None:
    evil = "<script>alert(1)</script> **x** | $a$ \x1b[31m \u202e"
    found = plan([case(1, evil, inputs={evil: evil})], Records())
    for kind, text in forms(found):
        assert "\x1b" not in text
        assert "\u202e" not in text
        if kind != "text/plain":
            assert "<script" not in text
    markdown = found.bundle()["text/markdown"]
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert "mathjax_ignore" in found.bundle()["text/html"]


def test_many_variants_are_cut_with_where_the_rest_is() -> None:
    found = plan([case(1, f"app {at}") for at in range(80)], Records())
    with speaking("en"):
        text = found.bundle()["text/plain"]
    assert "sweep.plan().variants" in text
    assert len(text.splitlines()) < 60


# -- documents -------------------------------------------------------------------------------------

DOCS = Path(dify_notebook.__file__).parent / "docs"


def test_the_english_document_has_the_columns_of_results() -> None:
    text = (DOCS / "en" / "22-experiments.md").read_text(encoding="utf-8")
    assert f"{RESULTS.doc} In this order:\n\n{as_markdown(RESULTS)}\n" in text


def test_the_chinese_document_has_the_same_columns() -> None:
    lines = (DOCS / "zh-Hans" / "22-experiments.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    facts = [(f"`{column.name}`", column.dtype, column.unit, column.nullable) for column in RESULTS.columns]
    assert [(row[0], row[1], row[2], row[3] == "可以") for row in rows] == facts
    for row, column in zip(rows, RESULTS.columns, strict=True):
        assert re.search(r"[\u4e00-\u9fff]", row[4]), f"{column.name} is not explained"
        assert all(word in row[4] for word in column.categories)


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_documents_name_all_columns_of_rates(language: str) -> None:
    text = (DOCS / language / "22-experiments.md").read_text(encoding="utf-8")
    named = rates([case(1)], {})
    (paragraph,) = [line for line in text.splitlines() if line.startswith("`sweep.rates`")]
    assert {name for name in named.columns if f"`{name}`" not in paragraph} == {"app", "prompt"}
