"""The nodes of an app and the edges between them, checked: no cycle, no dead end, no unknown value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..declare.reader import hint
from ..template import Selector
from .node import Names, Node

OF_EVERY_RUN = ("files", "user_id", "app_id", "workflow_id", "workflow_run_id")
OF_MESSAGES = ("query", "conversation_id", "dialogue_count")
"""System variables that a workflow app has none of."""
OF_RUNS = ("timestamp",)
"""Those that a workflow app alone has: seconds since 1970."""


@dataclass(frozen=True)
class Graph:
    """Nodes of an app, or of one container in it."""

    nodes: Mapping[str, Node]
    roots: tuple[str, ...]
    incoming: Mapping[str, tuple[tuple[str, str], ...]]
    """Node -> (node, handle) of each edge that leads to it."""
    order: tuple[str, ...]
    """All nodes, each after those before it."""

    def ancestors(self, node: str) -> set[str]:
        """Nodes that may have run when this one does."""
        ancestors: set[str] = set()
        waiting = [node]
        while waiting:
            for earlier, _ in self.incoming[waiting.pop()]:
                if earlier not in ancestors:
                    ancestors.add(earlier)
                    waiting.append(earlier)
        return ancestors

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Graph:
        """Put nodes together.

        Raises:
            DeclarationError: two have one name, an edge leads nowhere or in a circle, or a node is never reached.
        """
        known: dict[str, Node] = {}
        for node in nodes:
            if node.id in known:
                node.declaration.fail("local.declare.twice", "id", id=node.id)
            known[node.id] = node
        incoming: dict[str, list[tuple[str, str]]] = {name: [] for name in known}
        for node in known.values():
            for handle, follower in node.edges():
                if follower not in known:
                    every, meant = ", ".join(known), hint(follower, known)
                    node.declaration.fail("local.declare.no_node", "next", id=follower, known=every, hint=meant)
                incoming[follower].append((node.id, handle))
        order = _ordered(known, incoming)
        roots = tuple(name for name in known if not incoming[name])
        return cls(known, roots, {name: tuple(edges) for name, edges in incoming.items()}, tuple(order))

    def check_values(self, outer: Mapping[str, Names]) -> None:
        """Each value that a node needs must come from before it.

        Args:
            outer: owners outside this graph -> the names they have, None where any will do.

        Raises:
            DeclarationError: an unknown owner or name.
        """
        for node in self.nodes.values():
            earlier = self.ancestors(node.id)
            visible = {**outer, **{name: self.nodes[name].work.outputs() for name in earlier}}
            for name in earlier:
                if self.nodes[name].on_error and (names := visible[name]) is not None:
                    visible[name] = names | {"error_message", "error_type"}
            for selector in node.work.needs():
                check(node, selector, visible, self.nodes)
            node.work.check_inside(node, visible)


def check(
    node: Node,
    selector: Selector,
    visible: Mapping[str, Names],
    later: Iterable[str] = (),
) -> None:
    """A value that a node needs must be one that it can see.

    Raises:
        DeclarationError: an unknown owner or name, or a node that does not run before.
    """
    owner = selector[0]
    name = ".".join(selector)
    if owner not in visible:
        if owner in later:
            node.declaration.fail("local.declare.later", name=name, id=owner)
        every, meant = ", ".join(sorted(visible)), hint(owner, visible)
        node.declaration.fail("local.declare.no_value", name=name, known=every, hint=meant)
    names = visible[owner]
    if names is not None and (len(selector) < 2 or selector[1] not in names):
        node.declaration.fail("local.declare.no_output", name=name, id=owner, known=", ".join(sorted(names)))


def _ordered(nodes: Mapping[str, Node], incoming: Mapping[str, list[tuple[str, str]]]) -> list[str]:
    """Each node after those before it. Raises: DeclarationError, naming a circle."""
    left = {name: {earlier for earlier, _ in edges} for name, edges in incoming.items()}
    order: list[str] = []
    while left:
        free = [name for name, waits in left.items() if not waits]
        if not free:
            circle = _circle(left)
            nodes[circle[0]].declaration.fail("local.declare.circle", "next", circle=" → ".join([*circle, circle[0]]))
        for name in free:
            del left[name]
            order.append(name)
        for waits in left.values():
            waits.difference_update(free)
    return order


def _circle(left: Mapping[str, set[str]]) -> list[str]:
    """One circle among nodes of which each waits for another."""
    path: list[str] = []
    at = next(iter(left))
    while at not in path:
        path.append(at)
        at = sorted(left[at])[0]
    return path[path.index(at) :][::-1]
