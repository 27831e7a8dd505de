"""Workflow and completion apps of the embedded server, in each dialect, over a real socket and without a client of ours."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from contract.workflow_stage import GATE, User, last, outputs_of, serving, user
from local_helpers import NOWHERE, SINCE_1, Client, Event, Sounds, answer_of, events_of, names, told

from dify_notebook.local.engine.app import fixed_id
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

HEAD = ["event", "workflow_run_id", "task_id", "data"]
WRONG = "Please check if your app mode matches the right API route."
UNAVAILABLE = "App unavailable, please check your app configurations."


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


# -- the log -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[tuple[LocalServer, list[str]]]:
    """A server whose app has three runs, by two users; the newest failed."""
    with serving(tmp_path_factory.mktemp("logged"), dialect) as running:
        runs = []
        for name, text in (("ann", "alpha 你好"), ("ann", "beta 100%"), ("bob", "slow down")):
            with Client(running, "plain", name) as client:
                body = {"inputs": {"q": text}, "user": name, "response_mode": "blocking"}
                runs.append(client.post("/workflows/run", body).json()["workflow_run_id"])
        yield running, runs


def ids(page: dict[str, Any]) -> list[str]:
    return [item["workflow_run"]["id"] for item in page["data"]]


def test_the_log(logged: tuple[LocalServer, list[str]], dialect: Dialect) -> None:
    server, (first, second, third) = logged
    with user(server, "plain") as client:
        page = client.logs()
        assert list(page) == ["page", "limit", "total", "has_more", "data"]
        assert (page["page"], page["limit"], page["total"], page["has_more"]) == (1, 20, 3, False)
        assert ids(page) == [third, second, first]
        item = page["data"][0]
        run = [
            "id", "version", "status", "triggered_from", "error", "elapsed_time", "total_tokens", "total_steps",
            "created_at", "finished_at", "exceptions_count",
        ]  # fmt: skip
        fields = [
            "id", "workflow_run", "details", "created_from", "created_by_role", "created_by_account",
            "created_by_end_user", "created_at",
        ]  # fmt: skip
        older = dialect == "0.15"
        assert list(item["workflow_run"]) == [name for name in run if not (older and name == "triggered_from")]
        assert list(item) == [name for name in fields if not (older and name == "details")]
        assert (item["created_from"], item["created_by_role"], item["created_by_account"]) == ("service-api", "end_user", None)
        who = item["created_by_end_user"]
        assert list(who) == ["id", "type", "is_anonymous", "session_id"]
        assert (who["type"], who["session_id"]) == ("service_api" if older else "service-api", "bob")
        # Pages.
        assert [ids(client.logs(limit=2, page=number)) for number in (1, 2, 99)] == [[third, second], [first], []]
        assert [client.logs(limit=2, page=number)["has_more"] for number in (1, 2, 99)] == [True, False, False]


FOUND: list[tuple[dict[str, str], list[int]]] = [
    ({"keyword": ""}, [2, 1, 0]),
    ({"keyword": "BETA"}, [1]),
    ({"keyword": "bob"}, [2]),
    ({"keyword": "You said: alpha"}, [0]),
    ({"keyword": "nothing like it"}, []),
    ({"keyword": "_"}, [2, 1, 0]),
    ({"status": "failed"}, [2]),
    ({"status": "succeeded"}, [1, 0]),
    ({"status": "stopped"}, []),
    ({"keyword": "ann", "status": "failed"}, []),
    ({"user": "nobody", "foo": "1"}, [2, 1, 0]),
]
SINCE = [
    ({"created_at__before": "2020-01-01T00:00:00Z"}, []),
    ({"created_at__before": "2100-01-01T00:00:00+08:00"}, [2, 1, 0]),
    ({"created_at__after": "2020-01-01"}, [2, 1, 0]),
    ({"created_at__after": "2100-01-01T00:00:00"}, []),
    ({"created_at__before": ""}, [2, 1, 0]),
    ({"created_by_end_user_session_id": "ann"}, [1, 0]),
    ({"created_by_end_user_session_id": "zzz"}, []),
]


@pytest.mark.parametrize(("query", "found"), [*FOUND, *SINCE])
def test_what_the_log_finds(
    logged: tuple[LocalServer, list[str]], dialect: Dialect, query: dict[str, str], found: list[int]
) -> None:
    """What Dify 0.15 does not know, it leaves unread."""
    server, runs = logged
    expected = [2, 1, 0] if dialect == "0.15" and (query, found) in SINCE else found
    with user(server, "plain") as client:
        page = client.logs(**query)
        assert (ids(page), page["total"]) == ([runs[at] for at in expected], len(expected))


def test_what_the_log_finds_in_other_languages(logged: tuple[LocalServer, list[str]], dialect: Dialect) -> None:
    """What is looked at is escaped, and newer ones look for what is not; a per cent sign is nothing but that."""
    server, runs = logged
    with user(server, "plain") as client:
        assert ids(client.logs(keyword="你好")) == ([runs[0]] if dialect == "0.15" else [])
        assert ids(client.logs(keyword="100%")) == [runs[1]]
        assert ids(client.logs(keyword=runs[0])) == [runs[0]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": "0"}, "page"), ({"page": "abc"}, "page"), ({"page": ""}, "page"), ({"page": "100000"}, "page"),
        ({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "-1"}, "limit"), ({"limit": "abc"}, "limit"),
        ({"status": "running"}, "status"), ({"status": "partial-succeeded"}, "status"), ({"status": ""}, "status"),
    ],
)  # fmt: skip
def test_what_the_log_refuses(
    logged: tuple[LocalServer, list[str]], dialect: Dialect, query: dict[str, str], field: str
) -> None:
    server, _ = logged
    with user(server, "plain") as client:
        status, code, message = told(client.http.get("/workflows/logs", params=query))
        assert (status, code) == (400, "invalid_param")
        assert message.startswith(f"{field}: " if dialect == "0.15" else f"1 validation error for WorkflowLogQuery\n{field}\n")


@SINCE_1
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("created_at__before=1700000000", 400, "invalid_param"),
        ("created_at__before=yesterday", 400, "invalid_param"),
        ("created_at__after=2030-01-01T00:00:00+08:00", 400, "invalid_param"),
        ("created_by_account=no@example.com", 400, "invalid_param"),
        ("created_by_end_user_session_id=ann&keyword=beta", 500, "unknown"),
    ],
)
def test_what_newer_logs_refuse(logged: tuple[LocalServer, list[str]], query: str, status: int, code: str) -> None:
    server, _ = logged
    with user(server, "plain") as client:
        assert told(client.http.get(f"/workflows/logs?{query}"))[:2] == (status, code)


# -- the wrong app -------------------------------------------------------------------------------

_ASK = {"inputs": {"q": "x", "query": "x"}, "query": "x", "user": "u"}
_HERE = f"/conversations/{NOWHERE}"
OF_CHATS = [
    ("POST", "/chat-messages", _ASK), ("POST", f"/chat-messages/{NOWHERE}/stop", {"user": "u"}),
    ("GET", "/conversations?user=u", None), ("GET", f"/messages?user=u&conversation_id={NOWHERE}", None),
    ("GET", "/messages?user=u", None), ("GET", f"/messages/{NOWHERE}/suggested?user=u", None),
    ("POST", f"{_HERE}/name", {"user": "u", "name": "x"}), ("DELETE", _HERE, {"user": "u"}),
    ("GET", f"{_HERE}/variables?user=u", None),
]  # fmt: skip
OF_RUNS = [
    ("POST", "/workflows/run", _ASK), ("POST", f"/workflows/{NOWHERE}/run", _ASK),
    ("POST", f"/workflows/tasks/{NOWHERE}/stop", {"user": "u"}), ("GET", f"/workflows/run/{NOWHERE}", None),
]  # fmt: skip
OF_COMPLETIONS = [("POST", "/completion-messages", _ASK), ("POST", f"/completion-messages/{NOWHERE}/stop", {"user": "u"})]


@pytest.mark.parametrize("app", ["plain", "completion", "flow", "chat"])
def test_the_wrong_app(server: LocalServer, dialect: Dialect, app: str) -> None:
    refused = [*((one, "not_chat_app", WRONG) for one in OF_CHATS if app in ("plain", "completion"))]
    refused += [(one, "not_workflow_app", WRONG) for one in OF_RUNS if app != "plain"]
    refused += [(one, "app_unavailable", UNAVAILABLE) for one in OF_COMPLETIONS if app != "completion"]
    with user(server, app) as client:
        for (method, path, body), code, message in refused:
            response = client.http.request(method, path, json=body)
            if app == "flow" and path == f"/workflows/run/{NOWHERE}" and dialect != "0.15":
                assert response.status_code == (404 if dialect == "1.16" else 200)
            elif dialect == "0.15" and (path.endswith("/variables?user=u") or path == f"/workflows/{NOWHERE}/run"):
                assert response.status_code == 404
            else:
                assert told(response) == (400, code, message), path


def test_what_apps_say_of_themselves(server: LocalServer, dialect: Dialect) -> None:
    for app, mode in (("plain", "workflow"), ("completion", "completion")):
        with user(server, app) as client:
            assert client.get("/info").json().get("mode") == (None if dialect == "0.15" else mode)
            ((kind, field),) = client.get("/parameters").json()["user_input_form"][0].items()
            assert (kind, field["variable"]) == ("paragraph", "q" if app == "plain" else "query")
            assert client.get("/meta").json() == {"tool_icons": {}}
            assert client.get("/site").status_code == (404 if dialect == "0.15" else 200)


# -- completions ---------------------------------------------------------------------------------


def completed(client: User, **body: Any) -> list[Event]:
    asked = {"inputs": {"query": "hi"}, "user": client.user, "response_mode": "streaming", **body}
    with client.http.stream("POST", "/completion-messages", json=asked) as response:
        assert response.status_code == 200
        return list(events_of(response.iter_bytes()))


def test_a_completion(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "completion") as client:
        events = completed(client)
        assert names(events) == ["message", "message_end"]
        assert all(list(event)[:4] == ["event", "message_id", "created_at", "task_id"] for event in events)
        assert answer_of(events) == "You said: Say hi"
        assert events[-1]["files"] == ([] if dialect == "1.16" else None)
        whole = client.blocking("/completion-messages", query="hi").json()
        assert list(whole) == ["event", "task_id", "id", "message_id", "mode", "answer", "metadata", "created_at"]
        assert (whole["mode"], whole["answer"]) == ("completion", "You said: Say hi")
        # What stands beside the inputs takes the place of the prompt; it is no input.
        assert answer_of(completed(client, query="TOP")) == "You said: TOP"
        missing = client.post("/completion-messages", {"inputs": {}, "query": "hi", "user": "u"})
        assert told(missing) == (400, "invalid_param", "query is required in input form")


def test_a_completion_that_fails(server: LocalServer, dialect: Dialect) -> None:
    limited = dialect == "1.16"
    with user(server, "completion") as client:
        (event,) = completed(client, inputs={"query": "slow down"})
        assert not {"conversation_id", "task_id"} & set(event)
        code = "rate_limit_error" if limited else "completion_request_error"
        assert (event["event"], event["code"], event["status"]) == ("error", code, 429 if limited else 400)
        answer = client.blocking("/completion-messages", query="slow down")
        assert told(answer)[:2] == (429 if limited else 400, code)


def test_what_people_think_of_a_completion(server: LocalServer, dialect: Dialect) -> None:
    with user(server, "completion") as client:
        for asked in ("hi", "slow down"):
            message = completed(client, inputs={"query": asked})[0]["message_id"]
            path = f"/messages/{message}/feedbacks"
            assert client.post(path, {"user": client.user, "rating": None}).status_code == 400
            assert client.post(path, {"user": client.user, "rating": "like"}).json() == {"result": "success"}
            assert told(client.post(path, {"user": "other", "rating": "like"}))[:2] == (404, "not_found")
            if dialect != "0.15":
                row = client.http.get("/app/feedbacks").json()["data"][0]
                assert (row["message_id"], row["rating"]) == (message, "like")
                assert uuid.UUID(row["conversation_id"])


def test_what_a_completion_keeps(server: LocalServer) -> None:
    """A message, of which no list tells and whose conversation nobody can go on with."""
    with user(server, "completion") as client:
        message = completed(client)[0]["message_id"]
        store = server._store
        row = store.reader.submit(
            lambda db: dict(db.execute(
                "SELECT m.answer, m.state, c.alone FROM messages m JOIN conversations c ON c.id = m.conversation"
                " WHERE m.id = ?", (message,),
            ).fetchone())
        ).result(10)  # fmt: skip
        assert row == {"answer": "You said: Say hi", "state": "done", "alone": 1}


def test_sound_is_for_apps_that_have_a_voice(server: LocalServer) -> None:
    for app in ("plain", "completion"):
        with user(server, app) as client:
            answer = client.post("/text-to-audio", {"text": "hi", "user": "u"})
            assert told(answer) == (400, "invalid_param", "TTS is not enabled")


def test_a_run_is_no_message(server: LocalServer) -> None:
    with user(server, "plain") as client:
        run = client.run(q="x")[0]["workflow_run_id"]
        answer = client.post(f"/messages/{run}/feedbacks", {"user": client.user, "rating": "like"})
        assert told(answer) == (404, "not_found", "Message Not Exists.")
        spoken = client.post("/text-to-audio", {"message_id": run, "user": client.user})
        assert (spoken.status_code, spoken.json()) == (200, None)


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
