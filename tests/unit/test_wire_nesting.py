"""What is nested deeper than anyone means is damaged at the door: nothing behind it has to walk it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from dify_notebook import frames
from dify_notebook.turn.fold import fold_all
from dify_notebook.views.saved import bundle
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.loose import MAX_DEPTH

PLACES = {
    "the outputs of a node": '{"event":"node_finished","data":{"id":"a","outputs":%s}}',
    "an id": '{"event":"node_finished","data":{"id":%s}}',
    "what a tool was given": '{"event":"agent_thought","id":"t","tool":"x","tool_input":%s}',
    "an entry of a log": '{"event":"agent_log","data":{"id":"l","data":%s}}',
    "a citation": '{"event":"message_end","metadata":{"retriever_resources":[{"content":%s}]}}',
    "a field that nobody knows": '{"event":"message","answer":"x","new":%s}',
    "an event that nobody knows": '{"event":"brand_new","data":%s}',
    "no event": "%s",
}
USES: dict[str, Callable[[Any], object]] = {
    "pickled": pickle.dumps,
    "copied": copy.deepcopy,
    "shown": bundle,
    "compared": lambda turn: turn == copy.copy(turn),
    "as tables": lambda turn: [make(turn) for make in (frames.nodes, frames.thoughts, frames.citations)],
}


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("place", PLACES)
def test_whatever_is_nested_deeply_is_unknown_and_does_no_harm(place: str) -> None:
    for levels in (MAX_DEPTH, 500, 990, 995, 1_000, 5_000):
        event = decode(("", (PLACES[place] % nested(levels)).encode()))
        turn = fold_all([event, ev.StreamEnd()])
        if place not in ("a field that nobody knows", "an event that nobody knows"):
            assert isinstance(event, ev.Unknown)
            assert event.damaged
            assert not turn.complete
        for use in USES.values():
            use(turn)


@pytest.mark.parametrize("use", USES)
def test_what_is_nested_as_deeply_as_allowed_goes_everywhere(use: str) -> None:
    for place in ("the outputs of a node", "what a tool was given", "an entry of a log", "a citation"):
        event = decode(("", (PLACES[place] % nested(MAX_DEPTH - 5)).encode()))
        assert not isinstance(event, ev.Unknown)
        USES[use](fold_all([event, ev.StreamEnd()]))


def test_a_wide_value_is_not_a_deep_one() -> None:
    wide = [{"a": [n]} for n in range(5_000)]
    event = decode(("", json.dumps({"event": "node_finished", "data": {"id": "a", "outputs": wide}}).encode()))
    assert isinstance(event, ev.NodeFinished)
    assert event.data is not None
    assert event.data["outputs"] == wide


@pytest.mark.parametrize("levels", [MAX_DEPTH, 500])
def test_an_error_is_never_lost(levels: int) -> None:
    """What cannot be read of it is left out."""
    event = decode(("", b'{"event":"error","code":"c","message":' + nested(levels).encode() + b"}"))
    assert isinstance(event, ev.Error)
    assert event.code == "c"
