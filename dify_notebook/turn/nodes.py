"""The node runs of a chatflow, as they are told: what starts, is tried again and ends, alone or in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..wire import events as ev
from .convert import as_decimal, as_dict, as_float, as_int, as_text
from .state import Node, NodeStatus, Retry, Round

_STATUS: frozenset[str] = frozenset(("running", "succeeded", "failed", "exception", "retry", "stopped", "paused"))


class Nodes:
    """Part of a turn in the making: its nodes by id, in the order in which they were first told.

    Args:
        nodes: those of the turn that it goes on from.
        warn: takes (code, message, seconds) of what makes no sense where it stands.
    """

    def __init__(self, nodes: Iterable[Node], warn: Callable[[str, str, float], None]) -> None:
        self._runs = {node.id: node for node in nodes}
        self._warn = warn
        self._containers = {node.node_id: node.id for node in self._runs.values() if node.kind != "node"}
        self._inhabited = {node.parent for node in self._runs.values()}

    def all(self) -> tuple[Node, ...]:
        """The runs as they are now."""
        return tuple(self._runs.values())

    def end(self, left: NodeStatus, at: float) -> None:
        """The turn has ended: what still runs never told its own end."""
        for key, node in self._runs.items():
            if node.status in ("running", "retry"):
                self._runs[key] = msgspec.structs.replace(node, status=left, finished_at=at)

    def _container(self, told: object) -> str | None:
        """The run that an inner node's iteration_id or loop_id means: the newest of that name."""
        return self._containers.get(str(told), str(told)) if told else None

    def started(self, event: ev.NodeStarted) -> None:
        data = event.data or {}
        key = str(data.get("id") or data.get("node_id") or len(self._runs))
        parent = self._container(data.get("loop_id") or data.get("iteration_id"))
        old = self._runs.get(key)
        self._runs[key] = msgspec.structs.replace(
            old or Node(id=key, started_at=event.at, round=self._current_round(parent)),
            node_id=str(data.get("node_id") or ""),
            node_type=str(data.get("node_type") or ""),
            title=str(data.get("title") or ""),
            parent=parent,
            parallel_id=as_text(data.get("parallel_id")) or None,
            inputs=data.get("inputs"),
        )
        self._inhabited.add(parent)

    def _current_round(self, parent: str | None) -> int | None:
        container = self._runs.get(parent) if parent else None
        if container is None or not container.rounds:
            return None
        together = container.length is not None and len(container.rounds) >= container.length > 1
        # All rounds announced before the first inner node: they run in parallel, and
        # which one this belongs to is told when the node ends, if at all.
        if together and parent not in self._inhabited:
            return None
        return container.rounds[-1].index

    def _open_run(self, data: Mapping[str, Any], at: float) -> tuple[str, Node]:
        """The run that a retry or an end speaks of.

        Dify 0.15 gives each retry a new run id; then it is the open run of the same node
        that goes on under the new id.
        """
        key = str(data.get("id") or data.get("node_id") or len(self._runs))
        if key not in self._runs:
            parent = self._container(data.get("loop_id") or data.get("iteration_id"))
            for other, node in self._runs.items():
                same = node.node_id == data.get("node_id") and node.parent == parent
                if same and node.kind == "node" and node.status in ("running", "retry"):
                    if node.status == "running" and "retry_index" not in data:
                        continue  # another round's run of the node, not a retry of this one
                    self._runs = {
                        (key if name == other else name): (
                            msgspec.structs.replace(value, id=key) if name == other else value
                        )
                        for name, value in self._runs.items()
                    }
                    break
            else:
                self.started(ev.NodeStarted(data=dict(data), at=at))
        return key, self._runs[key]

    def finished(self, event: ev.NodeFinished) -> None:
        data = event.data or {}
        key, old = self._open_run(data, event.at)
        meta = as_dict(data.get("execution_metadata")) or {}
        told = str(data.get("status") or "succeeded")
        index = as_int(meta.get("iteration_index"))
        if index is None:
            index = as_int(meta.get("loop_index"))
        self._runs[key] = msgspec.structs.replace(
            old,
            status=told if told in _STATUS else "unknown",
            error=as_text(data.get("error")) or None,
            inputs=data.get("inputs") if data.get("inputs") is not None else old.inputs,
            process_data=data.get("process_data"),
            outputs=data.get("outputs"),
            metadata=meta or None,
            total_tokens=as_int(meta.get("total_tokens")),
            total_price=as_decimal(meta.get("total_price")),
            currency=as_text(meta.get("currency")) or None,
            elapsed=as_float(data.get("elapsed_time")),
            finished_at=event.at,
            round=index if index is not None else old.round,
        )

    def retried(self, event: ev.NodeRetry) -> None:
        data = event.data or {}
        key, old = self._open_run(data, event.at)
        retry = Retry(
            index=as_int(data.get("retry_index")) or len(old.retries) + 1,
            error=as_text(data.get("error")) or None,
            elapsed=as_float(data.get("elapsed_time")),
            at=event.at,
        )
        self._runs[key] = msgspec.structs.replace(old, status="retry", retries=(*old.retries, retry))

    def container_started(self, event: ev.IterationStarted | ev.LoopStarted) -> None:
        data = event.data or {}
        kind = "iteration" if isinstance(event, ev.IterationStarted) else "loop"
        name = str(data.get("node_id") or data.get("id") or "")
        # A container inside a loop runs again under the same id: each run is a node here.
        key = name
        while key in self._runs:
            key = f"{name}#{int(key.rpartition('#')[2]) + 1 if '#' in key[len(name) :] else 2}"
        parent = self._container(data.get("loop_id") or data.get("iteration_id"))
        self._containers[name] = key
        meta = as_dict(data.get("metadata")) or {}
        length = next((as_int(meta[k]) for k in (f"{kind}_length", "iterator_length") if k in meta), None)
        self._runs[key] = Node(
            id=key,
            node_id=name,
            node_type=str(data.get("node_type") or kind),
            title=str(data.get("title") or ""),
            kind=kind,  # type: ignore[arg-type]  # one of the literals, from a table
            parent=parent,
            parallel_id=as_text(data.get("parallel_id")) or None,
            inputs=data.get("inputs"),
            started_at=event.at,
            length=length,
        )
        self._inhabited.add(parent)

    def _open_container(self, data: Mapping[str, Any]) -> Node | None:
        key = self._container(data.get("node_id") or data.get("id"))
        return self._runs.get(key) if key else None

    def next_round(self, event: ev.IterationNext | ev.LoopNext) -> None:
        data = event.data or {}
        node = self._open_container(data)
        if node is None:
            self._warn("unexpected", f"a round of {data.get('node_id')!r}, which never started", event.at)
            return
        index = as_int(data.get("index"))
        index = len(node.rounds) if index is None else index
        # Dify 0.15 sends one more after the last item.
        over = node.kind == "iteration" and node.length is not None and index >= node.length
        if over or any(known.index == index for known in node.rounds):
            return
        rounds = (*node.rounds, Round(index=index, started_at=event.at))
        self._runs[node.id] = msgspec.structs.replace(node, rounds=rounds)

    def container_completed(self, event: ev.IterationCompleted | ev.LoopCompleted) -> None:
        data = event.data or {}
        node = self._open_container(data)
        if node is None:
            self._warn("unexpected", f"the end of {data.get('node_id')!r}, which never started", event.at)
            return
        meta = as_dict(data.get("execution_metadata")) or {}
        times = as_dict(meta.get(f"{node.kind}_duration_map")) or {}
        told = str(data.get("status") or "succeeded")
        self._runs[node.id] = msgspec.structs.replace(
            node,
            status=told if told in _STATUS else "unknown",
            error=as_text(data.get("error")) or None,
            inputs=data.get("inputs") if data.get("inputs") is not None else node.inputs,
            outputs=data.get("outputs"),
            metadata=meta or None,
            total_tokens=as_int(data.get("total_tokens")),
            total_price=as_decimal(meta.get("total_price")),
            currency=as_text(meta.get("currency")) or None,
            elapsed=as_float(data.get("elapsed_time")),
            finished_at=event.at,
            rounds=tuple(
                msgspec.structs.replace(one, elapsed=as_float(times.get(str(one.index), one.elapsed)))
                for one in node.rounds
            ),
        )
