"""A session of an app without conversations: its runs are found, kept, replaced and gone on with by their own ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from contract import streams
from support.followed_run import Event, Run, Server, events_of
from support.raw_server import Connection, RawServer, Request

from dify_notebook import Dify, Session
from dify_notebook.errors import InputError
from dify_notebook.frames.tapes import Tapes
from dify_notebook.tape import RunStore, Tape, Turns, run_store
from dify_notebook.turn.state import Turn

PAUSED = "1.16.1/workflows-run__humanworkflow-pause"
OUTPUTS = {"text": "my note", "count": 2}


def whole_run() -> Run:
    """The recorded run that waits for a person, and what it says when that has answered."""
    events = events_of(streams.load()[PAUSED].body)
    for event in events:
        for reason in (event.get("data") or {}).get("reasons") or ():
            reason["expiration_time"] = 4_000_000_000
    common = {name: events[0][name] for name in ("task_id", "workflow_run_id")}
    first = next(event["data"] for event in events if event["event"] == "workflow_started")
    asking = [event["data"] for event in events if event["event"] == "node_started"][-1]
    ended = {"status": "succeeded", "outputs": OUTPUTS, "total_steps": 2, "total_tokens": 0, "error": None}
    later: list[Event] = [
        {"event": "workflow_started", **common, "data": {**first, "reason": "resumption"}},
        {"event": "node_started", **common, "data": asking},
        {"event": "node_finished", **common, "data": {**asking, "status": "succeeded", "outputs": {"note": "my note"}}},
        {"event": "workflow_finished", **common, "data": {"id": first["id"], **ended}},
    ]
    return Run([*events, *later])


class Desk:
    """A server with that app, and a session with it."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.server = Server(whole_run(), at=[6])
        self.asked: list[tuple[str, Any]] = []
        self.raw = RawServer(self.answer)
        self.session = Session(Dify("app-x", self.raw.url, "me"))

    def answer(self, request: Request, connection: Connection) -> None:
        path = urlsplit(request.path).path.removeprefix("/v1")
        self.asked.append((path, request.json if request.body else None))
        if path == "/info":
            connection.reply("200 OK", {"name": "App", "mode": self.mode})
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": [{"paragraph": {"variable": "text"}}]})
        elif path == "/completion-messages":
            connection.head()
            connection.event(event="message", task_id="t", message_id="m", answer="Hallo", created_at=1)
            connection.event(event="message_end", task_id="t", message_id="m", metadata={"usage": {"total_tokens": 3}})
            connection.end()
        else:
            self.server(request, connection)


@pytest.fixture(params=["workflow"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    desk = Desk(request.param)
    try:
        yield desk
    finally:
        desk.raw.close()
    assert not desk.raw.errors


def test_the_mode_is_learnt_before_the_first_question(desk: Desk) -> None:
    turn = desk.session.ask(inputs={"text": "t"}).result(10)
    assert (turn.status, turn.app_mode, turn.app, turn.query) == ("paused", "workflow", "App", None)
    assert (turn.turn_number, turn.conversation_id, desk.session.conversation_id) == (None, None, None)
    assert dict(desk.asked)["/workflows/run"]["inputs"] == {"text": "t"}


def test_what_a_run_is_of_is_known_before_it_is_sent(desk: Desk) -> None:
    seen: list[tuple[str | None, str | None]] = []
    desk.session.subscribe(lambda run, ended: seen.append((run.turn.app_mode, run.turn.server)))
    desk.session.ask(inputs={"text": "t"}).result(10)
    assert seen == [("workflow", desk.session.client.base_url)] * 2


@pytest.mark.parametrize("wrong", [{"query": "hi"}, {"conversation_id": "c"}])
def test_what_such_apps_do_not_take_is_refused_unsent(desk: Desk, wrong: Any) -> None:
    desk.session.call(desk.session.learn("mode"))
    with pytest.raises(InputError) as caught:
        desk.session.ask(**{"inputs": {"text": "t"}, **wrong})
    assert caught.value.code == next(iter(wrong))
    assert "empty" not in caught.value.hint
    assert [path for path, _ in desk.asked] == ["/info"]


def test_a_form_is_answered_and_the_run_stands_in_its_place(desk: Desk) -> None:
    turn = desk.session.ask(inputs={"text": "t"}).result(10)
    other = desk.session.ask(inputs={"text": "t"}).result(10)
    assert [one.status for one in desk.session.turns] == ["paused", "paused"]
    assert other.workflow_run_id == turn.workflow_run_id  # the server knows one run only
    del desk.session.turns[1]
    after: Turn = turn.forms[0].submit(action="approve", inputs={"note": "my note", "kind": "y"})
    assert (after.status, after.outputs, after.app_mode) == ("succeeded", OUTPUTS, "workflow")
    assert after.answer == "my note"
    assert desk.session.turns == [after]
    assert desk.session.turns.of_run(str(turn.workflow_run_id)) is after


def test_a_run_is_gone_on_with_by_its_id_alone(desk: Desk) -> None:
    turn = desk.session.ask(inputs={"text": "t"}).result(10)
    desk.session.call(desk.session.client.forms.submit(turn.forms[0], action="approve", inputs={"kind": "y"}))
    after = Session(desk.session.client).resume(str(turn.workflow_run_id)).result(10)
    assert (after.status, after.outputs, after.app_mode) == ("succeeded", OUTPUTS, "workflow")


def test_tapes_are_named_by_the_run_and_read_back(desk: Desk) -> None:
    turn = desk.session.ask(inputs={"text": "t"}).result(10)
    after: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "y"})
    paths = run_store().paths()
    assert [path.name.partition("-")[2] for path in paths] == [f"{turn.workflow_run_id}.tape.gz"] * 2
    again = Tape.load(paths[-1]).replay()
    assert (again.workflow_run_id, again.app_mode, again.outputs) == (after.workflow_run_id, "workflow", OUTPUTS)
    assert Tape.load(paths[-1]).header.app_mode == "workflow"


@pytest.mark.parametrize("desk", ["completion"], indirect=True)
def test_a_rated_completion_takes_its_place(desk: Desk) -> None:
    turn = desk.session.ask(inputs={"text": "t"}).result(10)
    assert (turn.status, turn.answer, turn.app_mode, turn.message_id) == ("succeeded", "Hallo", "completion", "m")
    assert (turn.turn_number, desk.session.conversation_id) == (None, None)
    desk.session.replace(msgspec.structs.replace(turn, feedback="like"))
    assert [one.feedback for one in desk.session.turns] == ["like"]
    again = Tape.load(run_store().paths()[-1]).replay()
    assert (again.app_mode, again.answer, again.message_id) == ("completion", "Hallo", "m")


def test_older_runs_are_read_from_their_tapes(desk: Desk) -> None:
    session = Session(desk.session.client, keep=1)
    first = session.ask(inputs={"text": "t"}).result(10)
    session.ask(inputs={"text": "t"}).result(10)
    kept = session.turns[0]
    assert kept.source == "tape"
    assert (kept.workflow_run_id, kept.app_mode) == (first.workflow_run_id, "workflow")


SAME = [
    (Turn(message_id="m", workflow_run_id="r"), Turn(message_id="m", workflow_run_id="r", answer_raw="x"), True),
    (Turn(workflow_run_id="r"), Turn(workflow_run_id="r", answer_raw="x"), True),
    (Turn(workflow_run_id="r"), Turn(workflow_run_id="s"), False),
    (Turn(message_id="m", workflow_run_id="r"), Turn(message_id="n", workflow_run_id="r"), False),
    (Turn(), Turn(), False),
]


@pytest.mark.parametrize(("held", "new", "same"), SAME)
def test_which_turn_is_replaced(held: Turn, new: Turn, same: bool) -> None:
    turns = Turns(turns=[held])
    assert turns.put(new) == same
    assert turns[0] is (new if same else held)


def test_a_store_elsewhere_is_used(desk: Desk, tmp_path: Any) -> None:
    store = RunStore(tmp_path / "runs")
    turn = Session(desk.session.client, store=store).ask(inputs={"text": "t"}).result(10)
    assert len(store.paths()) == 1
    assert turn.workflow_run_id in store.paths()[0].name  # type: ignore[operator]
    assert "m" not in Tapes(store)
