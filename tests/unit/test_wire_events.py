"""Frames become events; what cannot be read becomes `Unknown`, never an exception."""

from __future__ import annotations

import json
import pickle
from typing import Any

import msgspec
import pytest

from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Frame

TABLE = [
    ("a message", ("", b'{"event":"message","answer":"hi"}'), ev.Message, {"answer": "hi"}),
    ("null answer", ("", b'{"event":"message","answer":null}'), ev.Message, {"answer": None}),
    ("fields that nobody names", ("", b'{"event":"message","answer":"x","new":{"a":[1]}}'), ev.Message, {"answer": "x"}),
    ("a number as text", ("", b'{"event":"error","status":"400","code":"c"}'), ev.Error, {"status": 400}),
    ("the name stands in the frame alone", ("message", b'{"answer":"hi"}'), ev.Message, {"answer": "hi"}),
    ("ping without data", ("ping", None), ev.Ping, {}),
    ("ping with data that says nothing", ("ping", b""), ev.Ping, {}),
    ("ping with the time", ("ping", b"2026-11-21"), ev.Ping, {}),
    ("ping's name on a piece of the answer", ("ping", b'{"event":"message","answer":"x"}'), ev.Message, {"answer": "x"}),
    ("ping as the documents write it", ("", b'{"event":"ping"}'), ev.Ping, {}),
    ("numbers where text belongs", ("", b'{"event":"message","answer":5,"message_id":7,"task_id":1.5}'), ev.Message,
     {"answer": "5", "message_id": "7", "task_id": "1.5"}),
    ("an empty list for none", ("", b'{"event":"message_end","metadata":[],"id":"m"}'), ev.MessageEnd,
     {"metadata": None, "id": "m"}),
    ("a thought without an id", ("", b'{"event":"agent_thought","id":null,"thought":"x"}'), ev.AgentThought, {"thought": "x"}),
    ("a selector that is no list", ("", b'{"event":"message","answer":"x","from_variable_selector":"a.b"}'), ev.Message,
     {"answer": "x"}),
    ("an error that is written in its own way", ("", b'{"event":"error","code":500,"status":"no","message":{"a":1}}'),
     ev.Error, {"code": "500", "status": None, "message": '{"a":1}'}),
    ("an error whose name stands in the frame alone", ("error", b'{"code":"c","message":"m"}'), ev.Error, {"message": "m"}),
    ("NaN, as Python writes it", ("", b'{"event":"node_finished","data":{"outputs":{"x":NaN,"y":-Infinity,"z":1}}}'),
     ev.NodeFinished, {"data": {"outputs": {"x": None, "y": None, "z": 1}}}),
    ("NaN in a broken line", ("", b'{"event":"node_finished","data":NaN'), ev.Unknown, {"damaged": True}),
    ("half a character", ("", b'{"event":"message","answer":"NaN \\ud83d"}'), ev.Message, {"answer": "NaN \ufffd"}),
    ("an event of the future", ("", b'{"event":"brand_new","x":1}'), ev.Unknown, {"name": "brand_new", "damaged": False}),
    ("a name without data", ("hello", None), ev.Unknown, {"name": "hello", "damaged": False}),
    ("another API's end", ("", b"[DONE]"), ev.Unknown, {"name": "[DONE]", "damaged": False}),
    ("broken JSON", ("", b'{"event":"message","answer": : "x"}'), ev.Unknown, {"damaged": True}),
    ("cut JSON", ("", b'{"event":"mess'), ev.Unknown, {"damaged": True}),
    ("a known event with a broken field", ("", b'{"event":"message","answer":{"a":1}}'), ev.Unknown, {"damaged": True}),
    ("no object", ("", b"[1,2]"), ev.Unknown, {"damaged": True}),
    ("no event name", ("", b'{"answer":"x"}'), ev.Unknown, {"damaged": True}),
    ("broken UTF-8", ("", b'{"event":"message","answer":"\xff"}'), ev.Message, {"answer": "\ufffd", "unread": 1}),
    ("nested very deep", ("", b'{"event":"message_end","metadata":' + b"[" * 5000 + b"]" * 5000 + b"}"), ev.Unknown, {}),
    ("our own local tag", ("", '{"event":"§sent","query":"x"}'.encode()), ev.Unknown, {"damaged": False}),
    ("nothing", ("", b""), ev.Unknown, {"damaged": True}),
]


@pytest.mark.parametrize(("frame", "kind", "fields"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_decode(frame: Frame, kind: type[ev.Event], fields: dict[str, Any]) -> None:
    event = decode(frame, 1.5)
    assert type(event) is kind
    assert event.at == 1.5
    for name, value in fields.items():
        assert getattr(event, name) == value
    if isinstance(event, ev.Unknown) and frame[1]:
        assert event.raw == frame[1]


def test_a_server_cannot_set_our_clock() -> None:
    assert decode(("", '{"event":"message","answer":"x","§at":99}'.encode()), 2.0).at == 2.0


def test_every_wire_event_has_a_meaning_in_the_fold() -> None:
    """A new event type must be written down in two places only: its struct and its meaning."""
    from dify_notebook.turn.fold import fold_all

    for name, kind in ev.wire_events().items():
        event = decode(("", msgspec.json.encode({"event": name})))
        assert type(event) is kind
        fold_all([event])


def test_a_pickled_event_has_no_token_of_a_form() -> None:
    data = {"event": "human_input_required", "workflow_run_id": "r", "data": {"form_id": "f", "form_token": "EvilToken"}}
    event = decode(("", json.dumps(data).encode()), 0.5)
    pickled = pickle.dumps(event)
    assert b"EvilToken" not in pickled
    again = pickle.loads(pickled)
    assert (again.workflow_run_id, again.data, again.at) == ("r", {"form_id": "f", "form_token": None}, 0.5)
