"""A workflow run as Dify tells it: nodes and iterations, what went in and out, and how long each took.

The time of a node is the time of its work. Pauses lie between nodes and are in no node's time;
only the whole run's time is what a clock on the wall would say.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..tokens import Meter
from .app import fixed_id
from .container_events import Box
from .run import STEP_PAUSE, Run, RunFailed


class NodeFailed(Exception):
    """A node's own error; the run ends with it."""


@dataclass
class Outcome:
    """What the work of a node came to."""

    outputs: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    process_data: dict[str, Any] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)


class Workflow:
    """Tells one run of a chatflow to the client and to the store."""

    def __init__(self, run: Run, inputs: dict[str, Any]) -> None:
        self.run = run
        self.id = str(uuid.uuid4())
        self.workflow_id = fixed_id("workflow", run.app.name)
        self.steps = 0
        self.failures = 0
        self.exceptions = 0
        """Nodes that failed and had a way on, by an error strategy."""
        self.partial = False
        """Whether outputs are told of a failed run too: those of the answers that were finished."""
        self.tokens = 0
        self.work = 0.0
        """Seconds of work in all nodes so far."""
        self._created = int(time.time())
        self._outputs: dict[str, Any] = {}
        self.inputs = {
            **inputs,
            "sys.files": list(run.files),
            "sys.user_id": run.user,
            "sys.app_id": run.app.id,
            "sys.workflow_id": self.workflow_id,
            "sys.workflow_run_id": self.id,
            "sys.query": run.query,
            "sys.dialogue_count": run.conversation["dialogue_count"],
        }

    def start(self) -> None:
        """Say that it begins; from here on it also ends by being told."""
        self.run.finish_workflow = self._finish
        data = {
            "id": self.id,
            "workflow_id": self.workflow_id,
            "inputs": self.inputs,
            "created_at": self._created,
        }
        self.emit("workflow_started", data)

    async def node(
        self,
        node_id: str,
        node_type: str,
        title: str,
        work: Callable[[], Outcome],
        *,
        iteration: str | None = None,
        index: int | None = None,
    ) -> Outcome:
        """Run a node: say that it starts, work beside the loop, say what came of it.

        Raises:
            RunFailed: the node failed; the run is to end.
            Stopped: by the user.
        """
        step = self.open(node_id, node_type, title, iteration=iteration, index=index)
        error: str | None = None

        def careful() -> Outcome:
            nonlocal error
            try:
                return work()
            except NodeFailed as failure:
                error = str(failure)
                return Outcome(outputs={})

        outcome, seconds = await self.run.work(careful)
        step.finish(outcome, seconds, status="failed" if error else "succeeded", error=error)
        if error:
            self.failures += 1
            raise RunFailed(f"Run failed: {error}", "invalid_param")
        return outcome

    def open(
        self,
        node_id: str,
        node_type: str,
        title: str,
        *,
        iteration: str | None = None,
        loop: str | None = None,
        index: int | None = None,
        counted: bool = True,
    ) -> Step:
        """Say that a node starts.

        Args:
            iteration, loop: the box that the node stands in, if any.
            index: the item or round of that box.
            counted: whether the node is a step of the whole run.
        """
        if counted:
            self.steps += 1
        return Step(self, node_id, node_type, title, iteration, loop, index)

    def iteration(self, node_id: str, title: str, items: list[Any]) -> Iteration:
        """Begin an iteration over items; see `Iteration`."""
        return Iteration(self, node_id, title, items)

    def answered(self, answer: str) -> None:
        """The outputs of the whole run."""
        self._outputs = {"answer": answer, "files": []}

    def _finish(self, status: str, error: str | None) -> dict[str, Any]:
        run = self.run
        reason = "Stopped by user." if status == "stopped" else error
        if status == "succeeded" and self.exceptions:
            status = "partial-succeeded"
        kept = status.endswith("succeeded") or self.partial
        return {
            "id": self.id,
            "workflow_id": self.workflow_id,
            "status": status,
            "outputs": self._outputs if kept else {},
            "error": None if reason is None else reason.removeprefix("Run failed: "),
            "elapsed_time": round(run.elapsed, 6),
            "total_tokens": 0 if status == "stopped" else self.tokens,
            "total_steps": self.steps,
            "created_by": {"id": run.end_user, "user": run.user},
            "created_at": self._created,
            "finished_at": int(time.time()),
            "exceptions_count": self.failures + self.exceptions,
            "files": [],
        }

    def emit(self, event: str, data: dict[str, Any]) -> None:
        """Tell the client something of this run."""
        self.run.emit(event, workflow_run_id=self.id, data=data)


class Step:
    """One node that was told to have started, and is told to have ended."""

    def __init__(
        self,
        flow: Workflow,
        node_id: str,
        node_type: str,
        title: str,
        iteration: str | None,
        loop: str | None,
        index: int | None,
    ) -> None:
        self._flow = flow
        self._box = {"iteration_id": iteration, "loop_id": loop}
        self._index = index
        self._created = int(time.time())
        self._head = {
            "id": str(uuid.uuid4()),
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
            **self._box,
            "agent_strategy": None,
        }
        flow.emit("node_started", started)

    def retry(self, outcome: Outcome, seconds: float, error: str, number: int) -> None:
        """Say that it failed and is tried again, for the `number`-th time (from 1)."""
        told = self._told(outcome, seconds, "retry", error, {})
        self._flow.emit("node_retry", {**told, "retry_index": number})

    def finish(
        self,
        outcome: Outcome,
        seconds: float,
        *,
        status: str,
        error: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Say what came of it, count it and keep it."""
        flow = self._flow
        flow.work += seconds
        flow.run.meter.add(outcome.meter)
        flow.tokens += outcome.meter.total
        finished = self._told(outcome, seconds, status, error, metadata or {})
        flow.emit("node_finished", finished)
        flow.run.store.write_node(flow.run.message_id, finished)

    def _told(
        self, outcome: Outcome, seconds: float, status: str, error: str | None, more: dict[str, Any]
    ) -> dict[str, Any]:
        metadata = {**more}
        if outcome.meter.total:
            metadata |= {
                "total_tokens": outcome.meter.total,
                "total_price": outcome.meter.price,
                "currency": "USD",
            }
        for kind in ("iteration", "loop"):
            if self._box[f"{kind}_id"] is not None:
                metadata |= {f"{kind}_id": self._box[f"{kind}_id"], f"{kind}_index": self._index}
        return {
            **self._head,
            "inputs": outcome.inputs,
            "inputs_truncated": False,
            "process_data": outcome.process_data,
            "process_data_truncated": False,
            "outputs": outcome.outputs,
            "outputs_truncated": False,
            "status": status,
            "error": error,
            "elapsed_time": round(seconds, 6),
            "execution_metadata": metadata or None,
            "created_at": self._created,
            "finished_at": int(time.time()),
            "files": [],
            **self._box,
        }


class Iteration:
    """A node that runs others once for each item. Its time is their work, without the pauses between."""

    def __init__(self, flow: Workflow, node_id: str, title: str, items: list[Any]) -> None:
        self.flow = flow
        self.node_id = node_id
        self.items = items
        self.results: list[Any] = []
        flow.steps += 1
        self._box = Box(flow, node_id, "iteration", title, {"iterator_selector": items}, len(items))

    async def each(self, body: Callable[[int, Any], Any]) -> list[Any]:
        """Run the body for each item, in order; gives their results.

        Raises:
            RunFailed: an inner node failed; what was done until then is told first.
        """
        for index, item in enumerate(self.items):
            if index:
                await self.flow.run.pause(STEP_PAUSE)
            self._box.next(index)
            before = self.flow.work
            try:
                self.results.append(await body(index, item))
            except RunFailed:
                self._completed("failed")
                raise
            self._box.durations[str(index)] = round(self.flow.work - before, 6)
        self._completed("succeeded")
        return self.results

    def _completed(self, status: str) -> None:
        self._box.completed(status, {"output": list(self.results)}, seconds=sum(self._box.durations.values()))
