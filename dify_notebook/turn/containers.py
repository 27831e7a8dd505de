"""Which run of an iteration or a loop an event means: they lie in one another, run again, and run side by side.

Servers name a container by its node, which every run of it shares; what tells its runs apart is the round of the
container around it (`iteration_index` and `loop_index` where a node ends), and where even that is not told, that
in one round of a run a node runs once. Dify 1 names the outer container in `iteration_id` or `loop_id`, and the
inner one in `execution_metadata`, where both are of one kind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from .convert import as_dict, as_int
from .nodetable import NodeTable
from .state import Node

KINDS = ("iteration", "loop")
_SIDE_BY_SIDE = 32
"""Runs of one container that are told apart, the newest ones; Dify runs ten at once."""
_DEEP = 12
"""Containers in one another that are looked through."""


class Placement(NamedTuple):
    """Where an event says that its node runs."""

    containers: tuple[str, ...]
    """Containers around it, in no order."""
    rounds: Mapping[str, int]
    """Container -> which of its rounds."""

    @classmethod
    def of(cls, data: Mapping[str, Any], container: str = "") -> Placement:
        """What the data of an event tells.

        Args:
            container: the container of which the event speaks, which is not around itself.
        """
        own = (container, str(data.get("id"))) if container else ()
        metas = [as_dict(data.get(field)) or {} for field in ("execution_metadata", "metadata")]
        containers: dict[str, None] = {}
        rounds: dict[str, int] = {}
        for source in (data, *metas):
            for kind in reversed(KINDS):
                name = source.get(f"{kind}_id") or data.get(f"{kind}_id")
                index = as_int(source.get(f"{kind}_index"))
                if name and str(name) not in own:
                    containers[str(name)] = None
                    if index is not None:
                        rounds[str(name)] = index
                elif index is not None and not name:
                    rounds[""] = index
        return cls(tuple(containers), rounds)

    def round_in(self, container: Node | str | None) -> int | None:
        """Which round of a container it is; a name for one that was never told of, None for none."""
        names = (container.node_id, container.id) if isinstance(container, Node) else (container or "", "")
        return next((self.rounds[name] for name in names if name in self.rounds), None)


class Containers:
    """The containers among the runs of a turn in the making, and which runs are in them."""

    def __init__(self, runs: NodeTable) -> None:
        self._runs = runs
        self._runs_of: dict[str, deque[str]] = {}
        """Name (of the node, or of a run that has one of its own) -> its newest runs."""
        self._open: dict[str, dict[str, None]] = {}
        """Node of a container -> those of its runs that have not told their end."""
        self._order: dict[str, int] = {}
        """Node of a container -> how many containers were told before it: one that lies in another is told later."""
        self._inside: Counter[tuple[str | None, int | None, str]] = Counter()
        """Run of a container, its round and a node -> how often that node ran there."""
        self._size: Counter[str | None] = Counter()
        """Run of a container -> how many run in it."""
        self._parents: dict[str, str] = {}
        """Node of a container -> node of the container in which it lies: the same in all of its runs."""
        for node in runs:
            if node.kind != "node":
                self._enter(node)
            self._count(node, 1)

    def _enter(self, node: Node) -> None:
        base, _, number = node.id.rpartition("#")
        for name in {node.node_id, node.id, base if number.isdigit() else node.id}:
            self._runs_of.setdefault(name, deque(maxlen=_SIDE_BY_SIDE)).append(node.id)
        self._order.setdefault(node.node_id, len(self._order))
        self._note_end(node)

    def _note_end(self, node: Node) -> None:
        running = self._open.setdefault(node.node_id, {})
        if node.status != "running":
            running.pop(node.id, None)
        else:
            running[node.id] = None

    def _count(self, node: Node, number: int) -> None:
        self._inside[node.parent, node.round, node.node_id] += number
        self._size[node.parent] += number
        parent = self._runs.get(node.parent)
        if node.kind != "node" and parent is not None:
            self._parents[node.node_id] = parent.node_id

    def put(self, node: Node) -> None:
        """Take a run in, or in the place of the one of that id."""
        previous, parent = self._runs.get(node.id), self._runs.get(node.parent)
        if previous is not None:
            self._count(previous, -1)
        elif node.kind != "node":
            self._enter(node)
        if parent is not None and self._has_all_rounds(parent):
            self.run_side_by_side(parent.id)
        if node.kind != "node" and self._is_inside(node.parent, node.id):
            node = msgspec.structs.replace(node, parent=None)  # told out of order: nothing lies in itself
        self._runs.put(node)
        self._count(node, 1)
        if previous is not None and node.kind != "node":
            self._note_end(node)

    def run_side_by_side(self, key: str | None) -> None:
        """A container's rounds run in parallel."""
        run = self._runs.get(key)
        if run is not None and run.kind != "node" and not run.parallel:
            self._runs.put(msgspec.structs.replace(run, parallel=True))

    # -- where a node runs -----------------------------------------------------------------

    def parent_of(self, placement: Placement, node_id: str, run: Node | None = None) -> str | None:
        """Id of the run in which a node runs: the innermost of those that are told.

        Args:
            placement: what the event says.
            node_id: of the node.
            run: as it was taken so far; it stays where it is unless the event says otherwise.

        Returns:
            the name itself where no such container was told of; None at the top.
        """
        containers = self._known(placement, node_id)
        parent = run.parent if run is not None else None
        if not containers:
            return placement.containers[0] if placement.containers else parent
        match = self._choose(containers[-1], placement, node_id, run)
        self._learn(match, containers, placement)
        return match

    def _choose(self, name: str, placement: Placement, node_id: str, run: Node | None) -> str:
        """The run of a container in which that node has not yet run in that round, if there is one."""
        parent = run.parent if run is not None else None
        candidates = self._best(self._runs_of[name], placement, parent)
        if parent in candidates:
            candidates = [parent, *(key for key in candidates if key != parent)]
        current = None if run is None else (run.parent, run.round, run.node_id)
        positions = ((key, self.round_in(placement, key, run), node_id) for key in candidates)
        match = next((at[0] for at in positions if self._inside[at] == (at == current)), None)
        return match or (parent if parent in candidates else candidates[-1])

    def round_in(self, placement: Placement, key: str | None, run: Node | None = None) -> int | None:
        """Which round of that container a node is in: as told, as it was taken so far, or the one that runs now."""
        index = placement.round_in(self._runs.get(key) or key)
        if index is not None:
            return index
        return run.round if run is not None and run.parent == key else self.current_round(key)

    def possible_parents(self, placement: Placement, node_id: str) -> list[str | None]:
        """Where a node may run of which the event tells, the likeliest first."""
        parents: list[str | None] = []
        for name in reversed(self._known(placement, node_id)):
            parents += [*self._best(self._runs_of[name], placement), *self._runs_of[name]]
        return list(dict.fromkeys(parents)) or [placement.containers[0] if placement.containers else None]

    def _known(self, placement: Placement, node_id: str) -> list[str]:
        """The containers that an event names, or else an earlier run did, each once, from the outermost inwards."""
        containers = placement.containers or ((self._parents[node_id],) if node_id in self._parents else ())
        result: dict[str, str] = {}
        for name in containers:
            if name in self._runs_of:
                run = self._runs.get(self._runs_of[name][-1])
                assert run is not None
                known = result.get(run.node_id)
                if known is None or len(self._runs_of[name]) < len(self._runs_of[known]):
                    result[run.node_id] = name
        return [result[node_id] for node_id in sorted(result, key=self._order.__getitem__)]

    def _ancestors(self, key: str | None) -> Iterator[tuple[Node, Node]]:
        """A run and the one around it, then that one and the next, outwards."""
        run = self._runs.get(key)
        for _ in range(_DEEP):
            outer = self._runs.get(run.parent) if run is not None else None
            if run is None or outer is None:
                return
            yield run, outer
            run = outer

    def _is_inside(self, key: str | None, top: str) -> bool:
        return key == top or any(above.id == top for _, above in self._ancestors(key))

    def _best(self, keys: deque[str], placement: Placement, current: str | None = None) -> list[str]:
        """Those runs that an event can mean best: in no other round than is told, not ended, in that very round."""
        if len(keys) == 1:
            return list(keys)
        run = self._runs.get(keys[-1])
        running = self._open[run.node_id] if run is not None else {}
        open_keys = list(islice(reversed(running), _SIDE_BY_SIDE))[::-1]
        open_runs = [key for key in open_keys if key in keys and self._is_open(key)]
        if current in keys and current not in running:
            open_runs.append(str(current))
        if open_runs and not placement.rounds:
            return open_runs
        scores = {key: self._score(key, placement) for key in open_runs}
        if not open_runs or max(scores.values())[0] < 0:
            scores |= {key: self._score(key, placement) for key in keys if key not in scores}
        best = max((agreement[0], key in open_runs, agreement[1]) for key, agreement in scores.items())
        return [key for key, (wrong, right) in scores.items() if (wrong, key in open_runs, right) == best]

    def _score(self, key: str, placement: Placement) -> tuple[int, int]:
        """How many of the rounds around a run are not those that are told (below 0), and how many are."""
        rounds = [(inner.round, placement.round_in(outer)) for inner, outer in self._ancestors(key)]
        matches = [known == placed for known, placed in rounds if known is not None and placed is not None]
        return -matches.count(False), matches.count(True)

    def _is_open(self, key: str) -> bool:
        run = self._runs.get(key)
        outer = self._runs.get(run.parent) if run is not None else None
        return run is not None and run.status == "running" and (outer is None or outer.status == "running")

    def _learn(self, key: str, containers: list[str], placement: Placement) -> None:
        """A node may tell more of the containers around it than they did of themselves."""
        run = self._runs.get(key)
        for name in reversed(containers[:-1]):
            if run is not None and run.parent is None:
                outer = self._choose(name, placement, run.node_id, run)
                if self._is_inside(outer, run.id):
                    return
                self.put(msgspec.structs.replace(run, parent=outer, round=self.round_in(placement, outer)))
                run = self._runs.get(run.id)
            run = self._runs.get(run.parent) if run is not None else None
        for inner, around in list(self._ancestors(key)):
            index = placement.round_in(around)
            if inner.round is None and index is not None:
                self.put(msgspec.structs.replace(inner, round=index))

    # -- rounds ----------------------------------------------------------------------------

    def current_round(self, key: str | None) -> int | None:
        """The round in which a container is now; None where they run side by side, or it was never told of."""
        run = self._runs.get(key)
        if run is None or run.kind == "node" or run.parallel:
            return None
        if self._has_all_rounds(run):
            return None
        # Some servers tell of a loop's rounds from the second on.
        return next(reversed(self._runs.rounds(run.id)), 0 if run.kind == "loop" else None)

    def _has_all_rounds(self, run: Node) -> bool:
        """Whether all rounds of an iteration are told of, and no node inside: then they run side by side."""
        if run.kind != "iteration" or run.length is None or self._size[run.id]:
            return False
        return len(self._runs.rounds(run.id)) >= run.length > 1

    def run_of(self, data: Mapping[str, Any], index: int | None = None) -> Node | None:
        """The run of which a next round or an end tells; None where no such container began.

        Args:
            index: the round that begins.
        """
        container = str(data.get("node_id") or data.get("id") or "")
        keys = self._runs_of.get(str(data.get("id") or container)) or self._runs_of.get(container)
        if keys is None:
            return None
        candidates = self._best(keys, Placement.of(data, container))
        key = candidates[-1]
        if len(candidates) > 1 and self._is_open(key):
            rounds = {candidate: self._runs.rounds(candidate) for candidate in candidates}
            if index is None:  # an end: of the one that has come farthest
                key = max(candidates, key=lambda candidate: len(rounds[candidate]))
            else:
                key = next((candidate for candidate in candidates if index not in rounds[candidate]), key)
        return self._runs.get(key)
