"""Runs of workflow apps whose connection is lost: told again (Dify 1.13 and newer), kept (1.12), or forgotten (0.15)."""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from typing import Any

import pytest
from contract import streams
from support.followed_run import Run, Server, events_of
from support.raw_server import Connection, Request, Script, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import ConnectError, NotFoundError, TurnIncomplete, raise_for_turn
from dify_notebook.i18n import t
from dify_notebook.net import stored_run
from dify_notebook.turn.fold import fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Splitter

pytestmark = pytest.mark.anyio

CASES = [
    "1.16.1/workflows-run-by-id__workflow-by-id",
    "1.16.1/workflows-run__failworkflow-streaming",
    "1.16.1/workflows-run__humanworkflow-pause",
    "1.12.1/workflows-run__ok-streaming",
    "1.12.1/workflows-run__llm-think-streaming",
    "1.12.1/workflows-run__fail-default-streaming",
    "1.12.1/workflows-run__fail-after-streaming",
    "1.12.1/workflows-run__iterfail-continue-streaming",
    "1.12.1/workflows-run__parallel-two-ends-streaming",
    "1.12.1/workflows-run__llm-midfail-streaming",
]
WAYS = {
    "told again, all of it": (True, 0),
    "told again, after some more": (True, 4),
    "told again, at its end": (True, None),
    "kept": (False, None),
}
"""Whether the server tells runs again, and how many events later it is then; None when the run has ended."""


@cache
def recorded(case: str) -> tuple[Run, Turn]:
    """A run, and the turn of who heard all of it."""
    body = streams.load()[case].body
    told = [decode(frame) for frame in Splitter().feed(body)]
    return Run(events_of(body)), fold_all([ev.Sent(user="me", app_mode="workflow"), *told, ev.StreamEnd()])


def codes(turn: Turn) -> set[str]:
    return {warning.code for warning in turn.warnings}


async def cut_at(dify: AsyncDify) -> Turn:
    async with dify.workflows.stream({"text": "hi"}) as stream:
        return await stream.read()


TRIED = [
    (case, way, breaks)
    for number, case in enumerate(CASES)
    for way in WAYS
    for breaks in (["close", "reset", "end"] if number < 3 else ["close"])
    if not (way == "kept" and case.endswith("-pause"))
]
"""No server that keeps runs without telling them again can pause them."""


@pytest.mark.parametrize(("case", "way", "breaks"), TRIED)
async def test_a_lost_run_comes_to_its_end(case: str, way: str, breaks: str) -> None:
    """Cut behind each of its events: status, outputs, error and text are those of who heard all of it."""
    run, whole = recorded(case)
    follows, later = WAYS[way]
    server = Server(run)
    server.breaks = breaks
    server.follows, server.looks = follows, [False]
    kinds = [event["event"] for event in run.events]
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            for cut in range(1 + kinds.index("workflow_started"), len(kinds)):
                server.cut, server.at = cut, [len(kinds) if later is None else min(cut + later, len(kinds))]
                turn = await cut_at(dify)
                where = (case, way, cut, kinds[cut - 1], sorted(codes(turn)))
                assert (turn.status, turn.outputs, turn.app_mode) == (whole.status, whole.outputs, "workflow"), where
                assert turn.error == whole.error, where
                if whole.outputs or "gap" not in codes(turn):
                    assert turn.answer == whole.answer, where
                assert "followed" in codes(turn), where
                assert "unmoderated" not in codes(turn), where
                statuses = {node.id: node.status for node in whole.nodes or ()}
                ours = {node.id: node.status for node in turn.nodes or ()}
                assert ours == statuses or "nodes" in codes(turn), where
                assert turn.tape is not None
                again = turn.tape.replay()
                assert (again.status, again.outputs, again.answer) == (turn.status, turn.outputs, turn.answer), where
    assert server.stopped == []


def workflow_server(looks: list[bool], version: str = "1.12.1") -> Server:
    run, _ = recorded("1.16.1/workflows-run-by-id__workflow-by-id")
    server = Server(run, cut=6)
    server.follows, server.looks, server.version = False, looks, version
    return server


async def test_the_end_of_a_run_that_goes_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = workflow_server([True, True, False])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await cut_at(dify)
    assert (turn.status, server.looked) == ("succeeded", 3)
    assert [warning.message for warning in turn.warnings if warning.code == "followed"] == [t("net.run_read")]


async def test_a_run_that_does_not_end_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_run, "END_SECONDS", 1.0)
    server = workflow_server([True])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            with pytest.raises(TurnIncomplete, match="disconnected") as caught:
                await dify.workflows.run({"text": "hi"})
    turn = caught.value.turn
    assert turn is not None
    assert server.looked > 1
    assert (turn.status, turn.end, turn.complete) == ("incomplete", "disconnected", False)
    assert t("net.run_running", seconds=1) in [warning.message for warning in turn.warnings]
    assert caught.value.hint == t("hint.lost_run")
    assert caught.value.attempted == "workflow run"


@pytest.mark.parametrize(("mode", "word"), [("workflow", "workflow run"), ("completion", "completion"), (None, "chat")])
async def test_what_was_attempted_is_told_before_anything_came(mode: str | None, word: str) -> None:
    with pytest.raises(TurnIncomplete) as caught:
        raise_for_turn(Turn(app_mode=mode, status="incomplete", end="disconnected"))
    assert caught.value.attempted == word


@pytest.mark.parametrize("by_id", [False, True])
async def test_it_is_read_later_where_no_run_is_told_again(monkeypatch: pytest.MonkeyPatch, by_id: bool) -> None:
    monkeypatch.setattr(stored_run, "END_SECONDS", 0.3)
    server = workflow_server([True])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            lost = await cut_at(dify)
            assert lost.status == "incomplete"
            with pytest.raises(NotFoundError) as caught:
                async with dify.workflows.resume(lost):
                    pass
            assert caught.value.hint == t("hint.absent", servers="Dify 0.15 to 1.12")
            server.looks = [False]
            async with dify.workflows.resume(str(lost.workflow_run_id) if by_id else lost) as stream:
                turn = await stream.read()
    _, whole = recorded("1.16.1/workflows-run-by-id__workflow-by-id")
    assert (turn.status, turn.outputs, turn.answer) == ("succeeded", whole.outputs, whole.answer)
    assert turn.app_mode == "workflow"


async def test_dify_0_15_says_for_ever_that_it_runs_and_is_asked_once() -> None:
    server = workflow_server([True], "0.15.3")
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await cut_at(dify)
    assert (turn.status, server.looked) == ("incomplete", 1)
    assert t("net.run_forgotten") in [warning.message for warning in turn.warnings]


async def test_a_run_that_is_stopped_meanwhile_is_waited_for_no_more() -> None:
    server = workflow_server([True])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            stream = dify.workflows.stream({"text": "hi"})
            async with stream:
                reading = asyncio.ensure_future(stream.read())
                while not server.looked:
                    await asyncio.sleep(0.01)
                assert await stream.stop()
                turn = await reading
    assert (turn.status, turn.end) == ("stopped", "stopped")
    assert server.stopped == [server.run.task]


async def test_a_stop_by_this_side_leads_to_no_look() -> None:
    """Dify 1.12 says of runs that were stopped that they are running."""
    run, _ = recorded("1.16.1/workflows-run-by-id__workflow-by-id")
    stopped: list[str] = []
    looked: list[str] = []
    released = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            stopped.append(request.path)
            connection.reply("200 OK", {"result": "success"})
            released.set()
        elif request.method == "GET":
            looked.append(request.path)
            connection.reply("404 Not Found", {"code": "not_found", "message": "no", "status": 404})
        else:
            connection.head()
            for event in run.events[:5]:
                connection.event(**event)
            released.wait(10)
            connection.close()

    with serving(script) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            async with dify.workflows.stream() as stream:
                async for event in stream:
                    if isinstance(event, ev.NodeFinished):
                        await stream.stop()
            turn = stream.turn
    assert (turn.status, turn.end) == ("stopped", "stopped")
    assert stopped == [f"/v1/workflows/tasks/{run.task}/stop"]
    assert looked == []


def held(case: str, posted: list[str]) -> Script:
    """Tells a recorded run, and its end only once a stop was posted."""
    events, stopped = events_of(streams.load()[case].body), threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            posted.append(request.path)
            connection.reply("200 OK", {"result": "success"})
            stopped.set()
        elif request.method == "GET":
            connection.reply("404 Not Found", b"<html>", "text/html")
        else:
            connection.head()
            for event in events[:-1]:
                connection.event(**event)
            stopped.wait(10)
            connection.event(**events[-1])
            connection.end()

    return script


STOPPED = [
    ("1.12.1/workflows-run__stop-iteration-again-0", "workflows/tasks"),  # failed by name
    ("0.15.3/workflows-run__stop-iteration-again-0", "workflows/tasks"),
]


@pytest.mark.parametrize(("case", "route"), STOPPED)
async def test_a_run_that_was_stopped_in_an_iteration_is_stopped(case: str, route: str) -> None:
    posted: list[str] = []
    with serving(held(case, posted)) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify, dify.workflows.stream() as stream:
            reading = asyncio.ensure_future(stream.read())
            while not stream.task_id:
                await asyncio.sleep(0.01)
            assert await stream.stop()
            turn = await reading
    assert (turn.status, turn.end, turn.error) == ("stopped", "stopped", None)
    assert posted == [f"/v1/{route}/{turn.task_id}/stop"]


async def test_a_run_that_takes_too_long_is_stopped_by_its_own_route() -> None:
    posted: list[str] = []
    with serving(held("1.12.1/workflows-run__stop-iteration-again-0", posted)) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            with pytest.raises(TurnIncomplete) as caught:
                await dify.workflows.run(timeout=0.5)
    turn = caught.value.turn
    assert turn is not None
    assert turn.end == "timed_out"
    assert posted == [f"/v1/workflows/tasks/{turn.task_id}/stop"]


async def test_leaving_a_stream_stops_its_task_by_its_own_route() -> None:
    run, _ = recorded("1.16.1/workflows-run-by-id__workflow-by-id")
    server = Server(run, cut=None)
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify, dify.workflows.stream({"text": "hi"}) as stream:
            async for event in stream:
                if isinstance(event, ev.NodeStarted):
                    break
    assert stream.turn.status == "incomplete"
    assert server.stopped == [run.task]


@pytest.mark.parametrize("mode", ["workflows", "completion"])
async def test_a_lost_blocking_call_says_where_a_run_is_found(mode: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reset()

    with serving(script) as raw:
        async with AsyncDify("app-x", raw.url, "me", retry=0) as dify:
            asking: Any = dify.workflows.run if mode == "workflows" else dify.completion.send
            with pytest.raises(ConnectError) as caught:
                await asking({}, response_mode="blocking")
    assert (caught.value.hint == t("hint.lost_blocking")) == (mode == "workflows")


async def test_a_run_that_was_never_begun_has_no_such_hint() -> None:
    async with AsyncDify("app-x", "http://127.0.0.1:9/v1", "me", retry=0) as dify:
        with pytest.raises(ConnectError) as caught:
            await dify.workflows.run({}, response_mode="blocking")
    assert caught.value.code == "connect"
    assert caught.value.hint != t("hint.lost_blocking")
