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


class Told(NamedTuple):
    """Where an event says that its node runs."""

    names: tuple[str, ...]
    """Containers around it, in no order."""
    rounds: Mapping[str, int]
    """Container -> which of its rounds."""

    @classmethod
    def of(cls, data: Mapping[str, Any], own: str = "") -> Told:
        """What the data of an event tells.

        Args:
            own: the container of which the event speaks, which is not around itself.
        """
        itself = (own, str(data.get("id"))) if own else ()
        metas = [as_dict(data.get(field)) or {} for field in ("execution_metadata", "metadata")]
        names: dict[str, None] = {}
        rounds: dict[str, int] = {}
        for source in (data, *metas):
            for kind in reversed(KINDS):
                name = source.get(f"{kind}_id") or data.get(f"{kind}_id")
                index = as_int(source.get(f"{kind}_index"))
                if name and str(name) not in itself:
                    names[str(name)] = None
                    if index is not None:
                        rounds[str(name)] = index
                elif index is not None and not name:
                    rounds[""] = index
        return cls(tuple(names), rounds)

    def round_in(self, container: Node | str | None) -> int | None:
        """Which round of a container it is; a name for one that was never told of, None for none."""
        known = (container.node_id, container.id) if isinstance(container, Node) else (container or "", "")
        return next((self.rounds[one] for one in known if one in self.rounds), None)


class Containers:
    """The containers among the runs of a turn in the making, and which runs are in them."""

    def __init__(self, runs: NodeTable) -> None:
        self._runs = runs
        self._of: dict[str, deque[str]] = {}
        """Name (of the node, or of a run that has one of its own) -> its newest runs."""
        self._open: dict[str, dict[str, None]] = {}
        """Node of a container -> those of its runs that have not told their end."""
        self._first: dict[str, int] = {}
        """Node of a container -> how many containers were told before it: one that lies in another is told later."""
        self._inside: Counter[tuple[str | None, int | None, str]] = Counter()
        """Run of a container, its round and a node -> how often that node ran there."""
        self._population: Counter[str | None] = Counter()
        """Run of a container -> how many run in it."""
        self._lies_in: dict[str, str] = {}
        """Node of a container -> node of the container in which it lies: the same in all of its runs."""
        for node in runs:
            if node.kind != "node":
                self._enter(node)
            self._count(node, 1)

    def _enter(self, node: Node) -> None:
        base, _, number = node.id.rpartition("#")
        for name in {node.node_id, node.id, base if number.isdigit() else node.id}:
            self._of.setdefault(name, deque(maxlen=_SIDE_BY_SIDE)).append(node.id)
        self._first.setdefault(node.node_id, len(self._first))
        self._note_end(node)

    def _note_end(self, node: Node) -> None:
        running = self._open.setdefault(node.node_id, {})
        if node.status != "running":
            running.pop(node.id, None)
        else:
            running[node.id] = None

    def _count(self, node: Node, one: int) -> None:
        self._inside[node.parent, node.round, node.node_id] += one
        self._population[node.parent] += one
        around = self._runs.get(node.parent)
        if node.kind != "node" and around is not None:
            self._lies_in[node.node_id] = around.node_id

    def put(self, node: Node) -> None:
        """Take a run in, or in the place of the one of that id."""
        old, around = self._runs.get(node.id), self._runs.get(node.parent)
        if old is not None:
            self._count(old, -1)
        elif node.kind != "node":
            self._enter(node)
        if around is not None and self._announced(around):
            self.run_side_by_side(around.id)
        if node.kind != "node" and self._lies_below(node.parent, node.id):
            node = msgspec.structs.replace(node, parent=None)  # told out of order: nothing lies in itself
        self._runs.put(node)
        self._count(node, 1)
        if old is not None and node.kind != "node":
            self._note_end(node)

    def run_side_by_side(self, key: str | None) -> None:
        """A container's rounds run in parallel."""
        run = self._runs.get(key)
        if run is not None and run.kind != "node" and not run.parallel:
            self._runs.put(msgspec.structs.replace(run, parallel=True))

    # -- where a node runs -----------------------------------------------------------------

    def around(self, told: Told, node_id: str, run: Node | None = None) -> str | None:
        """Id of the run in which a node runs: the innermost of those that are told.

        Args:
            told: what the event says.
            node_id: of the node.
            run: as it was taken so far; it stays where it is unless the event says otherwise.

        Returns:
            the name itself where no such container was told of; None at the top.
        """
        names = self._known(told, node_id)
        now = run.parent if run is not None else None
        if not names:
            return told.names[0] if told.names else now
        found = self._likeliest(names[-1], told, node_id, run)
        self._learn(found, names, told)
        return found

    def _likeliest(self, name: str, told: Told, node_id: str, run: Node | None) -> str:
        """The run of a container in which that node has not yet run in that round, if there is one."""
        now = run.parent if run is not None else None
        fitting = self._fitting(self._of[name], told, now)
        if now in fitting:
            fitting = [now, *(key for key in fitting if key != now)]
        here = None if run is None else (run.parent, run.round, run.node_id)
        places = ((key, self.round_in(told, key, run), node_id) for key in fitting)
        found = next((place[0] for place in places if self._inside[place] == (place == here)), None)
        return found or (now if now in fitting else fitting[-1])

    def round_in(self, told: Told, key: str | None, run: Node | None = None) -> int | None:
        """Which round of that container a node is in: as told, as it was taken so far, or the one that runs now."""
        index = told.round_in(self._runs.get(key) or key)
        if index is not None:
            return index
        return run.round if run is not None and run.parent == key else self.current_round(key)

    def possible(self, told: Told, node_id: str) -> list[str | None]:
        """Where a node may run of which the event tells, the likeliest first."""
        found: list[str | None] = []
        for name in reversed(self._known(told, node_id)):
            found += [*self._fitting(self._of[name], told), *self._of[name]]
        return list(dict.fromkeys(found)) or [told.names[0] if told.names else None]

    def _known(self, told: Told, node_id: str) -> list[str]:
        """The containers that an event names, or else an earlier run did, each once, from the outermost inwards."""
        names = told.names or ((self._lies_in[node_id],) if node_id in self._lies_in else ())
        found: dict[str, str] = {}
        for name in names:
            if name in self._of:
                run = self._runs.get(self._of[name][-1])
                assert run is not None
                other = found.get(run.node_id)
                if other is None or len(self._of[name]) < len(self._of[other]):
                    found[run.node_id] = name
        return [found[node_id] for node_id in sorted(found, key=self._first.__getitem__)]

    def _upwards(self, key: str | None) -> Iterator[tuple[Node, Node]]:
        """A run and the one around it, then that one and the next, outwards."""
        run = self._runs.get(key)
        for _ in range(_DEEP):
            outer = self._runs.get(run.parent) if run is not None else None
            if run is None or outer is None:
                return
            yield run, outer
            run = outer

    def _lies_below(self, key: str | None, top: str) -> bool:
        return key == top or any(above.id == top for _, above in self._upwards(key))

    def _fitting(self, keys: deque[str], told: Told, now: str | None = None) -> list[str]:
        """Those runs that an event can mean best: in no other round than is told, not ended, in that very round."""
        if len(keys) == 1:
            return list(keys)
        run = self._runs.get(keys[-1])
        running = self._open[run.node_id] if run is not None else {}
        newest = list(islice(reversed(running), _SIDE_BY_SIDE))[::-1]
        first = [key for key in newest if key in keys and self._is_open(key)]
        if now in keys and now not in running:
            first.append(str(now))
        if first and not told.rounds:
            return first
        scores = {key: self._agreement(key, told) for key in first}
        if not first or max(scores.values())[0] < 0:
            scores |= {key: self._agreement(key, told) for key in keys if key not in scores}
        best = max((agreement[0], key in first, agreement[1]) for key, agreement in scores.items())
        return [key for key, (wrong, right) in scores.items() if (wrong, key in first, right) == best]

    def _agreement(self, key: str, told: Told) -> tuple[int, int]:
        """How many of the rounds around a run are not those that are told (below 0), and how many are."""
        rounds = [(inner.round, told.round_in(outer)) for inner, outer in self._upwards(key)]
        known = [its == said for its, said in rounds if its is not None and said is not None]
        return -known.count(False), known.count(True)

    def _is_open(self, key: str) -> bool:
        run = self._runs.get(key)
        outer = self._runs.get(run.parent) if run is not None else None
        return run is not None and run.status == "running" and (outer is None or outer.status == "running")

    def _learn(self, key: str, names: list[str], told: Told) -> None:
        """A node may tell more of the containers around it than they did of themselves."""
        run = self._runs.get(key)
        for name in reversed(names[:-1]):
            if run is not None and run.parent is None:
                outer = self._likeliest(name, told, run.node_id, run)
                if self._lies_below(outer, run.id):
                    return
                self.put(msgspec.structs.replace(run, parent=outer, round=self.round_in(told, outer)))
                run = self._runs.get(run.id)
            run = self._runs.get(run.parent) if run is not None else None
        for inner, around in list(self._upwards(key)):
            index = told.round_in(around)
            if inner.round is None and index is not None:
                self.put(msgspec.structs.replace(inner, round=index))

    # -- rounds ----------------------------------------------------------------------------

    def current_round(self, key: str | None) -> int | None:
        """The round in which a container is now; None where they run side by side, or it was never told of."""
        run = self._runs.get(key)
        if run is None or run.kind == "node" or run.parallel:
            return None
        if self._announced(run):
            return None
        # Some servers tell of a loop's rounds from the second on.
        return next(reversed(self._runs.rounds(run.id)), 0 if run.kind == "loop" else None)

    def _announced(self, run: Node) -> bool:
        """Whether all rounds of an iteration are told of, and no node inside: then they run side by side."""
        if run.kind != "iteration" or run.length is None or self._population[run.id]:
            return False
        return len(self._runs.rounds(run.id)) >= run.length > 1

    def meant(self, data: Mapping[str, Any], index: int | None = None) -> Node | None:
        """The run of which a next round or an end tells; None where no such container began.

        Args:
            index: the round that begins.
        """
        own = str(data.get("node_id") or data.get("id") or "")
        keys = self._of.get(str(data.get("id") or own)) or self._of.get(own)
        if keys is None:
            return None
        fitting = self._fitting(keys, Told.of(data, own))
        key = fitting[-1]
        if len(fitting) > 1 and self._is_open(key):
            rounds = {one: self._runs.rounds(one) for one in fitting}
            if index is None:  # an end: of the one that has come farthest
                key = max(fitting, key=lambda one: len(rounds[one]))
            else:
                key = next((one for one in fitting if index not in rounds[one]), key)
        return self._runs.get(key)
