"""Files that went through spreadsheets, shells and other hands: what was meant, or the true reason in the error."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import linear

from dify_notebook import History
from dify_notebook.errors import InputError
from dify_notebook.frames.readers.encodings import detect_encoding
from dify_notebook.frames.readers.layouts import parse_integer, parse_number
from dify_notebook.frames.readers.validator import parse_time
from dify_notebook.frames.timestamp import parse_timestamp
from dify_notebook.turn.convert import as_time

M, N, C = "11111111-1111-4111-8111-111111111111", "33333333-3333-4333-8333-333333333333", "22222222-2222-4222-8222-222222222222"
HEADER = "id,conversation_id,query,answer,created_at,message_tokens,total_price"
ROW = f"{M},{C},q,a,2024-03-05 14:07:31,5,0.001"
OTHER = f"{N},{C},q2,a2,2024-03-05 14:08:00,6,0.002"
FILE = f"{HEADER}\n{ROW}\n"
AT = pd.Timestamp("2024-03-05 14:07:31", tz="UTC")


def read(folder: Path, content: str | bytes, name: str = "m.csv", **options: Any) -> History:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return History.from_export(path, **options)


def is_right(history: History, rows: int = 1) -> None:
    assert history.messages["message_id"].tolist() == [M, N][:rows]
    first = history.messages.iloc[0]
    assert (first["created_at"], first["prompt_tokens"], first["total_price"]) == (AT, 5, 0.001)
    assert (first["conversation_id"], first["query"], first["answer"]) == (C, "q", "a")


# -- rows that say nothing, headers, cells ---------------------------------------------------------


@pytest.mark.parametrize(
    ("behind", "rows"),
    [
        (",,,,,,\n" * 3, 1), ('"",,,,,,\n', 1), ("   , ,\t,\u00a0,,,\n", 1), ("\n\r\n \n", 1),
        (f",,,,,,\n{OTHER}\n", 2),
        ("(1 row)\n", 1), ("(3 行记录)\n", 1), ("1 row(s) returned\n", 1), ("1 row in set (0.00 sec)\n", 1), ("Total: 1\n", 1), ("合计\n", 1), ("Total,,,,,,\n", 1),
        (f"{HEADER}\n{OTHER}\n", 2), (f"\ufeff{HEADER}\n{OTHER}\n", 2),
        (f"conversation_id,query,answer,id,created_at\n{C},q2,a2,{N},2024-03-05 14:08\n", 2),
    ],
)  # fmt: skip
def test_what_is_no_row_is_no_message(tmp_path: Path, behind: str, rows: int) -> None:
    history = read(tmp_path, FILE + behind)
    is_right(history, rows)
    assert not any("left out" in note for note in history.notes)


def test_the_line_of_a_sum_is_left_out_and_told(tmp_path: Path) -> None:
    history = read(tmp_path, f"{FILE}Total,,,,,5,0.001\n")
    is_right(history)
    assert [note for note in history.notes if "left out" in note and "m.csv:3 (Total, 5, 0.001)" in note]


def test_rows_of_null_say_nothing_in_json_either(tmp_path: Path) -> None:
    row = dict(zip(HEADER.split(","), ROW.split(","), strict=True))
    is_right(read(tmp_path, json.dumps([{}, dict.fromkeys(row), row, dict.fromkeys(row, "")]), "m.json"))


@pytest.mark.parametrize(
    "header",
    [
        "\ufeff ID , Conversation ID ,\u00a0QUERY\u00a0,'answer',Created At,\"message_tokens\",total-price",
        HEADER.replace(",", ", "),
        HEADER.upper(),
        f"{HEADER},",
    ],
)
def test_the_names_of_columns_may_be_padded(tmp_path: Path, header: str) -> None:
    is_right(read(tmp_path, f"{header}\n{ROW}{',' if header.endswith(',') else ''}\n"))


def test_columns_stand_in_any_order_with_any_others(tmp_path: Path) -> None:
    extra = "question,hit_count,user_query,feedback_id,session_id,type,name,inputs"
    is_right(read(tmp_path, f"answer,{extra},query,total_price,id,message_tokens,created_at,conversation_id,\n"
                            f"a,x,1,x,x,x,x,x,{{}},q,0.001, {M} ,5,2024-03-05T14:07:31Z,{C},,\n"))  # fmt: skip


def test_a_cell_keeps_its_lines_quotes_and_blanks(tmp_path: Path) -> None:
    told = 'a "b"\r\n\n ,c\rd\x00 '
    quoted = told.replace('"', '""')
    history = read(tmp_path, f'{HEADER}\r\n{M},{C},"{quoted}",a,2024-03-05 14:07:31,5,0.001\r{OTHER}\n')
    assert history.messages["query"].tolist() == [told, "q2"]


@pytest.mark.parametrize(
    ("told", "delimiter"), [("", ";"), ("", "\t"), ("", "|"), ("sep=;\n", ";"), ('\ufeff"sep=;"\r\n', ";"), ("SEP=\t\r\n", "\t"), ("sep=,\n", ",")]
)  # fmt: skip
def test_what_stands_between_cells(tmp_path: Path, told: str, delimiter: str) -> None:
    is_right(read(tmp_path, told + FILE.replace(",", delimiter)))


def test_where_semicolons_stand_between_cells_commas_are_decimal(tmp_path: Path) -> None:
    history = read(tmp_path, FILE.replace(",", ";").replace("0.001", "1,234"))
    assert history.messages["total_price"].tolist() == [1.234]


def test_what_macos_puts_beside_files_is_no_file_of_an_export(tmp_path: Path) -> None:
    (tmp_path / "._m.csv").write_bytes(b"\0\5\26\7")
    (tmp_path / "m.csv").write_text(FILE)
    is_right(History.from_export(tmp_path))


# -- encodings and forms ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "gb18030"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_that_can_be_told(tmp_path: Path, name: str, packed: bool) -> None:
    text = "退款需要多久？三十天，谢谢。" + ("😀" if name != "gbk" else "")
    content = FILE.replace(",q,", f",{text},").encode(name)
    history = read(tmp_path, gzip.compress(content) if packed else content, "m.csv.gz" if packed else "m.csv")
    assert history.messages["query"].tolist() == [text]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cp1252", "Größe"), ("cp1252", "où été préféré ÀÉÈ"), ("cp1251", "Сколько времени занимает возврат"),
        ("cp949", "환불은 얼마나 걸립니까"), ("shift_jis", "返金はいつですか"), ("euc_jp", "返金はいつですか"), ("big5", "退款需要多久"),
    ],
)  # fmt: skip
def test_an_encoding_that_cannot_be_told_is_asked_for(tmp_path: Path, name: str, text: str) -> None:
    content = FILE.replace(",q,", f",{text},").encode(name)
    with pytest.raises(InputError, match=r"m.csv is not UTF-8 \(byte \d+\).*encoding=\"cp1252\""):
        read(tmp_path, content)
    assert read(tmp_path, content, encoding=name).messages["query"].tolist() == [text]


def test_files_in_two_encodings_are_none(tmp_path: Path) -> None:
    mixed = FILE.replace(",q,", ",Größe,").encode() + OTHER.replace("q2", "退款需要多久").encode("gbk")
    with pytest.raises(InputError, match="is not UTF-8"):
        read(tmp_path, mixed)
    with pytest.raises(InputError, match=r"is not text in ascii \(byte"):
        read(tmp_path, mixed, encoding="ascii")


@pytest.mark.parametrize("name", ["nothing", "hex", "", 5])
def test_an_encoding_that_there_is_not(tmp_path: Path, name: Any) -> None:
    with pytest.raises(InputError, match="encoding= is the name of a text encoding"):
        read(tmp_path, FILE, encoding=name)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_utf_8_is_taken_for_nothing_else(text: str) -> None:
    content = (HEADER + text).encode()
    assert detect_encoding(content) == "utf-8"
    assert detect_encoding(codecs.BOM_UTF8 + content) == "utf-8-sig"


ONE = dict(zip(HEADER.split(","), ROW.split(","), strict=True))
TWO = dict(zip(HEADER.split(","), OTHER.split(","), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ONE, TWO]),
        json.dumps([ONE, TWO], indent=2),
        f"{json.dumps(ONE)}\r\n\r\n{json.dumps(TWO)}\r\n",
        json.dumps(ONE) + json.dumps(TWO),
        json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2),
        json.dumps([ONE]) + "\n" + json.dumps([TWO]),
        json.dumps({"data": [ONE]}, indent=2) + json.dumps({"data": [TWO]}, indent=2),
        "\ufeff" + json.dumps({"data": [ONE, TWO], "has_more": False}),
        json.dumps([{**ONE, "error": float("nan"), "status": None}, TWO]),
    ],
    ids=["array", "indented", "lines", "one behind the other", "of jq", "arrays", "pages", "with a mark", "NaN"],
)
def test_forms_of_json(tmp_path: Path, text: str) -> None:
    is_right(read(tmp_path, text, "m.json"), 2)


@pytest.mark.parametrize("head", ["insert into public.messages", "Insert Into `messages`", "--\ninsert into messages"])
def test_statements_may_be_written_small(tmp_path: Path, head: str) -> None:
    rows = ",\n       ".join("(" + ", ".join(f"'{cell}'" for cell in row.split(",")) + ", null)" for row in (ROW, OTHER))
    is_right(read(tmp_path, f"{head} ({HEADER}, error)\nvalues  {rows};\n", "m.sql"), 2)


def test_documents_one_behind_the_other_take_time_by_their_number(tmp_path: Path) -> None:
    def make(count: int) -> Path:
        path = tmp_path / f"{count}.json"
        path.write_text("\n".join(json.dumps({**ONE, "id": f"m{at}", "query": "x \\ud83d"}, indent=1) for at in range(count)))
        return path

    assert linear.growth(make, History.from_export, 400) <= linear.MOST


@pytest.mark.parametrize("header", ["Question,Answer", "\ufeff问题,答案"])
def test_the_console_s_export_of_annotations(tmp_path: Path, header: str) -> None:
    history, again = (read(tmp_path, f"{header}\nRefund?,30 days\n,\n退款？,三十天\n") for _ in range(2))
    assert history.annotations[["question", "answer"]].values.tolist() == [["Refund?", "30 days"], ["退款？", "三十天"]]
    assert history.annotations["annotation_id"].tolist() == again.annotations["annotation_id"].tolist()
    assert history.annotations["annotation_id"].nunique() == 2


# -- times, numbers, ids -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "2024-03-05 14:07:31", "2024-03-05T14:07:31Z", "2024-03-05 22:07:31.000+08", "2024-03-05 14:07:31 UTC",
        "2024-03-05 22:07:31 +0800", "2024-03-05T14:07:31.000000000Z", "2024/3/5 14:07:31", "2024年3月5日 14:07:31",
        "1709647651", "1709647651.0", "1709647651000", "1709647651000000", "1709647651000000000", "1.709647651E+09",
        "1.709647651E+12", "1,709647651E+09", " 2024-03-05 14:07:31 ", 1709647651, 1709647651.0, 1709647651000, 1709647651000000,
    ],
)  # fmt: skip
def test_a_time_is_what_was_meant(tmp_path: Path, cell: Any) -> None:
    (found,) = read(tmp_path, json.dumps([{**ONE, "created_at": cell}]), "m.json").messages["created_at"]
    assert found == AT


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("45356.588", "a day number of a spreadsheet"), ("45356", "a day number"), ("43894.58855", "1900 or 1904"),
        ("1.70965E+09", "rounded"), ("1.70965E+12", "rounded"), ("1,70965E+12", "rounded"), ("1.7097E+18", "rounded"),
        ("14:07.3", "a time of day"), ("14:07:31", "a time of day"), ("2024-03-05", "a day without"), ("2024/3/5", "a day without"),
        ("2024年3月5日", "a day without"), ("3/5/2024 14:07", "doubt"), ("05.03.2024 14:07", "doubt"), ("2024-03-05 14", "doubt"),
        ("0", "doubt"), ("12", "doubt"), ("-1709647651", "doubt"), ("170964765100", "doubt"), ("253402300800", "doubt"),
        ("0000-00-00 00:00:00", "doubt"), ("2024-02-30 10:00:00", "doubt"), ("########", "doubt"), ("soon", "doubt"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["created_at", "updated_at"])
def test_a_time_that_leaves_a_doubt_is_refused_with_its_place(tmp_path: Path, cell: str, reason: str, column: str) -> None:
    header, row = HEADER + ",updated_at", f'{ROW.replace("2024-03-05 14:07:31", "1709647651")},1709647651'
    cells = row.split(",")
    cells[header.split(",").index(column)] = f'"{cell}"'
    with pytest.raises(InputError, match=rf"m.csv:2: {cell.replace('+', '.')} is no time.*{column}.*") as caught:
        read(tmp_path, f"{header}\n{','.join(cells)}\n")
    assert reason in str(caught.value)


@pytest.mark.parametrize("inside", ["agent_thoughts", "feedbacks"])
def test_a_time_within_a_message_is_held_to_the_same(tmp_path: Path, inside: str) -> None:
    told = {"id": "t", "tool": "x", "thought": "h", "position": 1, "rating": "like"}
    for good in (1709647651, "1709647651000"):
        history = read(tmp_path, json.dumps([{**ONE, inside: [{**told, "created_at": good}]}]), "m.json")
        assert history.table(inside.removeprefix("agent_"))["created_at"].tolist() == [AT]
    with pytest.raises(InputError, match=r"m\.json.*45356\.58855 is no time.*created_at"):
        read(tmp_path, json.dumps([{**ONE, inside: [{**told, "created_at": 45356.58855}]}]), "m.json")


@given(st.floats(1e4, 1e20) | st.integers(0, 10**20), st.integers(1, 25))
def test_no_number_is_a_time_that_is_minutes_off(value: float, digits: int) -> None:
    """However a spreadsheet rounds it."""
    cell = f"{value:.{digits}E}" if digits < 20 else str(value)
    try:
        found = parse_time(cell, "m.csv:2", "created_at")
    except InputError:
        return
    seconds = float(value)
    while seconds > 1e10:
        seconds /= 1000
    instant = as_time(found)
    assert instant is not None
    assert abs(instant.timestamp() - seconds) < 1.5


@given(st.text("0123456789-/.:TZ +年月日时分秒 UTC９", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_time_or_none(text: str) -> None:
    parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0,001", 0.001), ("1,25", 1.25), ("-0,5", -0.5), ("1,2345", 1.2345), ("12345,678", 12345.678), ("1,234.5", 1234.5),
        ("1.234,5", 1234.5), ("1,234,567", 1234567), ("1.234.567", 1234567), ("1 234", 1234), ("1\u202f234,5", 1234.5),
        ("1'234.5", 1234.5), ("1.3E-05", 0.000013), ("1,3E-05", 0.000013), ("1E+3", 1000), (" 5.0 ", 5), ("¥0.01", 0.01),
        ("$ 1,234.50", 1234.5), ("0.01 USD", 0.01), ("0,01€", 0.01), ("", None), (None, None), (5, 5),
    ],
)  # fmt: skip
def test_a_number_is_what_was_meant(text: Any, found: float | None) -> None:
    assert parse_number(text, "m.csv:2", "total_price") == found


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("1,234", "total_price", "thousands or decimals"), ("1,234", "message_tokens", "thousands or decimals"),
        ("1.234", "message_tokens", "no whole number"), ("5,7", "message_tokens", "no whole number"), ("5 USD", "message_tokens", "no number"),
        ("1,23,4", "total_price", "no number"), ("-", "total_price", "no number"), ("#NUM!", "total_price", "no number"),
    ],
)  # fmt: skip
def test_a_number_that_leaves_a_doubt_is_refused_with_its_place(text: str, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"m.csv:2: {name} is .*{reason}"):
        (parse_integer if "tokens" in name else parse_number)(text, "m.csv:2", name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HEADER}\n,{ROW.partition(',')[2]}\n", "m.csv:2: id is empty"),
        (f"{HEADER}\n1.2E+20,{ROW.partition(',')[2]}\n", r"m.csv:2: id is 1.2E\+20, which is no id"),
        (f"{HEADER},id\n{ROW},x\n", "m.csv:2: two columns are called id"),
        ("id,session_id\nu1,1.38E+17\n", r"m.csv:2: session_id is 1.38E\+17"),
        ("id,message_id,rating\nf1,,like\n", "m.csv:2: message_id is empty"),
        (f"{HEADER}\n{ROW},x\n", "m.csv:2 has another number of cells"),
        (f"{HEADER}\n{M},{C},q\n", "m.csv:2 has another number of cells"),
        (f"{HEADER}\nTotal: 1\n{ROW}\n", "m.csv:2 has another number of cells"),
        (f'{HEADER}\n{ROW}\n{M},"{C},q\n', "m.csv:3 is no CSV"),
        (f'{HEADER}\n{M},{C},"say \\"hi\\"",a,,,\n', "m.csv:2 is no CSV"),
        (f"{HEADER}\n", "has no rows"),
        ("sep=;\n", "is empty"),
        (",,,\n", "is empty"),
        ("\ufeff", "is empty"),
        ("<html><body><table><tr><td>id</td></tr></table></body></html>", "is HTML or XML"),
        ('<?xml version="1.0"?>\n<Workbook/>', "is HTML or XML"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "is a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(8), "is a spreadsheet"),
        (b"BZh91AY&SY", "is packed in a way"),
        (b"SQLite format 3\x00", "is a SQLite database"),
        (json.dumps([ONE])[:-5], "is no JSON"),
        (json.dumps([{**ONE, "id": None}]), r"m.csv\[1\]: id is empty"),
        (json.dumps([{**ONE, "id": 1.2e20}]), r"m.csv\[1\]: id is 1.2e\+20, which is no id"),
        (json.dumps({**ONE, "id": [M]}), "id holds a list or an object"),
    ],
)
def test_what_cannot_be_meant_is_refused_for_its_reason(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("ids", "told"),
    [(["138001380001380000", "138001380001390000"], True), (["138001380001380000", "138001380001381234"], False), (["13800138000"], False)],
)  # fmt: skip
def test_ids_that_a_spreadsheet_cut_are_told(tmp_path: Path, ids: list[str], told: bool) -> None:
    rows = "".join(f"u{at},{id}\n" for at, id in enumerate(ids))
    users = tmp_path / "users.csv"
    users.write_text(f"id,session_id\n{rows}")
    (tmp_path / "m.csv").write_text(FILE)
    notes = History.from_export(users, tmp_path / "m.csv").notes
    assert any("session_id: all 2 ids" in note and f"users.csv:2 ({ids[0]})" in note for note in notes) == told


def test_rows_take_time_by_their_number(tmp_path: Path) -> None:
    def make(count: int) -> Path:
        path = tmp_path / f"{count}.csv"
        path.write_text(f"{HEADER}\n" + "".join(f"m{at},{ROW.partition(',')[2]}\n,,,,,,\n{HEADER}\n" for at in range(count)))
        return path

    assert linear.growth(make, History.from_export, 1_000) <= linear.MOST
