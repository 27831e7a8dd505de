"""What was heard of a run's nodes, and what an event that tells of one says that is new.

A run that is followed is told as a state first (Dify 1.13 and newer): each node as one that began and, perhaps, ended,
without what it took and gave; iterations and loops as plain nodes with ids of their own; nodes in them without their
round. Here that becomes what a live stream would have told, and nothing that was heard is taken back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..wire import events as ev

if TYPE_CHECKING:
    from ..turn.state import Turn

State = Literal["running", "paused", "told", "ended"]
"""`told` has ended, and what it took and gave was not told."""
_STARTED: dict[str, type[ev.WorkflowEvent]] = {"iteration": ev.IterationStarted, "loop": ev.LoopStarted}
_NEXT: dict[str, type[ev.WorkflowEvent]] = {"iteration": ev.IterationNext, "loop": ev.LoopNext}
_COMPLETED: dict[str, type[ev.WorkflowEvent]] = {"iteration": ev.IterationCompleted, "loop": ev.LoopCompleted}
_DETAILS = ("inputs", "outputs", "process_data", "execution_metadata")
_PLACE = ("iteration_id", "loop_id")


class _Container:
    """A run of an iteration or a loop."""

    def __init__(self, kind: str, data: Mapping[str, Any], number: int) -> None:
        self.kind, self.node_id, self.number = kind, _node_id(data), number
        self.state: State = "running"
        self.round = 0 if kind == "loop" else -1
        self.made_rounds: set[int] = set()
        self.inside: set[str] = set()
        """Nodes that began in its newest round."""
        self.parallel = False


class RunNodes:
    """The nodes of one run, over all connections."""

    def __init__(self) -> None:
        self._nodes: dict[str, State] = {}
        self._waited: set[str] = set()
        """Those that paused and have not ended since."""
        self._containers: dict[str, list[_Container]] = {}
        """By node, in the order in which they began."""
        self._running: dict[str, list[_Container]] = {}
        """By node; those that have ended since are let go when they are the last."""
        self._untold: dict[str, _Container] = {}
        """By node, the newest that has ended as a state tells it."""
        self._made: dict[tuple[str, int | None], _Container] = {}
        """By node and second, those of which a state alone told."""
        self._by_id: dict[str, _Container] = {}
        """By the id that this connection's state has for them."""
        self._count: Counter[str] = Counter()
        self._begun = 0
        self.steps = 0
        """Runs of nodes, iterations and loops that lie in no other, as the run's end counts them: a node that goes on
        after a pause is one more."""

    @property
    def missing(self) -> bool:
        """Whether there are nodes of which no more than their status was told."""
        containers = (run.state for runs in self._containers.values() for run in runs)
        return "told" in self._nodes.values() or "told" in containers

    @property
    def open(self) -> bool:
        """Whether there are nodes that have not told their end."""
        containers = (run.state for runs in self._containers.values() for run in runs)
        return "running" in self._nodes.values() or "running" in containers

    def begin(self, turn: Turn) -> None:
        """What is known already."""
        for node in turn.nodes or ():
            self.steps += node.parent is None
            if node.kind == "node":
                details = any(value is not None for value in (node.inputs, node.outputs, node.metadata))
                running = node.status in ("running", "retry")
                paused = node.status in ("paused", "unknown")  # a stream that broke off knows no more of it
                self._nodes[node.id] = "running" if running else "paused" if paused else "ended" if details else "told"
                if node.status == "paused":
                    self._waited.add(node.id)
                continue
            run = self._begin(node.kind, {"node_id": node.node_id}, known=True)
            if node.status not in ("running", "unknown"):
                self._end(run, "ended")
            run.round = max((one.index for one in node.rounds), default=run.round)
            run.parallel = node.parallel
            run.inside = {one.node_id for one in turn.nodes or () if one.parent == node.id and one.round == run.round}
        flow = turn.workflow
        if turn.nodes and flow is not None and flow.status == "paused":  # its nodes do not say how often they went on
            self.steps = max(self.steps, flow.total_steps or 0)

    def restart(self) -> None:
        """Another connection begins."""
        self._by_id.clear()
        self._count.clear()

    def record(self, event: ev.Event) -> None:
        """An event that is new, of whatever kind."""
        if isinstance(event, ev.WorkflowEvent):
            self.news(event)

    def news(self, event: ev.WorkflowEvent) -> list[ev.Event]:
        """What an event says that was not heard: itself, nothing, or what a live stream would have told."""
        data = event.data or {}
        if isinstance(event, (ev.NodeStarted, ev.NodeFinished)):
            if not data.get("id") or data["id"] == data.get("node_id"):
                return [event]  # runs of it cannot be told apart
            if data.get("node_type") in _STARTED:
                return self._of_container(event, data)
            started = isinstance(event, ev.NodeStarted)
            return self._node_started(event, data) if started else self._node_finished(event, data)
        if isinstance(event, (ev.IterationStarted, ev.LoopStarted)):
            return self._started("iteration" if isinstance(event, ev.IterationStarted) else "loop", event, data)
        if isinstance(event, (ev.IterationNext, ev.LoopNext)):
            return self._next(event, data)
        if isinstance(event, (ev.IterationCompleted, ev.LoopCompleted)):
            run = self._open_run(_node_id(data)) or self._untold.pop(_node_id(data), None)
            if run is not None:
                self._end(run, "ended")
        return [event]

    # -- nodes ---------------------------------------------------------------------------

    def _node_started(self, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        key = str(data["id"])
        before = self._nodes.get(key)
        if before not in (None, "paused"):
            return []
        self._nodes[key] = "running"
        return [*self._first(event, data), event] if before is None else [event]

    def _node_finished(self, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        key = str(data["id"])
        before = self._nodes.get(key)
        ended: State = "told" if all(data.get(name, "") is None for name in _DETAILS) else "ended"
        now: State = "paused" if data.get("status") == "paused" else ended
        if before == now or before == "ended" or (before == "told" and now == "paused"):
            return []
        self._nodes[key] = now
        if now == "paused":
            self._waited.add(key)
        elif key in self._waited:
            self._waited.remove(key)
            self.steps += not _is_inside(data)
        return [*self._first(event, data), event] if before is None else [event]

    def _first(self, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        self.steps += not _is_inside(data)
        return self._place(event, data)

    def _place(self, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        """A node begins in the newest round of the container around it; one that was there already, in the next."""
        around = [run for name in _PLACE if (run := self._open_run(str(data.get(name) or ""))) is not None]
        if not around:
            return []
        run = max(around, key=lambda one: one.number)
        node, begins = str(data.get("node_id")), run.round < 0 or str(data.get("node_id")) in run.inside
        if run.parallel or not begins:
            run.inside.add(node)
            return []
        run.round += 1
        run.inside = {node}
        run.made_rounds.add(run.round)
        data = {"id": run.node_id, "node_id": run.node_id, "node_type": run.kind, "index": run.round}
        return [_made(_NEXT[run.kind], event, data)]

    # -- iterations and loops --------------------------------------------------------------

    def _begin(self, kind: str, data: Mapping[str, Any], *, known: bool = False) -> _Container:
        self._begun += 1
        self.steps += not known and not _is_inside(data)
        run = _Container(kind, data, self._begun)
        self._containers.setdefault(run.node_id, []).append(run)
        self._running.setdefault(run.node_id, []).append(run)
        return run

    def _end(self, run: _Container, state: State) -> None:
        run.state = state
        if state == "told":
            self._untold[run.node_id] = run

    def _open_run(self, node_id: str) -> _Container | None:
        """The newest run of that container that has not told its end."""
        running = self._running.get(node_id, [])
        while running and running[-1].state != "running":
            running.pop()
        return running[-1] if running else None

    def _of_container(self, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        """A state tells of a container as of a node; its runs come in the order in which they began."""
        key, name, kind = str(data["id"]), str(data.get("node_id")), str(data["node_type"])
        made: list[ev.Event] = []
        if key not in self._by_id:
            runs = self._containers.get(name, [])
            number = self._count[name]
            self._count[name] += 1
            if number < len(runs):
                self._by_id[key] = runs[number]
            else:
                made = [*self._place(event, data), _made(_STARTED[kind], event, _as_container(data, metadata={}))]
                self._by_id[key] = self._begin(kind, data)
                self._made[name, _second(data)] = self._by_id[key]
        run = self._by_id[key]
        if isinstance(event, ev.NodeFinished) and run.state == "running":
            self._end(run, "told")
            made.append(_made(_COMPLETED[kind], event, _as_container(data)))
        return made

    def _started(self, kind: str, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        if self._made.pop((_node_id(data), _second(data)), None) is not None:
            return []  # the state was a little ahead
        made = self._place(event, data)
        self._begin(kind, data)
        return [*made, event]

    def _next(self, event: ev.WorkflowEvent, data: Mapping[str, Any]) -> list[ev.Event]:
        run, index = self._open_run(_node_id(data)), data.get("index")
        if run is None or not isinstance(index, int):
            return [event]
        if index in run.made_rounds:
            return []
        run.parallel = run.parallel or (index > 0 and run.kind == "iteration" and not run.inside)
        run.round, run.inside = index, set()
        return [event]


def _is_inside(data: Mapping[str, Any]) -> bool:
    return any(data.get(name) for name in _PLACE)


def _node_id(data: Mapping[str, Any]) -> str:
    return str(data.get("node_id") or data.get("id") or "")


def _second(data: Mapping[str, Any]) -> int | None:
    time = data.get("created_at")
    return int(time) if isinstance(time, (int, float)) else None


def _as_container(data: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    names = ("node_id", "node_type", "title", "status", "error", "elapsed_time", "created_at", *_PLACE)
    return {"id": data.get("node_id")} | {name: data[name] for name in names if data.get(name) is not None} | fields


def _made(kind: type[ev.WorkflowEvent], event: ev.WorkflowEvent, data: dict[str, Any]) -> ev.Event:
    """What a live stream would have told, with the ids of the event that tells it now."""
    fields = {name: getattr(event, name) for name in ev.WorkflowEvent.__struct_fields__ if name not in _OWN}
    return kind(**fields | {"at": event.at, "data": data})


_OWN = frozenset((*ev.Event.__struct_fields__, "data"))
