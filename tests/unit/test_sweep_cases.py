"""Which cases a design has: what texts mean, what makes two cases the same, and in which order they are asked."""

from __future__ import annotations

import copy
import io
import random
import threading
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linear import MOST as LINEAR
from support.linear import growth

from dify_notebook.app.files import FileInput
from dify_notebook.app.known import KnownApp
from dify_notebook.errors import InputError
from dify_notebook.i18n import t
from dify_notebook.sweep.case import Case, Target
from dify_notebook.sweep.cases import grid
from dify_notebook.sweep.cases.grid import App, Design, arrange, distinct
from dify_notebook.sweep.cases.identity import FileHashes, canonical, cell, digest
from dify_notebook.wire.models import Parameters


def app(name: str = "v1", *controls: Mapping[str, Any], mode: str = "chat", identity: str | None = None) -> App:
    """A target without a server; without controls it is not known what it asks for."""
    target = Target(name=name, client=None, identity=identity or name)  # type: ignore[arg-type]  # nothing is sent
    form: list[dict[str, Any]] = [{str(each["type"]): dict(each)} for each in controls]
    return App(target, KnownApp(parameters=Parameters(user_input_form=form) if controls else None, mode=mode))


def control(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "variable": name, "label": name, **more}


def made(*apps: App, **design: Any) -> list[Case]:
    return arrange(Design(**design), apps or (app(),))


def refused(*apps: App, **design: Any) -> str:
    with pytest.raises(InputError) as refusal:
        made(*apps, **design)
    return refusal.value.message


def queries(cases: Sequence[Case]) -> dict[Any, list[str | None]]:
    """What the rows ask, by their labels."""
    return {label: [message.query for message in case.messages] for case in cases for label in case.labels}


def ids(cases: Sequence[Case]) -> set[str]:
    return {case.id for case in cases}


def blocks(cases: Sequence[Case]) -> set[frozenset[Any]]:
    """Which rows are asked together."""
    return {frozenset(case.labels) for case in cases}


# -- what texts mean -------------------------------------------------------------------

TOWNS = [
    {"town": "Lyon", "days": 2, "notes": {"by": ["Ada", "Bo"]}},
    {"town": "Kyoto", "days": 3, "notes": {"by": ["Cy"]}},
]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("Weather in {{ town }}?", [["Weather in Lyon?"], ["Weather in Kyoto?"]]),
        ("{{ row.town }} {{ days }}", [["Lyon 2"], ["Kyoto 3"]]),
        ('{{ row["town"] }}', [["Lyon"], ["Kyoto"]]),
        ('{{ notes["by"][0] }}, {{ row.notes["by"][-1] }}', [["Ada, Bo"], ["Cy, Cy"]]),
        (["Hi from {{ town }}", "And for {{ days }} days?"], [["Hi from Lyon", "And for 2 days?"], ["Hi from Kyoto", "And for 3 days?"]]),
        ("\\{{ town }} {{#context#}} {town}", [["{{ town }} {{#context#}} {town}"]] * 2),
    ],
    ids=["a column", "of the row", "by its name in quotes", "what a cell holds", "a script", "no columns"],
)
def test_a_query_is_filled_with_the_columns(query: Any, asked: list[list[str]]) -> None:
    assert sorted(queries(made(query=query, over=TOWNS)).items()) == list(enumerate(asked))


def test_a_column_called_row_is_a_column_and_row_still_names_the_others() -> None:
    assert queries(made(query="{{ row }} {{ row.q }}", over=[{"row": "a", "q": "b"}])) == {0: ["a b"]}


def test_columns_whose_names_are_no_names_of_python() -> None:
    frame = pd.DataFrame([["x", "y", "z"]], columns=pd.Index(["My question", 3, "ｗide"]))
    assert queries(made(query='{{ row["My question"] }}{{ row[3] }}{{ row.wide }}', over=frame)) == {0: ["xyz"]}


def test_a_column_is_the_one_whose_name_was_written() -> None:
    for over in ([{"m2": "a", "m\u00b2": "b"}], [{"m\u00b2": "b", "m2": "a"}]):
        assert queries(made(query='{{ m2 }} {{ row.m2 }} {{ row["m2"] }} {{ row["m\u00b2"] }}', over=over)) == {0: ["a a a b"]}


def test_several_prompts_are_variants() -> None:
    cases = made(query={"short": "{{ town }}?", "long": ["Hello", "{{ town }}?"]}, over=TOWNS)
    assert {(case.variant.prompt, len(case.messages)) for case in cases} == {("short", 1), ("long", 2)}
    assert len(cases) == 4


def test_one_question_without_a_table() -> None:
    (case,) = made(query="Why?")
    assert (case.messages[0].query, case.labels, case.repeat) == ("Why?", (0,), 0)


TONED = app("v1", control("text-input", "tone"), control("paragraph", "text"), control("number", "n"), control("text-input", "city"))


def test_inputs_are_varied_columns_filled_or_themselves() -> None:
    rows = [{"body": "Help", "town": "Lyon"}, {"body": "No", "town": "Oslo"}]
    inputs = {"tone": ["formal", "casual"], "text": "body", "city": "in {{ town }}", "n": 3}
    cases = made(TONED, query="?", inputs=inputs, over=rows)
    sent = {(case.labels, case.variant.inputs["tone"]): case.messages[0].inputs for case in cases}
    assert len(cases) == 4
    assert sent[((0,), "casual")] == {"tone": "casual", "text": "Help", "city": "in Lyon", "n": 3}
    assert sent[((1,), "formal")] == {"tone": "formal", "text": "No", "city": "in Oslo", "n": 3}


def test_a_text_in_a_list_is_meant_though_it_is_like_a_column() -> None:
    cases = made(query="?", inputs={"a": ["body"], "b": ["Sum up {{ body }}"]}, over=[{"body": "x"}])
    assert cases[0].messages[0].inputs == {"a": "body", "b": "Sum up x"}


@pytest.mark.parametrize("text", ["Body", "boddy", "customer name", "customer-name", "custmer_name"])
def test_a_text_that_looks_like_a_slip_of_a_column_is_refused(text: str) -> None:
    message = refused(query="?", inputs={"x": text}, over=[{"body": "x", "customer_name": "y"}])
    assert "Did you mean the column" in message
    assert f'["{text}"]' in message


@pytest.mark.parametrize("text", ["formal", "en", "a body of text", ""])
def test_other_texts_are_themselves(text: str) -> None:
    assert made(query="?", inputs={"x": text}, over=[{"body": "x"}])[0].messages[0].inputs == {"x": text}


@dataclass
class Price:
    amount: Decimal


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (pd.Timestamp("2026-01-31 12:00"), "2026-01-31T12:00:00"),
        (Decimal("10.50"), 10.5),
        ([1, "a"], [1, "a"]),
        ({"a": [None]}, {"a": [None]}),
        (Price(Decimal(2)), {"amount": 2}),
        ("", ""),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("written", ["cell", "{{ cell }}"])
def test_cells_keep_their_types(value: Any, sent: Any, written: str) -> None:
    got = made(query="?", inputs={"x": written}, over=[{"cell": value}])[0].messages[0].inputs["x"]
    assert (got, type(got)) == (sent, type(sent))


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, np.nan, Decimal("NaN")], ids=repr)
def test_what_is_missing_in_a_row_is_not_given(missing: Any) -> None:
    cases = made(query="?", inputs={"x": "cell", "y": "{{ cell }}"}, over=[{"cell": missing}])
    assert cases[0].messages[0].inputs == {}
    assert made(query="?", inputs={"x": None}, over=[{}])[0].messages[0].inputs == {"x": None}, "said by the user"


def test_the_text_of_an_app_without_conversations_is_the_input_that_it_is() -> None:
    flow = app("flow", control("paragraph", "body"), control("text-input", "kind"), mode="workflow")
    chat = app("chat", control("text-input", "kind"))
    cases = made(flow, chat, query="{{ town }}", inputs={"kind": ["a", "b"]}, over=TOWNS)
    first = {(case.variant.target, case.labels[0], case.variant.inputs["kind"]): case.messages for case in cases}
    (message,) = first["flow", 0, "a"]
    assert (message.query, message.inputs) == (None, {"body": "Lyon", "kind": "a"})
    (message,) = first["chat", 0, "a"]
    assert (message.query, message.inputs) == ("Lyon", {"kind": "a"})
    assert len(ids(cases)) == 8


def test_an_app_without_conversations_may_have_inputs_alone() -> None:
    flow = app("flow", control("paragraph", "body"), mode="completion")
    cases = made(flow, inputs={"body": "town"}, over=TOWNS)
    assert {case.messages[0].inputs["body"] for case in cases} == {"Lyon", "Kyoto"}
    assert all(message.query is None for case in cases for message in case.messages)


# -- what is refused -------------------------------------------------------------------

FLOW = app("flow", control("text-input", "one"), control("text-input", "two"), mode="workflow")


@pytest.mark.parametrize(
    ("apps", "design", "parts"),
    [
        ((), {"query": "{{ twon }}"}, ["query", "twon", "Did you mean town?", "town, days, notes"]),
        ((), {"query": "{{ row.twon }}"}, ["twon", "town, days, notes"]),
        ((), {"query": "{{ row }}"}, ["no column row"]),
        ((), {"query": "{{ tone }}", "inputs": {"tone": ["a", "b"]}}, ["no column tone"]),
        ((), {"query": ["ok", "{{ twon }}"]}, ["query, 2"]),
        ((), {"query": {"long": "{{ twon }}"}}, ["query['long']"]),
        ((), {"query": "?", "inputs": {"x": "{{ twon }}"}}, ["inputs['x']"]),
        ((), {"query": "?", "inputs": {"x": ["{{ twon }}"]}}, ["inputs['x']"]),
        ((), {"query": "{{ town"}, ["query"]),
        ((), {"query": "{{ town }}", "over": None}, ["there is no table"]),
        ((), {"query": "{{ notes.nobody }}"}, ["Row 0", "nobody"]),
        ((), {"query": "town"}, ["query is town", '"{{ town }}"']),
        ((), {"query": {"a": "my town"}, "over": [{"my town": 1}]}, ["query['a']", '"{{ row["my town"] }}"']),
        ((), {"query": "In {{ my town }}", "over": [{"my town": 1}]}, ["query", '{{ row["my town"] }}']),
        ((), {"query": "In {{ town|upper }}"}, ["town|upper", "compute it in Python"]),
        ((), {"query": "In {{ t }}", "over": [{"t": "a"}, {"t": None}]}, ["Row 1", "column t is empty (None)", "dropna"]),
        ((), {"query": "?", "inputs": {"x": "In {{ t }}"}, "over": [{"t": float("nan")}]}, ["Row 0", "column t is empty (nan)"]),
        ((), {"query": {}}, ["without any prompt"]),
        ((), {"query": {"a": "x", "b": "x"}}, ["a and b are the same text"]),
        ((), {"query": {3: "x"}}, ["prompt's name"]),
        ((), {"query": []}, ["list"]),
        ((), {"query": ["x", 3]}, ["query, 2", "int"]),
        ((), {"query": "  "}, ["Row 0: the question is empty"]),
        ((), {"query": ["x", "{{ row.blank }}"], "over": [{"blank": "a"}, {"blank": " "}]}, ["Row 1: turn 2"]),
        ((), {"query": "{{ blank }}", "over": [{"blank": "a"}, {"blank": None}]}, ["Row 1", "blank"]),
        ((), {"query": "in {{ blank }}", "over": [{"blank": float("nan")}]}, ["Row 0", "blank"]),
        ((), {"query": "\ud800"}, ["Row 0", "query"]),
        ((), {}, ["v1", "query="]),
        ((), {"query": "?", "over": []}, ["no row"]),
        ((), {"query": "?", "over": pd.DataFrame()}, ["no row"]),
        ((), {"query": "?", "over": "rows.csv"}, ["str"]),
        ((), {"query": "?", "over": ["a"]}, ["str"]),
        ((), {"query": "?", "over": [{1: 2}]}, ["int"]),
        ((), {"query": "?", "over": pd.DataFrame([[1, 2]], columns=["a", "a"])}, ["two columns a"]),
        ((), {"query": "?", "id": "twon"}, ["id", "twon", "Did you mean town?"]),
        ((), {"query": "?", "cluster": "twon"}, ["cluster"]),
        ((), {"query": "?", "id": "notes"}, ["notes", "dict"]),
        ((), {"query": "?", "cluster": "notes"}, ["notes", "dict"]),
        ((), {"query": "?", "id": "a", "over": [{"a": 1}, {"b": 1}]}, ["row 1"]),
        ((), {"query": "?", "repeats": 0}, ["repeats="]),
        ((), {"query": "?", "repeats": True}, ["repeats="]),
        ((), {"query": "?", "seed": 0.5}, ["seed="]),
        ((), {"query": "?", "inputs": ["a"]}, ["list"]),
        ((), {"query": "?", "inputs": {3: "a"}}, ["int"]),
        ((), {"query": "?", "inputs": {"x": []}}, ["inputs['x']", "empty list"]),
        ((), {"query": "?", "inputs": {"x": ["a", "b", "a"]}}, ["'a' twice"]),
        ((), {"query": "?", "inputs": {"x": object()}}, ["x", "object"]),
        ((), {"query": "?", "inputs": {"x": "cell"}, "over": [{"cell": 1}, {"cell": object()}]}, ["Row 1", "cell", "object"]),
        ((app("f", mode="workflow"),), {"query": "?"}, ["f", "does not tell"]),
        ((TONED,), {"query": "?", "inputs": {"n": "town"}}, ["Row 0", "n"]),
        ((TONED,), {"query": "?", "inputs": {"other": "x"}}, ["v1", "other", "tone, text, n, city"]),
        ((app("v2", control("text-input", "a", required=True)),), {"query": "?"}, ["v2 needs a"]),
        ((FLOW,), {"query": "?"}, ["flow", "one, two"]),
        ((FLOW,), {"query": ["?", "!"]}, ["flow", "script"]),
        ((app("f", control("number", "n"), mode="workflow"),), {"query": "?"}, ["f", "no query"]),
        ((app("f", control("paragraph", "p"), mode="workflow"),), {"query": "?", "inputs": {"p": "town"}}, ["f", "p"]),
        ((), {"query": "?", "files": "town.png"}, ["files", "town.png"]),
        ((), {"query": "?", "files": 3}, ["files=", "int"]),
        ((), {"query": "?", "files": "town"}, ["Row 0", "town", "never taken for the path"]),
        ((), {"query": "?", "files": [io.BytesIO(b"x")]}, ["read once"]),
        ((), {"query": "?", "inputs": {"x": io.BytesIO(b"x")}}, ["read once"]),
        ((), {"query": "?", "files": [Path("/nowhere/a.png")]}, ["/nowhere/a.png"]),
        ((), {"query": "?", "files": "f", "over": [{"f": Path("/nowhere/a.png")}]}, ["Row 0", "/nowhere/a.png"]),
    ],
    ids=lambda value: repr(value)[:50],
)  # fmt: skip
def test_refused_with_what_is_wrong_and_where(apps: tuple[App, ...], design: dict[str, Any], parts: list[str]) -> None:
    message = refused(*apps, **{"over": TOWNS, **design})
    assert [part for part in parts if part not in message] == [], message


def test_what_to_do_is_not_that_of_a_question_in_a_cell() -> None:
    with pytest.raises(InputError) as refusal:
        made(query=3)
    assert refusal.value.hint == t("magic.value.hint")


def test_what_is_wrong_in_all_rows_names_none_of_them() -> None:
    nowhere = Path("/nowhere/a.png")
    needs = app("v1", control("text-input", "a", required=True), control("file", "f", allowed_file_types=["image"]))
    messages = [
        refused(query="?", files=[nowhere], over=TOWNS),
        refused(needs, query="?", over=TOWNS),
        refused(needs, query="?", inputs={"a": "x", "f": nowhere}, over=TOWNS),
    ]
    assert [message for message in messages if "Row" in message] == []


def test_a_row_is_named_by_its_label_made_harmless() -> None:
    frame = pd.DataFrame({"q": ["a", ""], "ticket": ["T-1", "T\x1b[2J-2"]})
    assert refused(query="{{ q }}", over=frame, id="ticket").startswith("Row T␛[2J-2: ")


def test_more_than_a_million_cases_are_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"q": range(250_001)})
    message = refused(query="{{ q }}", over=frame, inputs={"x": [1, 2]}, repeats=2)
    assert "250,001 rows by 2 variants by 2 repeats are 1,000,004 cases" in message
    monkeypatch.setattr(grid, "MOST", 4)
    assert len(made(query="{{ q }}", over=frame[:2], repeats=2)) == 4


# -- files -----------------------------------------------------------------------------


def test_files_count_by_their_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    one.write_bytes(b"picture")
    other.write_bytes(b"picture")
    by_path = made(query="?", files="f", over=[{"f": one}])
    assert by_path[0].messages[0].files == (one,)
    assert ids(made(query="?", files="f", over=[{"f": [other]}])) == ids(by_path)
    assert ids(made(query="?", files="f", over=[{"f": b"picture"}])) == ids(by_path)
    assert ids(made(query="?", files=[one])) == ids(by_path)
    (together,) = made(query="?", files="f", over=[{"f": one}, {"f": other}])
    assert together.labels == (0, 1)
    one.write_bytes(b"another")
    assert ids(made(query="?", files="f", over=[{"f": one}])).isdisjoint(ids(by_path))
    assert ids(made(query="?", files="f", over=[{"f": None}])).isdisjoint(ids(by_path))


def test_files_of_inputs_count_by_their_bytes_too(tmp_path: Path) -> None:
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    one.write_bytes(b"picture")
    other.write_bytes(b"picture")
    takes = app("v1", control("file", "x", allowed_file_types=["image"]))
    first, second = (made(takes, query="?", inputs={"x": each}) for each in (one, other))
    assert ids(first) == ids(second)
    assert first[0].messages[0].inputs == {"x": FileInput((one,), False, 1)}
    other.write_bytes(b"another")
    assert ids(made(takes, query="?", inputs={"x": "f"}, over=[{"f": other}])).isdisjoint(ids(first))
    assert ids(made(takes, query="?", inputs={"x": "{{ f }}"}, over=[{"f": one}])) == ids(first)


def test_a_path_is_the_same_file_wherever_the_notebook_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    (case,) = made(query="?", files=["a.txt", Path("a.txt"), "https://example.com/b.png"])
    first, second, third = case.messages[0].files
    assert first == second == tmp_path / "a.txt"
    assert third == {"type": "image", "transfer_method": "remote_url", "url": "https://example.com/b.png"}


def test_a_reference_to_an_address_is_a_file(tmp_path: Path) -> None:
    reference = {"type": "image", "transfer_method": "remote_url", "url": "https://example.com/b.png"}
    (case,) = made(query="?", files="f", over=[{"f": reference}])
    assert case.messages[0].files == (reference,)


def test_a_path_that_stands_in_a_text_counts_by_its_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    rows = [{"f": one}, {"f": other}, {"f": tmp_path / "nowhere"}]
    assert queries(made(query="{{ f }}", over=rows)) == {at: [str(row["f"])] for at, row in enumerate(rows)}
    assert len(blocks(made(query="{{ f }}", files="f", over=rows[:2]))) == 2
    assert len(blocks(made(query="?", inputs={"x": "Sum up {{ f }}"}, over=rows))) == 3
    assert len(blocks(made(query="?", inputs={"x": "f"}, over=rows[:2]))) == 1


@pytest.mark.parametrize(
    "values",
    [[1, 1.0, True, "1"], [{"a": 1}, {"a": 1.0}], [Path("a"), "a"], [None, ""], [b"a", b"b"], [[1, 2], [2, 1]]],
    ids=repr,
)
def test_values_that_are_sent_as_others_vary(values: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("a")
    assert len(made(query="?", inputs={"x": values})) == len(values)


@pytest.mark.parametrize("value", [1, {"a": [1]}, np.array([1, 2]), b"a", Path("a"), pd.Timestamp("2026-01-01")], ids=repr)
def test_a_value_twice_is_refused(value: Any) -> None:
    assert "twice" in refused(query="?", inputs={"x": [value, copy.copy(value)]})


def test_a_large_file_is_not_held(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    FileHashes().of(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


# -- what makes two cases the same -----------------------------------------------------

ROWS = st.lists(
    st.fixed_dictionaries({"q": st.text("abc", min_size=1, max_size=2), "n": st.integers(0, 3), "m": st.sampled_from([None, 1.5, True])}),
    min_size=1,
    max_size=8,
)
ASKED: dict[str, Any] = {"query": {"a": "{{ q }}", "b": ["{{ q }}", "{{ n }}?"]}, "inputs": {"n": "n", "m": "m", "tone": ["x", "y"]}}


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(rows: list[dict[str, Any]], chance: random.Random) -> None:
    positions, columns = list(range(len(rows))), list(rows[0])
    chance.shuffle(positions)
    chance.shuffle(columns)
    labelled = [{**row, "label": at} for at, row in enumerate(rows)]
    moved = [{"label": at, **{name: rows[at][name] for name in columns}} for at in positions]
    first = made(app("v1"), app("v2"), over=labelled, id="label", **ASKED)
    second = made(app("v1"), app("v2"), over=moved, id="label", **ASKED)
    assert [(case.id, case.question, set(case.labels)) for case in first] == [(case.id, case.question, set(case.labels)) for case in second]


@given(ROWS)
def test_equal_rows_are_one_case_that_keeps_all_labels(rows: list[dict[str, Any]]) -> None:
    cases = made(over=rows, **ASKED)
    different = {canonical([row["q"], row["n"], row["m"]]) for row in rows}
    assert len(blocks(cases)) == len({case.question for case in cases}) == len(different)
    assert sorted(label for labels in blocks(cases) for label in labels) == list(range(len(rows)))


@given(ROWS, ROWS)
def test_what_a_column_that_is_not_used_holds_does_not_matter(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    wider = [{**row, "unused": other} for row, other in zip(rows, [*others, *rows], strict=False)]
    assert made(over=rows, **ASKED) == made(over=wider, **ASKED)


@given(ROWS, st.integers(1, 3), st.integers(1, 3))
def test_more_repeats_are_more_of_the_same(rows: list[dict[str, Any]], fewer: int, more: int) -> None:
    few, many = made(over=rows, repeats=fewer, **ASKED), made(over=rows, repeats=fewer + more, **ASKED)
    assert ids(few) == {case.id for case in many if case.repeat < fewer}
    assert ids(few) < ids(many)


@given(ROWS, ROWS)
def test_a_longer_table_has_the_cases_of_a_shorter_one(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    assert ids(made(over=rows, **ASKED)) <= ids(made(over=rows + others, **ASKED))


def test_an_apps_name_is_no_part_of_a_case_and_its_identity_is() -> None:
    first = made(app("v1", identity="A"), over=TOWNS, query="{{ town }}")
    assert [case.id for case in made(app("new", identity="A"), over=TOWNS, query="{{ town }}")] == [case.id for case in first]
    assert ids(made(app("v1", identity="B"), over=TOWNS, query="{{ town }}")).isdisjoint(ids(first))


def test_another_app_beside_changes_neither_cases_nor_the_order_of_questions() -> None:
    rows = [{"q": str(n)} for n in range(20)]
    alone, both = made(over=rows, query="{{ q }}"), made(app("v1"), app("v2"), over=rows, query="{{ q }}")
    assert [case.id for case in alone] == [case.id for case in both if case.variant.target == "v1"]


@pytest.mark.parametrize(
    "other",
    [{"query": "a?"}, {"query": ["a", "a"]}, {"inputs": {"x": 1.0}}, {"inputs": {"x": True}}, {"inputs": {"x": "1"}}, {"inputs": {"y": 1}}, {"inputs": {}}, {"files": [b"x"]}],
    ids=repr,
)
def test_whatever_is_sent_is_part_of_a_case(other: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"query": "a", "inputs": {"x": 1}}
    assert ids(made(**plain)).isdisjoint(ids(made(**{**plain, **other})))


def test_the_order_of_inputs_is_no_part_of_a_case() -> None:
    assert ids(made(query="a", inputs={"x": 1, "y": {"b": 1, "a": 2}})) == ids(made(query="a", inputs={"y": {"a": 2, "b": 1}, "x": 1}))


def test_other_cells_that_come_to_the_same_are_one_question() -> None:
    (case,) = made(query="{{ n }}", over=[{"n": 1}, {"n": "1"}, {"n": Decimal(1)}])
    assert case.labels == (0, 1, 2)
    assert made(query="{{ n }}", over=[{"n": "1"}, {"n": 1}])[0].question in {
        made(query="{{ n }}", over=[{"n": value}])[0].question for value in (1, "1")
    }


def test_what_two_variants_send_alike_is_asked_once() -> None:
    cases = made(query={"a": "{{ a }}", "b": "{{ b }}"}, over=[{"a": "x", "b": "x"}, {"a": "x", "b": "y"}])
    assert len(cases) == 4
    assert len(distinct(cases)) == len(ids(cases)) == 2
    positions = [cases.index(case) for case in distinct(cases)]
    assert positions == sorted(positions)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(each) for name, each in reversed(value.items())}
    return [reordered(each) for each in value] if isinstance(value, list) else value


@given(VALUES, VALUES)
def test_canonical_json_has_one_spelling_for_each_value(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(reordered(one))
    assert (canonical(one) == canonical(other)) == (repr(reordered(one)) == repr(reordered(other)) or _same(one, other))


def _same(one: Any, other: Any) -> bool:
    """Equal and of equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("nan")]], ids=repr)
def test_no_hash_of_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(value)


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_parts_of_a_hash_are_not_taken_for_one_another(one: list[bytes], other: list[bytes]) -> None:
    assert (digest("x", *one) == digest("x", *other)) == (one == other)
    assert digest("x", *one) != digest("y", *one)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, False), (1, True, False), (1, "1", False), (Decimal("1.5"), Decimal("1.50"), False), (Decimal("1.5"), 1.5, False),
     (None, float("nan"), True), (None, "", False), (np.int64(1), 1, True), ((1, 2), [1, 2], True),
     (Decimal("0.1234567890123456789"), Decimal("0.1234567890123456788"), False), ({"decimal": "1"}, Decimal(1), False)],
    ids=repr,
)  # fmt: skip
def test_which_cells_are_the_same(one: Any, other: Any, same: bool) -> None:
    assert (cell(one) == cell(other)) == same


# -- tables ----------------------------------------------------------------------------


def test_every_kind_of_table_gives_the_same_cases() -> None:
    rows = [{"q": "a", "n": 1}, {"q": "b", "n": 2}]
    asked: dict[str, Any] = {"query": "{{ q }}", "inputs": {"n": "n"}}
    plain = made(over=rows, **asked)
    assert made(over=pd.DataFrame(rows), **asked) == plain
    assert made(over=pl.DataFrame(rows), **asked) == plain
    indexed = made(over=pd.DataFrame(rows, index=["x", "y"]), **asked)
    assert [case.id for case in indexed] == [case.id for case in plain]
    assert blocks(indexed) == {frozenset(["x"]), frozenset(["y"])}


def test_labels_and_clusters_are_columns() -> None:
    frame = pd.DataFrame({"q": ["a", "a", "b"], "ticket": ["T1", "T2", "T3"], "doc": ["D", "E", None]})
    by_labels = {case.labels: case.cluster for case in made(query="{{ q }}", over=frame, id="ticket", cluster="doc")}
    assert by_labels == {("T1", "T2"): "D", ("T3",): None}


# -- order -----------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 5))
def test_after_whole_questions_all_variants_have_been_asked_the_same(rows: int, repeats: int, seed: int) -> None:
    cases = made(app("v1"), app("v2"), query={"a": "a {{ q }}", "b": "b {{ q }}"}, over=[{"q": str(n)} for n in range(rows)], repeats=repeats, seed=seed)
    block = 4 * repeats
    for start in range(0, len(cases), block):
        part = cases[start : start + block]
        assert len({case.question for case in part}) == 1
        assert [case.repeat for case in part] == [repeat for repeat in range(repeats) for _ in range(4)]
        for repeat in range(repeats):
            names = {(case.variant.target, case.variant.prompt) for case in part if case.repeat == repeat}
            assert len(names) == 4


def test_the_seed_decides_the_order_and_no_variant_always_comes_first() -> None:
    rows = [{"q": str(n)} for n in range(40)]
    first, again, other = (made(app("v1"), app("v2"), query="{{ q }}", over=rows, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert ids(first) == ids(other)
    assert [case.question for case in first] != [case.question for case in other]
    assert {case.variant.target for case in first[::2]} == {"v1", "v2"}


# -- cost ------------------------------------------------------------------------------


def test_the_cost_grows_with_the_table() -> None:
    def rows(count: int) -> Design:
        return Design(query="{{ q }}", inputs={"n": "n"}, over=pd.DataFrame({"q": [f"w{n}" for n in range(count)], "n": range(count)}))

    assert growth(rows, lambda design: arrange(design, [app("v1"), app("v2")]), 500) <= LINEAR


def test_a_case_is_small() -> None:
    frame = pd.DataFrame({"q": [f"What is {n}?" for n in range(2000)], "n": range(2000)})
    tracemalloc.start()
    cases = made(app("v1"), app("v2"), query="{{ q }}", inputs={"n": "n"}, over=frame)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held / len(cases) < 3000
    assert len({id(case.variant) for case in cases}) == 2


def test_it_stops_when_nobody_waits() -> None:
    stopped = threading.Event()
    stopped.set()
    assert arrange(Design(query="?"), [app()], stopped) == []
