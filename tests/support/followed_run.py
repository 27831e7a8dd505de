"""A scripted server of Dify 1.16 with one recorded run: what it tells of it by `/events` and `/messages`, and when.

How a real one does so: the state of a run that is under way is told as nodes with ids, kinds and statuses alone, its
text as "" before the first pause, and the run's id where its task's belongs; iterations and loops stand among the
nodes with ids of their own. A run that has ended is told as its `workflow_finished` alone, with the answer before
moderation. What users may see stands in `/messages`.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dify_notebook.wire.sse import Splitter

from .raw_server import Connection, Request

Event = dict[str, Any]
PAUSES = ("human_input_required", "workflow_paused")
_CONTAINERS = re.compile("(iteration|loop)_(started|next|completed)")


def events_of(body: bytes) -> list[Event]:
    """The events of a recorded body, without its pings; a form that waits has not expired."""
    events = [json.loads(data) for _, data in Splitter().feed(body) if data is not None]
    for event in events:
        if event["event"] == "human_input_required":
            event["data"]["expiration_time"] = int(time.time()) + 86_400
    return events


class Run:
    """A run by the events of its streams, in order, and what of it a server tells later.

    Args:
        events: of the whole run, over its pauses.
        answer: what `/messages` has; None for a server that has no such message.
        usage: fields of a message since Dify 1.16.
        forms: its `extra_contents`.
        status: of the message.
    """

    def __init__(
        self,
        events: Sequence[Event],
        *,
        answer: str | None = None,
        usage: Event | None = None,
        forms: Sequence[Event] = (),
        status: str = "normal",
    ) -> None:
        self.events = list(events)
        started = next(event for event in events if event["event"] == "workflow_started")
        names = ("conversation_id", "message_id", "created_at")
        self.ids: Event = {name: started[name] for name in names if name in started}
        """Of its message; a workflow app's run has none."""
        self.id: str = started["workflow_run_id"]
        self.task: str = started["task_id"]
        self.answer, self.usage, self.forms, self.status = answer, usage or {}, list(forms), status

    # -- what it tells ---------------------------------------------------------------

    def state(self, at: int) -> list[Event]:
        """What `/events` begins with when so many events have been told."""
        before = self.events[:at]
        kinds = [event["event"] for event in before]
        if "workflow_finished" in kinds:
            return [self._finished(before)]
        paused = bool(kinds) and kinds[-1] == "workflow_paused"
        common = {"task_id": self.task if paused else self.id, **self.ids}
        run = {"workflow_run_id": self.id}
        first = next(event for event in self.events if event["event"] == "workflow_started")
        told: list[Event] = [
            {"event": "workflow_started", **common, **run, "data": {**first["data"], "reason": "initial"}},
        ]
        if self.ids:
            told.append({"event": "message_replace", **common, "answer": self._persisted(before), "reason": ""})
        for number, node in enumerate(self._nodes(before), 1):
            data = {**node, "index": number, "inputs": None}
            status = data.pop("status")
            told.append({"event": "node_started", **common, **run, "data": data})
            if status != "running":
                untold = dict.fromkeys(("outputs", "process_data", "execution_metadata", "error"))
                told.append({"event": "node_finished", **common, **run, "data": {**data, **untold, "status": status}})
        if paused:
            last = max(number for number, kind in enumerate(kinds) if kind == "workflow_started")
            asked = [{**event, "task_id": self.task} for event in before[last:] if event["event"] in PAUSES]
            asked[-1] = {**asked[-1], "data": {**asked[-1]["data"], "outputs": {"answer": self._persisted(before)}}}
            told += asked
        return told

    def _finished(self, before: Sequence[Event]) -> Event:
        event = next(event for event in before if event["event"] == "workflow_finished")
        return {"event": "workflow_finished", "task_id": self.id, "workflow_run_id": self.id, "data": event["data"]}

    def _persisted(self, before: Sequence[Event]) -> str:
        """The text is written down at the run's pauses and its end."""
        text = persisted = ""
        for event in before:
            if event["event"] == "message":
                text += event["answer"]
            elif event["event"] == "workflow_paused":
                persisted = text
        return persisted

    def _nodes(self, before: Sequence[Event]) -> list[Event]:
        nodes: dict[str, Event] = {}
        running: dict[str, str] = {}
        for event in before:
            kind, data = event["event"], event.get("data") or {}
            if kind in ("node_started", "node_finished"):
                key = data["id"]
            elif kind in ("iteration_started", "loop_started"):
                key = running[data["node_id"]] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.id} {len(nodes)}"))
            elif kind in ("iteration_completed", "loop_completed"):
                key = running[data["node_id"]]
            elif kind == "human_input_required":
                nodes[data["form_id"]]["status"] = "paused"
                continue
            else:
                continue
            node = nodes.setdefault(key, {"id": key, "status": "running", "iteration_id": None, "loop_id": None})
            node |= {name: data.get(name) for name in ("node_id", "node_type", "title", "created_at")}
            node |= {name: data[name] for name in ("iteration_id", "loop_id") if data.get(name)}
            node["status"] = data["status"] if kind.endswith(("finished", "completed")) else "running"
        return list(nodes.values())

    def kept(self, *, running: bool) -> Event:
        """What `/workflows/run/{id}` has of it, as Dify 1.12 tells it."""
        end: Event = {} if running else self._finished(self.events)["data"]
        names = ("status", "error", "total_steps", "total_tokens", "finished_at", "elapsed_time")
        first = next(event["data"] for event in self.events if event["event"] == "workflow_started")
        return {
            "id": self.id,
            "workflow_id": first["workflow_id"],
            "inputs": json.dumps(first["inputs"]),
            "outputs": json.dumps(end.get("outputs") or {}),
            "created_at": first["created_at"],
            **{name: end.get(name) for name in names},
            "status": end.get("status", "running"),
        }

    def message(self, pause: Event | None = None) -> Event:
        """What `/messages` has of it: at its end, or at that pause."""
        if pause is not None:
            for number, event in enumerate(self.events, 1):
                if event["event"] == "workflow_paused" and _asked(event) == _asked(pause):
                    return {**self.message(), "answer": self._persisted(self.events[:number]), "status": "paused"}
        return {
            "id": self.ids["message_id"],
            "conversation_id": self.ids["conversation_id"],
            "inputs": {},
            "query": "hi",
            "answer": self.answer,
            "feedback": None,
            "retriever_resources": [],
            "created_at": self.ids["created_at"],
            "agent_thoughts": [],
            "message_files": [],
            "status": self.status,
            "error": None,
            "extra_contents": self.forms,
            **self.usage,
        }


def _asked(pause: Event) -> list[str]:
    return [reason["form_id"] for reason in pause["data"]["reasons"]]


class Server:
    """Tells a run: to who asks, up to an event, and later from where the run is by then.

    Args:
        run: it.
        cut: so many events the first stream has before it breaks; None tells it to its end or its first pause.
        at: where the run is when it is followed, one for each time; the last is for all further ones.
        stops: so many events of what follows are told before that stream breaks, likewise; None to its end.
    """

    def __init__(
        self, run: Run, *, cut: int | None = None, at: Sequence[int] = (), stops: Sequence[int | None] = (None,)
    ) -> None:
        self.run, self.cut, self.at, self.stops = run, cut, list(at), list(stops)
        self.submitted: list[tuple[str, Any]] = []
        """Token and body of each form that was answered."""
        self.refusal: tuple[str, Any] | None = None
        """With it a form is refused: the status, and the body."""
        self.stopped: list[str] = []
        """Tasks that were to be stopped."""
        self.messages = True
        """Whether `/messages` is to be had."""
        self.follows = True
        """Whether runs are told again (Dify 1.13 and newer)."""
        self.looks: list[bool] = []
        """What `/workflows/run/{id}` is to say, one for each time, the last for all further ones: whether it runs."""
        self.looked = 0
        self.version = "1.16.1"
        self.breaks = "close"
        """How a stream breaks that is cut: by close, reset or end, a whole body that lacks the run's end."""
        self._pause: Event | None = None

    def __call__(self, request: Request, connection: Connection) -> None:
        path = urlsplit(request.path)
        if path.path in ("/v1/chat-messages", "/v1/workflows/run"):
            self._tell(connection, self._until_pause(self.run.events), self.cut)
        elif path.path == f"/v1/workflow/{self.run.id}/events" and self.follows:
            self._events(connection, parse_qs(path.query))
        elif path.path.endswith("/events") and not self.follows:
            connection.reply("404 Not Found", b"<!doctype html>", "text/html")
        elif path.path == "/v1/messages" and self.messages and self.run.answer is not None:
            connection.reply("200 OK", {"limit": 100, "has_more": False, "data": [self.run.message(self._pause)]})
        elif path.path == f"/v1/workflows/run/{self.run.id}" and self.looks:
            self.looked += 1
            running = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            connection.reply("200 OK", self.run.kept(running=running), extra=f"X-Version: {self.version}\r\n")
        elif path.path.startswith("/v1/form/human_input/") and request.method == "POST":
            if self.refusal is not None:
                connection.reply(*self.refusal)
                return
            self.submitted.append((path.path.rpartition("/")[2], request.json))
            connection.reply("200 OK", {})
        elif path.path.startswith("/v1/form/human_input/"):
            form = next(form for form in self._forms() if form["form_token"] == path.path.rpartition("/")[2])
            names = ("form_content", "inputs", "resolved_default_values", "expiration_time")
            connection.reply("200 OK", {"user_actions": form["actions"], **{name: form[name] for name in names}})
        elif path.path.endswith("/stop"):
            self.stopped.append(path.path.split("/")[-2])
            connection.reply("200 OK", {"result": "success"})
        else:
            connection.reply("404 Not Found", {"code": "not_found", "message": path.path, "status": 404})

    def _events(self, connection: Connection, query: dict[str, list[str]]) -> None:
        at = self.at.pop(0) if len(self.at) > 1 else self.at[0]
        stop = self.stops.pop(0) if len(self.stops) > 1 else self.stops[0]
        told = self.run.state(at)
        rest = self.run.events[at:]
        if told[-1]["event"] == "workflow_finished":
            rest = []
        if "continue_on_pause" in query:
            self._tell(connection, self._until_asked([*told, *rest]), stop, stays=True)
        else:
            self._tell(connection, self._until_pause([*told, *rest]), stop)

    def _forms(self) -> list[Event]:
        return [event["data"] for event in self.run.events if event["event"] == "human_input_required"]

    @staticmethod
    def _until_pause(events: Sequence[Event]) -> list[Event]:
        ends = [number for number, event in enumerate(events, 1) if event["event"] == "workflow_paused"]
        return list(events[: ends[0]] if ends else events)

    def _until_asked(self, events: Sequence[Event]) -> list[Event]:
        """To the first pause with forms of which none was answered."""
        answered = {token for token, _ in self.submitted}
        for number, event in enumerate(events, 1):
            paused = event["event"] == "workflow_paused"
            if paused and answered.isdisjoint(reason["form_token"] for reason in event["data"]["reasons"]):
                return list(events[:number])
        return list(events)

    def _tell(self, connection: Connection, events: Sequence[Event], stop: int | None, *, stays: bool = False) -> None:
        self._pause = events[-1] if events[-1]["event"] == "workflow_paused" else None
        connection.head()
        connection.chunk(b"event: ping\n\n")
        for event in events[:stop]:
            connection.event(**event)
        if stop is None and stays and events[-1]["event"] != "workflow_finished":
            connection.wait_until_left()  # a server pings on
            return
        getattr(connection, "end" if stop is None else self.breaks)()
