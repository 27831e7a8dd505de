"""The toolbox reads questions by rules and its tools are bounded."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dify_notebook.local.apps.tool_calls import Call, calls
from dify_notebook.local.engine.tools import clock, tables, text_stats
from dify_notebook.local.engine.tools.arithmetic import NotComputable, evaluate, show

SUMS = [
    ("6*7", "42"),
    ("1/3*3", "1"),
    ("0.1+0.2", "0.3"),
    ("2**64 - 1", "18446744073709551615"),
    ("2^10", "1024"),
    ("-3 × (2 − 5)", "9"),
    ("7 ÷ 2", "3.5"),
    ("17 % 5", "2"),
    ("sqrt(16)", "4"),
    ("sqrt(2)", "1.41421356237"),
    ("max(3, 9, 4)", "9"),
    ("round(2.675, 1)", "2.7"),
    ("factorial(20)", "2432902008176640000"),
    ("2**-2", "0.25"),
    ("sin(pi/2)", "1"),
    ("gcd(12, 18)", "6"),
]


@pytest.mark.parametrize(("expression", "result"), SUMS)
def test_arithmetic(expression: str, result: str) -> None:
    assert show(evaluate(expression)) == result


REFUSED = [
    "__import__('os').system('true')",
    "(1).__class__",
    "open('x')",
    "[1]*9",
    "'a'*9",
    "lambda: 1",
    "x",
    "1 if 1 else 2",
    "9**9**9",
    "(10**3000)*(10**3000)",
    "factorial(100000)",
    "factorial(2.5)",
    "1/0",
    "0**-1",
    "(-8)**0.5",
    "1e308*10",
    "gcd(0.5, 2)",
    "1" + "+1" * 300,
    "-" * 200 + "1",
    "True + 1",
    "round(1.5, 100)",
    "1 +",
    "",
    "9" * 600,
]


@pytest.mark.parametrize("expression", REFUSED, ids=[one[:24] for one in REFUSED])
def test_what_is_no_sum_or_too_big_is_refused_at_once(expression: str) -> None:
    """No code runs, and no expression keeps the server busy."""
    start = time.perf_counter()
    with pytest.raises(NotComputable):
        evaluate(expression)
    assert time.perf_counter() - start < 10, "what is refused is not computed first"


def calc(expression: str) -> Call:
    return Call("calculator", {"expression": expression})


def now(zone: str) -> Call:
    return Call("current_time", {"timezone": zone})


def converted(hour: str, one: str, other: str) -> Call:
    return Call("convert_time", {"time": hour, "from": one, "to": other})


ASKED: list[tuple[str, list[Call]]] = [
    ("What is 6*7?", [calc("6*7")]),
    ("what's 12 plus 30 times 2", [calc("12+30*2")]),
    ("What is 17% of 2,340, and what time is it in Tokyo?", [calc("17/100*2340"), now("Asia/Tokyo")]),
    ("Compute (3 + 4) * 5 and 2**10.", [calc("(3 + 4) * 5"), calc("2**10")]),
    ("square root of 144", [calc("sqrt(144)")]),
    ("max(2,340)", [calc("max(2,340)")]),
    ("2340 的 17% 是多少？", [calc("2340*17/100")]),
    ("12 加 30 除以 5 等于多少", [calc("12+30/5")]),
    ("2 的 64 次方减 1 是多少？", [calc("2**64-1")]),
    ("9的平方根是多少？", [calc("sqrt(9)")]),
    ("10/0", [calc("10/0")]),
    ("9**9**9", [calc("9**9**9")]),
    ("What time is it in New York and in Berlin?", [now("America/New_York"), now("Europe/Berlin")]),
    ("what time is it", [now("UTC")]),
    ("东京现在几点？", [now("Asia/Tokyo")]),
    ("北京时间下午3点是纽约几点？", [converted("15:00", "Asia/Shanghai", "America/New_York")]),
    ("Convert 15:30 in New York to Tokyo", [converted("15:30", "America/New_York", "Asia/Tokyo")]),
    ("3pm in London in San Francisco", [converted("15:00", "Europe/London", "America/Los_Angeles")]),
    (
        "What time is it in Sydney when it is 9:15 am in Paris?",
        [converted("09:15", "Europe/Paris", "Australia/Sydney")],
    ),
    ('How many words are in "1 + 1 makes two"?', [Call("text_statistics", {"text": "1 + 1 makes two"})]),
    ("Count the characters: hello world", [Call("text_statistics", {"text": "hello world"})]),
    ("统计字数：“学而时习之，不亦说乎？”", [Call("text_statistics", {"text": "学而时习之，不亦说乎？"})]),
    ("Hello, how are you?", []),
    ("The meeting on 2026-11-21 is about version 1.12.1", []),
    ("I have 3 cats and 2 dogs.", []),
    ("你好", []),
    ("Tell me a joke", []),
    ("Let's meet at 3", []),
]


@pytest.mark.parametrize(("question", "wanted"), ASKED, ids=[question for question, _ in ASKED])
def test_questions_ask_for_tools(question: str, wanted: list[Call]) -> None:
    assert calls(question) == wanted


def test_files_ask_for_tools() -> None:
    assert calls("Summarise the file", ["a.csv"]) == [Call("csv_summary", {"file": "a.csv"})]
    assert calls("看看这个", ["a.tsv", "b.txt"]) == [
        Call("csv_summary", {"file": "a.tsv"}),
        Call("text_statistics", {"file": "b.txt"}),
    ]


def test_calls_are_bounded() -> None:
    assert len(calls(" and ".join(f"{n}+{n}" for n in range(50)))) == 8


MOMENT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


SAID = {
    "00:00": "12am, 12 AM, 12 a.m., 12:00 a.m., 00:00 am, 0:00, 24:00, midnight, 12 midnight, at midnight, 12 at night, "
    "12 o'clock at night, AM 12:00, 12 in the night, 半夜12点, 凌晨12点, 晚上12点, 晚上十二点整, 今晚12点, 夜里12点, 午夜, 零点, 〇点, 0点, 24点, 上午12:00",
    "00:30": "12:30 am, half past 12 at night, AM 12:30, 0:30, 12.30am, 零点半, 零点三十分, 凌晨12点半, 晚上 12 点 30 分, 晚上12:30, 凌晨12点30",
    "12:00": "12pm, 12 PM, 12 p.m. there, noon, at noon, 12 noon, midday, 12 o'clock, 12 in the afternoon, 中午12点, "
    "正午, 中午, 下午12点, 上午12点, 十二点, 12点钟, 12點, 中午的12点",
    "12:30": "12:30 pm, 12:30, 12.30 pm, 中午12点半, 下午12:30, 十二点三十分",
    "13:00": "1pm, 13:00, 中午1点, 下午一点, 13点, 1 in the afternoon",
    "01:00": "1 am, 凌晨1点, 半夜一点, 晚上1点, 一点钟, 1 at night",
    "11:30": "11:30 am, 中午11点半, 上午11点半, 早上十一点三十分",
    "20:00": "8pm, 8 p.m., 晚上8点, 今晚八点, 8 in the evening, 8 at night, 20时",
    "15:15": "3:15pm, PM 3:15, quarter past 3 pm, 下午三点一刻, 下午3:15, 下午3点15, 15:15 pm",
    "23:45": "quarter to 12 am, 11:45 pm",
    "23:59": "11:59pm, 二十三点五十九分, 夜里11点59分",
    "": "13 am, 25:00, 24:30, 99点, 快一点, 12小时, in 12 hours, version 3.12, 上午15点, 10-12, 12",
}


@pytest.mark.parametrize(
    ("text", "time"), [(text, time) for time, texts in SAID.items() for text in re.split(", ?(?!there)", texts)]
)
def test_the_time_that_a_text_says(text: str, time: str) -> None:
    said = clock.spoken_time(f"when it is {text}, 。" if text.isascii() else f"北京{text}是几时几分")
    assert (f"{said.hour:02}:{said.minute:02}" if said else "") == time


@pytest.mark.parametrize(
    ("question", "hour"),
    [
        ("北京中午12点是纽约的什么时候", "12:00"), ("北京半夜12点是纽约几点", "00:00"),
        ("noon in Beijing in New York", "12:00"), ("When it is 12am in Beijing, and in New York?", "00:00"),
    ],
)  # fmt: skip
def test_noon_and_midnight_are_converted(question: str, hour: str) -> None:
    assert calls(question) == [converted(hour, "Asia/Shanghai", "America/New_York")]


def test_clock() -> None:
    assert clock.now_in("Asia/Tokyo", MOMENT) == {
        "zone": "Asia/Tokyo",
        "date": "2026-07-01",
        "time": "21:00",
        "weekday": "Wednesday",
        "utc_offset": "+09:00",
    }
    told = clock.convert(15, 0, "Asia/Shanghai", "America/New_York", MOMENT)
    assert (told["date"], told["time"]) == ("2026-07-01", "03:00")
    with pytest.raises(ValueError, match="Atlantis"):
        clock.now_in("Europe/Atlantis")


def test_text_statistics() -> None:
    told = text_stats.statistics("To be, or not to be.\n学而时习之。")
    assert told["words"] == 6
    assert told["chinese_characters"] == 5
    assert told["sentences"] == 2
    assert told["lines"] == 2
    assert told["most_frequent"][0] == {"word": "to", "count": 2}
    with pytest.raises(ValueError, match="longer"):
        text_stats.statistics("x" * 200_001)


TABLES: list[tuple[str, bytes, dict[str, Any]]] = [
    (
        "numbers and gaps",
        b"city,people\nParis,2.1\nRome,\nOslo,0.7\n",
        {"rows": 3, "uneven_rows": 0, "columns": [("city", "text", 0), ("people", "number", 1)]},
    ),
    (
        "semicolons, BOM, CRLF",
        "\ufeffa;b\r\n1;x\r\n2;y\r\n".encode(),
        {"rows": 2, "uneven_rows": 0, "columns": [("a", "number", 0), ("b", "text", 0)]},
    ),
    (
        "GB18030 and a quoted line break",
        '城市,备注\n北京,"一\n二"\n'.encode("gb18030"),
        {"rows": 1, "uneven_rows": 0, "columns": [("城市", "text", 0), ("备注", "text", 0)]},
    ),
    (
        "rows of other lengths",
        b"a,b\n1\n1,2,3\n",
        {"rows": 2, "uneven_rows": 2, "columns": [("a", "number", 0), ("b", "number", 1)]},
    ),
]


@pytest.mark.parametrize(("raw", "wanted"), [case[1:] for case in TABLES], ids=[case[0] for case in TABLES])
def test_csv_summary(tmp_path: Path, raw: bytes, wanted: dict[str, Any]) -> None:
    (tmp_path / "t").write_bytes(raw)
    told = tables.summary(tmp_path / "t", "t.csv")
    columns = [(one["name"], one["type"], one["missing"]) for one in told["columns"]]
    assert {**{name: told[name] for name in ("rows", "uneven_rows")}, "columns": columns} == wanted


def test_csv_numbers(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"n\n1\n2\n6\n")
    column = tables.summary(tmp_path / "t", "t.csv")["columns"][0]
    assert (column["min"], column["mean"], column["median"], column["max"]) == (1, 3, 2, 6)


@pytest.mark.parametrize(
    "raw", [b"", b"  \n", b"a\x00b", b"\xff\xfe\xff"], ids=["empty", "blank", "nul", "binary"]
)
def test_what_is_no_table_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "t").write_bytes(raw)
    with pytest.raises(tables.NotATable):
        tables.summary(tmp_path / "t", "t.csv")
