"""A workflow app's run that waits for a person, twice: it goes on by every way in, and tells of missing nodes only where
some are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from contract import streams
from support.followed_run import Event, Run, Server, events_of
from support.raw_server import RawServer, serving
from unit.test_net_drops import codes

from dify_notebook import AsyncDify, Dify, Session
from dify_notebook.turn.state import Turn

pytestmark = pytest.mark.anyio

ANSWER: dict[str, Any] = {"action": "approve", "inputs": {"note": "a note", "kind": "y"}}
OUTPUTS = {"note": "a note"}


def waiting_twice() -> tuple[Run, list[int]]:
    """The recorded run up to its form, made to go on; and where it pauses. Its end counts a node that waited twice,
    as recorded of chatflows."""
    first = events_of(streams.load()["1.16.1/workflows-run__humanworkflow-pause"].body)
    started, ask, form, pause = first[0], first[-3], first[-2], first[-1]

    def of(like: Event, event: str | None = None, **fields: Any) -> Event:
        return {**like, "event": event or like["event"], "data": {**copy.deepcopy(like["data"]), **fields}}

    def ended(node: Event) -> Event:
        return of(node, event="node_finished", inputs={}, outputs={"__action_id": "approve"}, status="succeeded")

    going = of(started, reason="resumption")
    second = of(ask, id="form-2", node_id="ask2", title="Again")
    form_2 = of(form, form_id="form-2", node_id="ask2", form_token="FormTokenFormToken0008")
    [reason] = copy.deepcopy(pause["data"]["reasons"])
    reason |= {name: form_2["data"][name] for name in ("form_id", "node_id", "form_token")}
    pause_2 = of(pause, reasons=[reason], paused_nodes=["ask2"], total_steps=4)
    end = of(ask, id="end-1", node_id="end", node_type="end", title="End")
    told = {"id": started["workflow_run_id"], "status": "succeeded", "outputs": OUTPUTS, "total_steps": 6}
    finished = of(pause, event="workflow_finished", **told)
    for event in (form, form_2):
        event["data"]["expiration_time"] = 4_000_000_000
    for event in (pause, pause_2):
        event["data"]["reasons"][0]["expiration_time"] = 4_000_000_000
    then = [going, ask, ended(ask), second, form_2, pause_2]
    last = [going, second, ended(second), end, ended(end), finished]
    return Run([*first, *then, *last]), [len(first), len(first) + len(then)]


@pytest.fixture
def asked() -> Iterator[tuple[Server, RawServer]]:
    run, pauses = waiting_twice()
    server = Server(run, at=pauses)
    with serving(server) as raw:
        yield server, raw


def check(first: Turn, second: Turn, last: Turn) -> None:
    assert [turn.status for turn in (first, second, last)] == ["paused", "paused", "succeeded"]
    assert [[form.status for form in turn.forms] for turn in (first, second, last)] == [
        ["waiting"], ["filled", "waiting"], ["filled", "filled"],
    ]  # fmt: skip
    assert (last.outputs, last.answer, last.app_mode) == (OUTPUTS, "a note", "workflow")
    assert [node.node_id for node in last.nodes or ()] == ["start", "ask", "ask2", "end"]
    assert [node.status for node in last.nodes or ()] == ["succeeded"] * 4
    assert last.tape is not None
    assert last.tape.replay().outputs == OUTPUTS


@pytest.mark.parametrize("pickled", [False, True])
async def test_by_its_forms(asked: tuple[Server, RawServer], pickled: bool) -> None:
    server, raw = asked
    async with AsyncDify("app-x", raw.url, "me") as dify:
        first = await dify.workflows.run({"text": "t"})
        if pickled:  # a token is asked for first, which no pickle has
            server.at = [at for at in server.at for _ in range(2)]
            turns = [pickle.loads(pickle.dumps(first))]
            for _ in range(2):
                await dify.forms.submit(turns[-1].forms[-1], **ANSWER)
                async with dify.workflows.resume(turns[-1]) as stream:
                    turns.append(pickle.loads(pickle.dumps(await stream.read())))
            second, last = turns[1:]
        else:
            second = await first.forms[0].submit(**ANSWER)
            last = await second.forms[1].submit(**ANSWER)
    check(first, second, last)
    assert codes(second) == codes(last) == set()
    assert len(server.submitted) == 2


def test_without_await_and_in_a_session(asked: tuple[Server, RawServer]) -> None:
    server, raw = asked
    with Dify("app-x", raw.url, "me") as dify:
        first = dify.workflows.run({"text": "t"})
        second = first.forms[0].submit(**ANSWER)
        check(first, second, last := second.forms[1].submit(**ANSWER))
        assert codes(last) == set()
        server.at, server.submitted = waiting_twice()[1], []
    with Dify("app-x", raw.url, "me") as dify:
        dify.as_async._cache.update(mode="workflow")
        session = Session(dify)
        first = session.ask(inputs={"text": "t"}).outcome()
        second = first.forms[0].submit(**ANSWER)
        check(first, second, last := second.forms[1].submit(**ANSWER))
        assert codes(last) == set()
        assert [turn.outputs for turn in session.turns] == [OUTPUTS]


async def test_nodes_that_ran_while_nobody_listened_are_missed(asked: tuple[Server, RawServer]) -> None:
    """The run has ended when it is followed: then its end alone is told."""
    server, raw = asked
    async with AsyncDify("app-x", raw.url, "me") as dify:
        first = await dify.workflows.run({"text": "t"})
        second = await first.forms[0].submit(**ANSWER)
        server.at = [len(server.run.events)]
        last = await second.forms[1].submit(**ANSWER)
    assert (codes(second), codes(last)) == (set(), {"nodes"})
    assert last.outputs == OUTPUTS
