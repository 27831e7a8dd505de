"""A server with the apps of `workflow_apps`, and who asks them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from contract import workflow_apps as apps
from contract.workflow_apps import Gate
from local_helpers import Client, Event, events_of
from support.fake_model import FakeModel, Said, words

from dify_notebook import local
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

GATE = Gate()
"""What the apps `gated` and `rounds` wait at."""
WRONG = "Please check if your app mode matches the right API route."


def script(body: dict[str, Any]) -> Said:
    asked = str(body["messages"][-1]["content"])
    return Said(status=429, body={"error": {"message": "slow down"}}) if "slow down" in asked else words(f"You said: {asked}")


@contextmanager
def serving(where: Path, dialect: Dialect = "1.16", **more: Any) -> Iterator[LocalServer]:
    declared = [
        apps.plain(), apps.gated(GATE), apps.rounds(GATE), apps.boom(), apps.soft(), apps.ends(), apps.models(),
        apps.human(), apps.completion(), apps.flow(), apps.chat(),
    ]  # fmt: skip
    GATE.shut()
    with (
        FakeModel(script) as model,
        local.serve(data_dir=where, pace=0, dialect=dialect, apps=declared, model_url=model.url, model="m", **more) as server,
    ):
        try:
            yield server
        finally:
            GATE.open.set()


class User(Client):
    """A client that nobody else is, with what workflow and completion apps are asked."""

    def __init__(self, server: LocalServer, app: str) -> None:
        super().__init__(server, app, f"user-{uuid.uuid4()}")

    def ran(self, path: str = "/workflows/run", *, headers: dict[str, str] | None = None, **inputs: Any) -> Iterator[Event]:
        body = {"inputs": inputs, "user": self.user, "response_mode": "streaming"}
        with self.http.stream("POST", path, json=body, headers=headers) as response:
            if response.status_code != 200:
                response.read()
            assert response.status_code == 200, response.text
            yield from events_of(response.iter_bytes())

    def run(self, **inputs: Any) -> list[Event]:
        return list(self.ran(**inputs))

    def blocking(self, path: str = "/workflows/run", **inputs: Any) -> httpx.Response:
        return self.post(path, {"inputs": inputs, "user": self.user, "response_mode": "blocking"})

    def detail(self, run: str) -> dict[str, Any]:
        response = self.http.get(f"/workflows/run/{run}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def logs(self, **query: Any) -> dict[str, Any]:
        response = self.http.get("/workflows/logs", params=query)
        assert response.status_code == 200, response.text
        return dict(response.json())


@contextmanager
def user(server: LocalServer, app: str) -> Iterator[User]:
    with User(server, app) as client:
        yield client  # type: ignore[misc]


def last(events: list[Event]) -> dict[str, Any]:
    assert events[-1]["event"] == "workflow_finished"
    return dict(events[-1]["data"])


def outputs_of(detail: dict[str, Any]) -> Any:
    """A text before Dify 1.16."""
    return json.loads(detail["outputs"]) if isinstance(detail["outputs"], str) else detail["outputs"]
