"""tally: what it reads, how it sorts, what it computes, and what its runs tell."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engine_runs import Engine
from support.linear import MOST, growth

from dify_notebook.local.apps.tally import TALLY
from dify_notebook.local.apps.tally_rows import (
    CLASS,
    MAX_BYTES,
    MAX_CLASSES,
    MAX_COLUMNS,
    MAX_ROWS,
    Class,
    Wrong,
    as_csv,
    class_of,
    classes_of,
    decoded,
    number_of,
    numbers,
    read,
    shared_words,
    table,
)

CSV = 'city,amount,note\nParis,3,"a, b"\nRome,4.5,"two\nlines"\n'


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        (CSV, ("city", "amount", "note"), [("Paris", "3", "a, b"), ("Rome", "4.5", "two\nlines")]),
        ("\ufeffa;b\n1,5;2\n", ("a", "b"), [("1,5", "2")]),
        ("a\tb\n1\t2\n\n\n", ("a", "b"), [("1", "2")]),
        ("a|b\n1|2", ("a", "b"), [("1", "2")]),
        ("sep=;\r\na;b\r\n1,5;2\r\n", ("a", "b"), [("1,5", "2")]),
        ("a,b\r\n1,2\r\n", ("a", "b"), [("1", "2")]),
        ("a, a ,,class\n1,2,3,4", ("a", "a 2", "column 3", "class 2"), [("1", "2", "3", "4")]),
        ("- tea\n2) milk\n\nsugar, white", ("item",), [("tea",), ("milk",), ("sugar, white",)]),
        ("**tea**\n-5\n3.14", ("item",), [("**tea**",), ("-5",), ("3.14",)]),
        ("one", ("item",), [("one",)]),
        ("a,b", ("item",), [("a,b",)]),
        ('"quoted" she said\nand "left"', ("item",), [('"quoted" she said',), ('and "left"',)]),
        ("", ("item",), []),
    ],
)  # fmt: skip
def test_what_is_read(text: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    found = read(text)
    assert (found.columns, [tuple(row.values()) for row in found.rows]) == (columns, rows)


def test_a_file_is_a_table_of_one_column_too() -> None:
    assert read("name\nAnn\nBen", table=True).rows == ({"name": "Ann"}, {"name": "Ben"})
    assert read("", table=True).rows == ()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("é,ü".encode(), "é,ü"), ("\ufeffé".encode(), "é"), ("é".encode("utf-16"), "é"), ("中文".encode("gb18030"), "中文"),
        (b"", ""), ("für,ä\nüß".encode("cp1252"), "für,ä\nüß"), ("5 €;Zoë".encode("cp1252"), "5 €;Zoë"),
        ("姓名,朱镕基,退款".encode("gb18030"), "姓名,朱镕基,退款"),
    ],
)  # fmt: skip
def test_encodings(raw: bytes, text: str) -> None:
    assert decoded(raw) == text


@pytest.mark.parametrize(
    ("key", "reading"),
    [
        ("bytes", lambda: read("x" * (MAX_BYTES + 1))),
        ("bytes", lambda: decoded(b"x" * (MAX_BYTES + 1))),
        ("bytes", lambda: read("é" * (MAX_BYTES // 2 + 1))),
        ("encoding", lambda: decoded(b"\x00\x01\x02")),
        ("encoding", lambda: decoded(b"\xff\xfe\x00")),
        ("encoding", lambda: decoded(b"PK\x03\x04\x14\x9c\xe9 xl/workbook.xml")),
        ("encoding", lambda: decoded(b"\x1f\x8b\x08\x01")),
        ("rows", lambda: read("x\n" * (MAX_ROWS + 1))),
        ("columns", lambda: read("a," * MAX_COLUMNS + "a\n" + "1," * MAX_COLUMNS + "1")),
        ("columns", lambda: read("a," * 60_000 + "a", table=True)),
        ("uneven", lambda: read("a,b\n1,2\n1,2,3", table=True)),
        ("csv", lambda: read('a\n"b', table=True)),
        ("csv", lambda: read('a,b\n1,"never ends\n2,3', table=True)),
        ("csv", lambda: read('a,b\n1,"say "hi" now"', table=True)),
        ("class", lambda: classes_of("a=b;=c")),
        ("classes", lambda: classes_of(";".join(map(str, range(MAX_CLASSES + 1))))),
        ("rows", lambda: read("a\n" * MAX_ROWS) + read("b")),
    ],
)
def test_what_cannot_be_read(key: str, reading: Any) -> None:
    with pytest.raises(Wrong) as caught:
        reading()
    assert caught.value.key == f"local.tally.wrong_{key}"


def test_two_tables_in_one() -> None:
    both = read("a,b\n1,2\n") + read("b;c\n3;4")
    assert both.columns == ("a", "b", "c")
    assert both.rows == ({"a": "1", "b": "2", "c": ""}, {"a": "", "b": "3", "c": "4"})


def test_classes_as_they_are_written() -> None:
    assert classes_of("bug=crash|error; refund = money | refund ;other") == (
        Class("bug", ("crash", "error")), Class("refund", ("money", "refund")), Class("other", ("other",)),
    )  # fmt: skip
    assert classes_of("退款＝退款|钱；bug=a;bug=b") == (Class("退款", ("退款", "钱")), Class("bug", ("a", "b")))
    assert classes_of(" ; \n") == ()
    assert [known.name for known in classes_of("bug, refund")] == ["bug", "refund"]
    assert [known.name for known in classes_of("崩溃，退款、钱")] == ["崩溃", "退款", "钱"]
    assert classes_of("崩溃＝崩溃｜闪退；a,b=x, y") == (Class("崩溃", ("崩溃", "闪退")), Class("a,b", ("x, y",)))


def test_words_are_no_patterns() -> None:
    classes = classes_of("all=.*|[a-z]+|$1; cpp=C++; open=crash(")
    assert [class_of({"item": text}, classes) for text in ("abc", "C++ is", "it crash( es", "a.*b")] == [None, "cpp", "open", "all"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("It CRASHED twice", "bug"), ("no crashlog", None), ("an error, and my money", "bug"), ("money, refund, error", "refund"),
        ("我要退款", "refund"), ("log in fails", "access"), ("catalog in", None), ("", None),
    ],
)  # fmt: skip
def test_the_class_of_a_row(text: str, name: str | None) -> None:
    classes = classes_of("bug=crash|error; refund=money|refund|退款; access=can't|log in fails")
    assert class_of({"item": text}, classes) == name


def test_words_that_rows_share() -> None:
    rows = [{"item": text} for text in ("The app crashes", "a crash at start", "refund please", "Refunds!", "hello")]
    assert [(known.name, known.words) for known in shared_words(rows)] == [("refund", ("refund",)), ("crashes", ("crash",))]
    assert shared_words([{"item": "one"}, {"item": "two"}]) == ()
    assert [known.name for known in shared_words([{"a": "退款"}, {"a": "要退款"}])] == ["退款"]


@pytest.mark.parametrize(
    ("text", "comma", "number"),
    [
        ("3", False, 3), ("-4.5", False, -4.5), ("1,234,567", False, 1_234_567), ("1,5", True, 1.5), ("1,5", False, None),
        ("1e3", False, 1000.0), ("nan", False, None), ("inf", False, None), ("1_000", False, None), ("", False, None),
        ("9" * 40, False, None), ("1.234,5", True, 1234.5), ("1.234", True, 1234), ("0.125", True, None), ("1.5", True, None),
        ("1'234.50", False, 1234.5), ("1\u202f234,5", True, 1234.5), ("12 345 678", False, 12_345_678), ("\u22125", False, -5),
        ("030 123 456", False, None), ("1,234 567", False, None),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, comma: bool, number: float | None) -> None:
    found = number_of(text, decimal_comma=comma)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "sums"),
    [
        ('a,b\n"1,5",x\n"2,25",y', {"a": 3.75}),  # nothing else fits
        ("a;b\n1.000;x\n2.500;y", {"a": 3500}),  # what a semicolon goes with
        ("a;b\n1.000;1.5\n2.500;2.5", {"a": 3.5, "b": 4.0}),  # what the other column says
        ("a;b;c\n1,500;1.5;1,5\n2,000;2.5;2,5", {"a": 3.5, "b": 4.0, "c": 4.0}),  # they do not agree
        ("a\tb\n1,500\t3\n2,000\t4", {"a": 3500, "b": 7}),
        ("a;b\n1.234,50;x\n2,5;y", {"a": 1237.0}),
        ("a,b\n1.5,x\n\"1,5\",y", {}),
    ],
)
def test_what_begins_the_decimals(text: str, sums: dict[str, float]) -> None:
    assert {column: known["sum"] for column, known in numbers(read(text)).items()} == sums


def test_columns_of_numbers() -> None:
    found = read("city,amount,mixed\nParis,3,1\nRome,4.5,x\nOslo,,2")
    assert numbers(found) == {"amount": {"count": 2, "sum": 7.5, "mean": 3.75, "min": 3, "max": 4.5}}
    assert numbers(read("n\n1\n2", table=True))["n"] == {"count": 2, "sum": 3, "mean": 1.5, "min": 1, "max": 2}
    assert numbers(read("n,m\n1e308,1\n1e308,2")) == {"m": {"count": 2, "sum": 3, "mean": 1.5, "min": 1, "max": 2}}


def test_shares() -> None:
    rows = table([{CLASS: "a"}, {CLASS: "b"}, {CLASS: "b"}], ["a", "none"])
    assert rows == [
        {"class": "b", "count": 2, "share": 0.6667}, {"class": "a", "count": 1, "share": 0.3333},
        {"class": "none", "count": 0, "share": 0.0},
    ]  # fmt: skip


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=6).map(str.strip).filter(bool)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8))
def test_what_was_written_is_read_again(rows: list[tuple[str, str, str]]) -> None:
    items = [{CLASS: "x", "a": a, "b": b, "c": c} for a, b, c in rows]
    found = read(decoded(as_csv(items, ["a", "b", "c"])), table=True)
    assert [(row["a"], row["b"], row["c"]) for row in found.rows] == rows
    assert found.columns[:3] == ("a", "b", "c")


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read_or_refused(text: str, whole: bool) -> None:
    try:
        found = read(text, table=whole)
    except Wrong:
        return
    assert all(tuple(row) == found.columns for row in found.rows)
    classes = shared_words(found.rows)
    assert all(class_of(row, classes) in {None, *(known.name for known in classes)} for row in found.rows)
    json.dumps(numbers(found), allow_nan=False)


# -- runs ------------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


def test_a_run(engine: Engine) -> None:
    text = "id,text,price\n1,The app crashes,3\n2,I want my money,4.5\n3,Good day,0\n"
    ran = engine.run(TALLY, {"text": text, "classes": "bug=crash|error; refund=money|refund"})
    outputs = ran.end["outputs"]
    assert ran.end["status"] == "succeeded"
    assert list(outputs) == ["rows", "numbers", "table", "items", "report", "file"]
    assert outputs["rows"] == 3
    assert outputs["numbers"]["price"] == {"count": 3, "sum": 7.5, "mean": 2.5, "min": 0, "max": 4.5}
    assert outputs["table"] == [
        {"class": "bug", "count": 1, "share": 0.3333}, {"class": "refund", "count": 1, "share": 0.3333},
        {"class": "other", "count": 1, "share": 0.3333},
    ]  # fmt: skip
    assert outputs["items"][1] == {"class": "refund", "id": "2", "text": "I want my money", "price": "4.5"}
    written = list(csv.DictReader(io.StringIO(engine.content(outputs["file"]).decode())))
    assert written == [{name: item[name] for name in ("id", "text", "price", "class")} for item in outputs["items"]]
    assert outputs["file"]["filename"] == "tally.csv"
    assert "| refund | 1 | 33% |" in outputs["report"]
    assert [data["index"] for data in ran.data("iteration_next")] == [0, 1, 2]
    nodes = [data["node_id"] for data in ran.data("node_finished")]
    assert nodes[:3] == ["start", "read", "choose"]
    assert nodes.count("match") == 3
    assert nodes[-1] == "end"
    assert ran.end["total_steps"] == 8
    assert ran.end["files"] == [outputs["file"]]


def test_it_is_the_same_again(engine: Engine) -> None:
    text = "one apple\ntwo apples\na pear"
    first, second = (engine.run(TALLY, {"text": text}).end["outputs"] for _ in range(2))
    assert {**first, "file": ""} == {**second, "file": ""}
    assert [item["class"] for item in first["items"]] == ["apple", "apple", "other"]


def test_a_file_beside_a_text(engine: Engine) -> None:
    upload, value = engine.upload(TALLY, "a.csv", "\ufeffn;m\n1,5;x\n2;y\n".encode())
    ran = engine.run(TALLY, {"file": value}, uploads=[upload])
    assert ran.end["outputs"]["numbers"] == {"n": {"count": 2, "sum": 3.5, "mean": 1.75, "min": 1.5, "max": 2}}
    ran = engine.run(TALLY, {"file": value, "text": "m,k\nz,1"}, uploads=[upload])
    assert [item["m"] for item in ran.end["outputs"]["items"]] == ["z", "x", "y"]


def test_the_language_of_what_is_given(engine: Engine) -> None:
    ran = engine.run(TALLY, {"text": "我要退款\n退款在哪里\n你好"})
    assert [item["class"] for item in ran.end["outputs"]["items"]] == ["退款", "退款", "其他"]
    assert {data["title"] for data in ran.data("node_started")} >= {"读取各行", "判断类别"}
    upload, value = engine.upload(TALLY, "a.csv", "名称,数\n苹果,3\n".encode())
    assert "结果" in engine.run(TALLY, {"file": value}, uploads=[upload]).end["outputs"]["report"]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "nothing to sort"), ({"text": " \n"}, "nothing to sort"), ({"text": "a,b\n" + "1,2\n" * (MAX_ROWS + 1)}, "501 rows, and at most 500"),
        ({"text": "a", "classes": "=x"}, "class 1 has no name: =x"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(engine: Engine, inputs: dict[str, Any], told: str) -> None:
    ran = engine.run(TALLY, inputs)
    assert (ran.end["status"], ran.end["outputs"]) == ("failed", {})
    assert told in ran.end["error"]


def test_a_server_that_keeps_no_files(engine: Engine) -> None:
    ran = engine.run(TALLY, {"text": "a"}, keeps_files=False)
    assert "no place where the CSV file" in ran.end["error"]


def test_hostile_cells_stay_in_their_table(engine: Engine) -> None:
    report = engine.run(TALLY, {"text": "a|b\nc\n<b>|x\r|"}).end["outputs"]["report"]
    lines = [line for line in report.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") in (3, 4) for line in lines)


def test_reading_many_rows_is_linear() -> None:
    """Rows up to their most; what may be read is bounded."""

    def make(rows: int) -> str:
        return "n,t\n" + "".join(f"{number},word other{number}\n" for number in range(rows))

    def work(text: str) -> None:
        found = read(text)
        classes = shared_words(found.rows)
        assert all(class_of(row, classes) == "word" for row in found.rows)
        numbers(found)

    assert growth(make, work, 31) < MOST
