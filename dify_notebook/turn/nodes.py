"""The node runs of a chatflow, as they are told: what starts, is tried again and ends, alone or in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, get_args

import msgspec

from ..i18n import t
from ..wire import events as ev
from .containers import Containers, Placement
from .convert import as_decimal, as_dict, as_float, as_int, as_text
from .nodetable import NodeTable
from .state import Node, NodeStatus, Retry, Round

_STATUSES = frozenset(get_args(NodeStatus))


def _name(data: Mapping[str, Any]) -> str:
    return str(data.get("id") or data.get("node_id") or "")


def _has_own_id(data: Mapping[str, Any]) -> bool:
    """Whether a run is told apart from others of its node."""
    return bool(data.get("id")) and data["id"] != data.get("node_id")


class Nodes:
    """Part of a turn in the making: its nodes by id, in the order in which they were first told.

    Args:
        nodes: those of the turn that it goes on from.
        warn: takes (code, message, seconds) of what makes no sense where it stands.
    """

    def __init__(self, nodes: Iterable[Node], warn: Callable[[str, str, float], None]) -> None:
        self._runs = NodeTable(nodes)
        self._containers = Containers(self._runs)
        self._warn = warn
        self._numbers: dict[str, int] = {}
        """Name -> the number of its newest run, from the second on."""
        self._branches: dict[tuple[str | None, str], list[str]] = {}
        """Container and the name that Dify 0.15 gives to one of its parallel rounds -> the runs in that round."""
        for node in self._runs:
            self._note_branch(node)

    def all(self) -> tuple[Node, ...]:
        """The runs as they are now."""
        return self._runs.all()

    def end(self, left: NodeStatus, at: float) -> None:
        """The turn has ended: what still runs never told its own end."""
        self._runs.end(left, at)

    def end_waiting(self, closed: Set[str]) -> None:
        """The run has ended, and what waited for a person with it; of those nodes the forms were closed."""
        self._runs.end_waiting(closed)

    def stopped(self) -> None:
        """The run was stopped, as is told only after the message has ended."""
        self._runs.restate("unknown", "stopped")

    def _note_branch(self, node: Node) -> None:
        branch = as_text((node.metadata or {}).get("parallel_mode_run_id"))
        if branch and node.round is None:
            self._branches.setdefault((node.parent, branch), []).append(node.id)

    def started(self, event: ev.NodeStarted) -> None:
        self._start(event.data or {}, event.at)

    def _start(self, data: Mapping[str, Any], at: float) -> Node:
        node_id, placement = str(data.get("node_id") or ""), Placement.of(data)
        key = _name(data) or str(len(self._runs))
        if not _has_own_id(data) and placement.containers:
            key = self._new_key(key)
        run = self._runs.get(key)
        parent = self._containers.parent_of(placement, node_id, run)
        if data.get("parallel_run_id"):
            self._containers.run_side_by_side(parent)
        run = msgspec.structs.replace(
            run or Node(id=key, started_at=at, round=self._containers.round_in(placement, parent)),
            node_id=node_id,
            node_type=str(data.get("node_type") or ""),
            title=str(data.get("title") or ""),
            parent=parent,
            parallel_id=as_text(data.get("parallel_id")) or None,
            inputs=data.get("inputs"),
        )
        if run.status in ("paused", "unknown"):  # it waited for a person, or its stream broke off, and goes on
            run = msgspec.structs.replace(run, status="running", finished_at=None)
        self._containers.put(run)
        return run

    def _open_run(self, data: Mapping[str, Any], at: float) -> Node:
        """The run that a retry or an end speaks of.

        Dify 0.15 gives each retry a new run id; then it is the open run of the same node
        that goes on under the new id.
        """
        key, placement, has_own_id = _name(data) or str(len(self._runs)), Placement.of(data), _has_own_id(data)
        run = self._runs.get(key) if has_own_id or not placement.containers else None
        if run is not None:
            return run
        # Where no retry is told of, one that runs is another round's run of the node, not a retry of this one.
        may_run = "retry_index" in data or not has_own_id
        statuses: tuple[NodeStatus, ...] = ("running", "retry") if may_run else ("retry",)
        node_id = data.get("node_id")
        if isinstance(node_id, str):
            parents = self._containers.possible_parents(placement, node_id)
            matches = (self._runs.first_open(node_id, parent, statuses) for parent in parents)
            run = next((match for match in matches if match is not None), None)
        if run is None:
            return self._start(data, at)
        if has_own_id:
            self._runs.rename(run.id, key)
            run = msgspec.structs.replace(run, id=key)
        return run

    def finished(self, event: ev.NodeFinished) -> None:
        data = event.data or {}
        run = self._open_run(data, event.at)
        meta = as_dict(data.get("execution_metadata")) or {}
        tokens = as_int(meta.get("total_tokens"))
        self._end_run(run, data, event.at, process_data=data.get("process_data"), total_tokens=tokens)
        self._note_branch(self._runs.get(run.id) or run)

    def _end_run(self, run: Node, data: Mapping[str, Any], at: float, container: str = "", **fields: Any) -> None:
        """Take in what the end of a node or a container tells.

        Args:
            container: the one that ends.
            fields: what only one of the two tells, or tells elsewhere.
        """
        meta = as_dict(data.get("execution_metadata")) or {}
        status = str(data.get("status") or "succeeded")
        placement = Placement.of(data, container)
        parent = self._containers.parent_of(placement, run.node_id, run)
        run = self._runs.get(run.id) or run
        self._containers.put(
            msgspec.structs.replace(
                run,
                parent=parent,
                round=self._containers.round_in(placement, parent, run),
                status=status if status in _STATUSES else "unknown",
                error=as_text(data.get("error")) or None,
                inputs=data.get("inputs") if data.get("inputs") is not None else run.inputs,
                outputs=data.get("outputs"),
                metadata=meta or None,
                total_price=as_decimal(meta.get("total_price")),
                currency=as_text(meta.get("currency")) or None,
                elapsed=as_float(data.get("elapsed_time")),
                finished_at=at,
                **fields,
            )
        )

    def retried(self, event: ev.NodeRetry) -> None:
        data = event.data or {}
        run = self._open_run(data, event.at)
        retry = Retry(
            index=as_int(data.get("retry_index")) or len(self._runs.retries(run.id)) + 1,
            error=as_text(data.get("error")) or None,
            elapsed=as_float(data.get("elapsed_time")),
            at=event.at,
        )
        self._runs.put(msgspec.structs.replace(run, status="retry"))
        self._runs.add_retry(run.id, retry)

    def container_started(self, event: ev.IterationStarted | ev.LoopStarted) -> None:
        data = event.data or {}
        kind = "iteration" if isinstance(event, ev.IterationStarted) else "loop"
        name = str(data.get("node_id") or data.get("id") or "")
        key, placement = self._new_key(_name(data)), Placement.of(data, name)
        parent = self._containers.parent_of(placement, name)
        meta = as_dict(data.get("metadata")) or {}
        length = next((as_int(meta[k]) for k in (f"{kind}_length", "iterator_length") if k in meta), None)
        self._containers.put(
            Node(
                id=key,
                node_id=name,
                node_type=str(data.get("node_type") or kind),
                title=str(data.get("title") or ""),
                kind=kind,  # type: ignore[arg-type]  # one of the literals, from a table
                parent=parent,
                round=self._containers.round_in(placement, parent),
                parallel_id=as_text(data.get("parallel_id")) or None,
                inputs=data.get("inputs"),
                started_at=event.at,
                length=length,
            )
        )

    def _new_key(self, name: str) -> str:
        """What runs in a container may run again under the same id: each run is a node here."""
        key, number = name, self._numbers.get(name, 1)
        while key in self._runs:
            number += 1
            key = f"{name}#{number}"
        self._numbers[name] = number
        return key

    def next_round(self, event: ev.IterationNext | ev.LoopNext) -> None:
        data = event.data or {}
        index = as_int(data.get("index"))
        node = self._containers.run_of(data, index)
        if node is None:
            self._warn("unexpected", t("turn.no_round", node=repr(data.get("node_id"))), event.at)
            return
        rounds = self._runs.rounds(node.id)
        index = len(rounds) if index is None else index
        # Dify 0.15 sends one more after the last item.
        beyond = node.kind == "iteration" and node.length is not None and index >= node.length
        if not beyond and index not in rounds:
            self._runs.put_round(node.id, Round(index=index, started_at=event.at))
        # Dify 0.15 tells so that a parallel round is over, and counts on from it.
        for key in self._branches.pop((node.id, as_text(data.get("parallel_mode_run_id"))), ()):
            run = self._runs.get(key)
            if run is not None and run.round is None and index > 0:
                self._containers.put(msgspec.structs.replace(run, round=index - 1))

    def container_completed(self, event: ev.IterationCompleted | ev.LoopCompleted) -> None:
        data = event.data or {}
        node = self._containers.run_of(data)
        if node is None:
            self._warn("unexpected", t("turn.no_end", node=repr(data.get("node_id"))), event.at)
            return
        self._end_run(node, data, event.at, node.node_id, total_tokens=as_int(data.get("total_tokens")))
        meta = as_dict(data.get("execution_metadata")) or {}
        times = as_dict(meta.get(f"{node.kind}_duration_map")) or {}
        rounds = self._runs.rounds(node.id)
        for name, elapsed in times.items():
            index = as_int(name)
            if index is None or index < 0 or name != str(index):
                continue
            begun = node.started_at if index == 0 and node.kind == "loop" else None
            round_ = rounds.get(index) or Round(index=index, started_at=begun)  # Dify 1.16 announces no loop's first
            self._runs.put_round(node.id, msgspec.structs.replace(round_, elapsed=as_float(elapsed)))
