"""Where the node runs of a turn in the making lie: every step takes the same time, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

import msgspec

from .state import Node, NodeStatus, Retry, Round

_UNENDED: frozenset[str] = frozenset(("running", "retry"))


class NodeTable:
    """Runs by id, in the order in which they were first told.

    The rounds and retries of a run, which can be many, grow beside it; `all` puts them in.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes: list[Node] = []
        self._places: dict[str, int] = {}
        """Id -> where it stands; the others below are by place too."""
        self._rounds: dict[int, dict[int, Round]] = {}
        self._retries: dict[int, list[Retry]] = {}
        self._grown: set[int] = set()
        self._unended: set[int] = set()
        self._open: dict[tuple[str, str | None, str], list[int]] = {}
        """Node id, parent and status -> heap of the runs that were open so; some are no longer."""
        for node in nodes:
            self.put(node)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def get(self, key: str | None) -> Node | None:
        """The run of that id, without what grows beside it."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._nodes[place]

    def put(self, node: Node) -> None:
        """Take a run in: in the place of the one of that id, else as the last."""
        place = self._places.setdefault(node.id, len(self._nodes))
        if place == len(self._nodes):
            self._nodes.append(node)
            before = None
        else:
            before = _state(self._nodes[place])
            self._nodes[place] = node
        if node.status not in _UNENDED:
            self._unended.discard(place)
            return
        self._unended.add(place)
        if node.kind == "node" and _state(node) != before:
            heappush(self._open.setdefault(_state(node), []), place)

    def rename(self, old: str, new: str) -> None:
        """Give a run another id and leave it in its place."""
        place = self._places.pop(old)
        self._places[new] = place
        self._nodes[place] = msgspec.structs.replace(self._nodes[place], id=new)

    def first_open(self, node_id: str, parent: str | None, statuses: Iterable[NodeStatus]) -> Node | None:
        """The first of the runs of that node which have one of the statuses, running or retry."""
        found = []
        for status in statuses:
            state = (node_id, parent, status)
            heap = self._open.get(state, [])
            while heap and _state(self._nodes[heap[0]]) != state:
                heappop(heap)
            found += heap[:1]
        return self._nodes[min(found)] if found else None

    def end(self, left: NodeStatus, at: float) -> None:
        """Whatever still runs ends so."""
        for place in self._unended:
            self._nodes[place] = msgspec.structs.replace(self._nodes[place], status=left, finished_at=at)
        self._unended.clear()

    # -- what grows ----------------------------------------------------------------------

    def rounds(self, key: str) -> dict[int, Round]:
        """The rounds of a run by their index, in the order in which they were told."""
        place = self._places[key]
        if place not in self._rounds:
            self._rounds[place] = {one.index: one for one in self._nodes[place].rounds}
        return self._rounds[place]

    def put_round(self, key: str, one: Round) -> None:
        """Add a round of a run, or take it in the place of the one of that index."""
        self.rounds(key)
        place = self._places[key]
        self._rounds[place][one.index] = one
        self._grown.add(place)

    def retries(self, key: str) -> list[Retry]:
        """The tries of a run that failed; `add_retry` adds to them."""
        place = self._places[key]
        return self._retries.setdefault(place, list(self._nodes[place].retries))

    def add_retry(self, key: str, one: Retry) -> None:
        """Add a try that failed."""
        self.retries(key).append(one)
        self._grown.add(self._places[key])

    def all(self) -> tuple[Node, ...]:
        """The runs as they are now."""
        for place in self._grown:
            node = self._nodes[place]
            rounds, retries = self._rounds.get(place), self._retries.get(place)
            self._nodes[place] = msgspec.structs.replace(
                node,
                rounds=node.rounds if rounds is None else tuple(rounds.values()),
                retries=node.retries if retries is None else tuple(retries),
            )
        self._grown.clear()
        return tuple(self._nodes)


def _state(node: Node) -> tuple[str, str | None, str]:
    return (node.node_id, node.parent, node.status)
