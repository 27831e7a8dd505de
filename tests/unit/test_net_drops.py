"""Recorded runs whose connection is lost at each of their events, followed on a server that tells runs as Dify 1.16 does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import pytest
from contract import streams
from support.followed_run import Event, Run, Server, events_of
from support.linear import MOST, growth
from support.raw_server import serving

from dify_notebook import AsyncDify
from dify_notebook.net.run_nodes import RunNodes
from dify_notebook.turn.fold import fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode

pytestmark = pytest.mark.anyio

CASES = {
    "rich": ["1.16.1/chat-messages__richflow-please-words-5"],
    "loop": ["1.16.1/chat-messages__loopall-go"],
    "parallel": ["1.16.1/chat-messages__paraflow-go"],
    "reasoning": ["1.16.1/chat-messages__thinkflow-hi"],
    "moderated": ["1.16.1/chat-messages__modflow-words-12"],
    "failed branches": ["1.16.1/chat-messages__failflow-go"],
    "failed": ["1.16.1/chat-messages-llm-errors__chatflow-bad"],
    "answers": ["1.16.1/chat-messages__multianswer-go"],
    "paused": ["1.16.1/chat-messages__humanflow-pause"],
    "two forms": ["1.16.1/chat-messages__brancha-go"],
    "1.12 rich": ["1.12.1/chat-messages__richflow-streaming"],
    "1.12": ["1.12.1/chat-messages__chatflow-streaming"],
}


def told(events: Sequence[Event]) -> list[ev.Event]:
    return [decode(("", msgspec.json.encode(event))) for event in events]


@cache
def recorded(case: str) -> tuple[Run, Turn]:
    """A run, and the turn of who heard all of it."""
    events = [event for name in CASES[case] for event in events_of(streams.load()[name].body)]
    turn = fold_all([ev.Sent(query="hi", user="me"), *told(events), ev.StreamEnd()])
    usage: Event = {}
    if turn.usage is not None:
        usage = {
            "message_tokens": turn.usage.prompt_tokens,
            "answer_tokens": turn.usage.completion_tokens,
            "total_tokens": turn.usage.total_tokens,
            "total_price": str(turn.usage.total_price),
            "currency": turn.usage.currency,
        }
    status = {"paused": "paused", "failed": "error"}.get(turn.status, "normal")
    # A run that failed keeps nothing of what it said.
    return Run(events, answer="" if status == "error" else turn.answer_raw, usage=usage, status=status), turn


def codes(turn: Turn) -> set[str]:
    return {warning.code for warning in turn.warnings}


def places(turn: Turn) -> dict[str, Any]:
    return {node.id: (node.node_id, node.kind, node.parent) for node in turn.nodes or ()}


def forms(turn: Turn) -> list[Any]:
    return sorted((form.id, form.status, form.action, form.content) for form in turn.forms)


def tokens(turn: Turn) -> Any:
    return turn.usage and (turn.usage.prompt_tokens, turn.usage.completion_tokens, turn.usage.total_price)


def untimed(value: Any) -> Any:
    """The turn without times, and without where it comes from."""
    if isinstance(value, dict):
        gone = ("timing", "tape", "source", "created_at", "started_at", "finished_at", "at", "link", "token")
        return {name: untimed(item) for name, item in value.items() if name not in gone}
    if isinstance(value, (list, tuple)):
        return [untimed(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return untimed({name: getattr(value, name) for name in value.__struct_fields__})
    return value


async def cut_at(dify: AsyncDify) -> Turn:
    async with dify.chat.stream("hi") as stream:
        return await stream.read()


def beginning(run: Run) -> int:
    """The first event after the run's own first one: before it a run cannot be followed."""
    return 1 + [event["event"] for event in run.events].index("workflow_started")


def last(run: Run) -> int:
    """The cut before the run's last event, which ends it."""
    return len(run.events) - (run.events[-1]["event"] in ("workflow_finished", "workflow_paused", "message_end"))


def check(turn: Turn, whole: Turn, where: object) -> None:
    assert turn.status == whole.status, where
    if "gap" not in codes(turn) or whole.status != "failed":
        assert turn.answer == whole.answer, where
    assert forms(turn) == forms(whole), where
    assert tokens(turn) == tokens(whole), where
    assert turn.replaced == whole.replaced, where
    assert turn.task_id == whole.task_id, where
    assert turn.reasoning == whole.reasoning or codes(turn) & {"gap", "nodes"}, where
    known = places(whole)
    assert {key: known.get(key) for key in places(turn)} == places(turn), where  # no phantoms, none elsewhere
    statuses = {node.id: node.status for node in whole.nodes or ()}
    ours = {node.id: node.status for node in turn.nodes or ()}
    if ours != statuses:
        assert "nodes" in codes(turn), where
        assert all(status in ("unknown", statuses[key]) for key, status in ours.items()), where
    if turn.tape is not None:
        asked = msgspec.structs.replace(turn, inputs=None)  # no tape has them
        assert untimed(turn.tape.replay()) == untimed(asked), where


@pytest.mark.parametrize("case", CASES)
async def test_nothing_is_missing_where_nothing_happened_meanwhile(case: str) -> None:
    run, whole = recorded(case)
    server = Server(run)
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            for cut in range(beginning(run), last(run)):
                server.cut, server.at = cut, [cut]
                turn = await cut_at(dify)
                where = (case, cut, run.events[cut - 1]["event"], sorted(codes(turn)))
                check(turn, whole, where)
                unproven = {"gap"} if whole.status == "failed" else set()
                assert codes(turn) <= {"followed"} | unproven, where
                assert turn.answer == whole.answer, where
                assert turn.complete == (whole.complete and "gap" not in codes(turn)), where


@pytest.mark.parametrize("case", CASES)
async def test_what_happened_meanwhile_is_told_or_said_to_be_missing(case: str) -> None:
    run, whole = recorded(case)
    server = Server(run)
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            for cut in range(beginning(run), last(run)):
                server.cut, server.at = cut, [min(cut + 5, len(run.events))]
                turn = await cut_at(dify)
                check(turn, whole, (case, cut, run.events[cut - 1]["event"], sorted(codes(turn))))


@pytest.mark.parametrize("case", CASES)
async def test_a_run_that_has_ended_meanwhile_is_found_in_the_history(case: str) -> None:
    run, whole = recorded(case)
    server = Server(run)
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            for cut in range(beginning(run), last(run)):
                server.cut, server.at = cut, [len(run.events)]
                turn = await cut_at(dify)
                check(turn, whole, (case, cut, run.events[cut - 1]["event"], sorted(codes(turn))))


def containers(size: int) -> list[ev.WorkflowEvent]:
    events: list[ev.WorkflowEvent] = []
    for number in range(size):
        data = {"id": "it", "node_id": "it", "created_at": number}
        inner = {"id": str(number), "node_id": "a", "iteration_id": "it"}
        events += [ev.IterationStarted(data=data), ev.NodeStarted(data=inner)]
        told = {"id": f"told {number}", "node_id": "it", "node_type": "iteration", "created_at": -number}
        events += [ev.NodeStarted(data=told), ev.NodeFinished(data=told)][: number % 3]
    return events + [ev.IterationCompleted(data={"id": "it", "node_id": "it"}) for _ in range(size)]


def test_what_is_new_of_nodes_is_found_in_time_linear_in_them() -> None:
    def note(events: list[ev.WorkflowEvent]) -> None:
        nodes = RunNodes()
        for event in events:
            nodes.news(event)

    assert growth(containers, note, 2_000) < MOST
