"""Runs of workflow apps that wait, that the server's end cuts short, that an earlier version kept; how many are kept; and
what faults make of them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.workflow_stage import GATE, User, last, serving, user
from local_helpers import Client, Event, Sounds, events_of, told

from dify_notebook import local
from dify_notebook.local.options import DIALECTS
from dify_notebook.local.server.process import LocalServer
from dify_notebook.local.simulate import dialect_runs
from dify_notebook.local.store import run_rows, schema
from dify_notebook.local.store.store import INTERRUPTED
from dify_notebook.tape import Tape


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("kept"), ping_interval=0.5) as server:
        yield server


# -- a person ------------------------------------------------------------------------------------


def follow(client: User, run: str, **query: str) -> Iterator[Event]:
    with client.http.stream("GET", f"/workflow/{run}/events", params={"user": client.user, **query}) as response:
        response.read() if response.status_code != 200 else None
        assert response.status_code == 200, response.text
        yield from events_of(response.iter_bytes())


def test_a_run_waits_for_a_person(newest: LocalServer) -> None:
    with user(newest, "human") as client, user(newest, "human") as other:
        events = client.run(q="may I")
        assert [event["event"] for event in events][-2:] == ["human_input_required", "workflow_paused"]
        assert all(list(event) == ["event", "workflow_run_id", "task_id", "data"] for event in events)
        run, token = events[0]["workflow_run_id"], events[-2]["data"]["form_token"]
        detail = client.detail(run)
        assert (detail["status"], detail["finished_at"], detail["outputs"]) == ("paused", None, {})
        (item,) = [item for item in client.logs(limit=100)["data"] if item["workflow_run"]["id"] == run]
        assert item["workflow_run"]["status"] == "paused"

        snapshot = list(follow(client, run, include_state_snapshot="true"))
        assert {event["event"] for event in snapshot} == {
            "workflow_started", "node_started", "node_finished", "human_input_required", "workflow_paused",
        }  # fmt: skip
        assert all(set(event) == {"event", "workflow_run_id", "task_id", "data"} for event in snapshot)
        assert snapshot[-1]["data"]["outputs"] == {}
        response = other.http.get(f"/workflow/{run}/events", params={"user": other.user})
        assert told(response)[:2] == (404, "not_found")

        heard = follow(client, run, continue_on_pause="true", include_state_snapshot="true")
        assert next(heard)["event"] == "workflow_started"
        form = client.http.get(f"/form/human_input/{token}").json()
        assert form["form_content"].startswith("Check may I")
        answer = {"inputs": {"note": "n", "kind": "y"}, "action": "approve", "user": "anyone"}
        assert client.post(f"/form/human_input/{token}", answer).json() == {}
        rest = list(heard)
        assert last(rest)["outputs"] == {"note": "n", "kind": "y"}
        assert [event["data"]["reason"] for event in rest if event["event"] == "workflow_started"] == ["resumption"]
        detail = client.detail(run)
        assert (detail["status"], detail["outputs"]) == ("succeeded", {"note": "n", "kind": "y"})
        (end,) = follow(client, run)
        assert (list(end), end["task_id"], end["data"]["outputs"]) == (
            ["event", "task_id", "workflow_run_id", "data"], run, {"note": "n", "kind": "y"},
        )  # fmt: skip


def test_a_blocking_run_waits_for_a_person(newest: LocalServer) -> None:
    with user(newest, "human") as client:
        body = client.blocking(q="may I").json()
        assert list(body) == ["task_id", "workflow_run_id", "data"]
        assert (body["data"]["status"], body["data"]["paused_nodes"]) == ("paused", ["ask"])
        assert body["data"]["reasons"][0]["form_token"]


def test_older_ones_have_no_way_to_ask(tmp_path: Path) -> None:
    with serving(tmp_path, "1.12") as server, user(server, "human") as client:
        data = last(client.run(q="may I"))
        assert data["status"] == "failed"
        assert "asks a person" in data["error"]


# -- the end of the server -----------------------------------------------------------------------


def test_the_server_ends_while_one_runs(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        client = User(server, "gated")
        events = client.ran(q="x")
        run = next(events)["workflow_run_id"]
        assert GATE.entered.wait(20)
        server.close()
        data = last(list(events))
        assert (data["status"], data["error"]) == ("failed", INTERRUPTED)
    with serving(tmp_path) as server, user(server, "gated") as again:
        detail = again.detail(run)
        assert (detail["status"], detail["error"]) == ("failed", INTERRUPTED)
        assert detail["finished_at"] is not None


SERVE = """
import json, sys, time
from dify_notebook import local
from dify_notebook.local.engine.functions import describe
def wait():
    time.sleep(60)
    return {"r": 1}
app = {"name": "waits", "mode": "workflow", "functions": [describe(wait, "wait", "Wait.")], "nodes": [
    {"type": "start", "next": "wait"},
    {"id": "wait", "type": "code", "function": "wait", "outputs": ["r"], "next": "end"},
    {"type": "end", "outputs": {"r": "wait.r"}}]}
server = local.serve(data_dir=sys.argv[1], apps=[app])
print(json.dumps({"url": server.base_url, "key": server.api_key("waits")}), flush=True)
sys.stdin.read()
"""
WAITS: dict[str, Any] = {
    "name": "waits", "mode": "workflow",
    "nodes": [{"type": "start", "next": "end"}, {"type": "end", "outputs": {"r": "sys.user_id"}}],
}  # fmt: skip


def test_a_server_is_killed_while_one_runs(tmp_path: Path) -> None:
    """Nobody finds out how it would have ended: it is told as running, as a real one tells it, and another begins."""
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        known = json.loads(server.stdout.readline())
        http = httpx.Client(base_url=known["url"], headers={"Authorization": f"Bearer {known['key']}"}, trust_env=False)
        body = {"inputs": {}, "user": "u", "response_mode": "streaming"}
        with http, http.stream("POST", "/workflows/run", json=body) as response:
            run = next(events_of(response.iter_bytes()))["workflow_run_id"]
            # That it runs is committed before anybody is told of its end.
            assert http.get(f"/workflows/run/{run}").json()["status"] == "running"
            server.kill()
            server.wait(20)
    finally:
        server.kill()
        server.wait(20)
    with local.serve(data_dir=tmp_path, apps=[WAITS], pace=0) as again, Client(again, "waits", "u") as client:
        detail = client.get(f"/workflows/run/{run}").json()
        assert (detail["status"], detail["finished_at"], detail["outputs"]) == ("running", None, {})
        fresh = client.post("/workflows/run", {"inputs": {}, "user": "u"}).json()
        assert fresh["data"]["outputs"] == {"r": "u"}
        listed = client.get("/workflows/logs").json()["data"]
        assert [(item["workflow_run"]["id"], item["workflow_run"]["status"]) for item in listed] == [
            (fresh["workflow_run_id"], "succeeded"), (run, "running"),
        ]  # fmt: skip
        response = client.get(f"/workflow/{run}/events")
        assert told(response)[:2] == (404, "not_found")


# -- how many ------------------------------------------------------------------------------------


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of apps that hold no conversation nobody can delete anything. What waits stays."""
    monkeypatch.setattr(run_rows, "KEPT", 3)
    with serving(tmp_path) as server, user(server, "soft") as client, user(server, "human") as human:
        runs = [client.blocking().json()["workflow_run_id"] for _ in range(5)]
        assert [item["workflow_run"]["id"] for item in client.logs()["data"]] == runs[:1:-1][:3]
        assert told(client.http.get(f"/workflows/run/{runs[0]}"))[:2] == (404, "not_found")
        waiting = [human.blocking(q="x").json()["workflow_run_id"] for _ in range(5)]
        assert human.logs()["total"] == 5
        assert human.detail(waiting[0])["status"] == "paused"
        job = "SELECT COUNT(*) FROM node_runs WHERE message = ?"
        left = server._store.reader.submit(lambda db: db.execute(job, (runs[0],)).fetchone()[0]).result(10)
        assert left == 0


def test_files_go_with_the_last_run_that_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs made and what they were given; an upload that no run has yet stays."""
    monkeypatch.setattr(run_rows, "KEPT", 2)

    def kept() -> set[str]:
        return {path.name for path in (tmp_path / "files").iterdir()}

    with serving(tmp_path) as server, user(server, "tally") as client:
        once, shared, unused = (client.upload(f"{name}.csv", b"a,b\n1,2\n", "text/csv").json()["id"] for name in "osu")
        given = [{"type": "document", "transfer_method": "local_file", "upload_file_id": key} for key in (once, shared)]
        made = []
        for number in range(4):
            outputs = client.blocking(file=given[number > 0]).json()["data"]["outputs"]
            made.append(outputs["file"]["related_id"])
        assert kept() == {shared, unused, *made[2:]}
        assert client.http.get(outputs["file"]["url"]).status_code == 200
        for _ in range(2):
            made.append(client.blocking(text="a").json()["data"]["outputs"]["file"]["related_id"])
        assert kept() == {unused, *made[4:]}
        job = "SELECT id FROM files"
        rows = server._store.reader.submit(lambda db: {row["id"] for row in db.execute(job)}).result(10)
        assert rows == kept()


def test_an_app_that_becomes_a_chat_lists_no_completions(tmp_path: Path) -> None:
    model = {"url": "http://127.0.0.1:9/v1", "name": "nobody"}
    app: dict[str, Any] = {"name": "one", "mode": "completion", "prompt": "Say it", "model": model}
    with local.serve(data_dir=tmp_path, apps=[app], pace=0) as server, Client(server, "one") as client:
        body = {"inputs": {}, "user": client.user, "response_mode": "streaming"}
        (event,) = events_of(iter([client.post("/completion-messages", body).content]))
        assert event["event"] == "error", "its model cannot be reached"
    chat = {"name": "one", "mode": "chat", "model": model}
    with local.serve(data_dir=tmp_path, apps=[chat], pace=0) as server, Client(server, "one") as client:
        assert client.get("/conversations").json()["data"] == []


# -- an earlier version --------------------------------------------------------------------------


def test_the_runs_of_an_earlier_version(tmp_path: Path) -> None:
    """What was kept of chatflows' runs is found, but for the values of the system that went in."""
    with serving(tmp_path):
        pass  # makes the keys
    database = tmp_path / "store.sqlite3"
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"store.sqlite3{end}").unlink(missing_ok=True)
    who, conversation, message, run, flow = (str(uuid.uuid4()) for _ in range(5))
    finished = {
        "id": run, "workflow_id": flow, "status": "succeeded", "outputs": {"answer": "hey!"}, "error": None,
        "elapsed_time": 1.5, "total_tokens": 3, "total_steps": 2, "created_at": 10, "finished_at": 12,
        "exceptions_count": 0,
    }  # fmt: skip
    waits = {"id": str(uuid.uuid4()), "workflow_run_id": "w", "status": "paused", "created_at": 10}
    old = sqlite3.connect(database)
    for number, script in enumerate(schema.SCRIPTS[:4], start=1):
        old.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
    old.execute("INSERT INTO end_users VALUES (?, 'flow', 'tester', 1)", (who,))
    old.execute("INSERT INTO conversations VALUES (1, ?, 'flow', ?, 'Old', '{}', '', 1, 1, 1, 1)", (conversation, who))
    for number, (key, ran) in enumerate(((message, finished), (str(uuid.uuid4()), waits)), start=1):
        old.execute(
            "INSERT INTO messages (seq, id, conversation, query, inputs, answer, state, created_at, updated_at, workflow_run)"
            " VALUES (?, ?, ?, 'hey', '{\"a\":1}', 'hey!', 'done', 10, 12, ?)",
            (number, key, conversation, json.dumps(ran)),
        )
    old.commit()
    old.close()
    with serving(tmp_path) as server, user(server, "flow") as client:
        assert client.detail(run) == {
            "id": run, "workflow_id": flow, "status": "succeeded", "inputs": '{"a": 1}', "outputs": {"answer": "hey!"},
            "error": None, "total_steps": 2, "total_tokens": 3, "created_at": 10, "finished_at": 12, "elapsed_time": 1.5,
        }  # fmt: skip
        assert client.logs()["data"] == []
        assert told(client.http.get(f"/workflows/run/{waits['id']}"))[0] == 404


# -- faults and tapes ----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=DIALECTS)
def faulty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("faulty"), request.param, faults=True) as server:
        yield server


def spoilt(client: User, fault: str, path: str = "/workflows/run") -> list[Event]:
    return list(client.ran(path, headers={"X-Dify-Fault": fault}, q="你好", query="你好"))


def test_faults_of_events(faulty: LocalServer) -> None:
    with user(faulty, "plain") as client:
        whole = client.run(q="你好")
        known = [event["event"] for event in whole]
        assert [event["event"] for event in spoilt(client, "duplicate")] == [name for name in known for _ in "xx"]
        assert [event["event"] for event in spoilt(client, "no_end")] == known[:-1]
        unknown = spoilt(client, "unknown")
        assert [event["event"] for event in unknown[::2]] == ["event_of_tomorrow"] * len(known)
        assert {event["workflow_run_id"] for event in unknown} == {unknown[1]["workflow_run_id"]}
        cut_short = spoilt(client, "error=2")
        assert [event["event"] for event in cut_short] == [*known[:2], "error"]
        assert cut_short[-1]["code"] == "internal_server_error"
        assert "message_id" not in cut_short[-1]


@pytest.mark.parametrize("fault", ["drop=900", "cut=2"])
def test_faults_of_bytes(faulty: LocalServer, fault: str) -> None:
    """What was run is kept all the same."""
    with user(faulty, "plain") as client:
        received = b""
        body = {"inputs": {"q": "你好"}, "user": client.user, "response_mode": "streaming"}
        headers = {"X-Dify-Fault": fault}
        try:
            with client.http.stream("POST", "/workflows/run", json=body, headers=headers) as response:
                for piece in response.iter_raw():
                    received += piece
            dropped = False
        except httpx.RemoteProtocolError:
            dropped = True
        if fault.startswith("drop"):
            assert (dropped, len(received)) == (True, 900)
        elif dropped:
            with pytest.raises(UnicodeDecodeError):
                received.decode()
        else:
            assert received.isascii(), "Dify 0.15 escapes what could be cut"
        if not received.isascii() or not dropped:  # whom nobody heard to the end, Dify 0.15 does not log
            assert client.logs(keyword=client.user, limit=100)["total"] == 1


@pytest.mark.parametrize(("fault", "status"), [("429=3", 429), ("500", 500), ("502", 502)])
@pytest.mark.parametrize(("app", "path"), [("plain", "/workflows/run"), ("completion", "/completion-messages")])
def test_faults_for_the_next_question(faulty: LocalServer, fault: str, status: int, app: str, path: str) -> None:
    with user(faulty, app) as client:
        faulty.faults.once(fault)
        assert client.get("/info").status_code == 200, "that is no question"
        assert client.blocking(path, q="x", query="x").status_code == status
        assert client.blocking(path, q="x", query="x").status_code == 200


def test_a_recorded_run_is_played(newest: LocalServer, tmp_path: Path) -> None:
    tape = Tape()
    with user(newest, "plain") as client:
        events = client.run(q="x")
    for event in events:
        tape.append(0.0, ("", json.dumps(event).encode()))
    with local.serve(data_dir=tmp_path, play=tape, speed=0, apps=[WAITS]) as server, user(server, "waits") as client:
        assert client.run() == events
        body = client.blocking().json()
        assert list(body) == ["task_id", "workflow_run_id", "data"]
        assert (body["data"]["id"], body["data"]["outputs"]) == (events[0]["workflow_run_id"], last(events)["outputs"])
        assert "exceptions_count" not in body["data"]


# -- the dialects by themselves ------------------------------------------------------------------


def test_a_run_that_is_not_about_runs_is_left_alone() -> None:
    content: dict[str, Any] = {"data": []}
    for path in ("/v1/info", "/v1/workflows/logs/x"):
        assert dialect_runs.answer_112(path, 200, content)[1] is content
        assert dialect_runs.answer_015(path, 200, content)[1] is content


def test_speech_comes_before_and_behind_the_end(tmp_path: Path) -> None:
    """Until Dify 1.12; newer ones read no further than to the end of the run."""
    app = {**WAITS, "voice": {"name": "v", "auto_play": True}}
    for dialect in DIALECTS:
        where, sounds = tmp_path / dialect, Sounds()
        with (
            local.serve(data_dir=where, apps=[app], pace=0, dialect=dialect, speech=sounds) as server,
            user(server, "waits") as client,
        ):
            found = [event["event"] for event in client.run()]
            assert ("tts_message_end" in found) == (dialect != "1.16")
