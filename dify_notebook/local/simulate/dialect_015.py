"""Events as Dify 0.15 sends them, made from those of 1.12.

An older stream numbers its nodes and names the one before each, says how far an iteration has come after each
item, and leaves out what it does not know yet. What only the newer one lacks to tell (the node before, the result
of an item) is read off the order of events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from .items import Event, Item, Written

THINKS = (
    '<details style="color:gray;background-color: #f8f8f8;padding: 8px;border-radius: 4px;" open>'
    " <summary> Thinking... </summary>"
)
_NEWER = (
    "inputs_truncated", "process_data_truncated", "outputs_truncated", "loop_id", "agent_strategy",
)  # fmt: skip
_NEWER_RESOURCE = ("title", "doc_metadata", "summary", "files")
_FLOW_RESOURCE = ("hit_count", "word_count", "segment_position", "index_node_hash", "page")


def text(answer: str) -> str:
    """An answer with its reasoning as the older version marks it."""
    return answer.replace("<think>", THINKS).replace("</think>", "</details>")


def usage(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usage.items() if not name.startswith("time_to_")}


def metadata(content: dict[str, Any]) -> dict[str, Any]:
    """Only what there is, and no times of a model."""
    changed = {name: value for name, value in content.items() if value}
    if "usage" in changed:
        changed["usage"] = usage(changed["usage"])
    if "retriever_resources" in changed:
        changed["retriever_resources"] = [_resource(resource) for resource in changed["retriever_resources"]]
    return changed


def _resource(resource: dict[str, Any]) -> dict[str, Any]:
    left_out = _NEWER_RESOURCE + (() if resource.get("retriever_from") == "workflow" else _FLOW_RESOURCE)
    return {name: value for name, value in resource.items() if name not in left_out}


class Stream:
    """A `Change`: the events of one stream in the older form; one may become none, one or several."""

    def __init__(self, runs: Iterator[int]) -> None:
        """Args: runs: numbers of runs, from 1."""
        self._runs = runs
        self._run = 0
        self._index = 0
        self._last: dict[str | None, str] = {}
        """Container, or None for the flow itself -> the node that ended last there."""
        self._steps: dict[str, tuple[int, str | None]] = {}
        """Id of a node's run -> its number and the node before it."""
        self._iterations: dict[str, _Iteration] = {}
        self._held: Event | None = None

    def __call__(self, item: Item) -> Iterator[Item]:
        if isinstance(item, dict):
            yield from map(_written, self._older(item))
        else:
            if item is None:
                yield from map(_written, self._flush())
            yield item

    def _older(self, event: Event) -> Iterator[Event]:
        name: str = event["event"]
        data: dict[str, Any] = event.get("data") or {}
        if name in ("message", "agent_message"):
            event["answer"] = text(event["answer"])
        elif name == "agent_thought":
            event["thought"] = text(event["thought"])
        elif name == "message_replace":
            event.pop("reason", None)
        elif name == "message_end":
            # A chatflow that did not run, since its question was caught, tells nothing of it.
            ran = self._run or event.get("files") is None
            event["metadata"] = metadata(event["metadata"]) if ran else {}
        elif name == "workflow_started":
            self._run = next(self._runs)
            event["data"] = {**data, "sequence_number": self._run, "inputs": self._system(data["inputs"], event)}
        elif name == "workflow_finished":
            event["data"] = {**self._finished(data), "sequence_number": self._run, "total_steps": self._index}
        elif name in ("node_started", "node_retry", "node_finished"):
            event["data"] = self._node(name, event)
            if name == "node_finished" and data["status"] == "failed" and data["iteration_id"]:
                # Where that ends the iteration, the older version tells the iteration's end first.
                yield from self._flush()
                self._held = event
                return
        elif name.startswith("iteration_"):
            yield from self._iteration(name.removeprefix("iteration_"), event)
            return
        yield from self._flush()
        yield event

    def _finished(self, data: dict[str, Any]) -> dict[str, Any]:
        """What is said of a run at its end."""
        outputs = {key: value for key, value in data["outputs"].items() if key != "files"}
        stored = outputs if data["status"] != "failed" else None
        return {**data, "outputs": stored or None}

    def _flush(self) -> Iterator[Event]:
        if self._held is not None:
            yield self._held
            self._held = None

    def _node(self, name: str, event: Event) -> dict[str, Any]:
        data = event["data"]
        container = data["iteration_id"] or data["loop_id"]
        if name == "node_started":
            self._index += 1
            self._steps[data["id"]] = (self._index, self._last.get(container))
        index, before = self._steps[data["id"]]
        changed = {key: value for key, value in data.items() if key not in _NEWER}
        changed |= {"index": index, "predecessor_node_id": before}
        for key in ("inputs", "process_data", "outputs"):
            if key in changed:
                changed[key] = self._values(data["node_type"], key, changed[key] or None, event)
        changed |= dict.fromkeys(
            ("parallel_id", "parallel_start_node_id", "parent_parallel_id", "parent_parallel_start_node_id")
        )
        if name == "node_started":
            changed["parallel_run_id"] = None
        elif name == "node_retry":
            changed["execution_metadata"] = {"iteration_id": data["iteration_id"], "parallel_mode_run_id": None}
        else:
            self._last[container] = data["node_id"]
            if data["iteration_id"] in self._iterations:
                self._iterations[data["iteration_id"]].ended(changed)
        return changed

    def _values(self, kind: str, key: str, values: Any, event: Event) -> Any:
        """Inputs, process data or outputs of a node."""
        if not isinstance(values, dict):
            return values
        if kind == "start":
            return self._system(values, event)
        if kind == "if-else" and values.get("selected_case_id") == "false":
            return {**values, "selected_case_id": None}
        if kind == "llm":
            left_out = ("usage", "finish_reason") if key == "process_data" else ("reasoning_content",)
            values = {name: value for name, value in values.items() if name not in left_out}
            if isinstance(values.get("usage"), dict):
                values["usage"] = usage(values["usage"])
            if isinstance(values.get("text"), str):
                values["text"] = text(values["text"])
        return values

    def _system(self, values: dict[str, Any], event: Event) -> dict[str, Any]:
        """The values of the system: turns are counted from 0."""
        turn = values.get("sys.dialogue_count", 1) - 1
        return {**values, "sys.conversation_id": event["conversation_id"], "sys.dialogue_count": turn}

    def _iteration(self, what: str, event: Event) -> Iterator[Event]:
        data = {key: value for key, value in event["data"].items() if key not in _NEWER}
        data |= {"parallel_id": None, "parallel_start_node_id": None}
        key = data["node_id"]
        if what == "started":
            yield from self._flush()
            self._index += 1
            self._iterations[key] = _Iteration(data["metadata"]["iteration_length"])
            event["data"] = {**data, "metadata": {"iterator_length": self._iterations[key].length}}
            yield event
            return
        iteration = self._iterations[key]
        if what == "next":
            yield from self._flush()
            # Those that begin while others still run are told when they have ended.
            self._last[key] = f"{key}start"
            if data["index"] == iteration.done:
                yield {**event, "data": {**data, **iteration.next_data(data["index"])}}
            return
        spent = data["execution_metadata"]["total_tokens"]
        failed = data["status"] == "failed"
        if failed:
            data["outputs"] = {"output": None}
        else:
            yield from self._flush()
            head = {name: data[name] for name in ("id", "node_id", "node_type", "title", "created_at", "extras")}
            for index in range(iteration.next_index, iteration.length + 1):
                next_ = {**head, "parallel_id": None, "parallel_start_node_id": None, **iteration.next_data(index)}
                yield {**event, "event": "iteration_next", "data": {**next_, "index": index}}
        self._last[None] = key
        yield {**event, "data": {**data, "execution_metadata": {"total_tokens": spent}}}
        yield from self._flush()


def _written(event: Event) -> Written:
    """The older version escapes what is beyond ASCII."""
    try:
        data = json.dumps(event, allow_nan=False)
    except ValueError:  # no number, which is null in JSON
        data = json.dumps(msgspec.json.decode(msgspec.json.encode(event)))
    return Written(("", data.encode()), event)


class _Iteration:
    """How far one has come."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.done = 0
        """Items of which a node was told to have ended, one after another."""
        self.next_index = 0
        """The next number to be told."""
        self._output: Any = None
        self._since = time.monotonic()

    def ended(self, node: dict[str, Any]) -> None:
        """A node inside ended. Which one makes the result is not told; the last one does, most often, a model by its
        text."""
        outputs = node["outputs"] or {}
        alone = len(outputs) == 1 or (outputs and node["node_type"] == "llm")
        self._output = next(iter(outputs.values())) if alone else outputs or None
        index = (node["execution_metadata"] or {}).get("iteration_index")
        if index == self.done:
            self.done = index + 1

    def next_data(self, index: int) -> dict[str, Any]:
        """What an iteration_next says of the item before."""
        duration = None if index == 0 else round(time.monotonic() - self._since, 6)
        self._since = time.monotonic()
        self.next_index = index + 1
        return {"pre_iteration_output": self._output, "parallel_mode_run_id": None, "duration": duration}
