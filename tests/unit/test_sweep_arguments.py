"""What `Sweep` and `map` refuse before anything is sent, and what a map makes of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dify_notebook import AsyncDify, Dify, Sweep
from dify_notebook.errors import InputError
from dify_notebook.sweep.arguments import states_again
from dify_notebook.sweep.case import Case, Variant
from dify_notebook.sweep.job import within
from dify_notebook.sweep.outputs import added, columns, dtype_of, json_object, row_of
from dify_notebook.sweep.records import Answer, Outcome

NOWHERE = "http://127.0.0.1:9/v1"
"""Nobody listens: what would be sent would fail otherwise."""
DF = pd.DataFrame({"question": ["a", "b"], "tone": ["x", "y"]})


def client() -> Dify:
    return Dify(api_key="app-" + "k" * 24, base_url=NOWHERE)


@pytest.mark.parametrize(
    ("code", "said", "arguments"),
    [
        ("apps", "No app", {"apps": {}}),
        ("apps", "No app", {"apps": None}),
        ("repeats", "from 1 to 1,000", {"repeats": 0}),
        ("repeats", "from 1 to 1,000", {"repeats": 1_001}),
        ("repeats", "from 1 to 1,000", {"repeats": 2.0}),
        ("repeats", "from 1 to 1,000", {"repeats": True}),
        ("seed", "at least 0", {"seed": -1}),
        ("seed", "at least 0", {"seed": "x"}),
        ("concurrency", "from 1 to 128", {"concurrency": 0}),
        ("concurrency", "from 1 to 128", {"concurrency": 129}),
        ("timeout", "greater than 0", {"timeout": 0}),
        ("timeout", "greater than 0", {"timeout": float("nan")}),
        ("timeout", "greater than 0", {"timeout": "5"}),
        ("user", "user", {"user": ""}),
        ("over", "", {"over": DF.iloc[:0]}),
        ("over", "", {"over": 7}),
        ("column", "questoin", {"query": "{{ questoin }}"}),
        ("column", "cluter", {"cluster": "cluter"}),
        ("query", "name a column", {"query": "{question}"}),
        ("query", "name a column", {"query": "Hi", "id": "tone"}),
        ("over", "this is Series", {"over": DF.question}),
        ("over", "this is str", {"over": "questions.csv"}),
        ("query", "", {"query": []}),
        ("query", "", {"query": {}}),
        ("inputs", "", {"inputs": ["tone"]}),
        ("column", "ticket", {"id": "ticket"}),
    ],
)
def test_a_sweep_refuses_what_cannot_be_meant(code: str, said: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Sweep(**{"apps": client(), "over": DF, "query": "{{ question }}", **arguments})
    assert caught.value.code == code
    assert said in caught.value.message


def test_a_store_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x", "utf-8")
    with pytest.raises(InputError) as caught:
        Sweep(client(), DF, "{{ question }}", store=tmp_path)
    assert caught.value.code == "store"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_constructor_sends_nothing_and_shows_itself() -> None:
    sweep = Sweep(client(), DF, "{{ question }}")
    assert sweep.user == f"sweep-{sweep.id}"
    assert repr(sweep) == "<Sweep: nothing asked so far>"
    shown = sweep._repr_mimebundle_()
    assert "sweep.plan()" in shown["text/plain"]
    assert Sweep(client(), DF, "{{ question }}", user="lab").user == "lab"


@pytest.mark.parametrize(
    ("given", "states"),
    [((), ["failed"]), ("unknown", ["failed", "unknown"]), (["failed"], ["failed"]), (None, [])],
)
def test_what_is_asked_again(given: Any, states: list[str]) -> None:
    assert list(states_again(given)) == states


@pytest.mark.parametrize("given", ["succeeded", ["unknwon"], ["not_run"]])
def test_what_is_not_asked_again(given: Any) -> None:
    with pytest.raises(InputError) as caught:
        states_again(given)
    assert caught.value.code == "again"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("limit", {"limit": 0}),
        ("limit", {"limit": 1.5}),
        ("budget", {"budget": "2,50 EUR"}),
        ("budget", {"budget": 0}),
        ("again", {"again": "succeeded"}),
    ],
)
def test_a_run_refuses_what_cannot_be_meant(code: str, arguments: dict[str, Any]) -> None:
    sweep = Sweep(client(), DF, "{{ question }}")
    with pytest.raises(InputError) as caught:
        sweep.run(**arguments)
    assert caught.value.code == code


def test_fewer_repeats_are_refused() -> None:
    sweep = Sweep(client(), DF, "{{ question }}", repeats=3)
    for repeats in (2, 3):
        with pytest.raises(InputError, match="it is 3 already") as caught:
            sweep.extend(repeats)
        assert caught.value.code == "repeats"


def cases(*questions: str) -> list[Case]:
    variant = Variant(target="v1")
    return [Case(id=str(at), question=one, variant=variant, repeat=0, messages=()) for at, one in enumerate(questions)]


@pytest.mark.parametrize(
    ("questions", "limit", "taken"),
    [
        ("aabbcc", None, 6),
        ("aabbcc", 9, 6),
        ("aabbcc", 4, 4),
        ("aabbcc", 5, 4),
        ("aabbcc", 3, 2),
        ("aaaaaa", 4, 4),  # not even one question fits
        ("aaaabb", 3, 3),
        ("a", 1, 1),
    ],
)
def test_a_limit_takes_whole_questions(questions: str, limit: int | None, taken: int) -> None:
    assert len(within(cases(*questions), limit)) == taken


# -- maps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said", "arguments"),
    [
        ("df", "no table", {"df": None}),
        ("over", "", {"df": 3}),
        ("over", "", {"df": []}),
        ("query", "several", {"query": {"short": "{{ question }}", "long": "Now: {{ question }}"}}),
        ("inputs", "varies", {"inputs": {"style": ["a", "b"]}}),
        ("query", "question, tone", {"query": "Tell a joke."}),
        ("query", "question, tone", {"query": None}),
        ("outputs", "already", {"outputs": ["tone"]}),
        ("outputs", "", {"outputs": []}),
        ("outputs", "", {"outputs": [1]}),
        ("outputs", "", {"outputs": 1}),
        ("outputs", "why a row", {"outputs": ["error"]}),
        ("outputs", "", {"outputs": {"a": 1}}),
        ("concurrency", "from 1 to 128", {"concurrency": 0}),
        ("timeout", "greater than 0", {"timeout": -1}),
        ("budget", "", {"budget": "much"}),
    ],
)
def test_a_map_refuses_what_cannot_be_meant(code: str, said: str, arguments: dict[str, Any]) -> None:
    for dify in (client(), AsyncDify(api_key="app-" + "k" * 24, base_url=NOWHERE)):
        with pytest.raises(InputError) as caught:
            dify.map(**{"df": DF, "query": "{{ question }}", **arguments})
        assert caught.value.code == code
        assert said in caught.value.message


def test_a_table_with_a_column_of_reasons_is_refused() -> None:
    with pytest.raises(InputError, match="column error already") as caught:
        client().map(DF.assign(error=1), "{{ question }}", outputs={"reply": "answer"})
    assert caught.value.hint == 'Rename or drop it first: df.drop(columns="error").'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"label": "a"}', {"label": "a"}),
        ('  {"label": [1, null]}\n', {"label": [1, None]}),
        ('```json\n{"label": "a"}\n```', {"label": "a"}),
        ('```\n{"label": "a"}\n```', {"label": "a"}),
        ('Here: {"label": "a"}', {}),
        ("[1]", {}),
        ("```", {}),
        ("``````", {}),
        ('{"label": ', {}),
        ("{" * 100_000, {}),
        ("", {}),
    ],
)
def test_an_answer_that_is_a_json_object(text: str, found: dict[str, Any]) -> None:
    assert json_object(text) == found


def ended(state: Any = "succeeded", **answer: Any) -> Outcome:
    return Outcome(case="c", state=state, answers=[Answer(status="succeeded", **answer)])


@pytest.mark.parametrize(
    ("outputs", "is_run", "outcome", "values", "error"),
    [
        (None, False, ended(answer="Yes."), {"answer": "Yes."}, None),
        ("answer", False, ended(answer="Yes."), {"answer": "Yes."}, None),
        (["label"], False, ended(answer='{"label": 3}'), {"label": 3}, None),
        (["answer", "label"], False, ended(answer='{"answer": 1}'), {"answer": '{"answer": 1}'}, "has no label"),
        (["label"], False, ended(answer="Yes."), {}, "no JSON object"),
        (None, True, ended(outputs={"a": 1, "b": "x"}), {"a": 1, "b": "x"}, None),
        ({"mine": "b"}, True, ended(outputs={"a": 1, "b": "x"}), {"b": "x"}, None),
        (["c", "a"], True, ended(outputs={"a": 1}), {"a": 1}, "no output c; there are a"),
        (["c"], True, ended(outputs=None), {}, "no output c"),
    ],
)
def test_what_an_answer_gives_its_rows(
    outputs: Any, is_run: bool, outcome: Outcome, values: dict[str, Any], error: str | None
) -> None:
    row = row_of("succeeded", outcome, columns(outputs, []), is_run=is_run, not_run="")
    assert row.values == values
    if error is None:
        assert row.error is None
    else:
        assert row.error is not None
        assert row.error.startswith("no_output: ")
        assert error in row.error


@pytest.mark.parametrize(
    ("state", "outcome", "error"),
    [
        ("not_run", None, "not_run: why"),
        ("unknown", None, "unknown: "),
        ("failed", Outcome(case="c", state="failed", error_code="500", error="no\x1b[31m"), "500: no"),
        ("failed", ended("failed", error_code="bad", error="said"), "bad: said"),
        ("failed", Outcome(case="c", state="failed"), "failed"),
    ],
)
def test_why_a_row_has_no_answer(state: Any, outcome: Outcome | None, error: str) -> None:
    row = row_of(state, outcome, columns(None, []), is_run=False, not_run="why")
    assert row.values == {}
    assert row.error is not None
    assert row.error.startswith(error)
    assert "\x1b" not in row.error


def test_an_output_whose_name_the_table_has_is_called_otherwise() -> None:
    wanted = columns(None, ["label", "output_label"])
    row = row_of("succeeded", ended(outputs={"label": 1, "error": 2}), wanted, is_run=True, not_run="")
    found = added([row], wanted, ["label", "output_label"], [0], is_run=True)
    assert list(found) == ["output_output_label", "output_error", "error"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", None], "string"),
        ([None], "string"),
        ([True, None], "boolean"),
        ([1, None], "Int64"),
        ([2**63], object),
        ([1, 2.5], "float64"),
        ([2**53, 2.5, None], "float64"),
        ([2**53 + 1, 2.5], object),
        ([10**400, 2.5], object),
        ([1, "a"], object),
        ([True, 1], object),
        ([[1]], object),
    ],
)
def test_the_dtype_of_a_column(values: list[Any], dtype: Any) -> None:
    assert dtype_of(values) == dtype
    assert pd.Series(values, dtype=dtype).isna().sum() == values.count(None)


@pytest.mark.parametrize("over", [DF.question, "questions.csv", ["a", 3], {"question": ["a"]}])
def test_what_is_no_table_is_told_how_to_become_one(over: Any) -> None:
    with pytest.raises(InputError) as caught:
        Sweep(client(), over, "{{ question }}")
    assert "read_csv" in caught.value.hint
    assert "to_frame" in caught.value.hint


@pytest.mark.parametrize("query", [None, "{question}", "Hi"])
def test_a_table_of_which_nothing_is_asked_says_how_to_name_a_column(query: str | None) -> None:
    for ask in (lambda: client().map(DF, query), lambda: Sweep(client(), DF, query)):
        with pytest.raises(InputError, match="name a column") as caught:
            ask()
        assert "row['question']" in caught.value.hint


def test_a_table_that_only_labels_its_one_question_is_fine() -> None:
    Sweep(client(), [{"ticket": 1}], "Hi", id="ticket")


@pytest.mark.parametrize("again", [True, 3, ["all"], {"unknown": True}.values()])
def test_again_names_states(again: Any) -> None:
    with pytest.raises(InputError, match="again"):
        states_again(again)
