"""A stored message as the turn that it was: of every recorded page."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from contract.exchanges import load_exchanges

from dify_notebook.turn.stored import turn_from_stored
from dify_notebook.wire.models import MessagePage, StoredMessage, decode, read


def pages() -> list[str]:
    return sorted(
        case
        for case, one in load_exchanges().items()
        if one.request.method == "GET" and one.request.path.startswith("/v1/messages?") and one.status == 200
    )


@pytest.mark.parametrize("case", pages())
def test_every_recorded_message_is_a_turn(case: str) -> None:
    for message in read(MessagePage, msgspec.json.decode(load_exchanges()[case].body)).data:
        turn = turn_from_stored(message, user="u", server="http://h/v1", app="A")
        assert (turn.query, turn.answer_raw, turn.message_id) == (message.query, message.answer, message.id)
        assert turn.source == "history"
        failed = message.status == "error" or message.error
        assert turn.status == ("failed" if failed else "paused" if message.status == "paused" else "succeeded")
        assert (turn.nodes, turn.timing) == (None, None), "the server keeps none of these"
        assert (turn.usage is None) == (not case.startswith("1.16")), "older ones tell none"
        if turn.usage is not None:
            counted = (turn.usage.prompt_tokens, turn.usage.completion_tokens, turn.usage.total_tokens)
            assert counted == (message.message_tokens, message.answer_tokens, message.total_tokens)
            assert (turn.usage.total_price, turn.usage.currency) == (Decimal(str(message.total_price)), "USD")
            assert turn.usage.latency == message.provider_response_latency
        assert len(turn.forms) == len(message.extra_contents or ())
        assert [one.content for one in turn.citations or ()] == [
            one.get("content") or "" for one in message.retriever_resources or ()
        ]
        assert len(turn.thoughts or ()) == len(message.agent_thoughts or ())
        assert [one.belongs_to for one in turn.files or ()] == [
            one.get("belongs_to") or "assistant" for one in message.message_files or ()
        ]


def test_reasoning_rating_and_errors_are_kept_apart() -> None:
    told = {"id": "m", "answer": "<think>\nhm\n</think>\nYes.", "feedback": {"rating": "like"}, "query": "q"}
    turn = turn_from_stored(read(StoredMessage, told))
    assert (turn.answer, turn.reasoning, turn.feedback) == ("Yes.", "hm", "like")
    failed = turn_from_stored(read(StoredMessage, {"id": "m", "status": "error", "error": "no quota"}))
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message == "no quota"


def recorded(case: str) -> Any:
    """The only message of a recorded page, as a turn."""
    (message,) = decode(MessagePage, load_exchanges()[f"1.16.1/messages__{case}"].body).data
    return turn_from_stored(message, user="ann")


def test_a_run_that_waits_has_its_form_with_the_token_in_memory_alone() -> None:
    turn = recorded("humanflow-paused")
    (form,) = turn.forms
    assert (turn.status, turn.error, turn.workflow_run_id) == ("paused", None, "994f980c-aef2-4aff-bc1a-27bbebb3171b")
    assert (form.status, form.workflow_run_id, form.user, form.link) == ("waiting", turn.workflow_run_id, "ann", None)
    assert (form.title, form.node_id, form.id[:4], form.action, form.inputs) == ("Ask a person", "ask", "003f", None, None)
    assert [(field.name, field.type, field.default, field.options) for field in form.fields] == [
        ("note", "paragraph", "my note", ()),
        ("kind", "select", None, ("x", "y")),
    ]
    assert [action.id for action in form.actions] == ["approve", "reject"]
    assert form.expires_at is not None
    token = form.token.reveal()
    assert len(token) == 22
    assert token not in f"{turn!r}{form!r}{form.data!r}{pickle.dumps(turn)!r}"
    assert pickle.loads(pickle.dumps(turn)).forms[0].token is None


def test_a_form_that_was_answered_has_the_answer() -> None:
    turn = recorded("humanflow-rejected")
    (form,) = turn.forms
    assert (turn.status, form.status, form.action, form.token) == ("succeeded", "filled", "reject", None)
    assert form.inputs == {"note": "n", "kind": "x"}
    assert form.content == "# Please check\n\nQuestion: reject me\n\nNote: n\n\nKind: x"
    assert form.data["form_content"].endswith("{{#$output.kind#}}")


def test_what_an_agent_said_on_the_way_stands_with_the_step_that_said_it() -> None:
    turn = recorded("roster-agent-tool")
    assert [step.answer for step in turn.thoughts] == ["", "Let me look. ", "", "It is twelve. Done 你好. "]
    assert turn.answer == "It is twelve. Done 你好."


ASKED: dict[str, Any] = {"form_id": "f", "form_content": "May I?", "form_token": "SecretTokenOfAForm0001", "actions": [{"id": "yes", "title": "Yes"}]}
ANSWER: dict[str, Any] = {"node_id": "n", "node_title": "Ask", "action_id": "yes", "action_text": "Yes", "rendered_content": "May I? ok", "submitted_data": {"a": 1}}


@pytest.mark.parametrize(
    ("status", "content", "wanted"),
    [
        ("paused", {"form_definition": ASKED, "submitted": False}, ("f", "waiting", None, None, "May I?", ["Yes"])),
        ("normal", {"form_definition": ASKED, "submitted": False}, ("f", "timeout", None, None, "May I?", ["Yes"])),
        ("error", {"form_definition": ASKED}, ("f", "timeout", None, None, "May I?", ["Yes"])),
        ("paused", {"form_definition": ASKED, "submitted": True, "form_submission_data": ANSWER}, ("f", "filled", "yes", {"a": 1}, "May I? ok", ["Yes"])),
        ("normal", {"form_definition": None, "submitted": True, "form_submission_data": ANSWER}, ("n", "filled", "yes", {"a": 1}, "May I? ok", ["Yes"])),
        ("normal", {"form_definition": ASKED, "submitted": True, "form_submission_data": {"submitted_data": [1], "action_id": 5}}, ("f", "filled", "5", None, "May I?", ["Yes"])),
        ("paused", {"form_definition": {"form_id": 5, "form_content": ["x"], "actions": "no"}, "workflow_run_id": 7}, ("0", "waiting", None, None, "", [])),
        ("paused", {}, ("0", "waiting", None, None, "", [])),
    ],
)  # fmt: skip
def test_what_is_told_of_a_form(status: str, content: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    message = read(StoredMessage, {"id": "m", "status": status, "extra_contents": [{"type": "human_input", **content}]})
    (form,) = turn_from_stored(message).forms
    assert (form.id, form.status, form.action, form.inputs, form.content, [one.title for one in form.actions]) == wanted
    assert (form.token is not None) == (form.status == "waiting" and content.get("form_definition") is ASKED)
    assert "form_token" not in (form.data or {})


def test_other_contents_are_no_forms_and_a_token_elsewhere_is_not_kept() -> None:
    hostile = {**ASKED, "inputs": [{"output_variable_name": "a", "form_token": "SecretTokenElsewhere01"}]}
    contents = [{"type": "citation_of_the_future", "form_definition": ASKED}, {"type": "human_input", "form_definition": hostile}]
    body = msgspec.json.encode({"data": [{"id": "m", "status": "paused", "extra_contents": contents}]})
    (message,) = decode(MessagePage, body).data
    turn = turn_from_stored(message)
    (form,) = turn.forms
    assert form.data["inputs"][0]["form_token"] is None
    assert "SecretToken" not in f"{turn!r}{pickle.dumps(turn)!r}"
    assert len(message.extra_contents or ()) == 2
