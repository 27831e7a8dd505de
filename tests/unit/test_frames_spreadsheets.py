"""What people and models wrote is not calculated by a spreadsheet that opens a table of it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook import Dify, History, frames, local
from dify_notebook.frames import dataframes
from dify_notebook.frames.plots.plot import Plot
from dify_notebook.frames.schema import SCHEMA
from dify_notebook.local.__main__ import main
from dify_notebook.spreadsheets import escape_formula

CALCULATED = ["=1+1", "+1", "-1", "@x", "\t=1", "\rx", "\n", "＝1", "＠x", "  =1", " \t=1", "-", "= "]
TEXTS = ["", "1-1", "a=b", "'=1", " x", "．", "mail@x", "1", "a\t=1", "–", "•"]


@pytest.mark.parametrize("text", CALCULATED)
def test_a_text_that_would_be_calculated_has_a_quote_before_it(text: str) -> None:
    assert escape_formula(text) == "'" + text


@pytest.mark.parametrize("value", [*TEXTS, -1, 1.5, None, True, float("inf")])
def test_everything_else_is_as_it_is(value: Any) -> None:
    assert escape_formula(value) is value


@given(st.text())
def test_any_text_stands_behind_at_most_one_quote(text: str) -> None:
    made = escape_formula(text)
    assert made in (text, "'" + text)
    assert made[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
    assert escape_formula(made) == made


def test_a_table_keeps_its_numbers_and_its_dtypes() -> None:
    rows: dict[str, list[Any]] = {"message_id": ["a", "b"], "query": ["=1+1", "hi"], "answer": ["-1", None], "total_price": [-1.5, None], "prompt_tokens": [-3, 4], "status": ["normal", "error"]}  # fmt: skip
    table = dataframes.from_columns(SCHEMA["messages"], rows)
    made = frames.safe_for_spreadsheets(table)
    assert made["query"].tolist() == ["'=1+1", "hi"]
    assert made["answer"].fillna("").tolist() == ["'-1", ""]
    assert made.dtypes.equals(table.dtypes)
    others = [name for name in table if name not in ("query", "answer")]
    pd.testing.assert_frame_equal(made[others], table[others])
    assert table["query"].tolist() == ["=1+1", "hi"], "the table that was given is as it was"


def test_labels_and_words_of_a_category_are_texts_too() -> None:
    table = pd.DataFrame({"user": ["=a", "b", "'=a"], "x": [1, 2, -3], "y": [{"=": 1}, "@", 2.5]})
    table["user"] = table["user"].astype("category")
    made = frames.safe_for_spreadsheets(table.set_index("user", drop=False).rename(columns={"x": "+x"}))
    assert made["user"].tolist() == list(made.index) == ["'=a", "b", "'=a"]
    assert list(made.columns) == ["user", "'+x", "y"]
    assert made["'+x"].tolist() == [1, 2, -3]
    assert made["y"].tolist() == [{"=": 1}, "'@", 2.5]
    pivot = table.pivot_table(index=["user", "x"], columns="x", aggfunc="size", observed=True)
    text = frames.safe_for_spreadsheets(pivot).to_csv()
    assert [row[0] for row in csv.reader(io.StringIO(text))] == ["user", "'=a", "'=a", "b"]


@pytest.mark.parametrize("name", SCHEMA)
def test_every_table_goes_through_it(name: str) -> None:
    table = frames.empty(name)
    pd.testing.assert_frame_equal(frames.safe_for_spreadsheets(table), table)


def test_two_columns_of_one_name_stay_two() -> None:
    table = pd.DataFrame([["=1", "+2"]], columns=["a", "a"])
    assert frames.safe_for_spreadsheets(table).values.tolist() == [["'=1", "'+2"]]


# -- what the product itself writes ----------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's directory in which somebody asked what a spreadsheet would calculate."""
    place = tmp_path_factory.mktemp("server")
    with (
        local.serve(data_dir=place, pace=0) as server,
        Dify(base_url=server.base_url, api_key=server.api_key("guide"), user="=ann") as dify,
    ):
        turn = dify.chat.send("=1+1 how do I stop?")
        assert turn.message_id is not None
        dify.messages.feedback(turn.message_id, "like", content="@good")
    return place


def cells(folder: Path) -> list[str]:
    found = []
    for path in folder.glob("*.csv"):
        with open(path, newline="", encoding="utf-8") as file:
            found += [cell for row in csv.reader(file) for cell in row]
    return found


def test_a_dump_offers_it(asked: Path, tmp_path: Path) -> None:
    local.dump(tmp_path / "as it is", asked)
    local.dump(tmp_path / "safe", asked, safe_for_spreadsheets=True)
    plain, safe = cells(tmp_path / "as it is"), cells(tmp_path / "safe")
    for text in ("=1+1 how do I stop?", "=ann", "@good"):
        assert text in plain
        assert "'" + text in safe
        assert text not in safe
    numbers = [cell for cell in plain if cell.replace(".", "").isdigit()]
    assert numbers == [cell for cell in safe if cell.replace(".", "").isdigit()]
    assert len(plain) == len(safe)


def test_a_dump_is_read_back_as_it_was_unless_it_was_asked_for(asked: Path, tmp_path: Path) -> None:
    for name, safe, query in (("plain", False, "=1+1 how do I stop?"), ("safe", True, "'=1+1 how do I stop?")):
        local.dump(tmp_path / name, asked, safe_for_spreadsheets=safe)
        assert History.from_export(tmp_path / name).messages["query"].tolist() == [query]


@pytest.mark.parametrize("option", [[], ["--safe-for-spreadsheets"]])
def test_the_command_line_offers_it(asked: Path, tmp_path: Path, option: list[str]) -> None:
    assert main(["dump", str(tmp_path / "out"), "--data-dir", str(asked), *option]) == 0
    assert ("'=ann" in cells(tmp_path / "out")) is bool(option)


def test_the_numbers_of_a_chart_offer_it(tmp_path: Path) -> None:
    plot = object.__new__(Plot)
    plot.data = pd.DataFrame({"tool": ["=1", "x"], "calls": [-2, 3]})
    assert plot.save(tmp_path / "a.csv").read_text() == "tool,calls\n=1,-2\nx,3\n"
    assert plot.save(tmp_path / "b.csv", safe_for_spreadsheets=True).read_text() == "tool,calls\n'=1,-2\nx,3\n"
