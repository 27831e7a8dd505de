"""A chatflow of Dify 1.16 that asks people, decided by the first word of the question; it never hurries by itself."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.raw_server import Connection, RawServer, Request

KEY = "app-" + "h3Kw" * 6
VERSION = "X-Version: 1.16.1\r\n"
NOTE: dict[str, Any] = {
    "output_variable_name": "note",
    "type": "paragraph",
    "default": {"type": "constant", "selector": [], "value": "my note"},
}
KIND: dict[str, Any] = {
    "output_variable_name": "kind",
    "type": "select",
    "option_source": {"type": "constant", "selector": [], "value": ["x", "y"]},
}
PAPER: dict[str, Any] = {
    "output_variable_name": "paper",
    "type": "file",
    "allowed_file_types": ["document"],
    "allowed_file_extensions": [],
    "allowed_file_upload_methods": ["local_file"],
}
APPROVE = {"id": "approve", "title": "Approve", "button_style": "primary"}
REJECT = {"id": "reject", "title": "Reject", "button_style": "default"}


@dataclass
class Asked:
    """A form of a run."""

    node: str
    title: str
    inputs: list[dict[str, Any]]
    content: str
    actions: list[dict[str, Any]]
    expires: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: uuid.uuid4().hex[:22])
    answer: dict[str, Any] | None = None
    """What was submitted."""
    noticed: bool = True
    """Whether the run has been told of the answer; it may take a while."""
    passed: bool = False
    """Whether the run went on with it."""

    @property
    def told(self) -> dict[str, Any]:
        return {
            "form_id": self.id,
            "node_id": self.node,
            "node_title": self.title,
            "form_content": self.content,
            "inputs": self.inputs,
            "actions": self.actions,
            "display_in_ui": True,
            "form_token": self.token,
            "resolved_default_values": {},
            "expiration_time": int(self.expires),
        }

    @property
    def rendered(self) -> str:
        given = (self.answer or {}).get("inputs", {})
        return re.sub(r"\{\{#\$output\.(\w+)#\}\}", lambda found: str(given.get(found[1], "")), self.content)

    @property
    def stored(self) -> dict[str, Any]:
        """As `/messages` tells it."""
        done = self.answer
        action = next((each for each in self.actions if done and each["id"] == done["action"]), None)
        return {
            "type": "human_input",
            "submitted": done is not None,
            "form_definition": {**self.told, "form_token": None if done else self.token},
            "form_submission_data": done
            and {
                "node_id": self.node,
                "node_title": self.title,
                "rendered_content": self.rendered,
                "action_id": done["action"],
                "action_text": action and action["title"],
                "submitted_data": done["inputs"],
            },
        }


@dataclass
class Run:
    """A question, and what became of it."""

    query: str
    conversation: str
    stages: list[list[Asked]]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    message: str = field(default_factory=lambda: str(uuid.uuid4()))
    task: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    answer: str = ""
    finished: bool = False

    @property
    def ids(self) -> dict[str, Any]:
        return {
            "conversation_id": self.conversation,
            "message_id": self.message,
            "task_id": self.task,
            "created_at": int(self.created),
            "workflow_run_id": self.id,
        }

    @property
    def forms(self) -> list[Asked]:
        return [form for stage in self.stages for form in stage]

    @property
    def waiting(self) -> list[Asked]:
        """The forms that it waits for now."""
        stage = next((stage for stage in self.stages if not all(form.passed for form in stage)), [])
        return [form for form in stage if not form.passed]

    @property
    def stored(self) -> dict[str, Any]:
        open_stages = [at for at, stage in enumerate(self.stages) if not all(form.passed for form in stage)]
        reached = self.stages[: open_stages[0] + 1] if open_stages else self.stages
        return {
            "id": self.message,
            "conversation_id": self.conversation,
            "inputs": {},
            "query": self.query,
            "answer": self.answer,
            "feedback": None,
            "retriever_resources": [],
            "created_at": int(self.created),
            "agent_thoughts": [],
            "message_files": [],
            "status": "normal" if self.finished else "paused",
            "error": None,
            "extra_contents": [
                {"workflow_run_id": self.id, **form.stored} for stage in reached for form in stage
            ],
        }


class AskingApp:
    """The script of a `RawServer`.

    ask: one form, a note and a kind. twice: another one after it. two: two at once. file: one with a file. late: one
    that has expired. cut: a part, then the connection drops. Everything else: an echo. An answered run goes on when
    somebody follows it; with the word "hold" in the question it waits on its way for `gate`.
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.submissions: list[tuple[str, dict[str, Any]]] = []
        """Title of the form and body of what was posted, those that were refused included."""
        self.uploads: list[str] = []
        self.stops: list[str] = []
        """Ids of tasks that were to be stopped."""
        self.gate = threading.Event()
        """What "hold" waits for."""
        self.released = threading.Event()
        """Set at the end of the tests, so that no script waits for ever."""
        self.changed = threading.Condition()
        self.mode = "advanced-chat"
        self.refuse_events = 0
        """So many of the next requests to read a run on are refused."""

    @property
    def tokens(self) -> list[str]:
        """Every key that was given out."""
        return [form.token for run in self.runs for form in run.forms]

    def form(self, title: str) -> Asked:
        """The newest form of that title."""
        return next(form for run in reversed(self.runs) for form in run.forms if form.title == title)

    def answer_elsewhere(self, title: str, action: str = "approve", **inputs: Any) -> None:
        """Somebody else answers that form, by the web app's page."""
        with self.changed:
            self.form(title).answer = {"action": action, "inputs": inputs}
            self.changed.notify_all()

    def finish_elsewhere(self) -> None:
        """The newest run goes on to its end while nobody follows it."""
        run = self.runs[-1]
        for form in run.forms:
            form.answer, form.passed = form.answer or {"action": "approve", "inputs": {}}, True
        run.answer, run.finished = f"{run.answer}Elsewhere. Done.", True

    # -- requests

    def __call__(self, request: Request, connection: Connection) -> None:
        address = urlsplit(request.path)
        path, query = address.path.removeprefix("/v1"), parse_qs(address.query)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            connection.reply("401 Unauthorized", {"code": "unauthorized", "message": "Access token is invalid"})
        elif found := re.fullmatch(r"/form/human_input/(\w+)", path):
            self._form(found[1], request, connection)
        elif found := re.fullmatch(r"/workflow/([\w-]+)/events", path):
            self._events(found[1], "continue_on_pause" in query, connection)
        elif path == "/chat-messages":
            self._ask(request.json, connection)
        elif path.endswith("/stop"):
            self.stops.append(path.split("/")[2])
            connection.reply("200 OK", {"result": "success"})
        elif path == "/files/upload":
            self._upload(request, connection)
        else:
            self._read(path, query, connection)

    def _read(self, path: str, query: dict[str, list[str]], connection: Connection) -> None:
        said: Any = {
            "/info": {"name": "Approvals", "description": "Asks people.", "mode": self.mode, "tags": []},
            "/parameters": {"opening_statement": "**Hello.**", "user_input_form": []},
            "/site": {"title": "Approvals", "icon_type": "emoji", "icon": "🖋"},
            "/meta": {"tool_icons": {}},
        }.get(path)
        if path == "/messages":
            wanted = query.get("conversation_id", [""])[0]
            said = {"limit": 20, "has_more": False, "data": [r.stored for r in self.runs if r.conversation == wanted]}
        elif path == "/conversations":
            newest = dict.fromkeys(run.conversation for run in reversed(self.runs))
            said = {"limit": 20, "has_more": False, "data": [self._conversation(each) for each in newest]}
        if said is None:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path, "status": 404}, extra=VERSION)
        else:
            connection.reply("200 OK", said, extra=VERSION)

    def _conversation(self, id: str) -> dict[str, Any]:
        runs = [run for run in self.runs if run.conversation == id]
        times = {"created_at": int(runs[0].created), "updated_at": int(runs[-1].created)}
        return {"id": id, "name": runs[0].query, "inputs": {}, "status": "normal", "introduction": "", **times}

    def _upload(self, request: Request, connection: Connection) -> None:
        found = re.search(rb'filename="([^"]*)"', request.body)
        name = found[1].decode() if found else "file"
        self.uploads.append(name)
        said = {"id": str(uuid.uuid4()), "name": name, "size": 3, "extension": "txt", "mime_type": "text/plain",
                "created_by": "u", "created_at": int(time.time())}  # fmt: skip
        connection.reply("201 CREATED", said, extra=VERSION)

    # -- asking

    def _ask(self, body: dict[str, Any], connection: Connection) -> None:
        run = Run(body["query"], body.get("conversation_id") or str(uuid.uuid4()), self._stages(body["query"]))
        with self.changed:
            self.runs.append(run)
        connection.head(extra=VERSION)
        connection.chunk(b"event: ping\n\n")
        self._started(run, connection, "initial")
        if run.query.startswith("cut"):
            self._say(run, connection, "Half. ")
            connection.reset()
        if not run.stages:
            self._say(run, connection, f"You said: {run.query}")
            self._finish(run, connection)
        else:
            self._say(run, connection, "Draft.\n")
            self._pause(run, connection)
        connection.end()

    def _stages(self, query: str) -> list[list[Asked]]:
        word = query.split()[0]
        soon = time.time() + 3600

        def form(title: str, inputs: Sequence[dict[str, Any]] = (NOTE, KIND), expires: float = soon) -> Asked:
            asks = "".join(f"\n\n{each['output_variable_name']}: {{{{#$output.{each['output_variable_name']}#}}}}"
                           for each in inputs)  # fmt: skip
            return Asked(title.lower(), title, list(inputs), f"**Please check** <b>{query}</b>{asks}",
                         [APPROVE, REJECT], expires)  # fmt: skip

        return {
            "ask": [[form("First")]],
            "twice": [[form("First")], [form("Second", [NOTE])]],
            "two": [[form("Left", [NOTE]), form("Right", [NOTE])]],
            "file": [[form("Paper", [PAPER])]],
            "late": [[form("Late", expires=time.time() - 5)]],
        }.get(word, [])

    # -- forms

    def _form(self, token: str, request: Request, connection: Connection) -> None:
        form = next((form for run in self.runs for form in run.forms if form.token == token), None)
        body = request.json if request.method == "POST" else {}
        if form is not None and body:
            self.submissions.append((form.title, body))
        refusal = None
        given = body.get("inputs", {})
        with self.changed:
            if form is None:
                refusal = ("404 NOT FOUND", "not_found", "Form not found")
            elif form.answer is not None:
                refusal = ("412 PRECONDITION FAILED", "human_input_form_submitted",
                           f"This form has already been submitted by another user, form_id={form.id}")  # fmt: skip
            elif form.expires < time.time():
                refusal = ("412 PRECONDITION FAILED", "human_input_form_expired",
                           f"This form has expired, form_id={form.id}")  # fmt: skip
            elif body and given.get("note") == "refuse":
                refusal = ("400 BAD REQUEST", "invalid_form_data", "Invalid value for input 'note': refuse")
            elif body:
                form.answer, form.noticed = {"action": body["action"], "inputs": given}, False
                self.changed.notify_all()
        if refusal is not None or form is None:
            status, code, message = refusal or ("404 NOT FOUND", "", "")
            connection.reply(status, {"code": code, "message": message, "status": int(status[:3])}, extra=VERSION)
        elif body:
            connection.reply("200 OK", {}, extra=VERSION)
        else:
            told = form.told
            said = {name: told[name] for name in ("form_content", "inputs", "resolved_default_values")}
            said |= {"user_actions": told["actions"], "expiration_time": told["expiration_time"]}
            connection.reply("200 OK", said, extra=VERSION)

    # -- the run, read on

    def _events(self, id: str, on: bool, connection: Connection) -> None:
        run = next((run for run in self.runs if run.id == id), None)
        if run is None or self.refuse_events:
            self.refuse_events = max(0, self.refuse_events - 1)
            said = {"code": "not_found", "message": "Workflow run not found", "status": 404}
            return connection.reply("404 NOT FOUND", said, extra=VERSION)
        connection.head(extra=VERSION)
        if run.finished:
            connection.event(event="workflow_finished", **{**run.ids, "task_id": run.id}, data=self._finished(run))
            return connection.end()
        connection.chunk(b"event: ping\n\n")
        self._started(run, connection, "initial")
        connection.event(event="message_replace", **run.ids, answer=run.answer, reason="")
        if run.waiting and not any(form.answer and form.noticed for form in run.waiting):
            self._pause(run, connection)
        while on and not run.finished and self._next(run, connection):
            pass
        connection.end()

    def _next(self, run: Run, connection: Connection) -> bool:
        """Wait for an answer, and go on with it; False when the tests are over."""
        with self.changed:
            while run.waiting and not any(form.answer for form in run.waiting):
                if self.released.is_set() or connection.gone.is_set():
                    return False
                self.changed.wait(0.05)
            answered = [form for form in run.waiting if form.answer]
        self._started(run, connection, "resumption")
        for form in answered:
            assert form.answer is not None
            node = {"id": form.id, "node_id": form.node, "node_type": "human-input", "title": form.title, "index": 1}
            connection.event(event="node_started", **run.ids, data=node)
            given, action = form.answer["inputs"], form.answer["action"]
            outputs = {**given, "__action_id": action, "__rendered_content": form.rendered}
            connection.event(event="node_finished", **run.ids, data={**node, "status": "succeeded", "outputs": outputs})
            form.passed = True
            self._say(run, connection, f"{form.title}: {action}, {given.get('note')}. ")
        if "hold" in run.query:
            while not self.gate.wait(0.05) and not self.released.is_set() and run.task not in self.stops:
                pass
        if run.task in self.stops:
            self._finish(run, connection, "stopped")
            return True
        if run.waiting:
            self._pause(run, connection)
            return True
        self._say(run, connection, "Done.")
        self._finish(run, connection)
        return True

    # -- events

    def _started(self, run: Run, connection: Connection, reason: str) -> None:
        data = {"id": run.id, "workflow_id": "w", "inputs": {}, "created_at": int(run.created), "reason": reason}
        connection.event(event="workflow_started", **run.ids, data=data)

    def _say(self, run: Run, connection: Connection, text: str) -> None:
        run.answer += text
        said = {"id": run.message, "answer": text, "from_variable_selector": ["a", "answer"]}
        connection.event(event="message", **run.ids, **said)

    def _pause(self, run: Run, connection: Connection) -> None:
        waiting = run.waiting
        for form in waiting:
            node = {"id": form.id, "node_id": form.node, "node_type": "human-input", "title": form.title, "index": 1}
            connection.event(event="node_started", **run.ids, data=node)
            connection.event(event="human_input_required", **run.ids, data=form.told)
        reasons = [{"TYPE": "human_input_required", **form.told} for form in waiting]
        data = {"workflow_run_id": run.id, "paused_nodes": [form.node for form in waiting], "outputs": {},
                "reasons": reasons, "status": "paused", "elapsed_time": 0.1, "total_tokens": 3}  # fmt: skip
        connection.event(event="workflow_paused", **run.ids, data=data)

    def _finish(self, run: Run, connection: Connection, status: str = "succeeded") -> None:
        run.finished = True
        if status == "stopped":  # nothing else is told
            told = {**self._finished(run), "status": status, "error": "Aborted: User requested stop"}
            return connection.event(event="workflow_finished", **run.ids, data=told)
        usage = {"total_tokens": 29, "total_price": "0.001", "currency": "USD"}
        connection.event(event="message_end", **run.ids, id=run.message, metadata={"usage": usage}, files=[])
        connection.event(event="workflow_finished", **run.ids, data=self._finished(run))

    def _finished(self, run: Run) -> dict[str, Any]:
        return {"id": run.id, "status": "succeeded", "outputs": {"answer": run.answer}, "error": None}


def asking() -> tuple[AskingApp, RawServer]:
    """The app, and the server that plays it."""
    app = AskingApp()
    return app, RawServer(app)
