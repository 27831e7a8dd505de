"""Reasoning is taken out of an answer wherever the stream was cut; in code it is text."""

from __future__ import annotations

import pytest
from support.linear import MOST, growth

from dify_notebook.turn.reasoning import ReasoningSplitter, split_reasoning

OLD = (
    '<details style="color:gray;background-color: #f8f8f8;padding: 8px;border-radius: 4px;" open> '
    "<summary> Thinking... </summary>"
)
TABLE = [
    ("none", "Hello <b>you</b>", "Hello <b>you</b>", ""),
    ("blanks before text stay", " I'm glad", " I'm glad", ""),
    ("think first", "<think>\nhm\n</think>\n\nYes.", "Yes.", "hm"),
    ("think behind other text", "Reply: <think>hm</think>\nYes.", "Reply: Yes.", "hm"),
    ("twice", "<think>a</think>x<think>b</think>y", "xy", "a\n\nb"),
    ("unclosed", "<think>half", "", "half"),
    ("closed by nothing but a piece", "<think>half</thi", "", "half</thi"),
    ("empty", "<think></think>Yes", "Yes", ""),
    ("0.15", OLD + "\nhm\n</details>\nYes", "Yes", "hm"),
    ("0.15 behind text", "Reply: " + OLD + "hm</details>\nYes", "Reply: Yes", "hm"),
    ("another details is text", "<details><summary>x</summary>y</details>", "<details><summary>x</summary>y</details>", ""),
    ("a tag that never becomes one", "a <thin line", "a <thin line", ""),
    ("only the beginning of a tag", "1 <", "1 <", ""),
    ("in a fence it is text", "```\n<think>x</think>\n```\n", "```\n<think>x</think>\n```\n", ""),
    ("in inline code it is text", "Use `<think>` here", "Use `<think>` here", ""),
    ("after a fence", "```\nx\n```\n<think>hm</think>Yes", "```\nx\n```\nYes", "hm"),
    ("upper case is text", "<THINK>x</THINK>", "<THINK>x</THINK>", ""),
    ("closing tag alone", "x</think>y", "x</think>y", ""),
    ("Chinese", "<think>想\n</think>\n你好", "你好", "想"),
    ("many false starts", "<" * 50 + "t" * 5, "<" * 50 + "t" * 5, ""),
]


@pytest.mark.parametrize(("text", "answer", "reasoning"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_split(text: str, answer: str, reasoning: str) -> None:
    assert split_reasoning(text) == (answer, reasoning)


@pytest.mark.parametrize("text", [row[1] for row in TABLE], ids=[row[0] for row in TABLE])
def test_cut_anywhere(text: str) -> None:
    """Two pieces at every place, and every character alone, tell the same."""

    def run(pieces: list[str]) -> tuple[str, str]:
        splitter = ReasoningSplitter()
        for piece in pieces:
            splitter.feed(piece)
        splitter.end()
        return "".join(splitter.answer), "".join(splitter.reasoning).strip()

    expected = split_reasoning(text)
    for place in range(len(text) + 1):
        assert run([text[:place], text[place:]]) == expected
    assert run(list(text)) == expected


@pytest.mark.parametrize("piece", ["<b>x</b> ", "<think>x</think>y ", "a < b "])
def test_a_large_text_in_one_piece_takes_time_linear_in_it(piece: str) -> None:
    """Blocking answers, replacements and stored messages come whole."""
    assert growth(lambda count: piece * count, split_reasoning, 10_000) <= MOST
