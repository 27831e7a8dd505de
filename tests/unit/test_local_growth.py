"""What the embedded apps read by rules costs as much as it is long, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.patterns import GENERIC, grows

from dify_notebook.local.apps import guide, looking, pipeline, tool_calls
from dify_notebook.local.apps.tool_calls import calls
from dify_notebook.local.engine.search.words import terms
from dify_notebook.local.engine.titles import title
from dify_notebook.local.engine.tools import clock, tables, text_stats
from dify_notebook.local.store.annotations import Question
from dify_notebook.local.tokens import count, pieces

LINE = "2026-11-03 12:04:07,123 INFO worker[7] GET /v1/x?a=1&b=(2,3) 200 1,234 bytes in 12.5 ms, Tokyo 3pm -> ok\n"
TEXTS = (*GENERIC, LINE, "1,234 ", "12:30 ", "3 的 ", "max(1,", "tokyo ", "count the words: a ", "“", "1+", "9 squared ")
READERS: dict[str, Callable[[str], object]] = {
    "expressions": tool_calls.expressions,
    "calls": calls,
    "places": clock.places,
    "spoken_time": clock.spoken_time,
    "statistics": text_stats.statistics,
    "reply_to": lambda text: guide.reply_to(text, [text]),
    "classify": lambda text: pipeline.classify(text, None),
    "terms": terms,
    "count": count,
    "pieces": pieces,
    "title": title,
    "likeness": lambda text: Question(text).likeness(text + "x"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_is_linear(name: str) -> None:
    for text in TEXTS:
        assert (slow := grows(READERS[name], str, ("", text, ""))) is None, f"{name} on {text!r}: {slow}"


def test_a_table_is_read_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"

    def summary(text: str) -> object:
        path.write_text(text, encoding="utf-8")
        return tables.summary(path, "t.csv")

    for row in ("1,2,3\n", "a;b;c\n", '"a\nb",2\n'):
        assert (slow := grows(summary, str, ("x,y,z\n", row, ""))) is None, slow


def test_what_is_looked_at_has_a_bound_and_a_text_to_count_is_taken_whole() -> None:
    far = "x" * looking.LOOKED_AT
    assert calls("2+2 " + far)[0].arguments == {"expression": "2+2"}
    assert calls(far + " 2+2") == [], "what stands behind the bound is not looked at"
    counted = calls("How many words are in: " + "a b " * looking.LOOKED_AT)
    assert [call.tool for call in counted] == ["text_statistics"]
    assert len(counted[0].arguments["text"]) > 3 * looking.LOOKED_AT
    endless = calls("How many words are in: " + "a" * 10 * text_stats.MAX_LENGTH)
    assert len(endless[0].arguments["text"]) == text_stats.MAX_LENGTH + 1, "enough to be refused as too long"


def test_sums_written_in_words_are_still_read() -> None:
    """The patterns were made linear; what they read stays what it was."""
    table = {
        "17% of 2,340": "17/100*2340",
        "max(2,340, 7)": "max(2,340, 7)",
        "What is 10-17% of 100?": "10-(17/100*100)",
        "3 squared": "(3)**2",
        "2 的 10 次方": "2**10",
        "根号 16": "sqrt(16)",
        "5 的平方根": "sqrt(5)",
        "-5 cubed": "(-5)**3",
        "factorial of 5": "factorial(5)",
        "6 times 7": "6*7",
    }
    assert {said: [one for _, one in tool_calls.expressions(said)] for said in table} == {
        said: [meant] for said, meant in table.items()
    }
