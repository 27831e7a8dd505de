"""One schema: the frames have it, empty or full, and the documents say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dify_notebook
from dify_notebook import frames
from dify_notebook.frames import dataframes
from dify_notebook.frames.schema import HISTORY, SCHEMA, Column, Table, as_markdown

DOCS = Path(dify_notebook.__file__).parent / "docs"
DTYPES = {
    "string": "string",
    "Int64": "Int64",
    "boolean": "boolean",
    "float64": "float64",
    "timestamp": "datetime64[us, UTC]",
    "category": "category",
}
SAMPLES: dict[str, list[object]] = {
    "string": ["a", None, "你好 🎉"],
    "Int64": [2**53 + 1, None, -1],
    "boolean": [True, None, False],
    "float64": [0.1, None, -1.0],
    "timestamp": [1_795_252_306_000_001, None, 0],
    "category": ["like", None, "a new word"],
}
TABLES = sorted(SCHEMA)


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_has_every_column_with_its_dtype(name: str) -> None:
    frame = frames.empty(name)
    assert len(frame) == 0
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == {
        column.name: DTYPES[column.dtype] for column in SCHEMA[name].columns
    }
    for column in SCHEMA[name].columns:
        if column.categories:
            assert tuple(frame[column.name].cat.categories) == column.categories


@pytest.mark.parametrize("name", TABLES)
def test_a_full_table_has_the_same_dtypes_and_keeps_every_value(name: str) -> None:
    table = SCHEMA[name]
    frame = dataframes.from_columns(table, {column.name: SAMPLES[column.dtype] for column in table.columns})
    assert frame.dtypes.astype(str).to_dict() == frames.empty(name).dtypes.astype(str).to_dict()
    for column in table.columns:
        values = frame[column.name]
        if column.dtype == "timestamp":
            assert values.iloc[0] == pd.Timestamp("2026-11-21T09:11:46.000001Z")
            assert values.iloc[2] == pd.Timestamp(0, tz="UTC")
        else:
            assert [None if pd.isna(value) else value for value in values] == SAMPLES[column.dtype]
        if column.dtype == "category":
            assert tuple(values.cat.categories[: len(column.categories)]) == column.categories


@pytest.mark.parametrize("name", TABLES)
def test_columns_that_nobody_filled_are_missing_in_every_row(name: str) -> None:
    table = SCHEMA[name]
    key = table.columns[0]
    frame = dataframes.from_columns(table, {key.name: SAMPLES[key.dtype]})
    assert len(frame) == 3
    assert frame.drop(columns=key.name).isna().all().all()
    assert frame.dtypes.astype(str).to_dict() == frames.empty(name).dtypes.astype(str).to_dict()


@pytest.mark.parametrize("name", TABLES)
def test_the_schema_is_in_order(name: str) -> None:
    table = SCHEMA[name]
    assert table.name == name
    assert len(set(table.names)) == len(table.names)
    for key in (*table.key, *(name.lstrip("-") for name in table.order)):
        assert table[key]
    for column in table.columns:
        assert column.doc.endswith(".")
        assert (column.dtype == "category") == bool(column.categories), column.name
        if column.name.endswith("_price"):
            assert (column.dtype, column.unit) == ("float64", "currency")
            assert "currency" in table.names, "a price says nothing without its currency"
        if column.name.endswith("_at"):
            assert column.dtype == "timestamp"
        if column.name.endswith("_id"):
            assert column.dtype == "string"
        if column.name.endswith("_tokens"):
            assert column.dtype == "Int64"
        if column.name in ("latency", "started", "finished", "elapsed", "opened", "total", "at"):
            assert (column.dtype, column.unit) == ("float64", "s")


def test_those_of_a_history_join() -> None:
    for table in HISTORY:
        assert table.order, table.name
        if table.name not in ("annotations", "workflow_runs"):  # which belong to the app
            assert "conversation_id" in table.names
        if table.name in ("thoughts", "citations", "files", "forms", "feedbacks"):
            assert "message_id" in table.names


def test_a_column_that_is_unknown_or_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="no column colour"):
        dataframes.from_columns(SCHEMA["messages"], {"colour": ["red"]})
    with pytest.raises(ValueError, match="different lengths"):
        dataframes.from_columns(SCHEMA["messages"], {"message_id": ["a"], "query": []})


# -- conform and concat --------------------------------------------------------------------


def test_any_frame_becomes_the_table() -> None:
    found = pd.DataFrame(
        {
            "rating": ["like", None, "meh"],
            "message_id": ["a", "b", "c"],
            "created_at": ["2026-01-01T00:00:00", None, "2026-01-01T08:00:00+08:00"],
            "total_tokens": [1.0, None, 3.0],
            "extra": [1, 2, 3],
        },
        index=[7, 8, 9],
    )
    made = dataframes.conform(SCHEMA["messages"], found)
    assert list(made.columns) == list(SCHEMA["messages"].names)
    assert made.dtypes.astype(str).to_dict() == frames.empty("messages").dtypes.astype(str).to_dict()
    assert made["created_at"].iloc[0] == made["created_at"].iloc[2]
    assert list(made["rating"].cat.categories) == ["like", "dislike", "meh"]
    assert made["total_tokens"].sum() == 4
    assert list(made.index) == [0, 1, 2]


def test_parts_become_one_with_all_their_categories_and_in_order() -> None:
    table = SCHEMA["messages"]
    parts = [
        dataframes.from_columns(table, {"message_id": ["b", "a"], "created_at": [2, 1], "rating": ["meh", None]}),
        dataframes.from_columns(table, {}),
        dataframes.from_columns(table, {"message_id": ["c", "d"], "created_at": [None, 1], "rating": ["wow", "like"]}),
    ]
    whole = dataframes.concat(table, list(parts), ordered=True)
    assert whole["message_id"].tolist() == ["c", "a", "d", "b"]  # what has no time comes first; ties stay
    assert whole["rating"].astype(object).fillna("").tolist() == ["wow", "", "like", "meh"]
    assert list(whole["rating"].cat.categories)[:2] == ["like", "dislike"]
    assert parts[0]["message_id"].tolist() == ["b", "a"], "the parts are as they were"


def test_the_last_used_comes_first_and_what_has_no_time_last() -> None:
    table = SCHEMA["conversations"]
    part = dataframes.from_columns(table, {"conversation_id": ["a", "b", "c"], "name": ["", "", ""], "updated_at": [1, None, 3]})
    assert dataframes.concat(table, [part], ordered=True)["conversation_id"].tolist() == ["c", "a", "b"]


@given(st.lists(st.tuples(st.none() | st.integers(0, 3), st.sampled_from("abc"), st.none() | st.integers(1, 2)), max_size=12))
def test_ties_are_sorted_by_the_other_columns_and_then_stay(rows: list[tuple[int | None, str, int | None]]) -> None:
    table = SCHEMA["thoughts"]
    columns: dict[str, list[Any]] = {"created_at": [row[0] for row in rows], "message_id": [row[1] for row in rows], "position": [row[2] for row in rows]}
    part = dataframes.from_columns(table, {**columns, "thought_id": [str(at) for at in range(len(rows))], "call": [0] * len(rows)})
    found = dataframes.concat(table, [part], ordered=True)
    low = -1  # what is missing comes first
    wanted = sorted(range(len(rows)), key=lambda at: (low if rows[at][0] is None else rows[at][0], rows[at][1], rows[at][2] or low))
    assert found["thought_id"].tolist() == [str(at) for at in wanted]


# -- documents --------------------------------------------------------------------------------


def documented(language: str, table: Table) -> list[list[str]]:
    """The rows of the table's columns in a language's document."""
    text = (DOCS / language / "18-history.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^### [^\n]* {table.name}\n(.*?)(?=^### |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("name", TABLES)
def test_the_english_document_is_the_schema(name: str) -> None:
    text = (DOCS / "en" / "18-history.md").read_text(encoding="utf-8")
    table = SCHEMA[name]
    assert f"### The table {name}\n\n{table.doc}\n\n{as_markdown(table)}\n" in text


@pytest.mark.parametrize("name", TABLES)
def test_the_chinese_document_has_the_same_columns(name: str) -> None:
    rows = documented("zh-Hans", SCHEMA[name])
    facts = [(f"`{column.name}`", column.dtype, column.unit, column.nullable) for column in SCHEMA[name].columns]
    assert [(row[0], row[1], row[2], row[3] == "可以") for row in rows] == facts
    for row, column in zip(rows, SCHEMA[name].columns, strict=True):
        assert re.search(r"[\u4e00-\u9fff]", row[4]), f"{column.name} is not explained"
        assert all(word in row[4] for word in column.categories)


def test_a_column_is_found_by_its_name() -> None:
    assert isinstance(SCHEMA["messages"]["rating"], Column)
    with pytest.raises(KeyError):
        SCHEMA["messages"]["colour"]
