"""A model's reasoning told apart from its text, wherever its words are cut."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dify_notebook.local.engine.nodes.reasoning import Reasoning

WHOLE = [
    ("<think>\nFirst.\nThen.\n</think>\nYes <b>.", "First.\nThen.", "Yes <b>."),
    ("Yes.", "", "Yes."),
    ("<think>never ends", "never ends", ""),
    ("one <think>a</think> two <think>b</think> three", "ab", "one  two  three"),
    ("a < b, <thin, <thinker> and </think>", "", "a < b, <thin, <thinker> and </think>"),
    ("", "", ""),
]


@pytest.mark.parametrize(("words", "thought", "text"), WHOLE)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_it_is_the_same_wherever_it_is_cut(words: str, thought: str, text: str, size: int) -> None:
    events: list[dict[str, Any]] = []

    def emit(event: str, data: dict[str, Any]) -> None:
        assert event == "reasoning_chunk"
        events.append(data)

    run = SimpleNamespace(message_id="m", conversation={}, reasoning={}, emit=emit)
    said: list[str] = []
    reasoning = Reasoning(cast(Any, run), "llm", said.append)
    for at in range(0, len(words), size):
        reasoning.add(words[at : at + size])
    reasoning.finish()
    assert (reasoning.thought, reasoning.text, "".join(said)) == (thought, text, text)
    assert "".join(data["reasoning"] for data in events).strip() == thought
    assert run.reasoning == ({"llm": thought} if thought else {})
    assert [data["is_final"] for data in events] == [False] * (len(events) - 1) + [True] * bool(events)
    assert all((data["message_id"], data["node_id"]) == ("m", "llm") for data in events)
