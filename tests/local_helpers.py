"""What the tests of the embedded server share: a client over a real socket, and its events."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx
import pytest

from dify_notebook.local.apps import matching
from dify_notebook.local.engine.search import words
from dify_notebook.local.server import Server

Event = dict[str, Any]
NOWHERE = "00000000-0000-4000-8000-000000000000"
"""An id that nothing has."""

SINCE_1 = pytest.mark.parametrize("dialect", ["1.16", "1.12"], indirect=True, scope="module")
"""What Dify 0.15 lacks or says otherwise; `test_local_older.py` has how."""


class Client:
    """One app of a server, by one user."""

    def __init__(self, server: Server, app: str = "guide", user: str = "tester") -> None:
        self.user = user
        headers = {"Authorization": f"Bearer {server.api_key(app)}"}
        self.http = httpx.Client(base_url=server.base_url, headers=headers, timeout=20, trust_env=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def body(self, query: str, **more: Any) -> dict[str, Any]:
        return {"query": query, "inputs": {}, "user": self.user, "response_mode": "streaming", **more}

    def stream(self, query: str, **more: Any) -> Generator[Event, None, None]:
        """Events as they come; closing it hangs up."""
        with self.http.stream("POST", "/chat-messages", json=self.body(query, **more)) as response:
            if response.status_code != 200:
                response.read()
            assert response.status_code == 200, response.text
            yield from events_of(response.iter_bytes())

    def ask(self, query: str, **more: Any) -> list[Event]:
        return list(self.stream(query, **more))

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(path, params={"user": self.user, **query})

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        return list(self.get("/messages", conversation_id=conversation, limit=100).json()["data"])

    def upload(self, name: str, content: bytes, kind: str = "text/csv") -> httpx.Response:
        return self.http.post("/files/upload", files={"file": (name, content, kind)}, data={"user": self.user})


@contextmanager
def passages_read_once() -> Iterator[None]:
    """The pipeline reads every passage of the documentation anew for each item, so that its times are true; here each
    is read once. What it finds is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "groups", cache(matching.groups))
        patch.setattr(matching, "terms", cache(words.terms))
        yield


def events_of(chunks: Iterator[bytes]) -> Iterator[Event]:
    """Data events of a stream; framing is strict, since the server is ours."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while b"\n\n" in rest:
            frame, _, rest = rest.partition(b"\n\n")
            if frame == b"event: ping":
                continue
            assert frame.startswith(b"data: {"), frame
            yield json.loads(frame[6:])
    assert rest == b""


def answer_of(events: list[Event]) -> str:
    return "".join(event["answer"] for event in events if event["event"] in ("message", "agent_message"))


def names(events: list[Event]) -> list[str]:
    """Names of events in order, repeats of text taken together."""
    found: list[str] = []
    for event in events:
        if not (found and found[-1] == event["event"] and event["event"] in ("message", "agent_message")):
            found.append(event["event"])
    return found


def end_of(events: list[Event]) -> Event:
    """The end of the message: `message_end`. It is the last event, or the last but the end of the run."""
    assert events[-1]["event"] == "message_end" or names(events)[-2:] == ["message_end", "workflow_finished"]
    return next(event for event in events if event["event"] == "message_end")


def ran(events: list[Event]) -> Event:
    """What is told of a chatflow's run at its end; nothing but the message's end, or an error, may come behind it."""
    last = names(events)[-2:]
    assert "workflow_finished" in last
    assert {*last} <= {"workflow_finished", "message_end", "error"} or last[-1] == "workflow_finished"
    (data,) = [event["data"] for event in events if event["event"] == "workflow_finished"]
    return dict(data)


def failure(events: list[Event]) -> str:
    """Why a chatflow's run failed: what its end says, and an error behind it where there is one."""
    whole = ran(events)
    assert whole["status"] == "failed"
    assert "message_end" not in names(events)
    message = f"Run failed: {whole['error']}"
    if events[-1]["event"] == "error":
        assert events[-1]["message"] == message
    return message


def told(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of an error; its envelope must be whole."""
    body = response.json()
    if response.headers["x-version"] == "0.15.3" and ("params" in body or body["code"] == "unknown"):
        assert "status" not in body
        body["status"] = response.status_code
        if "params" in body:
            body["message"] = f"{body.pop('params')}: {body['message']}"
    assert set(body) == {"code", "message", "status"}
    assert body["status"] == response.status_code
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-version"] in ("1.16.1", "1.12.1", "0.15.3")
    assert response.content.endswith(b"}\n")
    return response.status_code, body["code"], body["message"]


class Sounds:
    """Speech for tests: sound that holds its text, in the MIME type of MP3, and heard again from it."""

    def speak(self, text: str, voice: str, language: str) -> tuple[bytes, str]:
        return b"ID3\x04" + text.encode(), "audio/mpeg"

    def hear(self, sound: bytes, mime_type: str) -> str:
        return sound.removeprefix(b"ID3\x04").decode("utf-8", "replace")
