"""A run as the server keeps it, as the turn that it was: as three Difys told it of recorded runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dify_notebook.errors import TurnIncomplete, raise_for_turn
from dify_notebook.frames import nodes
from dify_notebook.turn.state import Turn, Usage
from dify_notebook.turn.stored_run import turn_from_run
from dify_notebook.views import bundle
from dify_notebook.wire.models import WorkflowRun, read

SYSTEM = {"sys.files": [], "sys.user_id": "golden-user", "sys.app_id": "a", "sys.workflow_run_id": "w", "sys.timestamp": 1}
text = json.dumps
MAIL = "Sat, 21 Nov 2026 10:22:16 -0000"
"""How Dify 0.15 writes a time."""

RUNS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # which, what the server says beside the ids, and what is not as in an uneventful run
    (
        "0.15, texts and a list",
        {"status": "succeeded", "created_at": MAIL, "total_tokens": 72, "total_steps": 15, "elapsed_time": 2.7,
         "inputs": text({"q": "hi"} | SYSTEM), "outputs": '{"iter": ["\\u4f60"], "p2": "P2 hi", "llm": "<think>hm</think>A"}'},
        {"answer": "P2 hi\n\nA", "reasoning": "hm", "outputs": {"iter": ["你"], "p2": "P2 hi", "llm": "<think>hm</think>A"},
         "created_at": datetime(2026, 11, 21, 10, 22, 16, tzinfo=UTC), "usage": Usage(total_tokens=72)},
    ),
    (
        "0.15, an end without outputs",
        {"status": "succeeded", "created_at": MAIL, "outputs": "{}", "inputs": "{}"},
        {"outputs": {}, "inputs": {}, "created_at": datetime(2026, 11, 21, 10, 22, 16, tzinfo=UTC)},
    ),
    (
        "0.15, left by its client: it says so for ever",
        {"status": "running", "outputs": "{}", "total_tokens": 0},
        {"status": "incomplete", "end": None, "complete": False},
    ),
    ("1.12, failed", {"status": "failed", "error": "[stub] error 429", "outputs": None}, {"status": "failed", "end": "error"}),
    (
        "1.12, stopped in an iteration",
        {"status": "stopped", "error": "Aborted: User requested stop", "outputs": None, "total_steps": 3},
        {"status": "stopped", "end": "stopped"},
    ),
    (
        "1.12, stopped, and nobody wrote it down",
        {"status": "running", "outputs": "{}", "finished_at": None},
        {"status": "incomplete", "end": None, "complete": False},
    ),
    ("as the stream calls it", {"status": "failed", "error": "Aborted: User requested stop"}, {"status": "stopped", "end": "stopped"}),
    (
        "1.12, a default stood in",
        {"status": "partial-succeeded", "outputs": '{"code": 0, "files": null}'},
        {"status": "partial_succeeded", "answer": "0", "outputs": {"code": 0, "files": None}},
    ),
    (
        "1.16, outputs as an object",
        {"status": "succeeded", "outputs": {"text": "word0", "wrapped": "<word0>"}, "inputs": text({"text": "x", "n": None} | SYSTEM)},
        {"answer": "word0\n\n<word0>", "outputs": {"text": "word0", "wrapped": "<word0>"}, "inputs": {"text": "x", "n": None}},
    ),
    ("1.16, a person is asked", {"status": "paused", "outputs": {}}, {"status": "paused", "end": "paused", "outputs": {}}),
    ("a word that is not known", {"status": "scheduled"}, {"status": "incomplete", "end": None, "complete": False}),
]


def turn_of(told: dict[str, Any]) -> Turn:
    base = {"id": "w", "workflow_id": "v", "inputs": text({"q": "hi"} | SYSTEM), "created_at": 1_795_257_198, "error": None}
    return turn_from_run(read(WorkflowRun, base | told), user="u", server="http://h/v1", app="A")


@pytest.mark.parametrize(("told", "expected"), [row[1:] for row in RUNS], ids=[row[0] for row in RUNS])
def test_a_stored_run_is_a_turn(told: dict[str, Any], expected: dict[str, Any]) -> None:
    turn = turn_of(told)
    usual = {
        "status": "succeeded", "end": "eof", "complete": True, "answer": "", "reasoning": "", "outputs": None,
        "inputs": {"q": "hi"}, "created_at": datetime(2026, 11, 21, 10, 33, 18, tzinfo=UTC), "source": "history",
        "usage": Usage(total_tokens=told["total_tokens"]) if "total_tokens" in told else None,
        "workflow_run_id": "w", "message_id": None, "nodes": None, "timing": None, "user": "u", "app": "A", "app_mode": None,
    }  # fmt: skip
    assert {name: getattr(turn, name) for name in usual} == usual | expected
    assert (turn.error.message if turn.error else None) == (told["error"] if turn.status == "failed" else None)
    assert turn.workflow is not None
    assert (turn.workflow.id, turn.workflow.workflow_id, turn.workflow.status) == ("w", "v", told["status"])
    assert turn.workflow.total_steps == told.get("total_steps")


def test_it_can_be_shown_and_told() -> None:
    turn = turn_of({"status": "running"})
    assert not turn.running, "nothing more comes of this one"
    assert bundle(turn)
    assert nodes(turn_of(RUNS[0][1])).empty
    with pytest.raises(TurnIncomplete):
        raise_for_turn(turn)
