"""A chatflow whose connection is lost is followed again by its run's id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import TurnIncomplete
from dify_notebook.net import follower
from dify_notebook.turn.state import Turn

pytestmark = pytest.mark.anyio

IDS = {"task_id": "t", "message_id": "m", "conversation_id": "c", "created_at": 1}
RUN = {**IDS, "workflow_run_id": "run 1"}
Event = dict[str, Any]


def text(answer: str) -> Event:
    return {"event": "message", "answer": answer, **IDS}


def node(event: str, key: str, **data: Any) -> Event:
    return {"event": event, "data": {"id": key, "node_id": f"n-{key}", "title": key, **data}, **RUN}


STARTED: Event = {"event": "workflow_started", "data": {"id": "run 1", "inputs": {}}, **RUN}


def finished(answer: str | None) -> Event:
    outputs = {} if answer is None else {"answer": answer}
    return {"event": "workflow_finished", "data": {"id": "run 1", "status": "succeeded", "outputs": outputs}, **RUN}


END: Event = {"event": "message_end", "metadata": {"usage": {"total_tokens": 3}}, **IDS}
LOOP = {"event": "iteration_started", "data": {"id": "it", "node_id": "it", "created_at": 5, "metadata": {}}, **RUN}
LOOP_END = {"event": "iteration_completed", "data": {"id": "it", "node_id": "it", "created_at": 5, "status": "succeeded"}, **RUN}
WHOLE: list[Event] = [
    STARTED, node("node_started", "a"), LOOP, text("One "), node("node_retry", "a", retry_index=1), text("two "),
    node("node_finished", "a", status="succeeded"), LOOP_END, node("node_started", "b"), text("three "), text("four."),
    node("node_finished", "b", status="succeeded"), finished("One two three four."), END,
]  # fmt: skip
CUT = 6
"""So many events come before the connection breaks: the text is "One two "."""


def losing(before: list[Event], follow: Callable[[Connection], None], how: str = "reset") -> Any:
    def script(request: Request, connection: Connection) -> None:
        if request.path.startswith("/v1/messages"):
            connection.reply("404 Not Found", {"code": "not_found", "message": "no", "status": 404})
            return
        if request.method == "GET":
            follow(connection)
            return
        connection.head()
        for event in before:
            connection.event(**event)
        connection.end() if how == "eof" else connection.close()

    return script


def telling(events: list[Event]) -> Callable[[Connection], None]:
    def follow(connection: Connection) -> None:
        connection.head()
        for event in events:
            connection.event(**event)
        connection.end()

    return follow


async def asked(server: RawServer) -> Turn:
    async with AsyncDify("app-x", server.url, "me & you") as dify, dify.chat.stream("hi") as stream:
        return await stream.read()


SNAPSHOT = [STARTED, node("node_started", "a"), {"event": "message_replace", "answer": "One two th", **IDS}, text("ree four.")]
CASES = {
    "from the start": WHOLE,
    "only what is still to come": [text("three "), text("four."), node("node_started", "b"),
                                   node("node_finished", "b", status="succeeded"), finished("One two three four."), END],
    "to come, with a part missed": [text("four."), finished("One two three four."), END],
    "nodes from the start, text to come": [STARTED, node("node_started", "a"), text("three "), text("four."),
                                           finished("One two three four."), END],
    "nodes alone, the text at the end of the run": [STARTED, node("node_started", "a"), finished("One two three four."), END],
    "a snapshot with the text so far": [*SNAPSHOT, finished("One two three four."), END],
    "a snapshot, nothing at the end of the run": [*SNAPSHOT, finished(None), END],
    "a snapshot that knows no text": [STARTED, node("node_started", "a"), {"event": "message_replace", "answer": "", **IDS},
                                      text("three "), text("four."), finished("One two three four.")],
    "a snapshot, and the same again as it happens": [
        STARTED, node("node_started", "a"), node("node_started", "b"), node("node_started", "b", inputs={"x": 1}),
        text("three "), text("four."), node("node_finished", "b", status="succeeded"), finished("One two three four.")],
    "over meanwhile, and nothing but its end is told": [finished("One two three four.")],
    "from the start, nothing at the end of the run": [e for e in WHOLE if e["event"] != "workflow_finished"],
    "text that begins like ours but goes on": [STARTED, text("One "), text("three four."), finished("One two One three four."), END],
    "no message_end": [*WHOLE[:-1]],
}  # fmt: skip


NODES_UNTOLD = {
    "to come, with a part missed", "only what is still to come", "nodes from the start, text to come",
    "nodes alone, the text at the end of the run", "a snapshot with the text so far", "a snapshot that knows no text",
    "a snapshot, nothing at the end of the run", "a snapshot, and the same again as it happens",
    "over meanwhile, and nothing but its end is told", "text that begins like ours but goes on",
}  # fmt: skip
"""Where a node that began is never told to end."""


@pytest.mark.parametrize("how", ["reset", "eof"])
@pytest.mark.parametrize("case", CASES)
async def test_the_rest_is_read_and_nothing_is_said_twice(case: str, how: str) -> None:
    with serving(losing(WHOLE[:CUT], telling(CASES[case]), how)) as server:
        turn = await asked(server)
    expected = "One two One three four." if "like ours" in case else "One two three four."
    assert (turn.answer, turn.status, turn.complete) == (expected, "succeeded", True)
    assert turn.end == ("message_end" if END in CASES[case] else "eof")
    assert not turn.replaced
    # The history is not to be had, so what an end tells alone is taken with a warning.
    more = {"nodes"} if case in NODES_UNTOLD else set()
    more |= {"unmoderated"} if END not in CASES[case] else set()
    assert [warning.code for warning in turn.warnings] == ["followed", *sorted(more)]
    history = [request.path for request in server.requests[2:]]
    assert history == ["/v1/messages?user=me+%26+you&conversation_id=c&limit=100"]
    assert turn.nodes is not None
    keys = [one.id for one in turn.nodes]
    assert len(keys) == len(set(keys))
    assert "it#2" not in keys
    assert len(next(one for one in turn.nodes if one.id == "a").retries) == 1
    path = server.requests[1].path
    assert path == "/v1/workflow/run%201/events?user=me+%26+you&include_state_snapshot=true"
    if any(event["event"] in ("message", "message_replace") for event in CASES[case]) and "missed" not in case:
        assert turn.tape.replay().answer == expected  # the tape holds what was new, once


async def test_what_nothing_proves_is_not_called_complete() -> None:
    events = [text("four."), finished(None), END]
    with serving(losing(WHOLE[:CUT], telling(events))) as server:
        turn = await asked(server)
    assert (turn.answer, turn.status, turn.complete) == ("One two four.", "succeeded", False)
    assert [warning.code for warning in turn.warnings] == ["followed", "nodes", "gap"]


async def test_an_error_behind_a_loss_does_not_make_the_answer_whole() -> None:
    error = {"event": "error", "code": "internal", "message": "no", "status": 500, **IDS}
    with serving(losing(WHOLE[:CUT], telling([error]))) as server:
        turn = await asked(server)
    assert (turn.answer, turn.status, turn.complete) == ("One two ", "failed", False)
    assert [warning.code for warning in turn.warnings] == ["followed", "gap"]


async def test_a_beginning_that_cannot_be_told_from_a_repetition_is_not_said_twice() -> None:
    events = [STARTED, text("One "), END]
    with serving(losing(WHOLE[:CUT], telling(events))) as server:
        turn = await asked(server)
    assert (turn.answer, turn.complete) == ("One two ", False)


@pytest.mark.parametrize("refusal", [
    lambda c: c.reply("404 NOT FOUND", b"<html>", "text/html"),
    lambda c: c.reply("404 Not Found", {"code": "not_found", "message": "no", "status": 404}),
    lambda c: c.reply("200 OK", b"<html>", "text/html"),
])  # fmt: skip
async def test_where_it_is_not_offered_the_turn_is_incomplete_as_ever(refusal: Callable[[Connection], None]) -> None:
    with serving(losing(WHOLE[:CUT], refusal)) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            with pytest.raises(TurnIncomplete) as caught:
                await dify.chat.send("hi")
    turn = caught.value.turn
    assert turn is not None
    assert (turn.answer, turn.status, turn.end, turn.complete) == ("One two ", "incomplete", "disconnected", False)
    assert len(server.requests) == 2


async def test_chat_apps_are_not_followed() -> None:
    with serving(losing([text("One ")], telling([]))) as server:
        turn = await asked(server)
    assert (turn.answer, turn.end, len(server.requests)) == ("One ", "disconnected", 1)


async def test_a_run_that_was_told_to_end_is_not_followed() -> None:
    with serving(losing(WHOLE[:-1], telling([]))) as server:
        turn = await asked(server)
    assert (turn.answer, len(server.requests)) == ("One two three four.", 1)


def of_another_run(events: list[Event]) -> list[Event]:
    other = {"task_id": "t 2", "message_id": "m 2", "conversation_id": "c 2"}
    events = [{**event, **other} for event in events]
    return [{**event, "workflow_run_id": "run 2"} if "workflow_run_id" in event else event for event in events]


@pytest.mark.parametrize("ours", [[], WHOLE])
@pytest.mark.parametrize("others", [WHOLE, WHOLE[1:], [text("no"), END], [finished("no")], [{"event": "error"}]])
async def test_what_another_run_says_is_not_heard(others: list[Event], ours: list[Event]) -> None:
    with serving(losing(WHOLE[:CUT], telling([*of_another_run(others), *ours]))) as server:
        turn = await asked(server)
    answer, status = ("One two three four.", "succeeded") if ours else ("One two ", "incomplete")
    assert (turn.answer, turn.status, turn.workflow_run_id, turn.error) == (answer, status, "run 1", None)
    assert [one.id for one in turn.nodes or ()] == (["a", "it", "b"] if ours else ["a", "it"])
    assert {warning.code for warning in turn.warnings} == {"followed"}


async def test_what_came_before_its_blank_line_is_not_heard_twice() -> None:
    def script(request: Request, connection: Connection) -> None:
        if request.method == "GET":
            telling(WHOLE)(connection)
            return
        connection.head()
        for event in WHOLE[:4]:
            connection.event(**event)
        connection.chunk(b"data: " + json.dumps(WHOLE[4]).encode())
        connection.end()

    with serving(script) as server:
        turn = await asked(server)
    assert (turn.answer, turn.status, turn.complete) == ("One two three four.", "succeeded", True)
    assert [len(one.retries) for one in turn.nodes or () if one.id == "a"] == [1]


@pytest.mark.parametrize("answers", ["never", "500"])
async def test_who_is_cancelled_while_it_is_followed_leaves_a_run_that_is_stopped(answers: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
        elif request.method == "POST":
            losing(WHOLE[:CUT], telling([]))(request, connection)
        elif answers == "never":
            connection.wait_until_left()
        else:
            connection.reply("500 No", {"code": "internal", "message": "no", "status": 500})

    with serving(script) as server:
        reading = asyncio.ensure_future(asked(server))
        while len(server.requests) < 2:
            await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await reading
    turn: Turn = caught.value.turn  # type: ignore[attr-defined]
    assert (turn.answer, turn.status, turn.end) == ("One two ", "incomplete", "cancelled")
    assert server.requests[-1].path == "/v1/chat-messages/t/stop"


async def test_a_client_that_was_closed_follows_nothing() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        for event in WHOLE[:CUT]:
            connection.event(**event)
        connection.wait_until_left()

    with serving(script) as server:
        dify = AsyncDify("app-x", server.url, "me")
        async with dify.chat.stream("hi") as stream:
            reading = asyncio.ensure_future(stream.read())
            while stream.turn.answer != "One two ":
                await asyncio.sleep(0.01)
            await dify.aclose()
            turn = await reading
    assert (turn.answer, turn.status, turn.end) == ("One two ", "incomplete", "disconnected")
    assert len(server.requests) == 1


async def test_it_is_not_followed_for_ever() -> None:
    def follow(connection: Connection) -> None:
        connection.head()
        connection.event(**STARTED)
        connection.close()

    with serving(losing(WHOLE[:CUT], follow)) as server:
        turn = await asked(server)
    assert (turn.answer, turn.status, turn.end) == ("One two ", "incomplete", "disconnected")
    assert len(server.requests) == 1 + follower.FOLLOWS


@pytest.mark.parametrize("cut", range(2, len(WHOLE) - 2))
async def test_it_may_be_lost_at_every_event(cut: int) -> None:
    with serving(losing(WHOLE[:cut], telling(WHOLE))) as server:
        turn = await asked(server)
    assert (turn.answer, turn.status, turn.complete) == ("One two three four.", "succeeded", True)
    assert turn.nodes is not None
    assert [one.id for one in turn.nodes] == ["a", "it", "b"]
