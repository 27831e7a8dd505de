"""Completion apps of the embedded server in each dialect, and what is refused to apps of another kind."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from contract.workflow_stage import WRONG, User, serving, user
from local_helpers import NOWHERE, Event, Sounds, answer_of, events_of, names, told

from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

UNAVAILABLE = "App unavailable, please check your app configurations."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("completions"), dialect, speech=Sounds(), faults=True) as running:
        yield running


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
