"""Nodes with nodes inside: iteration over a list, and a loop until a condition holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..graph.events import ContainerEvents, Round
from ..graph.graph import Graph, check
from ..graph.graph_run import GraphRun
from ..graph.node import Names, Node, NodeContext, NodeType
from ..graph.result import NodeFailed, NodeRunResult
from ..graph.variable_pool import VariablePool
from ..run import RunFailed
from ..template import Selector
from .conditions import CannotCompare, Condition, Logic, decided, results

MAX_ITEMS = 1000
MAX_ROUNDS = 100
MAX_PARALLEL = 10

OnError = Literal["terminated", "continue-on-error", "remove-abnormal-output"]


@dataclass(frozen=True)
class Iteration(NodeType):
    """iteration: the nodes inside once for each element of a list, one after another or several at once."""

    title: str
    over: Selector
    output: Selector
    inside: Graph
    parallel: int = 1
    """How many at once; 1 is one after another."""
    on_error: OnError = "terminated"
    limit: int = MAX_ITEMS
    """Elements at most."""
    pause: float | None = None
    """Seconds between two rounds, at pace 1. Where there are pauses (0 included), times are those of the work alone."""
    counted: bool = True
    """Whether the nodes inside are steps of the whole run where there are pauses; without, they are none."""
    container = True

    async def run(self, context: NodeContext) -> NodeRunResult:
        value = context.pool.get(self.over)
        items = value if isinstance(value, list) else []
        inputs = {"iterator_selector": items}
        events = ContainerEvents(context.events, context.node_id, "iteration", self.title, inputs, len(items))
        if not isinstance(value, list) or len(items) > self.limit:
            events.completed("failed", {"output": []})
            name = ".".join(self.over)
            problem = f"has more than {self.limit} elements" if items else "is not a list"
            raise NodeFailed(f"{name} {problem}", "InvalidIteratorValueError")
        outputs: dict[int, Any] = {}
        try:
            if self.parallel > 1:
                await self._at_once(context, events, items, outputs)
            else:
                for index, item in enumerate(items):
                    if index and self.pause is not None:
                        await context.run.pause(self.pause)
                    events.next(index)
                    await self._round(context, events, index, item, outputs)
        except RunFailed:
            self._completed(events, "failed", outputs)
            raise
        return NodeRunResult(self._completed(events, "succeeded", outputs))

    async def _at_once(
        self, context: NodeContext, events: ContainerEvents, items: list[Any], outputs: dict[int, Any]
    ) -> None:
        free = asyncio.Semaphore(self.parallel)

        async def when_free(index: int, item: Any) -> None:
            async with free:
                await self._round(context, events, index, item, outputs)

        for index in range(len(items)):
            events.next(index)
        tasks = [asyncio.ensure_future(when_free(index, item)) for index, item in enumerate(items)]
        try:
            for task in asyncio.as_completed(tasks):
                await task
        finally:
            for waiting in tasks:
                waiting.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(
        self, context: NodeContext, events: ContainerEvents, index: int, item: Any, outputs: dict[int, Any]
    ) -> None:
        pool = VariablePool(context.pool)
        pool.put(context.node_id, {"item": item, "index": index})
        round_ = Round("iteration", context.node_id, index)
        counted = self.counted and self.pause is not None
        inside = GraphRun(context.run, context.events, self.inside, pool, round_, counted=counted)
        started = time.perf_counter()
        try:
            await inside.execute()
        except RunFailed:
            if self.on_error == "terminated":
                raise
            if self.on_error == "continue-on-error":
                outputs[index] = None
        else:
            outputs[index] = pool.get(self.output)
        seconds = time.perf_counter() - started if self.pause is None else inside.seconds
        events.durations[str(index)] = round(seconds, 6)

    def _completed(self, events: ContainerEvents, status: str, outputs: dict[int, Any]) -> dict[str, Any]:
        """Tell the end; gives the outputs."""
        output = {"output": [outputs[index] for index in sorted(outputs)]}
        events.completed(status, output, seconds=None if self.pause is None else sum(events.durations.values()))
        return output

    def needs(self) -> Iterable[Selector]:
        return (self.over,)

    def outputs(self) -> Names:
        return frozenset({"output"})

    def check_inside(self, node: Node, visible: Mapping[str, Names]) -> None:
        own = {**visible, node.id: frozenset({"item", "index"})}
        self.inside.check_values(own)
        check(node, self.output, {**own, **_inside(self.inside)})


@dataclass(frozen=True)
class LoopVariable:
    """A variable of a loop."""

    name: str
    value_type: str
    value: Any
    source: Selector | None = None


@dataclass(frozen=True)
class Loop(NodeType):
    """loop: the nodes inside again and again, until a condition holds or often enough."""

    title: str
    count: int
    """Rounds at most."""
    variables: tuple[LoopVariable, ...]
    until: tuple[Condition, ...]
    logic: Logic
    inside: Graph
    container = True

    async def run(self, context: NodeContext) -> NodeRunResult:
        node = context.node_id
        values = {
            variable.name: context.pool.get(variable.source) if variable.source else variable.value
            for variable in self.variables
        }
        inputs = {"loop_count": self.count, **values}
        events = ContainerEvents(context.events, node, "loop", self.title, inputs, self.count)
        pool = VariablePool(context.pool)
        pool.put(node, dict(values))
        history: dict[str, dict[str, Any]] = {}
        reason = "loop_completed"
        done = 0
        for index in range(self.count):
            if index:
                events.next(index)
            started = time.perf_counter()
            try:
                own = VariablePool(pool)
                round_ = Round("loop", node, index)
                await GraphRun(context.run, context.events, self.inside, own, round_).execute()
                done += 1
                events.durations[str(index)] = round(time.perf_counter() - started, 6)
                history[str(index)] = self._values(pool, node)
                # What the nodes of a round put out may decide too, so the round's own values are asked.
                if self.until and decided(results(self.until, self.logic, own), self.logic):
                    reason = "loop_break"
                    break
            except CannotCompare as problem:
                events.completed("failed", {**self._values(pool, node), "loop_round": done})
                raise NodeFailed(str(problem), "ValueError") from None
            except RunFailed:
                events.completed("failed", {**self._values(pool, node), "loop_round": done})
                raise
        outputs = {**self._values(pool, node), "loop_round": done}
        events.completed("succeeded", outputs, {"completed_reason": reason, "loop_variable_map": history})
        return NodeRunResult(outputs)

    def _values(self, pool: VariablePool, node: str) -> dict[str, Any]:
        return {variable.name: pool.get((node, variable.name)) for variable in self.variables}

    def needs(self) -> Iterable[Selector]:
        return [variable.source for variable in self.variables if variable.source]

    def outputs(self) -> Names:
        return frozenset({*(variable.name for variable in self.variables), "loop_round"})

    def check_inside(self, node: Node, visible: Mapping[str, Names]) -> None:
        own = {**visible, node.id: frozenset(variable.name for variable in self.variables)}
        self.inside.check_values(own)
        for condition in self.until:
            for selector in (condition.selector, *condition.value.needs()):
                check(node, selector, {**own, **_inside(self.inside)})


def _inside(graph: Graph) -> dict[str, Names]:
    return {name: node.work.outputs() for name, node in graph.nodes.items()}
