"""A new kind of event is its struct and its meaning: whatever asks events for their text takes it as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def told() -> Any:
    """In a process of its own: what was added would be there for all tests that come after."""
    path = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    run = subprocess.run(
        [sys.executable, "-m", "support.added_event"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(run.stdout)


def test_it_is_read_and_what_nobody_wrote_down_is_kept_as_it_is(told: Any) -> None:
    assert told["kinds"][:5] == ["WorkflowStarted", "Musing", "Whisper", "Whisper", "Whisper"]
    assert "Unknown" in told["kinds"]
    assert told["warnings"] == [["unknown_event", "murmur"]]


def test_structs_of_other_people_take_nothing_away(told: Any) -> None:
    """Derived of an event, or with a tag that is no text."""
    assert "Message" in told["kinds"]
    assert "Noted" not in told["kinds"]


def test_it_is_folded_followed_and_replayed(told: Any) -> None:
    """Said once though told twice, with the character whole that two of them share."""
    assert told["answer"] == told["replayed"] == "One 😀 two!."
    assert told["reasoning"] == "Why? Ah."
    assert told["end"] == ["succeeded", True]


def test_its_text_is_in_the_table_of_events(told: Any) -> None:
    assert [text for text in told["texts"] if text] == ["One ", "😀 ", "two", "!", "."]


def test_the_live_view_shows_it(told: Any) -> None:
    assert told["shown"] == [True, True]
