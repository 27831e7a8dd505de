"""The node runs of a chatflow, as they are told: what starts, is tried again and ends, alone or in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..wire import events as ev
from .convert import as_decimal, as_dict, as_float, as_int, as_text
from .nodetable import NodeTable
from .state import Node, NodeStatus, Retry, Round

_STATUS: frozenset[str] = frozenset(("running", "succeeded", "failed", "exception", "retry", "stopped", "paused"))


class Nodes:
    """Part of a turn in the making: its nodes by id, in the order in which they were first told.

    Args:
        nodes: those of the turn that it goes on from.
        warn: takes (code, message, seconds) of what makes no sense where it stands.
    """

    def __init__(self, nodes: Iterable[Node], warn: Callable[[str, str, float], None]) -> None:
        self._runs = NodeTable(nodes)
        self._warn = warn
        self._containers = {node.node_id: node.id for node in self._runs if node.kind != "node"}
        self._numbers: dict[str, int] = {}
        """Container -> the number of its newest run, from the second on."""
        self._inhabited = {node.parent for node in self._runs}

    def all(self) -> tuple[Node, ...]:
        """The runs as they are now."""
        return self._runs.all()

    def end(self, left: NodeStatus, at: float) -> None:
        """The turn has ended: what still runs never told its own end."""
        self._runs.end(left, at)

    def _container(self, told: object) -> str | None:
        """The run that an inner node's iteration_id or loop_id means: the newest of that name."""
        return self._containers.get(str(told), str(told)) if told else None

    def started(self, event: ev.NodeStarted) -> None:
        data = event.data or {}
        key = str(data.get("id") or data.get("node_id") or len(self._runs))
        parent = self._container(data.get("loop_id") or data.get("iteration_id"))
        old = self._runs.get(key)
        self._runs.put(
            msgspec.structs.replace(
                old or Node(id=key, started_at=event.at, round=self._current_round(parent)),
                node_id=str(data.get("node_id") or ""),
                node_type=str(data.get("node_type") or ""),
                title=str(data.get("title") or ""),
                parent=parent,
                parallel_id=as_text(data.get("parallel_id")) or None,
                inputs=data.get("inputs"),
            )
        )
        self._inhabited.add(parent)

    def _current_round(self, parent: str | None) -> int | None:
        container = self._runs.get(parent)
        rounds = self._runs.rounds(container.id) if container is not None else {}
        if container is None or not rounds:
            return None
        together = container.length is not None and len(rounds) >= container.length > 1
        # All rounds announced before the first inner node: they run in parallel, and
        # which one this belongs to is told when the node ends, if at all.
        if together and parent not in self._inhabited:
            return None
        return next(reversed(rounds))

    def _open_run(self, data: Mapping[str, Any], at: float) -> Node:
        """The run that a retry or an end speaks of.

        Dify 0.15 gives each retry a new run id; then it is the open run of the same node
        that goes on under the new id.
        """
        key = str(data.get("id") or data.get("node_id") or len(self._runs))
        if key not in self._runs:
            node_id, parent = data.get("node_id"), self._container(data.get("loop_id") or data.get("iteration_id"))
            # Where no retry is told of, one that runs is another round's run of the node, not a retry of this one.
            statuses: tuple[NodeStatus, ...] = ("running", "retry") if "retry_index" in data else ("retry",)
            old = self._runs.first_open(node_id, parent, statuses) if isinstance(node_id, str) else None
            if old is not None:
                self._runs.rename(old.id, key)
            else:
                self.started(ev.NodeStarted(data=dict(data), at=at))
        run = self._runs.get(key)
        assert run is not None
        return run

    def finished(self, event: ev.NodeFinished) -> None:
        data = event.data or {}
        old = self._open_run(data, event.at)
        meta = as_dict(data.get("execution_metadata")) or {}
        told = str(data.get("status") or "succeeded")
        index = as_int(meta.get("iteration_index"))
        if index is None:
            index = as_int(meta.get("loop_index"))
        self._runs.put(
            msgspec.structs.replace(
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
        )

    def retried(self, event: ev.NodeRetry) -> None:
        data = event.data or {}
        old = self._open_run(data, event.at)
        retry = Retry(
            index=as_int(data.get("retry_index")) or len(self._runs.retries(old.id)) + 1,
            error=as_text(data.get("error")) or None,
            elapsed=as_float(data.get("elapsed_time")),
            at=event.at,
        )
        self._runs.put(msgspec.structs.replace(old, status="retry"))
        self._runs.add_retry(old.id, retry)

    def container_started(self, event: ev.IterationStarted | ev.LoopStarted) -> None:
        data = event.data or {}
        kind = "iteration" if isinstance(event, ev.IterationStarted) else "loop"
        name = str(data.get("node_id") or data.get("id") or "")
        key = self._new_key(name)
        parent = self._container(data.get("loop_id") or data.get("iteration_id"))
        self._containers[name] = key
        meta = as_dict(data.get("metadata")) or {}
        length = next((as_int(meta[k]) for k in (f"{kind}_length", "iterator_length") if k in meta), None)
        self._runs.put(
            Node(
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
        )
        self._inhabited.add(parent)

    def _new_key(self, name: str) -> str:
        """A container inside a loop runs again under the same id: each run is a node here."""
        key, number = name, self._numbers.get(name, 1)
        while key in self._runs:
            number += 1
            key = f"{name}#{number}"
        self._numbers[name] = number
        return key

    def _open_container(self, data: Mapping[str, Any]) -> Node | None:
        return self._runs.get(self._container(data.get("node_id") or data.get("id")))

    def next_round(self, event: ev.IterationNext | ev.LoopNext) -> None:
        data = event.data or {}
        node = self._open_container(data)
        if node is None:
            self._warn("unexpected", f"a round of {data.get('node_id')!r}, which never started", event.at)
            return
        index = as_int(data.get("index"))
        rounds = self._runs.rounds(node.id)
        index = len(rounds) if index is None else index
        # Dify 0.15 sends one more after the last item.
        over = node.kind == "iteration" and node.length is not None and index >= node.length
        if not over and index not in rounds:
            self._runs.put_round(node.id, Round(index=index, started_at=event.at))

    def container_completed(self, event: ev.IterationCompleted | ev.LoopCompleted) -> None:
        data = event.data or {}
        node = self._open_container(data)
        if node is None:
            self._warn("unexpected", f"the end of {data.get('node_id')!r}, which never started", event.at)
            return
        meta = as_dict(data.get("execution_metadata")) or {}
        times = as_dict(meta.get(f"{node.kind}_duration_map")) or {}
        told = str(data.get("status") or "succeeded")
        self._runs.put(
            msgspec.structs.replace(
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
            )
        )
        rounds = self._runs.rounds(node.id)
        for name, elapsed in times.items():
            one = rounds.get(index) if (index := as_int(name)) is not None else None
            if one is not None and name == str(index):
                self._runs.put_round(node.id, msgspec.structs.replace(one, elapsed=as_float(elapsed)))
