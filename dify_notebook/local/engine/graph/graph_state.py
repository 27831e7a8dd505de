"""How far a passage through a graph has come.

An edge is taken or not; a node runs when all edges to it are decided and one of them is taken, and is left out when
none is. So branches that exclude each other may meet again behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .graph import Graph


class GraphState:
    """Nodes that are done or left out, and edges that are decided."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.skipped: set[str] = set()
        self._done: set[str] = set()
        self._begun: set[str] = set()
        self._taken: dict[tuple[str, str, str], bool] = {}
        """(node, handle, following node) of each edge that is decided."""

    def row(self) -> dict[str, Any]:
        """It as JSON can say it."""
        taken = [[*edge, taken] for edge, taken in self._taken.items()]
        return {"skipped": [*self.skipped], "done": [*self._done], "begun": [*self._begun], "taken": taken}

    def restore(self, row: dict[str, Any]) -> None:
        """Go on from there."""
        self.skipped, self._done, self._begun = set(row["skipped"]), set(row["done"]), set(row["begun"])
        self._taken = {(node, handle, follower): taken for node, handle, follower, taken in row["taken"]}

    def taken(self, node: str, handle: str, follower: str) -> bool | None:
        """Whether an edge is taken; None while that is not decided."""
        return self._taken.get((node, handle, follower))

    def settled(self, node: str) -> bool:
        """Whether a node is done, or will not run."""
        return node in self._done or node in self.skipped

    def finish(self, node: str, chosen: str) -> list[str]:
        """A node is done and its edges of that handle are taken. Gives the nodes that are to run now."""
        self._done.add(node)
        edges = list(self.graph.nodes[node].edges())
        for handle, follower in edges:
            self._taken[node, handle, follower] = handle == chosen
        return [name for _, follower in edges for name in self._ready(follower)]

    def _ready(self, node: str) -> Iterator[str]:
        """The node if it is to run now, or what is to run behind it now that it is left out."""
        if self.settled(node):
            return
        edges = [self._taken.get((earlier, handle, node)) for earlier, handle in self.graph.incoming[node]]
        if any(taken is None for taken in edges):
            return
        if any(edges):
            if node not in self._begun:
                self._begun.add(node)
                yield node
            return
        self.skipped.add(node)
        for handle, follower in self.graph.nodes[node].edges():
            self._taken[node, handle, follower] = False
            yield from self._ready(follower)
