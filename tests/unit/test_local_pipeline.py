"""The pipeline's events and what is stored of them, for questions of all kinds, failures and stops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.pipeline_streams import CASES, OLDER, recorded, small_documentation, told

from dify_notebook.local.simulate.dialect_112 import Stream

RECORDED = recorded()
BEFORE = recorded(OLDER)


@pytest.fixture(scope="module", autouse=True)
def documentation() -> Iterator[None]:
    with small_documentation():
        yield


@pytest.mark.parametrize("name", CASES)
def test_events_and_what_is_stored(name: str) -> None:
    assert told(CASES[name]) == RECORDED[name]


@pytest.mark.parametrize("name", CASES)
def test_events_as_they_were_with_dify_1_12(name: str) -> None:
    assert told(CASES[name], Stream(flow=True))["events"] == BEFORE[name]["events"]


def test_each_kind_of_event_and_of_end_is_recorded() -> None:
    assert list(RECORDED) == list(CASES)
    events = [event["event"] for case in RECORDED.values() for event in case["events"] if "event" in event]
    assert set(events) == {
        "workflow_started", "node_started", "node_finished", "iteration_started", "iteration_next",
        "iteration_completed", "workflow_finished", "message_end", "error", "pause",
    }  # fmt: skip
    assert {case["stored"]["state"] for case in RECORDED.values()} == {"done", "stopped", "failed"}
    assert all(case["nodes are stored as told"] and len(case["heads"]) <= 2 for case in RECORDED.values())
