"""Answers that are written in another way than the documents say are read as far as they can be."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from dify_notebook.secret import Secret
from dify_notebook.wire import models
from dify_notebook.wire.models import Model, decode

WHEN = datetime(2026, 11, 21, 9, 15, 48, tzinfo=UTC)
STAMP = int(WHEN.timestamp())

#: (id, model, what came, fields that are expected)
ANSWERS: list[tuple[str, type[Model], Any, dict[str, Any]]] = [
    ("nothing is told of the app", models.AppInfo, {"name": None, "tags": ""}, {"name": "", "extra": {"tags": ""}}),
    ("parameters without anything", models.Parameters, {"user_input_form": None, "file_upload": None}, {"controls": []}),
    ("a switch instead of an object", models.Parameters, {"speech_to_text": False, "retriever_resource": []},
     {"speech_to_text": None, "extra": {"speech_to_text": False, "retriever_resource": []}}),
    ("an empty list instead of an object", models.AppMeta, {"tool_icons": []}, {"tool_icons": {}}),
    ("no questions", models.Suggested, {"result": "success", "data": None}, {"data": []}),
    ("a number for a name", models.UploadedFile, {"id": 7, "name": 5, "size": "12"},
     {"id": "7", "name": "5", "size": 12, "extra": {"id": 7, "name": 5}}),
    ("an upload of Dify 1.16", models.UploadedFile, {"id": "f", "reference": "dify-file-ref:e30="},
     {"reference": "dify-file-ref:e30=", "extra": {}}),
    ("a site of Dify 1.16", models.Site, {"title": "Bot", "input_placeholder": "Ask me"},
     {"input_placeholder": "Ask me", "extra": {}}),
    ("a job without a state", models.Job, {"job_id": "j", "job_status": None}, {"job_status": ""}),
    ("true for success", models.Result, {"result": True}, {"result": "", "extra": {"result": True}}),
    ("a time that is none", models.UploadedFile, {"id": "f", "created_at": "soon"},
     {"created_at": None, "extra": {"created_at": "soon"}}),
    ("a time that no calendar has", models.UploadedFile, {"id": "f", "created_at": 1e300}, {"created_at": None}),
    ("seconds as text", models.UploadedFile, {"id": "f", "created_at": f"{STAMP}.0"}, {"created_at": WHEN}),
    ("milliseconds as text", models.UploadedFile, {"id": "f", "created_at": f"{STAMP}000"}, {"created_at": WHEN}),
    ("without zone", models.UploadedFile, {"id": "f", "created_at": "2026-11-21T09:15:48"}, {"created_at": WHEN}),
    *((f"a run's times as {told[26:]} (Dify 0.15)", models.WorkflowRun, {"created_at": told, "finished_at": told},
       {"created_at": WHEN, "finished_at": WHEN, "extra": {}})
      for told in ("Sat, 21 Nov 2026 09:15:48 -0000", "Sat, 21 Nov 2026 09:15:48 GMT", "Sat, 21 Nov 2026 17:15:48 +0800")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "told", "fields"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_what_can_be_read_is_read(kind: type[Model], told: Any, fields: dict[str, Any]) -> None:
    found = decode(kind, msgspec.json.encode(told))
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("form", "names", "known"),
    [
        ([{"text-input": {"variable": "city"}}, None, {}], ["city"], True),
        ([{"text-input": {"variable": "city"}}, "more"], ["city"], False),
        ({"city": {"type": "text-input"}}, [], False),
        ("none", [], False),
        ({}, [], True),
        (None, [], True),
        ([{"text-input": None}], [], True),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_read_is_not_taken_for_none(form: Any, names: list[str], known: bool) -> None:
    """Else an input would be refused as one that the app does not ask for."""
    found = decode(models.Parameters, msgspec.json.encode({"user_input_form": form, "suggested_questions": ["a", 5, "b"]}))
    assert [control["variable"] for control in found.controls] == names
    assert (found.form_known, found.suggested_questions) == (known, ["a", "b"])


@pytest.mark.parametrize("rows", [False, True])
def test_one_odd_message_does_not_take_the_page_with_it(rows: bool) -> None:
    odd: dict[str, Any] = {"id": "2", "query": None, "answer": None, "inputs": [], "feedback": "none", "new": 1, "created_at": STAMP}
    told = {"data": [{"id": "1", "answer": "one"}, odd, {"id": "3", "answer": "three"}], "has_more": None, "limit": "20"}
    page: Any = decode(models.MessageRows if rows else models.MessagePage, msgspec.json.encode(told))
    assert [(item.id, item.answer) for item in page.data] == [("1", "one"), ("2", ""), ("3", "three")]
    assert (page.has_more, page.limit, page.data[1].inputs, page.data[1].feedback) == (False, 20, None, None)
    if not rows:
        assert page.data[1].extra == {"new": 1, "inputs": [], "feedback": "none"}


@pytest.mark.parametrize("kind", [models.MessagePage, models.MessageRows])
def test_nan_as_python_writes_it(kind: type[Model]) -> None:
    page: Any = decode(kind, b'{"data": [{"id": "m", "retriever_resources": [{"score": NaN}]}], "has_more": true}')
    assert page.data[0].retriever_resources == [{"score": None}]
    assert page.has_more


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (models.ConversationPage, b"{}"),
        (models.ConversationPage, b'{"data": 5}'),
        (models.ConversationPage, b'{"data": {"id": "c"}}'),
        (models.UploadedFile, b'{"name": "without an id"}'),
        (models.Spoken, b'{"text": null}'),
        (models.AppInfo, b"[]"),
        (models.AppInfo, b"{broken"),
    ],
)  # fmt: skip
def test_what_cannot_be_missing_is_an_error(kind: type[Model], told: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeError)):
        decode(kind, told)


FORM = {"form_id": "f", "node_id": "ask", "form_token": "EvilTokenEvilToken0001"}
ASKS = [{"type": "human_input", "submitted": False, "form_definition": FORM}, {"form_definition": {"form_token": None}}]
ASKING = msgspec.json.encode({"data": [{"id": "m", "status": "paused", "extra_contents": ASKS}], "has_more": False})


def tokens(value: Any) -> list[Any]:
    """What stands as the token of a form anywhere in a model."""
    if isinstance(value, dict):
        return [item for key, item in value.items() if key == "form_token"] + tokens(list(value.values()))
    if isinstance(value, msgspec.Struct):
        return tokens(msgspec.structs.asdict(value))
    return [token for item in value for token in tokens(item)] if isinstance(value, list) else []


def test_the_token_of_a_form_is_a_secret() -> None:
    page = decode(models.MessagePage, ASKING)
    assert tokens(page) == [Secret("EvilTokenEvilToken0001"), None]
    assert "EvilToken" not in f"{page!r}{page.data!r}{page.data[0]}"


def test_a_pickle_has_no_token_of_a_form_and_all_else() -> None:
    page = decode(models.MessagePage, ASKING)
    pickled = pickle.dumps(page)
    assert b"EvilToken" not in pickled
    again = pickle.loads(pickled)
    assert tokens(again) == [None, None]
    assert (again.data[0].id, again.data[0].status, again.has_more) == ("m", "paused", False)
    assert tokens(page) == [Secret("EvilTokenEvilToken0001"), None]  # and what was pickled has it still


def test_messages_for_tables_have_no_token_at_all() -> None:
    elsewhere = msgspec.json.encode({"data": [{"id": "m", "extra_contents": ASKS, "message_files": [FORM]}]})
    assert not any(tokens(decode(models.MessageRows, elsewhere)))
    broken = ASKING.replace(b'"m"', b"null")  # is read the slow way, and refused
    with pytest.raises(msgspec.ValidationError) as caught:
        decode(models.MessageRows, broken)
    assert "EvilToken" not in str(caught.value)
