"""Runs a graph: each node as soon as those before it are done, several at once where branches part."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from ..run import Run, RunFailed
from .answer_stream import AnswerStream
from .events import NodeEvents, Round, WorkflowEvents
from .graph import Graph
from .graph_state import GraphState
from .node import FAIL_BRANCH, SOURCE, Node, NodeContext
from .result import NodeFailed, NodeRunResult
from .variable_pool import VariablePool


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
        self.seconds = 0.0
        """Seconds of work of the nodes that have ended."""

    async def execute(self) -> None:
        """From the roots to the ends.

        Raises:
            RunFailed: a node failed and had no branch or value for that.
            Stopped: by the user.
        """
        for root in self._graph.roots:
            self._begin(root)
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

    def _begin(self, name: str) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(self._node(self._graph.nodes[name])))

    async def _node(self, node: Node) -> None:
        """Run a node, then decide its edges and follow them."""
        context = self._context(node)
        if node.prepare is not None:
            await node.prepare(context)
        result = await (self._run_container(node, context) if node.work.container else self._run_node(node, context))
        for name in self._state.finish(node.id, result.edge_source_handle or SOURCE):
            self._begin(name)
        self._advance_answers()

    def _context(self, node: Node) -> NodeContext:
        # A text that may be made anew is sent whole too: what was sent cannot be taken back.
        final = node.max_retries == 0 and node.on_error != "default-value"
        on_text = partial(self._answers.add, node.id) if self._answers is not None and final else _discard
        return NodeContext(self._run, self._events, self._pool, node.id, on_text)

    def _advance_answers(self) -> None:
        """Something was decided: perhaps more of the answer can be sent."""
        if self._answers is not None:
            self._answers.advance()

    async def _run_container(self, node: Node, context: NodeContext) -> NodeRunResult:
        if self._counted:
            self._events.steps += 1
        started = time.perf_counter()
        try:
            result = await node.work.run(context)
        except NodeFailed as failure:
            raise RunFailed(f"Run failed: {failure}", "invalid_param") from None
        self.seconds += time.perf_counter() - started
        self._pool.put(node.id, result.outputs)
        return result

    async def _run_node(self, node: Node, context: NodeContext) -> NodeRunResult:
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
        events.finish(result, seconds, status="succeeded")
        if node.type == "answer":
            self._advance_answers()
            self._events.answered(self._run.answer)
            self._events.partial = True
        return result

    def _failed(self, node: Node, events: NodeEvents, failure: NodeFailed, seconds: float) -> NodeRunResult:
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
        return result


def _discard(name: str, text: str) -> None:
    """What is not sent while it is being made."""
