"""A workflow app and a completion app whose runs are decided by the first word of their text; by two keys."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from support.raw_server import Connection, RawServer, Request

FLOW_KEY, TEXT_KEY = "app-" + "f1Ow" * 6, "app-" + "t3Xt" * 6
FORM = [
    {"paragraph": {"variable": "text", "label": "Text", "required": True, "max_length": 1000}},
    {"text-input": {"variable": "lang", "label": "Language", "required": False}},
    {"number": {"variable": "n", "label": "Number", "required": False}},
]
TABLE = [{"word": "red", "count": 2}, {"word": "green", "count": 1}]


class ScriptedFlow:
    """The script of a `RawServer`. slow: a part of the text, then nothing until it is stopped. fail: a node fails.
    cut: a part, then the connection drops; while `follows`, its end can be read."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, dict[str, Any]]] = []
        """Paths and bodies of what was asked, in order."""
        self.stops: list[str] = []
        """Paths of stops, in order."""
        self.partials = 0
        """How many parts of texts have been sent so far."""
        self.follows = False
        self.released = threading.Event()
        """Set at the end of the tests, so that no script waits for ever."""
        self._stopped: dict[str, threading.Event] = {}

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        flow = request.headers.get("authorization") == f"Bearer {FLOW_KEY}"
        if path == "/info":
            info = {"name": "Counter", "mode": "workflow"} if flow else {"name": "Poet", "mode": "completion"}
            connection.reply("200 OK", info, extra="X-Version: 1.16.1\r\n")
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": FORM})
        elif path.endswith("/stop"):
            self.stops.append(path)
            self._stopped.setdefault(path.split("/")[-2], threading.Event()).set()
            connection.reply("200 OK", {"result": "success"})
        elif path.endswith("/run") and flow:
            self.runs.append((path, request.json))
            self._run(request.json, connection)
        elif path.startswith("/workflow/") and self.follows:
            connection.head()
            run = path.split("/")[2]
            ended = {"id": run, "workflow_id": "w1", "status": "succeeded", "outputs": {"report": "late"}}
            connection.event(event="workflow_finished", data=ended, task_id="t", workflow_run_id=run)
            connection.end()
        elif path == "/completion-messages" and not flow:
            self.runs.append((path, request.json))
            self._complete(request.json, connection)
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path})

    def _run(self, body: dict[str, Any], connection: Connection) -> None:
        run, text = str(uuid.uuid4()), str(body["inputs"]["text"])
        word, ids = text.split()[0], {"task_id": str(uuid.uuid4()), "workflow_run_id": run}
        node = {"id": str(uuid.uuid4()), "node_id": "n1", "node_type": "code", "title": "Count", "index": 1}
        data: dict[str, Any] = {"id": run, "workflow_id": "w1", "created_at": 1}
        connection.head()
        connection.event(event="workflow_started", data={**data, "inputs": body["inputs"]}, **ids)
        connection.event(event="node_started", data=node, **ids)
        part = {"text": "counting ", "from_variable_selector": ["n1", "text"]}
        connection.event(event="text_chunk", data=part, **ids)
        self.partials += 1
        if word == "cut":
            connection.reset()
            return
        status, error, outputs = "succeeded", None, {"report": f"**{text}**", "table": TABLE, "count": 3}
        if word == "slow":
            stopped = self._stopped.setdefault(ids["task_id"], threading.Event())
            while not self.released.is_set() and not connection.gone.is_set() and not stopped.wait(0.05):
                pass
            status, error, outputs = "stopped", "Stopped by user.", {}
        elif word == "fail":
            status, error, outputs = "failed", "Nothing to count.", {}
        ended = {"status": "failed" if word == "fail" else "succeeded", "error": error, "elapsed_time": 0.1}
        if word != "slow":
            connection.event(event="node_finished", data={**node, **ended, "outputs": outputs}, **ids)
        data |= {"status": status, "outputs": outputs, "error": error, "elapsed_time": 0.2, "total_tokens": 5}
        connection.event(event="workflow_finished", data={**data, "total_steps": 1, "finished_at": 2}, **ids)
        connection.end()

    def _complete(self, body: dict[str, Any], connection: Connection) -> None:
        message = str(uuid.uuid4())
        ids = {"task_id": str(uuid.uuid4()), "message_id": message, "id": message, "mode": "completion"}
        connection.head()
        for piece in ("A poem on ", str(body["inputs"]["text"])):
            connection.event(event="message", answer=piece, **ids)
        connection.event(event="message_end", metadata={"usage": {"total_tokens": 7}}, **ids)
        connection.end()


def scripted_flow() -> tuple[ScriptedFlow, RawServer]:
    """The apps, and the server that plays them."""
    app = ScriptedFlow()
    return app, RawServer(app)
