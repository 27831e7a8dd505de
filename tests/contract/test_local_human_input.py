"""Runs of the embedded server that wait for a person: over a real socket, mostly with the product's own client."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from contract import human_apps
from contract.exchanges import load_exchanges
from contract.replay import compare_streams, compare_values, differ, events, kind, merged, shape
from contract.streams import load
from local_helpers import NOWHERE, Client, answer_of, events_of, told
from support import linear
from support.fake_model import FakeModel, words

import dify_notebook
from dify_notebook import AsyncDify, Dify, History, Turn, local
from dify_notebook.local.engine import listeners
from dify_notebook.local.engine.listeners import Listener, Listeners
from dify_notebook.local.engine.run import Run
from dify_notebook.local.server import LocalServer, resumption
from dify_notebook.local.store.paused import FormTokens, PausedRuns

Event = dict[str, Any]
APPS = ("humanflow", "twohumans", "brancha")


class Gate:
    """Where it is shut, a run that goes on waits until one more follows it: how fast this machine is decides nothing."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open = True
        self._followers = 0
        add, pause = Listeners.add, Run.pause

        def count(listeners: Listeners, message: str, listener: Listener) -> None:
            self._followers += 1
            add(listeners, message, listener)

        async def wait(run: Run, seconds: float) -> None:
            before = self._before(run)
            while not self.open and self._followers == before:
                await asyncio.sleep(0.005)
            await pause(run, seconds)

        patch.setattr(Listeners, "add", count)
        patch.setattr(Run, "pause", wait)
        self._seen: dict[int, int] = {}

    def _before(self, run: Run) -> int:
        return self._seen.setdefault(id(run), self._followers)


class Stage:
    """A server with the apps, which can be started again over the same data directory."""

    def __init__(self, where: Path, model: FakeModel, patch: pytest.MonkeyPatch) -> None:
        self.where = where
        self.model = model
        self.gate = Gate(patch)
        self.more: dict[str, Any] = {}
        self.server = self.start()

    def start(self) -> LocalServer:
        apps = [human_apps.humanflow(**self.more), human_apps.twohumans(), human_apps.brancha()]
        self.server = local.serve(
            data_dir=self.where, pace=0, apps=apps, model_url=self.model.url, model="fake", ping_interval=0.5
        )
        return self.server

    def restart(self) -> LocalServer:
        self.server.close()
        return self.start()

    def dify(self, app: str = "humanflow", user: str = "golden-user") -> Dify:
        return Dify(self.server.api_key(app), self.server.base_url, user=user)

    def client(self, app: str = "humanflow", user: str = "golden-user") -> Client:
        return Client(self.server, app, user)

    def form(self, app: str = "humanflow", query: str = "may I", **more: Any) -> tuple[Client, list[Event]]:
        client = self.client(app)
        return client, client.ask(query, **more)

    def states(self) -> list[str]:
        """Of all messages."""
        job = "SELECT state FROM messages ORDER BY seq"
        return self.server._store.reader.submit(lambda db: [str(row[0]) for row in db.execute(job)]).result(10)

    def ended(self, conversation: str, app: str = "humanflow") -> dict[str, Any]:
        """The newest message, once its run neither runs nor waits to go on."""
        with self.client(app) as client:
            limit = time.monotonic() + 20
            while True:
                if self.states()[-1] not in ("running", "paused"):
                    return client.messages(conversation)[-1]
                assert time.monotonic() < limit
                time.sleep(0.01)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with FakeModel(lambda body: words("word0 word1")) as model:
        made = Stage(tmp_path / "data", model, monkeypatch)
        yield made
        made.server.close()


def data_of(told_: list[Event], name: str) -> list[Event]:
    return [event["data"] for event in told_ if event["event"] == name]


def token_of(told_: list[Event], at: int = 0) -> str:
    return str(data_of(told_, "human_input_required")[at]["form_token"])


def follow(client: Client, run: str, user: str = "golden-user", **query: str) -> list[Event]:
    with client.http.stream("GET", f"/workflow/{run}/events", params={"user": user, **query}) as response:
        response.read() if response.status_code != 200 else None
        assert response.status_code == 200, response.text
        return list(events_of(response.iter_bytes()))


FILLED = {"note": "a <b> note", "kind": "y"}


def body(**more: Any) -> dict[str, Any]:
    return {"inputs": FILLED, "action": "approve", "user": "golden-user", **more}


# -- as recorded ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "query", "case"),
    [
        ("humanflow", "may I", "1.16.1/chat-messages__humanflow-pause"),
        ("brancha", "go", "1.16.1/chat-messages__brancha-go"),
        ("twohumans", "go", "1.16.1/chat-messages__twohumans-pause"),
    ],
)
def test_a_pause_is_told_as_recorded(stage: Stage, app: str, query: str, case: str) -> None:
    with stage.client(app) as client:
        response = client.post("/chat-messages", client.body(query))
    assert list(compare_streams(load()[case].body, response.content, whole=True)) == []
    answered = events(response.content)
    first = events(load()[case].body)
    for name in ("human_input_required", "workflow_paused"):
        shapes = [merged([shape(one) for one in some if one["event"] == name]) for some in (first, answered)]
        assert list(differ(shapes[0], shapes[1], name)) == []
    asks = [[event["event"] for event in some if "node" not in event["event"]] for some in (first, answered)]
    assert [one for one in asks[0] if one != "message"] == [one for one in asks[1] if one != "message"]
    for data, recorded in zip(data_of(answered, "workflow_paused"), data_of(first, "workflow_paused"), strict=True):
        assert (data["paused_nodes"], data["total_steps"]) == (recorded["paused_nodes"], recorded["total_steps"])


def test_a_snapshot_of_a_pause_is_as_recorded(stage: Stage) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    response = client.get(f"/workflow/{run}/events", include_state_snapshot="true")
    recorded = load()["1.16.1/workflow-events__humanflow-stopped-while-paused"]
    assert response.content.startswith(b"event: ping\n\n")
    assert list(compare_streams(recorded.body, response.content, whole=True)) == []
    told_ = events(response.content)
    assert told_[1]["answer"] == "Draft: word0 word1\n"
    assert {event["task_id"] for event in told_} == {answered[0]["task_id"]}
    assert token_of(told_) == token_of(answered)


def test_a_snapshot_after_one_of_two_is_as_recorded(stage: Stage) -> None:
    client, answered = stage.form("brancha", "go")
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    heard: list[Event] = []
    listening = threading.Thread(
        target=lambda: heard.extend(follow(client, run, continue_on_pause="false")), daemon=True
    )
    listening.start()
    while not stage.server._runs.listeners._of:
        time.sleep(0.005)
    assert client.post(f"/form/human_input/{token_of(answered)}", body(inputs={})).json() == {}
    listening.join(20)
    # Who followed without a snapshot heard it go on and pause again.
    assert heard[0]["data"]["reason"] == "resumption"
    assert [event["data"]["node_id"] for event in heard if event["event"] == "node_started"][:2] == ["ask", "ask2"]
    assert heard[-1]["event"] == "workflow_paused"
    with client.http.stream(
        "GET", f"/workflow/{run}/events", params={"user": client.user, "include_state_snapshot": "true"}
    ) as response:
        response.read()
    recorded = load()["1.16.1/workflow-events__brancha-after-one"]
    assert list(compare_streams(recorded.body, response.content, whole=True)) == []
    paused = data_of(events(response.content), "workflow_paused")[0]
    assert paused["paused_nodes"] == ["ask2"]
    assert paused["total_steps"] == 6
    assert token_of(events(response.content)) == token_of(answered, 1)


def test_a_resumed_run_is_told_in_the_recorded_order(stage: Stage) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    stage.gate.open = False
    assert client.post(f"/form/human_input/{token_of(answered)}", body()).status_code == 200
    rest = follow(client, run, include_state_snapshot="true", continue_on_pause="true")
    recorded = events(load()["1.16.1/workflow-events__humanflow-resumed-snapshot"].body)
    finished = [data for data in data_of(rest, "node_finished") if data["node_id"] == "ask"][-1]
    expected = [data for data in data_of(recorded, "node_finished") if data["node_id"] == "ask"][-1]
    assert list(differ(shape(expected["outputs"]), shape(finished["outputs"]), "")) == []
    assert (finished["status"], finished["id"]) == ("succeeded", data_of(answered, "workflow_paused")[0]["reasons"][0]["form_id"])
    assert rest[0]["task_id"] == run  # while it runs Dify does not know the task's
    assert {event["task_id"] for event in rest if kind(event) == "message_end"} <= {answered[0]["task_id"]}
    text = next(event["answer"] for event in rest if event["event"] == "message_replace")
    assert text + answer_of(rest) == "Draft: word0 word1\nApproved with a <b> note y: word0 word1"


def test_answers_and_refusals_are_as_recorded(stage: Stage) -> None:
    recorded = load_exchanges()
    client, answered = stage.form()
    path = f"/form/human_input/{token_of(answered)}"
    with stage.client("guide") as guide:
        other = guide.get(path)
    replies = {
        "humanflow-get": client.get(path),
        "plain-chat-get-other-app": other,
        "humanflow-submit-bad-select": client.post(path, body(inputs={"note": "n", "kind": "zz"})),
        "humanflow-submit-no-user": client.post(path, {"inputs": FILLED, "action": "approve"}),
        "humanflow-submit-other-user": client.post(path, body(user="somebody")),
        "humanflow-submit-again": client.post(path, body()),
    }
    for case, reply in replies.items():
        recording = recorded[f"1.16.1/human-input__{case}"]
        assert reply.status_code == recording.status, case
        assert list(compare_values(json.loads(recording.body), reply.json())) == [], case
    for case in ("submit-bad-select", "submit-no-user"):
        recorded_text = json.loads(recorded[f"1.16.1/human-input__humanflow-{case}"].body)["message"]
        assert replies[f"humanflow-{case}"].json()["message"] == recorded_text
    form = json.loads(recorded["1.16.1/human-input__humanflow-get"].body)
    assert {**form, "expiration_time": 0} == {**replies["humanflow-get"].json(), "expiration_time": 0}


@pytest.mark.parametrize(
    ("inputs", "action", "said"),
    [
        (FILLED, "later", (400, "invalid_form_data", "Invalid action: later")),
        ({"kind": "x"}, "approve", (400, "invalid_form_data", "Missing required inputs: note")),
        ({"note": 7, "kind": "x"}, "approve", (400, "invalid_form_data", "Invalid value for paragraph input 'note': 7")),
    ],
)
def test_what_does_not_fit_is_refused(stage: Stage, inputs: Any, action: str, said: tuple[int, str, str]) -> None:
    client, answered = stage.form()
    path = f"/form/human_input/{token_of(answered)}"
    assert told(client.post(path, body(inputs=inputs, action=action))) == said
    assert client.get(path).status_code == 200  # it waits still


def test_bodies_of_another_form_are_refused(stage: Stage) -> None:
    client, answered = stage.form()
    path = f"/form/human_input/{token_of(answered)}"
    bodies: list[dict[str, Any]] = [{"action": "approve"}, {"inputs": []}, {"inputs": {}, "action": 1}]
    for wrong in bodies:
        assert told(client.post(path, {"user": "u", **wrong}))[:2] == (400, "invalid_param")
    assert told(client.get("/form/human_input/nothing"))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("malformed-run", 500, "unknown"), ("unknown-run", 404, "not_found"), ("no-user", 400, "invalid_param"),
        ("other-user", 404, "not_found"), ("plain-chat", 400, "not_workflow_app"),
    ],
)  # fmt: skip
def test_runs_that_cannot_be_followed(stage: Stage, what: str, status: int, code: str) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    run = {"malformed-run": "abc", "unknown-run": NOWHERE}.get(what, run)
    query = {} if what == "no-user" else {"user": "nobody" if what == "other-user" else client.user}
    with stage.client("guide") as guide:
        asking = guide if what == "plain-chat" else client
        reply = asking.http.get(f"/workflow/{run}/events", params=query)
    case = "plain-chat-events" if what == "plain-chat" else f"humanflow-{what}"
    recorded = load_exchanges().get(f"1.16.1/workflow-events__{case}")
    assert told(reply)[:2] == (status, code)
    if recorded is not None:
        assert reply.json() == json.loads(recorded.body)


def test_a_finished_run_is_one_event(stage: Stage) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    client.post(f"/form/human_input/{token_of(answered)}", body(action="reject"))
    stage.ended(answered[0]["conversation_id"])
    response = client.get(f"/workflow/{run}/events", include_state_snapshot="true")
    recorded = load()["1.16.1/workflow-events__humanflow-rejected"]
    assert list(compare_streams(recorded.body, response.content, whole=True)) == []
    assert events(response.content)[0]["data"]["outputs"]["answer"] == "Draft: word0 word1\nRejected."


def test_a_whole_resumed_run_is_told_as_recorded(stage: Stage) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    query = {"include_state_snapshot": "true", "continue_on_pause": "true"}
    with ThreadPoolExecutor(1) as beside:
        following = beside.submit(client.get, f"/workflow/{run}/events", **query)
        while not stage.server._runs.listeners._of:
            time.sleep(0.005)
        assert client.post(f"/form/human_input/{token_of(answered)}", body()).status_code == 200
        response = following.result(20)
    recorded = load()["1.16.1/workflow-events__humanflow-resumed-snapshot"]
    assert list(compare_streams(recorded.body, response.content, whole=True)) == []


@pytest.mark.parametrize("dialect", ["1.12", "0.15"])
def test_an_older_dify_has_no_way_to_ask(tmp_path: Path, dialect: Any) -> None:
    with local.serve(data_dir=tmp_path, pace=0, dialect=dialect) as server, Client(server, "pipeline") as client:
        answered = client.ask("approve: a new lamp")
        assert answered[-1]["event"] == "error"
        assert "no way" in answered[-1]["message"]
        assert client.get("/form/human_input/token").status_code == 404
        assert client.get(f"/workflow/{NOWHERE}/events").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("what", "action"), [("paused", None), ("rejected", "reject")])
def test_messages_tell_forms(stage: Stage, what: str, action: str | None) -> None:
    client, answered = stage.form()
    conversation = answered[0]["conversation_id"]
    if action is not None:
        client.post(f"/form/human_input/{token_of(answered)}", body(action=action, user="other"))
        stage.ended(conversation)
    message = client.messages(conversation)[0]
    recorded = json.loads(load_exchanges()[f"1.16.1/messages__humanflow-{what}"].body)["data"][0]
    assert list(differ(shape(recorded), shape(message), "")) == []
    form = message["extra_contents"][0]
    if action is None:
        assert (message["status"], message["answer"]) == ("paused", "Draft: word0 word1\n")
        assert form["form_definition"]["form_token"] == token_of(answered)
        return
    assert (message["status"], message["answer"]) == ("normal", "Draft: word0 word1\nRejected.")
    assert form["form_definition"]["form_token"] is None
    assert form["form_submission_data"]["rendered_content"].endswith("Note: a <b> note\n\nKind: y")
    assert (form["form_submission_data"]["action_text"], form["submitted"]) == ("Reject", True)


def test_a_blocking_answer_tells_the_pause(stage: Stage) -> None:
    with stage.client() as client:
        said = client.post("/chat-messages", client.body("may I", response_mode="blocking")).json()
        assert (said["event"], said["answer"], said["data"]["status"]) == ("workflow_paused", "Draft: word0 word1\n", "paused")
        assert said["data"]["paused_nodes"] == ["ask"]
        token = said["data"]["reasons"][0]["form_token"]
        assert client.post(f"/form/human_input/{token}", body()).status_code == 200


# -- with the product's own client ---------------------------------------------------------


def test_asked_answered_and_read_on(stage: Stage) -> None:
    with stage.dify() as dify:
        turn = dify.chat.send("may I")
        assert (turn.status, turn.forms[0].title) == ("paused", "Ask a person")
        stage.gate.open = False
        turn = turn.forms[0].submit(action="approve", inputs=FILLED)
        assert turn.status == "succeeded"
        assert turn.answer == "Draft: word0 word1\nApproved with a <b> note y: word0 word1"
        form = turn.forms[0]
        assert (form.status, form.action, form.inputs) == ("filled", "approve", FILLED)
        assert form.content.endswith("Note: a <b> note\n\nKind: y")
        assert [node.status for node in turn.nodes] == ["succeeded"] * len(turn.nodes)


def test_asked_in_one_piece(stage: Stage) -> None:
    with stage.dify() as dify:
        turn = dify.chat.send("may I", response_mode="blocking")
        stage.gate.open = False
        turn = turn.forms[0].submit(action="approve", inputs=FILLED)
        assert (turn.status, turn.forms[0].status, turn.forms[0].action) == ("succeeded", "filled", "approve")


def test_twice_in_one_run_with_defaults_of_a_variable(stage: Stage) -> None:
    stage.gate.open = False
    with stage.dify("twohumans") as dify:
        first = dify.chat.send("go")
        second = first.forms[0].submit(action="approve", inputs={"note": "one", "kind": "x"})
        assert (second.status, second.forms[-1].fields[0].default) == ("paused", "one")
        assert [form.status for form in second.forms] == ["filled", "waiting"]
        done = second.forms[-1].submit(action="ok", inputs={"more": "two"})
        assert (done.status, done.answer) == ("succeeded", "one one two")


def test_two_at_once_each_on_its_own(stage: Stage) -> None:
    stage.gate.open = False
    with stage.dify("brancha") as dify:
        turn = dify.chat.send("go")
        assert [form.title for form in turn.forms] == ["Left person", "Right person"]
        half = turn.forms[0].submit(action="approve")
        assert (half.status, half.answer) == ("paused", "L")
        assert {form.title: form.status for form in half.forms} == {"Left person": "filled", "Right person": "waiting"}
        waiting = next(form for form in half.forms if form.status == "waiting")
        done = waiting.submit(action="approve")
        assert (done.status, done.answer) == ("succeeded", "LR")


def test_both_of_two_at_the_same_moment(stage: Stage) -> None:
    client, answered = stage.form("brancha", "go")
    paths = [f"/form/human_input/{token_of(answered, at)}" for at in (0, 1)]
    with ThreadPoolExecutor(2) as many:
        replies = list(many.map(lambda path: client.post(path, body(inputs={})).status_code, paths))
    assert replies == [200, 200]
    message = stage.ended(answered[0]["conversation_id"], "brancha")
    assert (message["status"], sorted(message["answer"])) == ("normal", ["L", "R"])


def test_of_many_who_answer_one_is_heard(stage: Stage) -> None:
    client, answered = stage.form()
    path = f"/form/human_input/{token_of(answered)}"
    with ThreadPoolExecutor(8) as many:
        replies = list(many.map(lambda at: client.post(path, body(user=f"user-{at}")).status_code, range(8)))
    assert sorted(replies) == [200, *[412] * 7]
    message = stage.ended(answered[0]["conversation_id"])
    assert message["answer"].count("Approved") == 1


def test_awaited(stage: Stage) -> None:
    async def ask() -> Turn:
        async with AsyncDify(stage.server.api_key("humanflow"), stage.server.base_url, user="golden-user") as dify:
            turn = await dify.chat.send("may I")
            stage.gate.open = False
            return await turn.forms[0].submit(action="approve", inputs=FILLED)  # type: ignore[no-any-return]

    assert asyncio.run(ask()).status == "succeeded"


def test_asked_in_one_piece_and_awaited(stage: Stage) -> None:
    async def ask() -> Turn:
        async with AsyncDify(stage.server.api_key("humanflow"), stage.server.base_url, user="golden-user") as dify:
            turn = await dify.chat.send("may I", response_mode="blocking")
            stage.gate.open = False
            return await turn.forms[0].submit(action="approve", inputs=FILLED)  # type: ignore[no-any-return]

    assert asyncio.run(ask()).status == "succeeded"


def test_after_a_restart_of_the_server(stage: Stage) -> None:
    with stage.dify("twohumans") as dify:
        turn = dify.chat.send("go")
        kept = pickle.loads(pickle.dumps(turn))
    assert kept.forms[0].token is None
    stage.restart()
    stage.gate.open = False
    with stage.dify("twohumans") as dify:
        dify.forms.submit(kept.forms[0], action="approve", inputs={"note": "one", "kind": "x"})
        second = _resumed(dify, kept)
        assert [form.status for form in second.forms] == ["filled", "waiting"]
    stage.restart()
    with stage.dify("twohumans") as dify:
        dify.forms.submit(second.forms[-1], action="ok", inputs={"more": "two"})
        done = _resumed(dify, second)
        assert (done.answer, done.status) == ("one one two", "succeeded")
        assert done.conversation_id == turn.conversation_id


def _resumed(dify: Dify, turn: Turn) -> Turn:
    with dify.chat.resume(turn) as stream:
        for _ in stream:
            pass
    return stream.turn


def test_a_second_question_while_the_first_waits(stage: Stage) -> None:
    with stage.dify() as dify:
        first = dify.chat.send("may I")
        second = dify.chat.send("and now", conversation_id=first.conversation_id)
        assert (first.status, second.status) == ("paused", "paused")
        assert first.forms[0].id != second.forms[0].id
        dify.forms.submit(first.forms[0], action="reject", inputs=FILLED)
    limit = time.monotonic() + 20
    while stage.states() != ["done", "paused"]:
        assert time.monotonic() < limit
        time.sleep(0.01)
    with stage.client() as client:
        found = client.messages(first.conversation_id or "")
    assert [message["status"] for message in found] == ["normal", "paused"]
    assert found[0]["answer"].endswith("Rejected.")


def test_stopping_what_waits_says_success_and_changes_nothing(stage: Stage) -> None:
    client, answered = stage.form()
    reply = client.post(f"/chat-messages/{answered[0]['task_id']}/stop", {"user": client.user})
    assert reply.json() == {"result": "success"}
    assert client.messages(answered[0]["conversation_id"])[0]["status"] == "paused"
    assert client.post(f"/form/human_input/{token_of(answered)}", body()).status_code == 200


def test_a_conversation_that_is_deleted_takes_its_form_along(stage: Stage) -> None:
    client, answered = stage.form()
    client.http.request("DELETE", f"/conversations/{answered[0]['conversation_id']}", json={"user": client.user})
    assert told(client.post(f"/form/human_input/{token_of(answered)}", body()))[:2] == (404, "not_found")


# -- time ----------------------------------------------------------------------------------


def test_nobody_answers_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeModel(lambda asked: words("word0")) as model:
        stage = Stage(tmp_path / "data", model, monkeypatch)
        stage.more = {"timeout": 0.3}
        stage.restart()
        client, answered = stage.form()
        run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
        message = stage.ended(answered[0]["conversation_id"])
        assert message["answer"] == "Draft: word0\nNobody came."
        form = message["extra_contents"][0]
        assert (form["submitted"], form["form_submission_data"]) == (False, None)
        assert form["form_definition"]["form_token"] is None
        reply = client.post(f"/form/human_input/{token_of(answered)}", body())
        assert told(reply)[:2] == (412, "human_input_form_expired")
        assert follow(client, run)[0]["data"]["status"] == "succeeded"
        stage.server.close()


def test_a_form_that_expired_while_the_server_was_off(stage: Stage) -> None:
    _, answered = stage.form()
    stage.server.close()
    with sqlite3.connect(stage.where / "store.sqlite3") as db:
        db.execute("UPDATE forms SET expires_at = 1")
    stage.start()
    assert stage.ended(answered[0]["conversation_id"])["answer"].endswith("Nobody came.")


def test_pings_come_while_it_waits(stage: Stage) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    query = {"user": client.user, "continue_on_pause": "true"}
    with client.http.stream("GET", f"/workflow/{run}/events", params=query) as response:
        found = b""
        for chunk in response.iter_raw():
            found += chunk
            if found.count(b"event: ping\n\n") == 3:
                break
    assert found == b"event: ping\n\n" * 3
    limit = time.monotonic() + 20
    while stage.server._runs.listeners._of:  # who left is forgotten
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_run_that_is_followed_while_it_runs(stage: Stage) -> None:
    """What was there, then what comes, and nothing twice."""
    stage.gate.open = False
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    client.post(f"/form/human_input/{token_of(answered)}", body())
    heard = follow(client, run, include_state_snapshot="true")
    started = [data["node_id"] for data in data_of(heard, "node_started")]
    assert started == ["start", "a", "ans0", "ask", "ask", "llm", "yes"]  # what waited begins again
    assert heard[-1]["event"] in ("workflow_finished", "message_end")


def test_a_stream_that_shall_go_on_without_a_snapshot_outlives_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "LINGER", 1.2)
    stage.gate.open = False
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    client.post(f"/form/human_input/{token_of(answered)}", body(action="reject"))
    query = {"user": client.user, "continue_on_pause": "true"}
    with client.http.stream("GET", f"/workflow/{run}/events", params=query) as response:
        found = b"".join(response.iter_raw())
    events_, _, rest = found.rpartition(b"data: ")
    assert b'"reason":"resumption"' in events_
    assert rest.partition(b"\n\n")[2] in (b"event: ping\n\n", b"event: ping\n\n" * 2, b"event: ping\n\n" * 3)


def test_a_run_that_goes_on_can_be_stopped(stage: Stage) -> None:
    stage.gate.open = False
    client, answered = stage.form()
    client.post(f"/form/human_input/{token_of(answered)}", body())
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    client.post(f"/chat-messages/{answered[0]['task_id']}/stop", {"user": client.user})
    message = stage.ended(answered[0]["conversation_id"])
    assert message["answer"] == "Draft: word0 word1\n"
    assert stage.states() == ["stopped"]
    assert follow(client, run)[0]["data"]["status"] == "stopped"


def test_a_pause_that_cannot_be_stored_is_an_error(stage: Stage) -> None:
    stage.server._store.writer.submit(lambda db: db.execute("ALTER TABLE paused_runs RENAME TO gone")).result(10)
    _, answered = stage.form()
    assert answered[-1]["event"] == "error"
    assert "workflow_paused" not in [event["event"] for event in answered]
    assert stage.ended(answered[0]["conversation_id"])["status"] == "error"


def test_one_look_that_fails_is_not_the_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumption, "AGAIN", 0.05)
    expire, failed = PausedRuns.expire, threading.Event()

    async def once(paused: PausedRuns) -> float | None:
        if not failed.is_set():
            failed.set()
            raise sqlite3.OperationalError("database is locked")
        return await expire(paused)

    monkeypatch.setattr(PausedRuns, "expire", once)
    stage.more = {"timeout": 0.1}
    stage.restart()
    _, answered = stage.form()
    assert stage.ended(answered[0]["conversation_id"])["answer"].endswith("Nobody came.")
    assert failed.is_set()


def test_who_follows_hears_the_end_of_the_server(stage: Stage) -> None:
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    with ThreadPoolExecutor(1) as beside:
        following = beside.submit(follow, client, run, continue_on_pause="true")
        while not stage.server._runs.listeners._of:
            time.sleep(0.005)
        stage.restart()
        assert following.result(20) == []
    assert stage.states() == ["paused"]


def test_a_run_that_goes_on_is_interrupted_by_the_end_of_the_server(stage: Stage) -> None:
    stage.gate.open = False
    client, answered = stage.form()
    run = data_of(answered, "workflow_paused")[0]["workflow_run_id"]
    assert client.post(f"/form/human_input/{token_of(answered)}", body()).status_code == 200
    stage.restart()
    assert stage.states() == ["interrupted"]
    with stage.client() as client:
        finished = follow(client, run, include_state_snapshot="true")
        assert [event["data"]["status"] for event in finished] == ["failed"]
        message = client.messages(answered[0]["conversation_id"])[0]
        assert (message["status"], message["answer"]) == ("error", "Draft: word0 word1\n")
        reply = client.post(f"/form/human_input/{token_of(answered)}", body())
        assert told(reply)[:2] == (412, "human_input_form_submitted")


def test_a_form_of_a_run_that_ended_otherwise_has_expired(stage: Stage) -> None:
    stage.gate.open = False
    client, answered = stage.form("brancha", "go")
    client.post(f"/form/human_input/{token_of(answered)}", body(inputs={}))
    client.post(f"/chat-messages/{answered[0]['task_id']}/stop", {"user": client.user})
    stage.ended(answered[0]["conversation_id"], "brancha")
    reply = client.post(f"/form/human_input/{token_of(answered, 1)}", body(inputs={}))
    assert told(reply)[:2] == (412, "human_input_form_expired")


# -- what is kept --------------------------------------------------------------------------


def test_the_token_is_in_no_file_and_no_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, answered = stage.form()
    token = token_of(answered)
    path = f"/form/human_input/{token}"
    client.get(path)
    client.post(path, {"inputs": [], "user": "u"})
    client.post(path, body())
    client.post(path, body())
    stage.ended(answered[0]["conversation_id"])
    stage.server.close()
    kept = [file for file in stage.where.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]
    assert kept == []
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("dify_notebook", "uvicorn"))]
    assert not [line for line in ours if token in line]
    stage.start()


def test_a_crash_tells_the_log_no_token(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    client, answered = stage.form()
    token = token_of(answered)
    stage.server._store.writer.submit(lambda db: db.execute("ALTER TABLE forms RENAME TO gone")).result(10)
    reply = client.post(f"/form/human_input/{token}", body())
    assert reply.status_code == 500
    assert "failed" in caplog.text
    assert token not in caplog.text


def test_tokens_are_made_of_id_and_secret() -> None:
    one, other = FormTokens("one"), FormTokens("other")
    key = str(uuid.uuid4())
    assert one.of(key) == FormTokens("one").of(key) != other.of(key)
    made = {one.of(str(at)) for at in range(1000)}
    assert len(made) == 1000
    assert {len(token) for token in made} == {22}
    assert all(token.isascii() and token.isalnum() for token in made)
    assert "one" not in repr(one)


def test_an_app_that_has_changed_meanwhile(stage: Stage) -> None:
    client, answered = stage.form()
    stage.server.close()
    changed = human_apps.humanflow()
    changed["nodes"] = [{"type": "start", "next": "no"}, {"id": "no", "type": "answer", "answer": "Other."}]
    with local.serve(data_dir=stage.where, pace=0, apps=[changed]) as server:
        stage.server = server
        with stage.client() as client:
            assert client.post(f"/form/human_input/{token_of(answered)}", body()).status_code == 200
            message = stage.ended(answered[0]["conversation_id"])
            assert message["status"] == "error"
            assert "no node ask any more" in message["error"]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_app_of_the_documents(tmp_path: Path, language: str) -> None:
    page = Path(dify_notebook.__file__).parent / "docs" / language / "16-your-own-apps.md"
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (tmp_path / "approval.toml").write_text(next(block for block in blocks if "human-input" in block), "utf-8")
    with (
        local.serve(data_dir=tmp_path / "data", pace=0, apps=[tmp_path / "approval.toml"]) as server,
        Dify(server.api_key("approval"), server.base_url, user="me") as dify,
    ):
        turn = dify.chat.send("paint it blue")
        assert "paint it blue" in turn.forms[0].content
        dify.forms.submit(turn.forms[0], action="approve", inputs={"kind": "large"})
        _resumed(dify, turn)
        stored = dify.messages.list(turn.conversation_id or "").to_list()
    assert [action.style for action in turn.forms[0].actions] == ["primary", "default"]
    assert stored[0].answer.endswith(f"{turn.forms[0].fields[0].default} (large)")


def test_files_as_fields(tmp_path: Path) -> None:
    ask = human_apps.ask("ask", "Files", "yes", "yes")
    ask["inputs"] = [
        {"name": "one", "type": "file", "allowed_file_extensions": ["txt"]}, {"name": "more", "type": "file-list"},
    ]  # fmt: skip
    ask["form_content"] = "{{#$output.one#}} and {{#$output.more#}}"
    answer = {"id": "yes", "type": "answer", "answer": "{{ ask.__rendered_content }} {{ ask.one.filename }}"}
    app = {"name": "files", "mode": "advanced-chat", "nodes": [{"type": "start", "next": "ask"}, ask, answer]}
    with local.serve(data_dir=tmp_path, pace=0, apps=[app]) as server, Client(server, "files") as client:
        answered = client.ask("go")
        path = f"/form/human_input/{token_of(answered)}"

        def file(name: str) -> dict[str, str]:
            key = client.upload(name, b"text", "text/plain").json()["id"]
            return {"type": "document", "transfer_method": "local_file", "upload_file_id": key}

        wrong: list[dict[str, Any]] = [
            {"one": "a text", "more": []}, {"one": file("a.csv"), "more": []}, {"one": file("a.txt"), "more": [1]},
            {"one": {**file("a.txt"), "upload_file_id": NOWHERE}, "more": []},
        ]  # fmt: skip
        for inputs in wrong:
            assert client.post(path, body(inputs=inputs)).status_code == 400
        given = {"one": file("a.txt"), "more": [file("b.txt"), file("c.txt")]}
        assert client.post(path, body(inputs=given)).status_code == 200
        follow(client, data_of(answered, "workflow_paused")[0]["workflow_run_id"], client.user)
        message = client.messages(answered[0]["conversation_id"])[0]
    assert message["answer"] == "a.txt and b.txt, c.txt a.txt"


def test_many_that_wait_cost_no_more_each(stage: Stage) -> None:
    def make(count: int) -> Callable[[], None]:
        done = [stage.form("brancha", "go")[1] for _ in range(count)]

        def work() -> None:
            with stage.client("brancha") as client:
                for answered in done:
                    client.get(f"/form/human_input/{token_of(answered)}")

        return work

    plan = stage.server._store.reader.submit(
        lambda db: [
            " ".join(str(column) for column in row)
            for query in (
                "SELECT * FROM messages m WHERE m.workflow_run IS NOT NULL AND json_extract(m.workflow_run, '$.id') = ''",
                "SELECT DISTINCT p.message FROM forms f JOIN paused_runs p ON p.message = f.message"
                " WHERE f.resumed = 0 AND f.status <> 'waiting'",
                "SELECT MIN(expires_at) FROM forms WHERE status = 'waiting'",
                "UPDATE forms SET status = 'timeout' WHERE status = 'waiting' AND expires_at <= 1",
            )
            for row in db.execute(f"EXPLAIN QUERY PLAN {query}")
        ]
    ).result(10)
    assert any("messages_by_workflow_run" in line for line in plan)
    assert any("forms_ready" in line for line in plan)
    assert sum("forms_waiting" in line for line in plan) == 2
    assert not [line for line in plan if line.startswith("SCAN") and "INDEX" not in line]
    assert linear.growth(make, lambda work: work(), 20, tries=4) <= linear.MOST


@pytest.mark.parametrize(
    ("query", "action", "said"),
    [
        ("Approve: a new lamp", "approve", "Approved, now: **a new lamp** (fine {x})"),
        ("审批：买一盏灯", "reject", "已拒绝：**买一盏灯**（fine {x}）"),
    ],
)
def test_the_pipeline_asks_for_approval(stage: Stage, query: str, action: str, said: str) -> None:
    with stage.dify("pipeline", user="approver") as dify:
        turn = dify.chat.send(query)
        form = turn.forms[0]
        assert said.split("**")[1] in form.content
        dify.forms.submit(form, action=action, inputs={"note": "fine {x}", "when": form.fields[1].options[0]})
        _resumed(dify, turn)
        stored = dify.messages.list(turn.conversation_id or "").to_list()
    assert [message.answer for message in stored] == [said]
    assert turn.answer == ""


# -- taken out as a database is ------------------------------------------------------------


def test_a_dump_tells_forms_as_the_api_does(stage: Stage, tmp_path: Path) -> None:
    """Not answered in time, answered, waiting, and two of one message of which one is answered."""
    stage.more = {"timeout": 0.1}
    stage.restart()
    _, late = stage.form(query="=1+1")
    stage.ended(late[0]["conversation_id"])
    stage.more = {}
    stage.restart()
    stage.gate.open = False
    with stage.dify() as dify:
        dify.chat.send("may I").forms[0].submit(action="reject", inputs=FILLED)
    with stage.dify("brancha") as dify:
        dify.chat.send("go").forms[0].submit(action="approve")
    _, waiting = stage.form(query="may I too")
    for app, states in {"humanflow": ["filled", "timeout", "waiting"], "brancha": ["filled", "waiting"]}.items():
        with stage.dify(app) as dify:
            asked = dify.history(progress=False)
        written = local.dump(tmp_path / app, stage.where, app=app)
        assert not any(token_of(waiting) in path.read_text() for path in written.values())
        read = History.from_export(tmp_path / app)
        assert sorted(read.forms["status"]) == states
        beyond = {"usage_from", "prompt_price", "completion_price", "time_to_first_token"}
        for table, key, apart in (("forms", "form_id", {"definition"}), ("messages", "message_id", beyond)):
            left, right = (one.table(table).sort_values(key, ignore_index=True) for one in (asked, read))
            shared = [column for column in left if column not in apart]
            pd.testing.assert_frame_equal(left[shared], right[shared], check_categorical=False)
