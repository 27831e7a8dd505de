"""Errors that are told as no event of Dify's tells them: in their own words, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dify_notebook.errors import from_response
from dify_notebook.turn.fold import fold
from dify_notebook.turn.state import Turn
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Splitter

WORDS = "the quota is used up"
ERRORS: dict[str, tuple[Any, str, str]] = {
    "Dify": ({"code": "quota", "message": WORDS, "status": 400}, "quota", WORDS),
    "OpenAI": ({"error": {"message": WORDS, "type": "limit", "code": "quota"}}, "quota", WORDS),
    "text": ({"error": WORDS}, "", WORDS),
    "two texts": ({"error": "invalid_grant", "error_description": WORDS}, "", "invalid_grant"),
    "FastAPI": ({"detail": WORDS}, "", WORDS),
    "FastAPI's list": (
        {"detail": [{"loc": ["body", "query"], "msg": WORDS, "type": "missing"}, {"msg": "and more"}]},
        "",
        f"body.query: {WORDS}; and more",
    ),
    "detail that is an object": ({"detail": {"code": "quota", "message": WORDS}}, "quota", WORDS),
    "msg": ({"code": 429, "msg": WORDS}, "429", WORDS),
    "success": ({"success": False, "message": WORDS}, "", WORDS),
    "errmsg": ({"errcode": 40013, "errmsg": WORDS}, "40013", WORDS),
    "problem": ({"type": "about:blank", "title": "Too many", "status": 429, "detail": WORDS}, "", WORDS),
    "list": ({"errors": [{"message": WORDS}]}, "", WORDS),
}
NO_ERRORS: list[Any] = [
    {"code": 0, "message": "ok"}, {"code": "200", "msg": "success"}, {"status": "ok", "message": "alive"},
    {"success": True, "message": "alive"}, {"error": None, "status": 200, "message": "alive"}, {"error": False, "message": "alive"},
    {"message": "alive"}, {"msg": "alive"}, {"title": "alive"}, {"message": "hello", "from": "a friend"}, {"foo": 1}, {"detail": []}, [WORDS], 7,
    {"detail": [[[[[[WORDS]]]]]]},
]  # fmt: skip
ANSWER = b'data: {"event": "message", "task_id": "t", "answer": "half"}\n\n'
END = b'data: {"event": "message_end", "task_id": "t"}\n\n'


def turn_of(*chunks: bytes) -> Turn:
    """What a stream of these means."""
    splitter, turn = Splitter(), Turn()
    for chunk in chunks:
        for frame in splitter.feed(chunk):
            turn = fold(turn, decode(frame))
    return turn


def written(body: Any) -> list[bytes]:
    """The ways in which a body comes in mid-stream."""
    plain = json.dumps(body).encode()
    pretty = json.dumps(body, indent=2).encode()
    return [b"data: " + plain, plain, pretty, b"event: error\ndata: " + plain]


@pytest.mark.parametrize(("body", "code", "words"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_told_in_its_own_words(body: Any, code: str, words: str) -> None:
    for told in written(body)[:3]:
        turn = turn_of(ANSWER, told + b"\n\n")
        assert turn.error is not None, told
        assert (turn.answer, turn.error.code, turn.error.message) == ("half", code, words)
    refused = from_response("POST /x", 400, "application/json", json.dumps(body).encode(), None)
    assert (refused.code, refused.message) == (code, words)


@pytest.mark.parametrize("body", NO_ERRORS, ids=str)
def test_what_is_no_error_costs_no_answer(body: Any) -> None:
    for told in written(body)[:3]:
        turn = turn_of(ANSWER, told + b"\n\n", END)
        assert (turn.answer, turn.status, turn.error) == ("half", "succeeded", None), told


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (b"event: error\ndata: the quota is used up", WORDS),
        (b'event: error\ndata: "the quota is used up"', WORDS),
        (b'{"event": "error", "code": "quota", "message": "the quota is used up", "status": 400}', WORDS),
    ],
)
def test_an_event_that_is_called_error_is_one(told: bytes, words: str) -> None:
    turn = turn_of(ANSWER, told + b"\n\n")
    assert turn.error is not None
    assert (turn.answer, turn.status, turn.error.message) == ("half", "failed", words)


def test_another_event_without_its_field_is_none() -> None:
    stray = b'{"event": "message", "answer": " and \\"error\\""}\n\n'
    assert turn_of(ANSWER, stray, END).answer == "half"
