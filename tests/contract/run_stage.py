"""Recorded exchanges of workflow and completion apps: which those are, which app was asked, and what was there then."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Literal

import httpx
from contract import declared_apps, replay_runs
from contract.replay import Replay, Stage, compare, events
from contract.streams import Recording
from contract.workflow_apps import Gate
from local_helpers import NOWHERE

from dify_notebook.local.engine.app import App, fixed_id
from dify_notebook.local.engine.declare.apps import resolve
from dify_notebook.local.engine.models.choice import Wanted
from dify_notebook.local.server.process import LocalServer

OWNER = "golden-user"
CLOSED: dict[str, Literal["unpublished", "disabled"]] = {"wf-unpublished": "unpublished", "wf-disabled": "disabled"}
OTHERS = ("workflows-", "completion-")
_NAMED = re.compile(
    r"(wrong-mode-)?(wf-|comp-|completion|workflow(?!-id-|-events)|workflows-run|humanworkflow|failworkflow|slowworkflow)"
)
LOGGED = "wf-fail"
"""The app whose log is read."""
RUNS = ("empty", "plain", "empty 关键词", "plain retry") * 6
"""What its runs were asked, more than a page of twenty."""
SOURCES = {
    # A run that was looked up, under another name than the request that made it.
    "blocking": "llm-hello-blocking", "llm": "llm-hello-streaming", "no-auth": "llm-hello-streaming",
    "trailing-slash": "llm-hello-streaming", "workflow-finished": "workflow-blocking", "stopped-code*": "stop-code-sleep",
    "stop-wrong-user": "stop-llm-wrong-user", "stopped-iteration-again-0": "stop-iteration-again-0",
    "stopped-iteration-again-1": "stop-iteration-again-1", "stopped-iteration-again-2": "stop-iteration-again-2",
}  # fmt: skip
NAMED_OTHERWISE = {"plain-chat-*": "plain-chat", "chatflow-own-run": "chatflow", "workflows-run-streaming": "wf-mod"}
"""The app of a case whose name does not begin with it."""
STOPPED_AT = {
    "stop-code-sleep": ("node_started", "code"), "stop-iteration*": ("node_finished", "llm"), "stop-*": ("text_chunk", None),
}  # fmt: skip
"""The event after which a run was stopped, and the type of its node."""
ABOUT = {"parameters", "info", "meta", "site"}


def is_other(case: str) -> bool:
    """Whether a recorded exchange is about an app that holds no conversations, or asks one as if it did."""
    endpoint, _, what = case.partition("__")
    return endpoint.startswith(OTHERS) or _NAMED.match(what) is not None


def app_of(case: str, names: Sequence[str]) -> str:
    """The app that was asked."""
    endpoint, _, what = case.partition("__")
    if found := re.search(r"wrong-mode-(.+?)(-streaming|-blocking)?$", what):
        return found[1]
    for pattern, app in NAMED_OTHERWISE.items():
        if fnmatchcase(what, pattern):
            return app
    if endpoint == "workflows-stop":
        return "wf-llm"
    name = what.removeprefix("app-").removeprefix("err-")
    for known in sorted(names, key=len, reverse=True):
        if name.startswith(known) and (known not in ("completion", "workflow") or endpoint in ABOUT):
            return known
    if endpoint == "workflows-logs":
        return "workflow-116" if name.startswith("workflow") else LOGGED
    if endpoint == "workflows-run-detail":
        what = next((source for pattern, source in SOURCES.items() if fnmatchcase(what, pattern)), what)
    spoken = endpoint.startswith("completion") or "completion" in what
    table = replay_runs.COMPLETIONS if spoken else replay_runs.APPS
    return next(app for pattern, app in table.items() if fnmatchcase(what, pattern))


def apps(web: str, nothing: str, gate: Gate, model: str) -> list[App]:
    """All of them, and the chats whose keys were tried."""
    ready = Wanted(url=model, name="stub")
    chats = [
        declared_apps.plain(), declared_apps.flow(web), declared_apps.agent(),
        {**declared_apps.plain(), "name": "basic-chat", "form": declared_apps.FORM},
    ]  # fmt: skip
    every = resolve([*replay_runs.declared(web, nothing, gate), *chats], ready)
    return [replace(app, closed=CLOSED.get(app.name, "")) for app in every]


class RunStage(Stage):
    """A server with these apps; what a request names was made by asking the request that made it, again."""

    def __init__(
        self, server: LocalServer, picture: str, names: Sequence[str], gate: Gate, recorded: Mapping[str, Recording]
    ) -> None:
        """Args:
        recorded: every exchange of the version, by case.
        """
        super().__init__(server, picture, names, {})
        self.gate = gate
        self._recorded = recorded
        self._ran: dict[str, str] = {}
        self._logged = False

    def ran(self, source: str, *, app: str) -> str:
        """The run that a recorded request made, made once."""
        if source not in self._ran:
            answer = RunReplay(self, self._recorded[f"workflows-run__{source}"], app).send()
            told = events(answer.content) or [answer.json()]
            self._ran[source] = str(told[0]["workflow_run_id"])
        return self._ran[source]

    def log(self) -> None:
        """Fill the log."""
        if not self._logged:
            self._logged = True
            for at, text in enumerate(RUNS):
                user = ("log-user-😀", OWNER)[at % 2 == 0 or at < 4]
                self.run(LOGGED, user, q=text)

    def run(self, app: str, user: str, **inputs: Any) -> dict[str, Any]:
        """A run that has ended."""
        body = {"inputs": inputs, "user": user, "response_mode": "blocking"}
        answer = self.client(app, user).post("/workflows/run", body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def workflow(self, app: str, inputs: Mapping[str, Any]) -> str:
        """The id of an app's version, which a run with these inputs tells."""
        return str(self.run(app, OWNER, **inputs)["data"]["workflow_id"])

    def completed(self, user: str, *, rated: bool = False, failed: bool = False) -> str:
        """A completion by its message."""
        body = {"inputs": {"query": "HTTP500" if failed else "hi"}, "user": user, "response_mode": "streaming"}
        client = self.client("completion", user)
        message = str(events(client.post("/completion-messages", body).content)[0]["message_id"])
        if rated:
            assert client.post(f"/messages/{message}/feedbacks", {"user": user, "rating": "like"}).status_code == 200
        return message

    def form(self) -> str:
        """The token of a form that waits."""
        body = {"inputs": {"text": "hi"}, "user": OWNER, "response_mode": "streaming"}
        told = events(self.client("humanworkflow", OWNER).post("/workflows/run", body).content)
        return next(str(event["data"]["form_token"]) for event in told if event["event"] == "human_input_required")


class RunReplay(Replay):
    """One recorded exchange with such an app, asked again."""

    stage: RunStage

    def __init__(self, stage: RunStage, told: Recording, app: str) -> None:
        super().__init__(stage, told)
        self.app = app
        self._endpoint = told.case.partition("/")[2].partition("__")[0]

    def differences(self) -> list[str]:
        if self._endpoint == "workflows-logs":
            self.stage.log()
        answer = self.send()
        self.stage.gate.open.set()
        return [*compare(self.told, answer), *results(self.told, answer)]

    def send(self) -> httpx.Response:
        if self._endpoint == "workflows-run":
            # What a recorder left, or waited long for, is read to its end: it goes on at once.
            self.stage.gate.open.set()
        after = next((event for pattern, event in STOPPED_AT.items() if fnmatchcase(self.what, pattern)), None)
        if after is None or self._endpoint != "workflows-run":
            return self._send()
        return self._stopped(after)

    def _left(self) -> str:
        """A run whose reader left in the middle; it has ended where the recorded one had."""
        gate, stage, status = self.stage.gate, self.stage, json.loads(self.told.body)["status"]
        self.app = "wf-slow" if status == "running" else "wf-llm"
        gate.shut()
        body = {"inputs": {"q": "sleep LONG"}, "user": OWNER, "response_mode": "streaming"}
        with stage.client(self.app, OWNER).http.stream("POST", "/workflows/run", json=body) as answer:
            read = b""
            for chunk in answer.iter_raw():
                read += chunk
                if begun := events(read):
                    break
        run, http = str(begun[0]["workflow_run_id"]), stage.client(self.app, OWNER).http
        while http.get(f"/workflows/run/{run}").json()["status"] != status:
            time.sleep(0.01)
        return run

    def _stopped(self, after: tuple[str, str | None]) -> httpx.Response:
        """Its run is stopped, by who stopped the recorded one, once an event was told."""
        user = "another-user" if "wrong-user" in self.what else self.user
        stopper = self.stage.client("wf-two" if "other-app" in self.what else self.app, user)
        self.stage.gate.shut()
        url, body = f"{self.stage.server.base_url}/workflows/run", self.told.request.json
        headers = {"Authorization": f"Bearer {self.stage.server.api_key(self.app)}"}
        read, stopped = b"", False
        with self.stage.http.stream("POST", url, json=body, headers=headers) as answer:
            for chunk in answer.iter_raw():
                read += chunk
                told = events(read)
                last = next((one for one in told if (one["event"], one["data"].get("node_type")) == after), None)
                if stopped or last is None:
                    continue
                stopped = stopper.post(f"/workflows/tasks/{last['task_id']}/stop", {"user": user}).status_code == 200
                self.stage.gate.open.set()
        assert stopped
        return httpx.Response(answer.status_code, headers=answer.headers, content=read)

    def _path(self, path: str) -> str:
        if self._endpoint == "human-input":
            return path.rpartition("/")[0] + "/" + self.stage.form()
        return super()._path(path)

    def _thing(self, parts: list[str], at: int) -> str:
        stage, what = self.stage, self.what
        match parts[at - 1]:
            case "run" if "unknown" not in what:
                return self._run()
            case "workflows" if "draft" in what:
                return fixed_id("draft", self.app)
            case "workflows" if "bogus" not in what:
                mine = "wf-llm" if "other-app" in what else "wf-ver" if self.app == "chatflow" else self.app
                return stage.workflow(mine, self.told.request.json.get("inputs") or {"q": "hi"})
            case "messages" if self._endpoint == "completion-feedback":
                owner = OWNER if "other-user" in what else self.user
                return stage.completed(owner, rated="null" in what and "again" not in what, failed="failed" in what)
            case "messages" if self.app == "completion":
                return stage.completed(self.user)
            case "files":
                return stage.upload(self.app, self.user)
            case _:
                return str(uuid.uuid4())

    def _run(self) -> str:
        if self.app == "chatflow":
            return str(self.stage.ask(self.app, OWNER, inputs={"city": "Paris"})["workflow_run_id"])
        if "disconnect" in self.what:
            return self._left()
        if self.what == "iterfail-parallel":
            return str(self.stage.run(self.app, OWNER, q="parallel")["workflow_run_id"])
        source = next((name for pattern, name in SOURCES.items() if fnmatchcase(self.what, pattern)), self.what)
        kept = self.stage._recorded
        source = next(
            name for name in (source, f"{source}-streaming", f"{source}-blocking", source.replace("-blocking", "-streaming"),
                              source.replace("-streaming", "-blocking")) if f"workflows-run__{name}" in kept
        )  # fmt: skip
        return self.stage.ran(source, app=self.app)

    def _named(self, name: str, value: Any) -> Any:
        if name == "keyword" and "runid" in self.what:
            return self.stage.run(LOGGED, OWNER, q="empty")["workflow_run_id"]
        if name == "conversation_id":
            return str(uuid.uuid4())
        if name == "upload_file_id" and value != NOWHERE and isinstance(value, str) and "-" in value and self.there:
            return self.stage.upload(self.app, self.user)
        return super()._named(name, value)


def results(told: Recording, answer: httpx.Response) -> Iterator[str]:
    """Differences in what was said and not only in its form: how a run ended, the names and kinds of its outputs, and
    whether a list holds anything."""
    if told.status != 200 or answer.status_code != 200 or not told.whole:
        return
    first, second = (_results(body) for body in (told.body, answer.content))
    if first != second:
        yield f"said {first} -> {second}"


def _results(body: bytes) -> list[Any]:
    found: list[Any] = []
    try:
        whole = json.loads(body)
    except ValueError:
        whole = None
    bodies = [whole] if isinstance(whole, dict) else events(body)
    for one in bodies:
        inner = one.get("data", one)
        if isinstance(inner, list):
            found.append(bool(inner))
        elif "outputs" in inner and "workflow_id" in inner:
            outputs = inner["outputs"]
            named = json.loads(outputs) if isinstance(outputs, str) else outputs
            found.append((inner["status"], type(outputs).__name__, {name: _kind(value) for name, value in (named or {}).items()}))
    return found


def _kind(value: Any) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)

