"""Streams in which iterations and loops lie in one another, in order or side by side, as servers could tell them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dify_notebook.wire import events as ev


@dataclass(frozen=True)
class Box:
    """A container with what runs in each of its rounds, boxes or names of nodes."""

    kind: str
    name: str
    inside: tuple[Box | str, ...]
    rounds: int = 2
    parallel: bool = False


@dataclass(frozen=True)
class Way:
    """How a server tells it.

    ids: `own`, each run of a container has its own; `node`, all have the node's; `none`, nodes have no run id either.
    outer: whether what starts and ends says where its container lies, and in which round.
    names: `all` containers around a node stand in its event, of two of a kind the inner one; `inner`, the innermost
        alone; `dify`, of two of a kind the outer one in the data and the inner one in the metadata; `run`, as `all`, by
        the ids of their runs.
    """

    ids: str = "own"
    outer: bool = True
    names: str = "all"


Path = tuple[tuple[Box, int, int], ...]
"""The boxes around something, from the outermost: each with the number of its run and the round."""


@dataclass
class Telling:
    """Makes the events; `truth` says of each node that ended where it ran."""

    way: Way
    rng: random.Random
    runs: dict[str, int] = field(default_factory=dict)
    nodes: int = 0

    def told(self, box: Box, run: int) -> dict[str, Any]:
        given = f"{box.name}-{run}" if self.way.ids == "own" else box.name
        return {"id": given, "node_id": box.name, "node_type": box.kind, "title": box.name}

    def where(self, path: Path, *, ended: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands in the data and in the metadata of something that runs there."""
        data: dict[str, Any] = {}
        meta: dict[str, Any] = {}
        shown = path[-1:] if self.way.names == "inner" else path
        for box, run, number in shown:
            name = self.told(box, run)["id"] if self.way.names == "run" else box.name
            if self.way.names != "dify" or f"{box.kind}_id" not in data:
                data[f"{box.kind}_id"] = name
            meta |= {f"{box.kind}_id": name, f"{box.kind}_index": number}
        return data, meta if ended else {}

    def box(self, box: Box, path: Path) -> list[Any]:
        """Its events in order; a list in the list is of lanes, which mix."""
        run = self.runs[box.name] = self.runs.get(box.name, 0) + 1
        start, next_, end = {
            "loop": (ev.LoopStarted, ev.LoopNext, ev.LoopCompleted),
            "iteration": (ev.IterationStarted, ev.IterationNext, ev.IterationCompleted),
        }[box.kind]
        told = self.told(box, run)
        data, meta = self.where(path, ended=True) if self.way.outer else ({}, {})
        lanes = [self.round(box, run, number, path) for number in range(box.rounds)]
        nexts = [next_(data={**told, **data, "index": number}) for number in range(box.rounds)]
        steps: list[Any] = [start(data={**told, **data, "metadata": {f"{box.kind}_length": box.rounds, **meta}})]
        if box.parallel:
            steps += [*nexts, lanes]
        else:
            for one, lane in zip(nexts, lanes, strict=True):
                steps += [one, *lane]
        outputs = {"run": run, "path": spelled(path)}
        ended = {"status": "succeeded", "outputs": outputs, "execution_metadata": meta}
        return [*steps, end(data={**told, **data, **ended})]

    def round(self, box: Box, run: int, number: int, path: Path) -> list[Any]:
        around = (*path, (box, run, number))
        inside = (self.box(one, around) if isinstance(one, Box) else self.node(one, around) for one in box.inside)
        return [step for steps in inside for step in steps]

    def node(self, name: str, path: Path) -> list[Any]:
        self.nodes += 1
        told: dict[str, Any] = {"node_id": name, "node_type": "code", "title": name}
        if self.way.ids != "none":
            told["id"] = f"{name}-{self.nodes}"
        data, meta = self.where(path, ended=True)
        status = "failed" if self.nodes % 5 == 0 else "succeeded"
        end = {"status": status, "outputs": {"number": self.nodes, "path": spelled(path)}, "execution_metadata": meta}
        retry = ev.NodeRetry(data={**told, **data, "retry_index": 1, "execution_metadata": meta})
        retries = [retry] if self.nodes % 3 == 0 else []
        return [ev.NodeStarted(data={**told, **data}), *retries, ev.NodeFinished(data={**told, **data, **end})]

    def mixed(self, steps: list[Any]) -> Iterator[ev.Event]:
        for step in steps:
            if isinstance(step, list):
                lanes = [self.mixed(lane) for lane in step]
                while lanes:
                    lane = self.rng.choice(lanes)
                    event = next(lane, None)
                    if event is None:
                        lanes.remove(lane)
                    else:
                        yield event
            else:
                yield step


def spelled(path: Path) -> str:
    """`it-1.0/lp-2.1`: run 1 of `it` in its round 0, and in that run 2 of `lp` in its round 1."""
    return "/".join(f"{box.name}-{run}.{number}" for box, run, number in path)


def stream(box: Box, way: Way, seed: int = 0) -> list[ev.Event]:
    """The events of a run of this container, always the same ones for a seed."""
    telling = Telling(way, random.Random(seed))
    return list(telling.mixed(telling.box(box, ())))
