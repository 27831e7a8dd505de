"""A Dify 1.16 whose chatflow asks people: runs that pause at forms, and go on when these are submitted.

The shapes are those that a real server sent; see the recorded streams of `human-input` and `workflow-events`.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from support.raw_server import Connection, RawServer, Request

KEY = "app-" + "h4Rt" * 6
CONTENT = "# Please check\n\nQuestion: {query}\n\nNote: {{{{#$output.note#}}}}\n\nKind: {{{{#$output.kind#}}}}"
INPUTS = [
    {"output_variable_name": "note", "type": "paragraph", "default": {"type": "constant", "value": "my note"}},
    {"output_variable_name": "kind", "type": "select", "option_source": {"type": "constant", "value": ["x", "y"]}},
]
ACTIONS = [
    {"id": "approve", "title": "Approve", "button_style": "primary"},
    {"id": "reject", "title": "Reject", "button_style": "default"},
]
ROUNDS = {"ask": (("ask",),), "twice": (("ask",), ("again",)), "both": (("left", "right"),)}
"""The nodes that ask, round by round, by the first word of the question."""


class HumanRun:
    """A run, what it has told so far, and the forms that it waits for."""

    def __init__(self, body: dict[str, Any], seconds: float) -> None:
        self.user, self.query, self.seconds = body["user"], body["query"], seconds
        self.id, self.node = str(uuid.uuid4()), 0
        self.ids = {
            "task_id": str(uuid.uuid4()),
            "message_id": str(uuid.uuid4()),
            "conversation_id": body.get("conversation_id") or str(uuid.uuid4()),
        }
        self.rounds = list(ROUNDS.get(self.query.split()[0], ()))
        self.text = ""
        self.nodes: list[dict[str, Any]] = []
        self.forms: dict[str, dict[str, Any]] = {}
        """By token: those that wait, and those that were answered (`done`)."""
        self.told: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.finished = self.slow = False

    @property
    def waiting(self) -> list[tuple[str, dict[str, Any]]]:
        return [(token, form) for token, form in self.forms.items() if not form["done"]]

    def tell(self, event: str, **fields: Any) -> None:
        with self.changed:
            self.told.append({"event": event, "workflow_run_id": self.id, **self.ids, **fields})
            self.changed.notify_all()

    def begin(self) -> None:
        self.tell("workflow_started", data={"id": self.id, "workflow_id": "w", "inputs": {}, "reason": "initial"})
        self.say("Draft. ")
        self.go_on()

    def say(self, text: str) -> None:
        self.text += text
        self.tell("message", answer=text)

    def go_on(self) -> None:
        """The next round of forms, or the end."""
        if self.rounds:
            for node in self.rounds.pop(0):
                token = uuid.uuid4().hex[:22]
                form = {"form_id": str(uuid.uuid4()), "node_id": node, "node_title": f"Person of {node}", "done": None}
                self.forms[token] = form
                self.nodes.append({"id": form["form_id"], "node_id": node, "node_type": "human-input", "title": node})
                self.tell("node_started", data={**self.nodes[-1], "index": len(self.nodes)})
                self.tell("human_input_required", data=self.data_of(token))
            self.pause()
            return
        if "slowly" in self.query:
            self.say("Thinking. ")
            self.slow = True
            return
        self.say("Done.")
        with self.changed:
            self.finished = True
        self.tell("message_end", id=self.ids["message_id"], metadata={"usage": {"total_tokens": 7}})
        data = {"id": self.id, "status": "succeeded", "outputs": {"answer": self.text}, "elapsed_time": 1.0}
        self.tell("workflow_finished", data=data)

    def stop(self) -> None:
        """What a stop does while it is slow; it changes nothing while it waits for a person."""
        if self.slow and not self.finished:
            with self.changed:
                self.finished = True
            data = {"id": self.id, "status": "stopped", "error": "Aborted: User requested stop", "outputs": None}
            self.tell("workflow_finished", data=data)

    def pause(self) -> None:
        reasons = [{"TYPE": "human_input_required", **self.data_of(token)} for token, _ in self.waiting]
        self.tell("workflow_paused", data={"workflow_run_id": self.id, "reasons": reasons, "status": "paused"})

    def data_of(self, token: str) -> dict[str, Any]:
        form = self.forms[token]
        return {
            **{key: form[key] for key in ("form_id", "node_id", "node_title")},
            "form_content": CONTENT.format(query=self.query),
            "inputs": INPUTS,
            "actions": ACTIONS,
            "resolved_default_values": {},
            "form_token": token,
            "expiration_time": int(time.time() + self.seconds),
        }

    def submit(self, token: str, body: dict[str, Any]) -> None:
        form = self.forms[token]
        form["done"] = body
        node = next(node for node in self.nodes if node["id"] == form["form_id"])
        content = CONTENT.format(query=self.query)
        for name, value in body["inputs"].items():
            content = content.replace(f"{{{{#$output.{name}#}}}}", value)
        outputs = {**body["inputs"], "__action_id": body["action"], "__rendered_content": content}
        self.tell("node_finished", data={**node, "status": "succeeded", "outputs": outputs})
        self.say(f"[{form['node_id']}: {body['action']}] ")
        if self.waiting:
            self.pause()
        else:
            self.go_on()

    def follow(self, connection: Connection, position: int, *, beyond_pause: bool) -> None:
        """Send what is told from there on."""
        while True:
            with self.changed:
                if len(self.told) == position:
                    self.changed.wait(20)
                events = self.told[position:]
            for event in events:
                connection.event(**event)
                position += 1
                if event["event"] == "workflow_finished" or (event["event"] == "workflow_paused" and not beyond_pause):
                    connection.end()
                    return
            if not events:
                return

    def snapshot(self) -> tuple[list[dict[str, Any]], int]:
        """The state, as events, and how much had been told then."""
        with self.changed:
            position = len(self.told)
            events = [self.told[0], {"event": "message_replace", "answer": self.text, **self.ids}]
            open_nodes = {form["form_id"] for _, form in self.waiting}
            for node in self.nodes:
                status = "paused" if node["id"] in open_nodes else "succeeded"
                events.append({"event": "node_started", **self.ids, "data": node})
                events.append({"event": "node_finished", **self.ids, "data": {**node, "status": status}})
            if self.finished:
                return [*events, *self.told[-2:]], position
            waiting = [event for event in self.told if event["event"] == "human_input_required"]
            events += [event for event in waiting if event["data"]["form_id"] in open_nodes]
            if self.waiting:
                events.append(next(event for event in reversed(self.told) if event["event"] == "workflow_paused"))
            return events, position


class HumanApp:
    """The script of a `RawServer`. Questions that begin with no word of `ROUNDS` are answered at once.

    Once nobody is asked any more, a question with the word "slowly" goes on until it is stopped.
    """

    def __init__(self, seconds: float = 3600.0) -> None:
        self.seconds = seconds
        """Until a form expires."""
        self.runs: dict[str, HumanRun] = {}
        self.questions: list[dict[str, Any]] = []
        """Bodies of questions."""
        self.submissions: list[dict[str, Any]] = []
        """Bodies of submissions that were taken."""
        self.posts = 0
        """How many were sent."""
        self.stops = 0
        """How many were asked for."""
        self.lost = False
        """Whether no run is known at present."""
        self.meanwhile: Callable[[], object] | None = None
        """Called once, when a run is to be read on: what it does comes after the state that is told."""
        self.hold: threading.Event | None = None
        """While it is there and not set, a submission waits for it before it is looked at."""

    @property
    def tokens(self) -> list[str]:
        return [token for run in self.runs.values() for token in run.forms]

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        version = "X-Version: 1.16.1\r\n"
        if request.headers.get("authorization") != f"Bearer {KEY}":
            connection.reply("401 Unauthorized", {"code": "unauthorized", "message": "Access token is invalid"})
        elif path == "/info":
            connection.reply("200 OK", {"name": "Human", "description": "", "mode": "advanced-chat"}, extra=version)
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": []}, extra=version)
        elif path == "/chat-messages":
            self.questions.append(request.json)
            run = HumanRun(request.json, self.seconds)
            self.runs[run.id] = run
            run.begin()
            connection.head()
            run.follow(connection, 0, beyond_pause=False)
        elif path.endswith("/stop"):
            self.stops += 1
            connection.reply("200 OK", {"result": "success"})
            for run in list(self.runs.values()):
                if run.ids["task_id"] in path:
                    run.stop()
        elif path.startswith("/workflow/"):
            self._events(request, path.split("/")[2], connection)
        elif path.startswith("/form/human_input/"):
            self._form(request, path.rpartition("/")[2], connection)
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path})

    def _events(self, request: Request, id: str, connection: Connection) -> None:
        run = self.runs.get(id)
        if run is None or self.lost or f"user={run.user}" not in request.path:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": "Workflow run not found"})
            return
        connection.head()
        events, position = run.snapshot()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        for event in events:
            connection.event(**event)
        beyond = "continue_on_pause=true" in request.path
        if run.finished or (run.waiting and not beyond):
            connection.end()
            return
        run.follow(connection, position, beyond_pause=beyond)

    def _form(self, request: Request, token: str, connection: Connection) -> None:
        run = next((run for run in self.runs.values() if token in run.forms), None)
        if run is None:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": "Form not found"})
            return
        if request.method == "POST":
            self.posts += 1
            if self.hold is not None:
                self.hold.wait(20)
        problem = self._problem(run, token, request)
        if problem is not None:
            connection.reply(*problem)
        elif request.method == "GET":
            data = run.data_of(token)
            connection.reply("200 OK", {**data, "user_actions": data["actions"]})
        else:
            self.submissions.append(request.json)
            connection.reply("200 OK", {})
            run.submit(token, request.json)

    def _problem(self, run: HumanRun, token: str, request: Request) -> tuple[str, dict[str, Any]] | None:
        if run.forms[token]["done"] is not None:
            message = f"This form has already been submitted by another user, form_id={run.forms[token]['form_id']}"
            return "412 PRECONDITION FAILED", {"code": "human_input_form_submitted", "message": message, "status": 412}
        if request.method == "POST" and json.loads(request.body)["inputs"].get("kind") not in ("x", "y"):
            message = "Invalid value for select input 'kind': zz"
            return "400 BAD REQUEST", {"code": "invalid_form_data", "message": message, "status": 400}
        return None


def human(seconds: float = 3600.0) -> tuple[HumanApp, RawServer]:
    """The app, and the server that plays it."""
    app = HumanApp(seconds)
    return app, RawServer(app)
