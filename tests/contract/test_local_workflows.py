"""Workflow apps of the embedded server, in each dialect, over a real socket and without a client of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from contract.workflow_stage import GATE, WRONG, User, last, outputs_of, serving, user
from local_helpers import NOWHERE, Sounds, told

from dify_notebook.local.engine.app import fixed_id
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

HEAD = ["event", "workflow_run_id", "task_id", "data"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("workflows"), dialect, speech=Sounds(), faults=True) as running:
        yield running


# -- a run ---------------------------------------------------------------------------------------


def test_a_run(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "plain") as client:
        events = client.run(q="你好 you")
        assert all(list(event) == HEAD for event in events)
        run, data = events[0]["workflow_run_id"], last(events)
        assert {event["workflow_run_id"] for event in events} == {run} == {data["id"]}
        assert events[0]["data"].get("reason") == ("initial" if dialect == "1.16" else None)
        assert data["outputs"] == {"text": "You said: 你好 you", "size": 6, "words": ["你好", "you"]}
        assert (data["status"], data["total_tokens"], data["total_steps"]) == ("succeeded", 18, 4)
        text = "".join(event["data"]["text"] for event in events if event["event"] == "text_chunk")
        whole = "You said: 你好 you\n6\n- 你好\n- you"
        assert text == ("You said: 你好 you" if dialect == "0.15" else whole)
        (start,) = [
            event["data"] for event in events if event["event"] == "node_finished" and event["data"]["node_id"] == "start"
        ]
        system = {name for name in start["outputs"] if name.startswith("sys.")}
        known = {"sys.files", "sys.user_id", "sys.app_id", "sys.workflow_id", "sys.workflow_run_id"}
        assert system == {"1.16": set(), "1.12": known | {"sys.timestamp"}, "0.15": known}[dialect]

        detail = client.detail(run)
        assert (detail["id"], detail["status"], detail["workflow_id"]) == (run, "succeeded", data["workflow_id"])
        assert isinstance(detail["outputs"], dict if dialect == "1.16" else str)
        assert outputs_of(detail) == data["outputs"]
        assert "\\u4f60" in detail["inputs"]
        inputs = json.loads(detail["inputs"])
        assert (inputs["q"], inputs["n"], inputs["sys.user_id"]) == ("你好 you", None, client.user)
        assert ("sys.timestamp" in inputs) == (dialect != "0.15")
        for name in ("total_tokens", "total_steps", "elapsed_time", "error"):
            assert detail[name] == data[name]
        times = [detail["created_at"], detail["finished_at"]]
        if dialect == "0.15":
            assert all(time_.endswith(" -0000") for time_ in times)
            times = [int(parsedate_to_datetime(time_ + "").timestamp()) for time_ in times]
        assert times == [data["created_at"], data["finished_at"]]
        for form in (run.upper(), run.replace("-", "")):
            assert client.detail(form) == detail


@pytest.mark.parametrize(
    ("app", "inputs", "status", "outputs", "error"),
    [
        ("plain", {"q": "a b"}, "succeeded", {"text": "You said: a b", "size": 3, "words": ["a", "b"]}, None),
        ("boom", {}, "failed", {}, "boom"),
        ("soft", {}, "partial-succeeded", {"r": "instead"}, None),
        ("plain", {"q": "slow down"}, "failed", {}, "slow down"),
    ],
)
def test_streaming_and_blocking_come_to_the_same(
    server: LocalServer, dialect: Dialect, app: str, inputs: dict[str, Any], status: str, outputs: Any, error: str | None
) -> None:
    with user(server, app) as client:
        streamed = last(client.run(**inputs))
        response = client.blocking(**inputs)
        assert response.status_code == 200
        body = response.json()
        assert list(body) == ["task_id", "workflow_run_id", "data"]
        data = body["data"]
        assert list(data) == [
            "id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps", "created_at",
            "finished_at",
        ]  # fmt: skip
        assert body["workflow_run_id"] == data["id"]
        nothing: Any = None if dialect == "0.15" else {}
        for told_ in (streamed, data):
            assert (told_["status"], told_["outputs"]) == (status, outputs or nothing)
            assert told_["error"] is None if error is None else error in told_["error"]
        failed = {"succeeded": 0, "partial-succeeded": 1, "failed": 0 if dialect == "0.15" else 1}[status]
        assert streamed["exceptions_count"] == failed
        detail = client.detail(data["id"])
        assert (detail["status"], detail["error"]) == (status, data["error"])
        none: Any = {"1.16": {}, "1.12": None, "0.15": "{}"}[dialect]
        assert detail["outputs"] == none if not outputs else outputs_of(detail) == outputs
        (item,) = [item for item in client.logs()["data"] if item["workflow_run"]["id"] == data["id"]]
        assert (item["workflow_run"]["status"], item["workflow_run"]["exceptions_count"]) == (status, failed)


def test_several_ends(server: LocalServer, dialect: Dialect) -> None:
    """Dify 0.15 has the outputs of the last one, and streams nothing where branches ran side by side."""
    with user(server, "ends") as client:
        events = client.run(q="x")
        whole = {"a": "You said: A x", "b": "You said: B x"}
        chunks = [event for event in events if event["event"] == "text_chunk"]
        if dialect == "0.15":
            assert last(events)["outputs"] in ({"a": whole["a"]}, {"b": whole["b"]})
            assert chunks == []
        else:
            assert last(events)["outputs"] == whole
            assert chunks


def test_the_words_of_two_models(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "models") as client:
        events = client.run(q="x")
        text = "".join(event["data"]["text"] for event in events if event["event"] == "text_chunk")
        assert text == "You said: A x\nYou said: B x" + ("" if dialect == "0.15" else "\nx")
        assert last(events)["outputs"] == {"first": "You said: A x", "second": "You said: B x", "question": "x"}


def test_what_does_not_fit(server: LocalServer, dialect: Dialect) -> None:
    """Since Dify 1.13 a stream has begun when that is found out."""
    with user(server, "plain") as client:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({}, "q is required in input form"), ({"q": 5}, "(type 'paragraph') q in input form must be a string"),
        ]  # fmt: skip
        for inputs, message in wrong:
            assert told(client.blocking(**inputs)) == (400, "invalid_param", message)
            if dialect == "1.16":
                began, ended = client.run(**inputs)
                assert (began["event"], ended["data"]["status"], ended["data"]["error"]) == ("workflow_started", "failed", message)
            else:
                body = {"inputs": inputs, "user": client.user, "response_mode": "streaming"}
                assert told(client.post("/workflows/run", body)) == (400, "invalid_param", message)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user": "u"}, "inputs"),
        ({"inputs": "x", "user": "u"}, "inputs"),
        ({"inputs": {"q": "x"}, "user": "u", "response_mode": "sideways"}, "response_mode"),
    ],
)
@pytest.mark.parametrize(("app", "path", "model"), [
    ("plain", "/workflows/run", "WorkflowRunPayload"), ("completion", "/completion-messages", "CompletionRequestPayload"),
])  # fmt: skip
def test_bodies_that_are_wrong(
    server: LocalServer, dialect: Dialect, body: Any, field: str, app: str, path: str, model: str
) -> None:
    with user(server, app) as client:
        status, code, message = told(client.post(path, body))
        assert (status, code) == (400, "invalid_param")
        assert message.startswith(f"{field}: " if dialect == "0.15" else f"1 validation error for {model}\n{field}\n")


def test_nobody_is_named(server: LocalServer) -> None:
    with user(server, "plain") as client:
        for path in ("/workflows/run", f"/workflows/tasks/{NOWHERE}/stop"):
            answer = client.post(path, {"inputs": {"q": "x"}})
            assert told(answer) == (400, "invalid_param", "Arg user must be provided.")
        assert client.http.post(f"/workflows/tasks/{NOWHERE}/stop").status_code == 415


def test_what_dify_015_takes(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "soft") as client:
        body = {"inputs": [], "user": "u", "files": {}}
        response = client.post("/workflows/run", body)
        if dialect == "0.15":
            assert response.json()["data"]["status"] == "partial-succeeded"
        else:
            assert told(response)[:2] == (400, "invalid_param")


def test_a_number_is_no_user_and_what_is_not_known_is_not_looked_at(server: LocalServer) -> None:
    with user(server, "plain") as client:
        body = {"inputs": {"q": "x", "more": 1}, "user": 42, "query": "hi", "conversation_id": NOWHERE, "workflow_id": "nope"}
        run = client.post("/workflows/run", body).json()
        assert run["data"]["status"] == "succeeded"
        assert json.loads(client.detail(run["workflow_run_id"])["inputs"])["sys.user_id"] == "42"


# -- a version -----------------------------------------------------------------------------------


def test_a_published_version(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "plain") as client, user(server, "flow") as flow:
        own = last(client.run(q="x"))["workflow_id"]
        if dialect == "0.15":
            assert client.blocking(f"/workflows/{own}/run", q="x").status_code == 404
            return
        assert last(list(client.ran(f"/workflows/{own}/run", q="x")))["outputs"]["text"] == "You said: x"
        for wrong, status, code in (("nope", 400, "bad_request"), (NOWHERE, 404, "not_found"), (fixed_id("draft", "plain"), 400, "bad_request")):
            for mode in ("streaming", "blocking"):
                body = {"inputs": {"q": "x"}, "user": "u", "response_mode": mode}
                response = client.post(f"/workflows/{wrong}/run", body)
                assert told(response)[:2] == (status, code)
        assert told(flow.blocking(f"/workflows/{own}/run"))[:2] == (400, "not_workflow_app")


# -- what was run --------------------------------------------------------------------------------


def test_runs_that_are_not_there(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "plain") as client, user(server, "models") as other, user(server, "flow") as flow:
        run = client.run(q="x")[0]["workflow_run_id"]
        for who, key in ((client, NOWHERE), (other, run)):
            response = who.http.get(f"/workflows/run/{key}")
            if dialect == "1.16":
                assert told(response) == (404, "not_found", "Workflow run not found.")
            else:
                assert response.status_code == 200
                zero = 0 if dialect == "0.15" else None
                expected = dict.fromkeys(client.detail(run), None) | {"total_steps": zero, "total_tokens": zero}
                assert response.json() == expected
        assert told(client.http.get("/workflows/run/nope"))[:2] == (500, "unknown")
        # A chatflow's own runs, since Dify 1.0; they are in no log.
        chatted = next(event for event in flow.ask("hey") if event["event"] == "workflow_started")
        response = flow.http.get(f"/workflows/run/{chatted['workflow_run_id']}")
        if dialect == "0.15":
            assert told(response) == (400, "not_workflow_app", WRONG)
        else:
            assert outputs_of(response.json())["answer"] == "hey!"
            assert "sys.timestamp" not in json.loads(response.json()["inputs"])
        assert flow.logs() == {"page": 1, "limit": 20, "total": 0, "has_more": False, "data": []}


def test_a_run_while_it_runs(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "gated") as client:
        GATE.shut()
        events = client.ran(q="look")
        first = next(events)
        run = first["workflow_run_id"]
        detail = client.detail(run)
        assert (detail["status"], detail["finished_at"], detail["error"]) == ("running", None, None)
        assert detail["outputs"] == ({} if dialect == "1.16" else "{}")
        assert json.loads(detail["inputs"])["q"] == "look"
        listed = [item["workflow_run"]["id"] for item in client.logs()["data"]]
        assert (run in listed) == (dialect != "0.15")
        GATE.open.set()
        assert last(list(events))["outputs"] == {"r": "look"}
        assert client.detail(run)["status"] == "succeeded"
        assert run in [item["workflow_run"]["id"] for item in client.logs()["data"]]


def until(client: User, run: str, status: str) -> dict[str, Any]:
    limit = time.monotonic() + 20
    while (detail := client.detail(run))["status"] != status:
        assert time.monotonic() < limit, detail
        time.sleep(0.01)
    return detail


def test_a_client_goes_away(server: LocalServer, dialect: Dialect) -> None:
    """The run goes on. Dify 0.15 never hears how it ended, and logs none."""
    with user(server, "gated") as client:
        GATE.shut()
        events = client.ran(q="left")
        run = next(events)["workflow_run_id"]
        assert GATE.entered.wait(20)
        events.close()  # type: ignore[attr-defined]
        seen = server._runs
        limit = time.monotonic() + 20
        while any(one.message_id == run and one.listening for one in seen._running.values()):
            assert time.monotonic() < limit
            time.sleep(0.01)
        GATE.open.set()
        if dialect != "0.15":
            assert outputs_of(until(client, run, "succeeded")) == {"r": "left"}
            return
        while any(one.message_id == run for one in seen._running.values()):
            time.sleep(0.01)
        assert (client.detail(run)["status"], client.detail(run)["outputs"]) == ("running", "{}")
        assert run not in [item["workflow_run"]["id"] for item in client.logs(limit=100)["data"]]


# -- stopping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["gated", "rounds"])
def test_a_run_is_stopped(server: LocalServer, dialect: Dialect, app: str) -> None:
    """Dify 1.12 calls one failed that was stopped in an iteration, and never finds out that the others have ended."""
    with user(server, app) as client:
        GATE.shut()
        events = client.ran(q="x")
        first = next(events)
        run = first["workflow_run_id"]
        assert GATE.entered.wait(20)
        response = client.post(f"/workflows/tasks/{first['task_id']}/stop", {"user": client.user})
        assert (response.status_code, response.json()) == (200, {"result": "success"})
        data = last(list(events))
        inside = app == "rounds" and dialect == "1.12"
        aborted = dialect == "1.16" or inside
        assert data["status"] == ("failed" if inside else "stopped")
        assert data["error"] == ("Aborted: User requested stop" if aborted else "Stopped by user.")
        assert data["outputs"] == (None if dialect == "0.15" else {})
        detail = client.detail(run)
        assert detail["status"] == ("running" if dialect == "1.12" else "stopped")
        assert (detail["finished_at"] is None) == (dialect == "1.12")
        GATE.open.set()


@pytest.mark.parametrize("stranger", ["user", "app"])
def test_a_stranger_stops_a_run(server: LocalServer, dialect: Dialect, stranger: str) -> None:
    """Since Dify 1.0 whoever knows the task can; before that it says so and the run goes on."""
    with user(server, "gated") as client, user(server, "plain") as other:
        GATE.shut()
        events = client.ran(q="x")
        task = next(events)["task_id"]
        assert GATE.entered.wait(20)
        who = client if stranger == "user" else other
        name = "someone else" if stranger == "user" else client.user
        assert who.post(f"/workflows/tasks/{task}/stop", {"user": name}).json() == {"result": "success"}
        if dialect == "0.15":
            GATE.open.set()
        assert last(list(events))["status"] == ("succeeded" if dialect == "0.15" else "stopped")
        GATE.open.set()


def test_nothing_to_stop(server: LocalServer) -> None:
    with user(server, "plain") as client:
        for task in (NOWHERE, "nope"):
            assert client.post(f"/workflows/tasks/{task}/stop", {"user": "u"}).json() == {"result": "success"}


# -- files ---------------------------------------------------------------------------------------


def test_files_of_a_run(server: LocalServer, dialect: Dialect) -> None:
    """One that is an input, those beside the inputs, and one that the run makes; links that are told later are fresh."""
    with user(server, "tally") as client, user(server, "tally") as other:
        upload = client.upload("orders.csv", b"city,orders\nOslo,3\nBergen,4\n").json()
        file = {"type": "document", "transfer_method": "local_file", "upload_file_id": upload["id"]}
        body = {"inputs": {"file": file}, "user": client.user, "response_mode": "blocking", "files": [file]}
        data = client.post("/workflows/run", body).json()["data"]
        assert data["outputs"]["numbers"]["orders"]["sum"] == 7
        detail = client.detail(data["id"])
        inputs = json.loads(detail["inputs"])
        assert [one["related_id"] for one in (inputs["file"], *inputs["sys.files"])] == [upload["id"]] * 2
        made = (data["outputs"]["file"], outputs_of(detail)["file"])
        assert made[0]["url"] != made[1]["url"]
        contents = [client.http.get(one["url"]).text for one in made]
        assert contents[0] == contents[1] == "city,orders,class\r\nOslo,3,other\r\nBergen,4,other\r\n"
        assert client.http.get(inputs["file"]["remote_url"]).content == b"city,orders\nOslo,3\nBergen,4\n"
        # Only files of messages have that address.
        preview = client.http.get(f"/files/{upload['id']}/preview", params={"user": client.user})
        assert preview.status_code == 404
        # Whoever knows its id may use it.
        assert last(list(other.ran(file=file)))["outputs"]["rows"] == 2


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({}, "transfer_method is required in file mapping"),
        ({"type": "document", "transfer_method": "pigeon"}, "No matching enum found for value 'pigeon'"),
        ({"type": "document", "transfer_method": "local_file"}, "Invalid upload file id"),
        ({"type": "document", "transfer_method": "local_file", "upload_file_id": "nope"}, "Invalid upload file id format"),
        ({"type": "document", "transfer_method": "local_file", "upload_file_id": NOWHERE}, "Invalid upload file"),
        ([], "file in input form must be a file"),
    ],
)
def test_files_that_are_wrong(server: LocalServer, dialect: Dialect, file: Any, message: str) -> None:
    if file == {} and dialect == "0.15":
        message = "No matching enum found for value 'None'"
    with user(server, "tally") as client:
        assert told(client.blocking(text="x", file=file)) == (400, "invalid_param", message)
        if file:
            body = {"inputs": {"text": "x"}, "user": "u", "response_mode": "blocking", "files": [file]}
            assert told(client.post("/workflows/run", body)) == (400, "invalid_param", message)
