"""The events of a workflow run, as they are sent to the client and stored.

The time of a node is the time of its work. Pauses lie between nodes and are in no node's time; only the whole run's
time is what a clock on the wall would say.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...store.store import Row
from ...tokens import Meter
from ..file_values import files_among
from ..run import Run
from ..unstarted import workflow_of
from .result import NodeFailed, NodeRunResult

ContainerType = Literal["iteration", "loop"]
ABORTED = "Aborted: User requested stop"
"""What a run says that its user stopped."""


def said(answer: str) -> dict[str, Any]:
    """The outputs of a chatflow's run."""
    return {"answer": answer, "files": []}


@dataclass(frozen=True)
class Round:
    """A round of a container, for the nodes that run in it."""

    type: ContainerType
    container: str
    index: int


class WorkflowEvents:
    """Events of one workflow run, and what they count."""

    def __init__(self, run: Run, known: Row | None = None) -> None:
        """Args:
        known: what `row()` gave before the run waited for a person.
        """
        self.run = run
        fresh = str(uuid.uuid4()) if run.conversation is not None else run.message_id
        self.id = fresh if known is None else known["id"]
        self.workflow_id = workflow_of(run.app)
        self.steps = 0
        self.failures = 0
        self.exceptions = 0
        """Nodes that failed and had a branch or a value for that."""
        self.partial = False
        """Whether a failed run has outputs too: those of the answer and end nodes that were finished."""
        self._created = int(time.time())
        self._first_created = self._created
        self._outputs: dict[str, Any] = {}
        self._nodes: dict[str, Row] = {}
        """What is told of each node to who follows the run later, in order."""
        self.inputs = {
            **run.inputs,
            "sys.files": list(run.files),
            "sys.user_id": run.user,
            "sys.app_id": run.app.id,
            "sys.workflow_id": self.workflow_id,
            "sys.workflow_run_id": self.id,
        }
        if run.conversation is not None:
            turn = {"sys.query": run.query, "sys.dialogue_count": run.conversation["dialogue_count"]}
            self.inputs |= turn
        if known is not None:
            self._restore(known)

    def row(self) -> Row:
        """What is known of the run, as JSON can say it."""
        return {
            "id": self.id,
            "workflow_id": self.workflow_id,
            "created_at": self._first_created,
            "inputs": self.inputs,
            "counts": [self.steps, self.failures, self.exceptions, self.partial],
            "nodes": list(self._nodes.values()),
            "outputs": self._outputs,
        }

    def _restore(self, row: Row) -> None:
        self._first_created, self.inputs = row["created_at"], row["inputs"]
        self.steps, self.failures, self.exceptions, self.partial = row["counts"]
        self._nodes = {node["id"]: node for node in row["nodes"]}
        self._outputs = row.get("outputs", {})  # an earlier version kept none
        self.come_to()

    def keep_node(self, key: str, **changes: Any) -> None:
        """Keep what is told of a node to who follows the run later."""
        self._nodes[key] = {**self._nodes.get(key, {}), **changes}

    def attach(self) -> None:
        """From here on the run asks for what workflow_finished says, and who follows it finds it."""
        self.run.finish_workflow = self._finish
        self.run.workflow = self

    def start(self, reason: str = "initial") -> None:
        """Send workflow_started."""
        self.attach()
        self.run.store.write_run(self.run.message_id, self.row())
        data = {
            "id": self.id,
            "workflow_id": self.workflow_id,
            "inputs": self.inputs,
            "created_at": self._created,
            "reason": reason,
        }
        self.emit("workflow_started", data)

    def node(
        self,
        node_id: str,
        node_type: str,
        title: str,
        round_: Round | None = None,
        *,
        counted: bool = True,
        run_id: str | None = None,
    ) -> NodeEvents:
        """Send node_started.

        Args:
            counted: whether the node is a step of the whole run.
            run_id: of a node that goes on; None begins one.
        """
        if counted:
            self.steps += 1
        return NodeEvents(self, node_id, node_type, title, round_, run_id or str(uuid.uuid4()))

    def gave(self, outputs: Mapping[str, Any]) -> None:
        """Outputs of the whole run, beside those of other nodes that end it."""
        self._outputs |= outputs
        self.partial = True

    def answered(self, answer: str) -> None:
        """The outputs of a chatflow's run."""
        self._outputs = said(answer)

    def come_to(self) -> None:
        """The graph is at its end, or at a pause: a chatflow's outputs are what was said."""
        if self.run.conversation is not None:
            self.answered(self.run.answer)

    def paused(self) -> dict[str, Any]:
        """What workflow_paused says, but for forms."""
        return {
            "workflow_run_id": self.id,
            "paused_nodes": [],
            "outputs": {},
            "reasons": [],
            "status": "paused",
            "created_at": self._first_created,
            "elapsed_time": round(self.run.elapsed, 6),
            "total_tokens": self.run.meter.total,
            "total_steps": self.steps,
        }

    def _finish(self, status: str, error: str | None) -> dict[str, Any]:
        run = self.run
        reason = ABORTED if status == "stopped" else error
        if status == "succeeded" and self.exceptions:
            status = "partial-succeeded"
        whole = status.endswith("succeeded") or self.partial
        return {
            "id": self.id,
            "workflow_id": self.workflow_id,
            "status": status,
            "outputs": self._outputs if whole else {},
            "error": None if reason is None else reason.removeprefix("Run failed: "),
            "elapsed_time": round(run.elapsed, 6),
            "total_tokens": 0 if status == "stopped" else run.meter.total,
            "total_steps": self.steps,
            "created_by": {"id": run.end_user, "user": run.user},
            "created_at": self._created,
            "finished_at": int(time.time()),
            "exceptions_count": self.failures + self.exceptions,
            "files": self.files(self._outputs) if whole else [],
        }

    def files(self, outputs: Mapping[str, Any]) -> list[Any]:
        """The files among outputs, which a workflow app's events name once more."""
        return files_among(outputs) if self.run.conversation is None else []

    def emit(self, event: str, data: dict[str, Any]) -> None:
        """Send an event of this run. Raises: Stopped."""
        self.run.emit(event, workflow_run_id=self.id, data=data)


class NodeEvents:
    """Events of a node: node_started when this is made, then node_retry and node_finished."""

    def __init__(
        self, workflow: WorkflowEvents, node_id: str, node_type: str, title: str, round_: Round | None, id_: str
    ) -> None:
        self.id = id_
        self._workflow = workflow
        self._round = round_
        self._container = {
            f"{kind}_id": round_.container if round_ is not None and round_.type == kind else None
            for kind in ("iteration", "loop")
        }
        self._created = int(time.time())
        self._head = {
            "id": id_,
            "node_id": node_id,
            "node_type": node_type,
            "title": title,
            "index": 1,
            "predecessor_node_id": None,
        }
        started = {
            **self._head,
            "inputs": None,
            "inputs_truncated": False,
            "created_at": self._created,
            "extras": {},
            **self._container,
            "agent_strategy": None,
        }
        head = {name: self._head[name] for name in ("id", "node_id", "node_type", "title")}
        workflow.keep_node(id_, **head, created_at=self._created, **self._container, status=None)
        workflow.emit("node_started", started)

    def retry(self, failure: NodeFailed, seconds: float, number: int) -> None:
        """Send that it failed and is tried again, for the `number`-th time (from 1); count that."""
        self._workflow.failures += 1
        self._workflow.steps += 1
        result = NodeRunResult({}, process_data=failure.process_data)
        data = self._data(result, seconds, "retry", str(failure))
        self._workflow.emit("node_retry", {**data, "retry_index": number})

    def finish(self, result: NodeRunResult, seconds: float, *, status: str, error: str | None = None) -> None:
        """Send what came of it, count its tokens and store it."""
        run = self._workflow.run
        run.meter.add(result.meter)
        finished = self._data(result, seconds, status, error)
        self._keep(finished)
        self._workflow.emit("node_finished", finished)
        run.store.write_node(run.message_id, finished)

    def paused(self, seconds: float) -> None:
        """Store that it waits for a person, which is told of the whole run alone."""
        run = self._workflow.run
        waiting = self._data(NodeRunResult({}), seconds, "paused", None)
        self._keep(waiting)
        run.store.write_node(run.message_id, waiting)

    def _keep(self, data: Row) -> None:
        ended = {name: data[name] for name in ("status", "error", "elapsed_time", "finished_at")}
        self._workflow.keep_node(self.id, **ended)

    def _data(self, result: NodeRunResult, seconds: float, status: str, error: str | None) -> dict[str, Any]:
        metadata = {**result.metadata}
        if result.meter.total:
            metadata |= {
                "total_tokens": result.meter.total,
                "total_price": result.meter.price,
                "currency": "USD",
            }
        if self._round is not None:
            kind = self._round.type
            metadata |= {f"{kind}_id": self._round.container, f"{kind}_index": self._round.index}
        return {
            **self._head,
            "inputs": result.inputs,
            "inputs_truncated": False,
            "process_data": result.process_data,
            "process_data_truncated": False,
            "outputs": result.outputs,
            "outputs_truncated": False,
            "status": status,
            "error": error,
            "elapsed_time": round(seconds, 6),
            "execution_metadata": metadata or None,
            "created_at": self._created,
            "finished_at": int(time.time()),
            "files": self._workflow.files(result.outputs),
            **self._container,
        }


class ContainerEvents:
    """Events of an iteration or a loop, under the node's id: started when this is made, then next and completed."""

    def __init__(
        self,
        workflow: WorkflowEvents,
        node_id: str,
        container: ContainerType,
        title: str,
        inputs: dict[str, Any],
        length: int,
    ) -> None:
        self._workflow = workflow
        self._type = container
        self._inputs = inputs
        self._length = length
        self._created = int(time.time())
        self._started = time.perf_counter()
        self._head = {"id": node_id, "node_id": node_id, "node_type": container, "title": title}
        meter = workflow.run.meter
        self._before = (meter.prompt, meter.completion)
        self.durations: dict[str, float] = {}
        """Seconds of each round that was finished, by its index."""
        self._key = str(uuid.uuid4())
        head = {**self._head, "id": self._key, "iteration_id": None, "loop_id": None}
        workflow.keep_node(self._key, **head, created_at=self._created, status=None)
        self._emit(
            "started",
            created_at=self._created,
            extras={},
            metadata={f"{container}_length": length},
            inputs=inputs,
            inputs_truncated=False,
        )

    def next(self, index: int) -> None:
        """A round begins."""
        more: dict[str, Any] = {"pre_loop_output": {}} if self._type == "loop" else {}
        self._emit("next", index=index, created_at=int(time.time()), **more, extras={})

    def completed(
        self,
        status: str,
        outputs: dict[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        seconds: float | None = None,
    ) -> None:
        """Send that it has ended, and store it. `seconds` are what it took; None: since it began."""
        run = self._workflow.run
        spent = Meter(
            run.meter.prompt - self._before[0],
            run.meter.completion - self._before[1],
            run.meter.unit_in,
            run.meter.unit_out,
        )
        data = {
            "outputs": outputs,
            "outputs_truncated": False,
            "created_at": self._created,
            "extras": {},
            "inputs": self._inputs,
            "inputs_truncated": False,
            "status": status,
            "error": None,
            "elapsed_time": round(time.perf_counter() - self._started if seconds is None else seconds, 6),
            "total_tokens": spent.total,
            "execution_metadata": {
                "total_tokens": spent.total,
                "total_price": spent.price if spent.total else "0.0",
                "currency": "USD",
                **(metadata or {}),
                f"{self._type}_duration_map": dict(self.durations),
            },
            "finished_at": int(time.time()),
            "steps": self._length,
        }
        self._workflow.keep_node(
            self._key, **{name: data[name] for name in ("status", "error", "elapsed_time", "finished_at")}
        )
        self._emit("completed", **data)
        run.store.write_node(run.message_id, {**self._head, **data})

    def _emit(self, what: str, **data: Any) -> None:
        self._workflow.emit(f"{self._type}_{what}", {**self._head, **data})
