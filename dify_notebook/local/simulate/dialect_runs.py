"""Runs of workflow apps, and what is told of them later, as Dify 1.12 and 0.15 give that, made from those of 1.16."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

from . import dialect_015
from .items import Event, Item

RUN = "/v1/workflows/run"
LOGS = "/v1/workflows/logs"
_DETAIL = re.compile(r"/v1/workflows/run/[^/]+")
_FIELDS = (
    "id", "workflow_id", "status", "inputs", "outputs", "error", "total_steps", "total_tokens", "created_at",
    "finished_at", "elapsed_time",
)  # fmt: skip
_ABORTED = "Aborted: User requested stop"
_STOPPED = "Stopped by user."
_UNENDED = {
    "status": "running", "error": None, "total_steps": 0, "total_tokens": 0, "elapsed_time": 0.0, "finished_at": None,
}  # fmt: skip


def about_runs(path: str) -> bool:
    """Whether a response from there is about runs of workflows."""
    return path in (RUN, LOGS) or _DETAIL.fullmatch(path) is not None


class Stream112:
    """A `Change`: the events of a run in the form of 1.12."""

    def __init__(self) -> None:
        self._system: dict[str, Any] = {}
        self._containers: set[str] = set()
        """Iterations and loops that are not at their end."""

    def __call__(self, item: Item) -> Iterator[Item]:
        yield self._older(item) if isinstance(item, dict) else item

    def _older(self, event: Event) -> Event:
        name, data = event["event"], event.get("data")
        if not isinstance(data, dict):
            return event
        kind, _, what = name.partition("_")
        if name == "workflow_started":
            known = {name: value for name, value in data["inputs"].items() if name.startswith("sys.")}
            self._system = {**known, "sys.timestamp": data["created_at"]}
            data = {key: value for key, value in data.items() if key != "reason"}
        elif name == "node_finished" and data["node_type"] == "start":
            data = {**data, **{key: {**data[key], **self._system} for key in ("inputs", "outputs")}}
        elif kind in ("iteration", "loop") and what == "started":
            self._containers.add(data["node_id"])
        elif kind in ("iteration", "loop") and what == "completed":
            self._containers.discard(data["node_id"])
        elif name == "workflow_finished" and data["status"] == "stopped":
            inside = {"status": "failed", "error": _ABORTED, "exceptions_count": 0}
            data = {**data, **(inside if self._containers else {"error": _STOPPED})}
        return {**event, "data": data}


class Stream015(dialect_015.Stream):
    """A `Change`: the events of a run in the form of 0.15, of those of 1.12.

    Text is that of models alone which an end names, and of none where branches ran side by side; of several ends the
    outputs are those of the last one.
    """

    def __init__(self, runs: Iterator[int]) -> None:
        super().__init__(runs)
        self._models: set[str] = set()
        self._running: set[str] = set()
        self._parallel = False
        self._said: str | None = None
        """The model whose text came last."""
        self._ends: list[dict[str, Any]] = []

    def _older(self, event: Event) -> Iterator[Event]:
        name, data = event["event"], event.get("data") or {}
        if name == "text_chunk":
            chunk = self._chunk(event)
            if chunk is not None:
                yield from self._flush()
                yield chunk
            return
        if name == "node_started" and not (data["iteration_id"] or data["loop_id"]):
            self._running.add(data["id"])
            self._parallel = self._parallel or len(self._running) > 1
        if name == "node_started" and data["node_type"] == "llm":
            self._models.add(data["node_id"])
        if name == "node_finished":
            self._running.discard(data["id"])
            if data["node_type"] == "end":
                self._ends.append(data["outputs"] or {})
        yield from super()._older(event)

    def _chunk(self, event: Event) -> Event | None:
        data = event["data"]
        node, variable = (*data["from_variable_selector"], "", "")[:2]
        if self._parallel or node not in self._models or variable != "text":
            return None
        first = self._said not in (None, node)
        self._said = node
        piece = ("\n" if first else "") + dialect_015.text(data["text"])
        return {**event, "data": {**data, "text": piece}}

    def _finished(self, data: dict[str, Any]) -> dict[str, Any]:
        outputs = self._ends[-1] if len(self._ends) > 1 and data["outputs"] else data["outputs"]
        changed = {**data, "outputs": outputs or None}
        if data["error"] == _ABORTED:
            changed |= {"status": "stopped", "error": _STOPPED}
        if changed["status"] == "failed":
            changed["exceptions_count"] = 0
        return changed

    def _system(self, values: dict[str, Any], event: Event) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name != "sys.timestamp"}


def answer_112(path: str, status: int, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and content of a JSON response about runs; other responses are left as they are."""
    if _DETAIL.fullmatch(path):
        if status == 404:
            return 200, dict.fromkeys(_FIELDS)
        return (status, _detail_112(content)) if status == 200 else (status, content)
    if status == 200 and path == RUN:
        data = content["data"]
        return status, {**content, "data": {**data, "error": _STOPPED}} if data["status"] == "stopped" else content
    if status == 200 and path == LOGS:
        return status, {**content, "data": [_item_112(item) for item in content["data"]]}
    return status, content


def _detail_112(content: dict[str, Any]) -> dict[str, Any]:
    """Outputs are a text. A run that was stopped stays for ever as it was while it ran."""
    if content["status"] == "stopped":
        content = {**content, **_UNENDED}
    if content["finished_at"] is None:
        return {**content, "outputs": "{}"}
    return {**content, "outputs": json.dumps(content["outputs"]) if content["outputs"] else None}


def _item_112(item: dict[str, Any]) -> dict[str, Any]:
    run = item["workflow_run"]
    if run["status"] != "stopped":
        return item
    return {**item, "workflow_run": {**run, **_UNENDED}}


def answer_015(path: str, status: int, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The same as 0.15 gives it, of what 1.16 says."""
    if _DETAIL.fullmatch(path):
        if status == 404:
            return 200, {**dict.fromkeys(_FIELDS), "total_steps": 0, "total_tokens": 0}
        return (status, _detail_015(content)) if status == 200 else (status, content)
    if status == 200 and path == RUN:
        data = content["data"]
        error = _STOPPED if data["status"] == "stopped" else data["error"]
        return status, {**content, "data": {**data, "error": error, "outputs": data["outputs"] or None}}
    if status == 200 and path == LOGS:
        return status, {**content, "data": [_item_015(item) for item in content["data"]]}
    return status, content


def _detail_015(content: dict[str, Any]) -> dict[str, Any]:
    inputs = {name: value for name, value in json.loads(content["inputs"]).items() if name != "sys.timestamp"}
    return {
        **content,
        "inputs": json.dumps(inputs),
        "outputs": json.dumps(content["outputs"]),
        "error": _STOPPED if content["status"] == "stopped" else content["error"],
        "created_at": _date(content["created_at"]),
        "finished_at": _date(content["finished_at"]),
    }


def _date(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return formatdate(seconds)


def _item_015(item: dict[str, Any]) -> dict[str, Any]:
    changed = {name: value for name, value in item.items() if name != "details"}
    run = {name: value for name, value in item["workflow_run"].items() if name != "triggered_from"}
    if run["status"] == "stopped":
        run["error"] = _STOPPED
    elif run["status"] == "failed":
        run["exceptions_count"] = 0
    who = {**item["created_by_end_user"], "type": "service_api"}
    return {**changed, "workflow_run": run, "created_by_end_user": who}
