"""Nodes with nodes inside: iteration over a list, and a loop until a condition holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .conditions import CannotCompare, Condition, Logic, decided, results
from .container_events import Box
from .flow import Course
from .graph import Graph, Node, check
from .node import Names, NodeFailed, Place, Result, Work
from .run import RunFailed
from .template import Selector
from .variable_pool import VariablePool

MAX_ITEMS = 1000
MAX_ROUNDS = 100
MAX_PARALLEL = 10

OnError = Literal["terminated", "continue-on-error", "remove-abnormal-output"]


@dataclass(frozen=True)
class Iteration(Work):
    """iteration: the nodes inside once for each element of a list, one after another or several at once."""

    title: str
    over: Selector
    output: Selector
    inside: Graph
    parallel: int
    """How many at once; 1 is one after another."""
    on_error: OnError
    told = False

    async def do(self, place: Place) -> Result:
        found = place.pool.get(self.over)
        items = found if isinstance(found, list) else []
        box = Box(place.flow.teller, place.node, "iteration", self.title, {"iterator_selector": items}, len(items))
        if not isinstance(found, list) or len(items) > MAX_ITEMS:
            box.completed("failed", {"output": []})
            name = ".".join(self.over)
            problem = f"has more than {MAX_ITEMS} elements" if items else "is not a list"
            raise NodeFailed(f"{name} {problem}", "InvalidIteratorValueError")
        results: dict[int, Any] = {}
        try:
            if self.parallel > 1:
                await self._at_once(place, box, items, results)
            else:
                for index, item in enumerate(items):
                    box.next(index)
                    await self._one(place, box, index, item, results)
        except RunFailed:
            box.completed("failed", {"output": self._ordered(results)})
            raise
        outputs = {"output": self._ordered(results)}
        box.completed("succeeded", outputs)
        return Result(outputs)

    async def _at_once(self, place: Place, box: Box, items: list[Any], results: dict[int, Any]) -> None:
        free = asyncio.Semaphore(self.parallel)

        async def one(index: int, item: Any) -> None:
            async with free:
                await self._one(place, box, index, item, results)

        for index in range(len(items)):
            box.next(index)
        tasks = [asyncio.ensure_future(one(index, item)) for index, item in enumerate(items)]
        try:
            for task in asyncio.as_completed(tasks):
                await task
        finally:
            for waiting in tasks:
                waiting.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, place: Place, box: Box, index: int, item: Any, results: dict[int, Any]) -> None:
        pool = VariablePool(place.pool)
        pool.put(place.node, {"item": item, "index": index})
        begun = time.perf_counter()
        try:
            await Course(place.flow, self.inside, pool, place.node, "iteration", index).run()
        except RunFailed:
            if self.on_error == "terminated":
                raise
            if self.on_error == "continue-on-error":
                results[index] = None
        else:
            results[index] = pool.get(self.output)
        box.durations[str(index)] = round(time.perf_counter() - begun, 6)

    def _ordered(self, results: dict[int, Any]) -> list[Any]:
        return [results[index] for index in sorted(results)]

    def needs(self) -> Iterable[Selector]:
        return (self.over,)

    def outputs(self) -> Names:
        return frozenset({"output"})

    def check_inside(self, node: Node, seen: Mapping[str, Names]) -> None:
        own = {**seen, node.id: frozenset({"item", "index"})}
        self.inside.check_values(own)
        check(node, self.output, {**own, **_inside(self.inside)})


@dataclass(frozen=True)
class Counter:
    """A variable of a loop."""

    name: str
    value_type: str
    value: Any
    source: Selector | None = None


@dataclass(frozen=True)
class Loop(Work):
    """loop: the nodes inside again and again, until a condition holds or often enough."""

    title: str
    rounds: int
    variables: tuple[Counter, ...]
    until: tuple[Condition, ...]
    logic: Logic
    inside: Graph
    told = False

    async def do(self, place: Place) -> Result:
        values = {one.name: place.pool.get(one.source) if one.source else one.value for one in self.variables}
        box = Box(place.flow.teller, place.node, "loop", self.title, {"loop_count": self.rounds, **values}, self.rounds)
        pool = VariablePool(place.pool)
        pool.put(place.node, dict(values))
        history: dict[str, dict[str, Any]] = {}
        reason = "loop_completed"
        done = 0
        for index in range(self.rounds):
            if index:
                box.next(index)
            begun = time.perf_counter()
            try:
                round_ = VariablePool(pool)
                await Course(place.flow, self.inside, round_, place.node, "loop", index).run()
                done += 1
                box.durations[str(index)] = round(time.perf_counter() - begun, 6)
                history[str(index)] = self._values(pool, place.node)
                # What the nodes of a round put out may decide too, so the round's own values are asked.
                if self.until and decided(results(self.until, self.logic, round_), self.logic):
                    reason = "loop_break"
                    break
            except CannotCompare as problem:
                box.completed("failed", {**self._values(pool, place.node), "loop_round": done})
                raise NodeFailed(str(problem), "ValueError") from None
            except RunFailed:
                box.completed("failed", {**self._values(pool, place.node), "loop_round": done})
                raise
        outputs = {**self._values(pool, place.node), "loop_round": done}
        box.completed("succeeded", outputs, {"completed_reason": reason, "loop_variable_map": history})
        return Result(outputs)

    def _values(self, pool: VariablePool, node: str) -> dict[str, Any]:
        return {one.name: pool.get((node, one.name)) for one in self.variables}

    def needs(self) -> Iterable[Selector]:
        return [one.source for one in self.variables if one.source]

    def outputs(self) -> Names:
        return frozenset({*(one.name for one in self.variables), "loop_round"})

    def check_inside(self, node: Node, seen: Mapping[str, Names]) -> None:
        own = {**seen, node.id: frozenset(one.name for one in self.variables)}
        self.inside.check_values(own)
        for condition in self.until:
            for selector in (condition.selector, *condition.value.needs()):
                check(node, selector, {**own, **_inside(self.inside)})


def _inside(graph: Graph) -> dict[str, Names]:
    return {name: node.work.outputs() for name, node in graph.nodes.items()}
