"""Where the node runs of a turn in the making lie: every step takes the same time, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from heapq import heappop, heappush

import msgspec

from .state import Node, NodeStatus, Retry, Round

_OPEN: frozenset[str] = frozenset(("running", "retry"))


class NodeTable:
    """Runs by id, in the order in which they were first told.

    The rounds and retries of a run, which can be many, grow beside it; `all` puts them in.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes: list[Node] = []
        self._indexes: dict[str, int] = {}
        """Id -> where it stands; the others below are by place too."""
        self._rounds: dict[int, dict[int, Round]] = {}
        self._retries: dict[int, list[Retry]] = {}
        self._grown: set[int] = set()
        self._unfinished: set[int] = set()
        self._open: dict[tuple[str, str | None, str], list[int]] = {}
        """Node id, parent and status -> heap of the runs that were open so; some are no longer."""
        for node in nodes:
            self.put(node)

    def __contains__(self, key: str) -> bool:
        return key in self._indexes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def get(self, key: str | None) -> Node | None:
        """The run of that id, without what grows beside it."""
        index = None if key is None else self._indexes.get(key)
        return None if index is None else self._nodes[index]

    def put(self, node: Node) -> None:
        """Take a run in: in the place of the one of that id, else as the last."""
        index = self._indexes.setdefault(node.id, len(self._nodes))
        if index == len(self._nodes):
            self._nodes.append(node)
            previous = None
        else:
            previous = _state_of(self._nodes[index])
            self._nodes[index] = node
        if node.status not in _OPEN:
            self._unfinished.discard(index)
            return
        self._unfinished.add(index)
        if node.kind == "node" and _state_of(node) != previous:
            heappush(self._open.setdefault(_state_of(node), []), index)

    def rename(self, old: str, new: str) -> None:
        """Give a run another id and leave it in its place."""
        index = self._indexes.pop(old)
        self._indexes[new] = index
        self._nodes[index] = msgspec.structs.replace(self._nodes[index], id=new)

    def first_open(self, node_id: str, parent: str | None, statuses: Iterable[NodeStatus]) -> Node | None:
        """The first of the runs of that node which have one of the statuses, running or retry."""
        indexes = []
        for status in statuses:
            key = (node_id, parent, status)
            heap = self._open.get(key, [])
            while heap and _state_of(self._nodes[heap[0]]) != key:
                heappop(heap)
            indexes += heap[:1]
        return self._nodes[min(indexes)] if indexes else None

    def end(self, status: NodeStatus, at: float) -> None:
        """Whatever still runs ends so."""
        for index in self._unfinished:
            self._nodes[index] = msgspec.structs.replace(self._nodes[index], status=status, finished_at=at)
        self._unfinished.clear()

    def restate(self, old: NodeStatus, new: NodeStatus) -> None:
        """Whatever has the one status has the other."""
        for index, node in enumerate(self._nodes):
            if node.status == old:
                self._nodes[index] = msgspec.structs.replace(node, status=new)

    def end_waiting(self, closed: Set[str]) -> None:
        """The run has ended, and what waited for a person with it: by names of nodes, those whose forms were closed."""
        for index, node in enumerate(self._nodes):
            if node.status == "paused" or (node.status == "unknown" and node.node_type == "human-input"):
                status: NodeStatus = "succeeded" if node.node_id in closed else "unknown"
                self._nodes[index] = msgspec.structs.replace(node, status=status)

    # -- what grows ----------------------------------------------------------------------

    def rounds(self, key: str) -> dict[int, Round]:
        """The rounds of a run by their index, in the order in which they were told."""
        index = self._indexes[key]
        if index not in self._rounds:
            self._rounds[index] = {round_.index: round_ for round_ in self._nodes[index].rounds}
        return self._rounds[index]

    def put_round(self, key: str, round_: Round) -> None:
        """Add a round of a run, or take it in the place of the one of that index."""
        self.rounds(key)
        index = self._indexes[key]
        self._rounds[index][round_.index] = round_
        self._grown.add(index)

    def retries(self, key: str) -> list[Retry]:
        """The tries of a run that failed; `add_retry` adds to them."""
        index = self._indexes[key]
        return self._retries.setdefault(index, list(self._nodes[index].retries))

    def add_retry(self, key: str, retry: Retry) -> None:
        """Add a try that failed."""
        self.retries(key).append(retry)
        self._grown.add(self._indexes[key])

    def all(self) -> tuple[Node, ...]:
        """The runs as they are now."""
        for index in self._grown:
            node = self._nodes[index]
            rounds, retries = self._rounds.get(index), self._retries.get(index)
            self._nodes[index] = msgspec.structs.replace(
                node,
                rounds=node.rounds if rounds is None else tuple(rounds[number] for number in sorted(rounds)),
                retries=node.retries if retries is None else tuple(retries),
            )
        self._grown.clear()
        return tuple(self._nodes)


def _state_of(node: Node) -> tuple[str, str | None, str]:
    return (node.node_id, node.parent, node.status)
