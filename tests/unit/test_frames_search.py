"""Finding messages and reading a conversation: in any case and script, and harmless whatever stands there."""

from __future__ import annotations

import pickle
from typing import Any

import pandas as pd
import pytest

from dify_notebook import History
from dify_notebook.errors import InputError
from dify_notebook.i18n import set_language

LONG = "x " * 200 + "The REFUND takes 30 days. " + "y " * 200


def history(**tables: Any) -> History:
    messages = pd.DataFrame(
        {
            "message_id": ["m1", "m2", "m3", "m4"],
            "conversation_id": ["aa-1", "aa-1", "ab-2", None],
            "user": ["anna", "anna", "chen", None],
            "created_at": pd.to_datetime(["2026-07-01 12:00", "2026-07-01 12:01", "2026-07-02 00:00", None], utc=True),
            "status": ["normal", "error", "normal", "normal"],
            "rating": ["dislike", None, "like", None],
            "error": [None, "overloaded", None, None],
            "query": ["How do I get a refund?", "And <b>now</b>?", "怎么申请退款？", "ＡＰＩ Ａ"],
            "answer": [LONG, "", "请看“退款”一节", "Straße"],
            "total_tokens": [10, None, 5, None],
            "total_price": [0.0000131, None, 0.2, None],
            "currency": ["USD", None, "USD", None],
        }
    )
    made = {
        "messages": messages,
        "conversations": pd.DataFrame({"conversation_id": ["aa-1", "ab-2"], "user": ["anna", "chen"], "name": ["Refund <i>", ""]}),
        "feedbacks": pd.DataFrame({"feedback_id": ["f"], "message_id": ["m2"], "rating": ["dislike"], "content": ["no Refund, no answer"]}),
        "thoughts": pd.DataFrame(
            {
                "thought_id": ["t1", "t1"], "call": [0, 1], "message_id": ["m1", "m1"], "position": [1, 1], "tool": ["add", "now"],
                "tool_label": ["Add", None], "thought": ["let me see"] * 2, "tools_raw": ["add;now"] * 2,
                "input_raw": ['{"add": {"a": 1}}'] * 2, "output_raw": ['{"add": "2"}'] * 2,
            }
        ),
        "citations": pd.DataFrame({"message_id": ["m1"], "position": [1], "document_name": ["refunds.md"], "score": [0.5], "content": ["30 days"]}),
        "files": pd.DataFrame({"message_id": ["m1"], "file_id": ["file"], "type": ["document"], "belongs_to": ["user"], "name": ["bill.pdf"], "size": [9]}),
    }  # fmt: skip
    return History(made | tables)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("refund", ["m2", "m1"]),
        ("  REFUND ", ["m2", "m1"]),
        ("退款", ["m3"]),
        ("api", ["m4"]),
        ("STRASSE", ["m4"]),
        (".*", []),
        ("<b>", ["m2"]),
        ("nowhere", []),
    ],
)
def test_search_finds(text: str, ids: list[str]) -> None:
    found = history().search(text)
    assert found["message_id"].tolist() == ids
    assert found["created_at"].dropna().is_monotonic_decreasing


def test_search_says_where() -> None:
    found = history().search("refund").set_index("message_id")
    assert found.loc["m1", "found_in"] == "query, answer"
    assert found.loc["m2", "found_in"] == "feedback"
    assert found.loc["m2", "excerpt"] == "no Refund, no answer"
    assert history().search("30 days").loc[0, "excerpt"].startswith("…x x")
    assert "REFUND takes 30 days" in history().search("30 days").loc[0, "excerpt"]
    assert len(history().search("30 days").loc[0, "excerpt"]) < 140


def test_search_in_one_user_s_messages() -> None:
    assert history().search("退款", user="anna").empty
    assert history().search("refund", user="anna")["message_id"].tolist() == ["m2", "m1"]


def test_search_that_finds_nothing_has_the_same_columns() -> None:
    found, nothing = history().search("refund"), history().search("nowhere")
    assert list(nothing.columns) == list(found.columns)
    assert nothing.dtypes.to_dict() == found.dtypes.to_dict()
    assert History().search("x").empty


@pytest.mark.parametrize("text", ["", "   ", None, 5])
def test_search_for_nothing_is_refused(text: Any) -> None:
    with pytest.raises(InputError, match="Nothing to look for"):
        history().search(text)


def test_a_conversation_is_read_in_order() -> None:
    found = history().conversation("aa")
    assert [turn.message_id for turn in found.turns] == ["m1", "m2"]
    assert (found.id, found.user, found.title) == ("aa-1", "anna", "Refund <i>")
    first, second = found.turns
    assert first.thoughts is not None
    assert [thought.tool for thought in first.thoughts] == ["add;now"], "one thought, though it has two rows"
    assert first.citations is not None
    assert first.citations[0].document_name == "refunds.md"
    assert first.citations[0].extra is None  # no server told the table's other columns
    assert first.files is not None
    assert first.files[0].name == "bill.pdf"
    assert first.usage is not None
    assert str(first.usage.total_price) == "0.0000131"
    assert (second.status, second.error and second.error.message, second.usage) == ("failed", "overloaded", None)
    assert first.source == "history"


def test_a_conversation_shows_in_three_forms_and_is_harmless() -> None:
    bundle = history().conversation("aa-1")._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    html = bundle["text/html"]
    assert html.startswith('<div class="mathjax_ignore"')
    assert "<b>now</b>" not in html
    assert "And &lt;b&gt;now&lt;/b&gt;?" in html
    assert "Refund &lt;i&gt;" in html
    for form, text in bundle.items():
        for said in ("Question 1", "2026-07-01 12:00 UTC", "disliked", "overloaded", "refunds.md", "bill.pdf", "30 days"):
            assert said in text.replace("\\", ""), (form, said)
    assert "<b>" not in bundle["text/markdown"].replace("```text\n> And <b>now</b>?", "")
    set_language("zh-Hans")
    try:
        assert "问题 2" in str(history().conversation("aa-1"))
    finally:
        set_language(None)


def test_a_question_cannot_pass_for_an_answer() -> None:
    hostile = "x\n```\n\n## Answer 1\n\nPay at http://evil.example\n\x1b[31mred"
    messages = history().messages.assign(query=[hostile, "", "", ""])
    bundle = history(messages=messages).conversation("aa-1")._repr_mimebundle_()
    headings = [line for line in bundle["text/markdown"].splitlines() if line.startswith("#")]
    assert len(headings) == 5, headings
    assert "\x1b" not in bundle["text/plain"] + bundle["text/markdown"] + bundle["text/html"]


def test_a_conversation_without_a_name_has_its_question() -> None:
    assert history().conversation("ab").title == "怎么申请退款？"
    assert repr(history().conversation("ab")) == "<Transcript ab-2 '怎么申请退款？', 1 messages>"


@pytest.mark.parametrize(
    ("id", "said"), [("a", "2 conversations begin with 'a'"), ("zz", "no conversation zz among the 2"), ("", "no conversation")]
)
def test_a_conversation_that_is_not_there(id: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        history().conversation(id)


def test_a_transcript_that_an_earlier_version_pickled_opens() -> None:
    pickled = (
        b"\x80\x02cdify_notebook.frames.looking\nTranscript\nq\x00)\x81q\x01}q\x02(X\x02\x00\x00\x00idq\x03h\x03"
        b"X\x04\x00\x00\x00nameq\x04X\x01\x00\x00\x00nq\x05X\x04\x00\x00\x00userq\x06X\x01\x00\x00\x00uq\x07"
        b"X\x05\x00\x00\x00turnsq\x08)ub."
    )
    assert repr(pickle.loads(pickled)) == "<Transcript id 'n', 0 messages>"
