"""Runs a graph: each node as soon as those before it are done, several at once where branches part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..pausing import HUMAN_INPUT, Waiting
from ..run import Run, RunFailed
from .answer_stream import AnswerStream
from .events import NodeEvents, Round, WorkflowEvents, said
from .graph import Graph
from .graph_state import GraphState
from .node import FAIL_BRANCH, SOURCE, Node, NodeContext
from .result import NodeFailed, NodePaused, NodeRunResult
from .variable_pool import VariablePool

GIVES: Mapping[str, Callable[[Run, dict[str, Any]], dict[str, Any]]] = {
    "answer": lambda run, outputs: said(run.answer),
    "end": lambda run, outputs: outputs,
}
"""Type of a node -> the outputs of the whole run that it gives, out of its own."""


class GraphRun:
    """One passage through a graph: the whole one, or a round of a container.

    Args:
        round_: the round; None for the whole graph.
        counted: whether its nodes are steps of the whole run; None: those of the whole graph are.
    """

    def __init__(
        self,
        run: Run,
        events: WorkflowEvents,
        graph: Graph,
        pool: VariablePool,
        round_: Round | None = None,
        *,
        counted: bool | None = None,
    ) -> None:
        self._run = run
        self._events = events
        self._graph = graph
        self._pool = pool
        self._round = round_
        self._counted = round_ is None if counted is None else counted
        self._state = GraphState(graph)
        # What is made in a container is sent later, whole.
        self._answers = AnswerStream(run, self._state, pool) if round_ is None else None
        self._tasks: set[asyncio.Task[None]] = set()
        self.waiting: dict[str, Waiting] = {}
        """Nodes that wait for a person."""
        self.seconds = 0.0
        """Seconds of work of the nodes that have ended."""

    async def execute(self) -> None:
        """From the roots, or from the nodes that waited, to the ends or to what waits.

        Raises:
            RunFailed: a node failed and had no branch or value for that.
            Stopped: by the user.
        """
        for name in [*self.waiting] or self._graph.roots:
            self._begin(name)
        try:
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                self._tasks -= done
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def row(self) -> dict[str, Any]:
        """How far it is, as JSON can say it."""
        return {
            "pool": self._pool.row(),
            "graph": self._state.row(),
            "answers": None if self._answers is None else self._answers.row(),
            "waiting": [form.row() for form in self.waiting.values()],
        }

    def restore(self, row: dict[str, Any]) -> None:
        """Go on from there."""
        self._state.restore(row["graph"])
        if self._answers is not None:
            self._answers.restore(row["answers"])
        self.waiting = {entry["node"]: Waiting.of(entry) for entry in row["waiting"]}

    def _begin(self, name: str) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(self._node(self._graph.nodes[name])))

    async def _node(self, node: Node) -> None:
        """Run a node, then decide its edges and follow them."""
        context = self._context(node)
        if node.prepare is not None:
            await node.prepare(context)
        if node.type == HUMAN_INPUT:
            await self._ask(node, context)
            return
        for name in await (self._run_container if node.work.container else self._run_node)(node, context):
            self._begin(name)

    def _decide(self, node: Node, result: NodeRunResult) -> list[str]:
        """A node is done: what can be said now is said. Gives the nodes that are to run."""
        following = self._state.finish(node.id, result.edge_source_handle or SOURCE)
        self._advance_answers()
        return following

    async def _ask(self, node: Node, context: NodeContext) -> None:
        """Run a node that waits for a person, or goes on with what was answered."""
        waited = self.waiting.get(node.id)
        events = self._events.node(node.id, node.type, node.title, run_id=None if waited is None else waited.id)
        started = time.perf_counter()
        try:
            result = await node.work.run(context)
        except NodePaused as paused:
            self.waiting[node.id] = waited or _waiting(node, events.id, paused)
            events.paused(time.perf_counter() - started)
            return
        self.waiting.pop(node.id, None)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        self._pool.put(node.id, result.outputs)
        following = self._decide(node, result)
        events.finish(result, seconds, status="succeeded")
        for name in following:
            self._begin(name)

    def _context(self, node: Node) -> NodeContext:
        # A text that may be made anew is sent whole too: what was sent cannot be taken back.
        final = node.max_retries == 0 and node.on_error != "default-value"
        on_text = partial(self._answers.add, node.id) if self._answers is not None and final else _discard
        return NodeContext(self._run, self._events, self._pool, node.id, on_text)

    def _advance_answers(self) -> None:
        """Something was decided: perhaps more of the answer can be sent."""
        if self._answers is not None:
            self._answers.advance()

    async def _run_container(self, node: Node, context: NodeContext) -> list[str]:
        if self._counted:
            self._events.steps += 1
        started = time.perf_counter()
        try:
            result = await node.work.run(context)
        except NodeFailed as failure:
            raise RunFailed(f"Run failed: {failure}", "invalid_param") from None
        self.seconds += time.perf_counter() - started
        self._pool.put(node.id, result.outputs)
        return self._decide(node, result)

    async def _run_node(self, node: Node, context: NodeContext) -> list[str]:
        """Start, retries, end."""
        events = self._events.node(node.id, node.type, node.title, self._round, counted=self._counted)
        started = time.perf_counter()
        retries = 0
        while True:
            since = time.perf_counter()
            try:
                result = await node.work.run(context)
                break
            except NodeFailed as failure:
                if retries == node.max_retries:
                    return self._failed(node, events, failure, time.perf_counter() - started)
                retries += 1
                events.retry(failure, time.perf_counter() - since, retries)
                await asyncio.sleep(node.retry_interval)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        self._pool.put(node.id, result.outputs if result.variables is None else result.variables)
        following = self._decide(node, result)  # Dify says what it knows now before it says that the node has ended
        events.finish(result, seconds, status="succeeded")
        if node.type in GIVES:
            self._events.gave(GIVES[node.type](self._run, result.outputs))
        return following

    def _failed(self, node: Node, events: NodeEvents, failure: NodeFailed, seconds: float) -> list[str]:
        """What follows by the node's error strategy. Raises: RunFailed: it has none."""
        result = NodeRunResult({}, process_data=failure.process_data)
        if node.on_error is None:
            events.finish(result, seconds, status="failed", error=str(failure))
            raise RunFailed(f"Run failed: {failure}", "invalid_param") from None
        self._events.exceptions += 1
        self.seconds += seconds
        default = node.default if node.on_error == "default-value" else {}
        result.outputs = {**default, "error_message": str(failure), "error_type": failure.error_type}
        result.edge_source_handle = FAIL_BRANCH if node.on_error == FAIL_BRANCH else None
        result.metadata = {"error_strategy": node.on_error}
        self._pool.put(node.id, result.outputs)
        # The real one says no more than this here; the text is in the outputs.
        events.finish(result, seconds, status="exception", error="Unknown error")
        # What stands in for its values is said no earlier than where it is used, as with the real one.
        return self._state.finish(node.id, result.edge_source_handle or SOURCE)


def _waiting(node: Node, run_id: str, paused: NodePaused) -> Waiting:
    now = time.time()
    expires_at = now + paused.timeout
    definition = {
        "form_id": run_id,
        "node_id": node.id,
        "node_title": node.title,
        **paused.definition,
        "expiration_time": int(expires_at),
    }
    return Waiting(node.id, definition, int(now), expires_at)


def _discard(name: str, text: str) -> None:
    """What is not sent while it is being made."""
