"""The nodes of a chatflow and the ways between them, checked: no cycle, no dead end, no unknown value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...i18n import t
from .declare.table import Table
from .template import Selector

if TYPE_CHECKING:
    from .node import Work

ON = "source"
"""The way on of a node without branches."""
FAILED = "fail-branch"
"""The way on of a node that failed."""
SYSTEM = ("query", "files", "user_id", "app_id", "workflow_id", "workflow_run_id", "conversation_id", "dialogue_count")


@dataclass(frozen=True)
class Node:
    """One node as it was declared."""

    id: str
    type: str
    title: str
    work: Work
    ways: Mapping[str, tuple[str, ...]]
    """Handle of a branch -> nodes that follow."""
    place: Table
    """For telling where a mistake is."""
    on_error: str | None = None
    """None, fail-branch or default-value."""
    default: Mapping[str, Any] = field(default_factory=dict)
    tries: int = 0
    """How often it is tried again."""
    interval: float = 0.0
    """Seconds before each of these."""

    @property
    def decides(self) -> bool:
        """Whether what follows is open until it is done: it branches, or is a box that may end the run."""
        return self.work.branches or FAILED in self.ways or not self.work.told

    def edges(self) -> Iterator[tuple[str, str]]:
        """(handle, following node)."""
        for handle, followers in self.ways.items():
            for follower in followers:
                yield handle, follower


@dataclass(frozen=True)
class Graph:
    """Nodes of a chatflow, or of one box in it."""

    nodes: Mapping[str, Node]
    roots: tuple[str, ...]
    before: Mapping[str, tuple[tuple[str, str], ...]]
    """Node -> (node, handle) of each way that leads to it."""
    order: tuple[str, ...]
    """All nodes, each after those before it."""

    def ancestors(self, node: str) -> set[str]:
        """Nodes that may have run when this one does."""
        found: set[str] = set()
        waiting = [node]
        while waiting:
            for earlier, _ in self.before[waiting.pop()]:
                if earlier not in found:
                    found.add(earlier)
                    waiting.append(earlier)
        return found

    @classmethod
    def of(cls, nodes: Iterable[Node], whole: Table) -> Graph:
        """Put nodes together.

        Raises:
            DeclarationError: two have one name, a way leads nowhere or in a circle, or a node is never reached.
        """
        known: dict[str, Node] = {}
        for node in nodes:
            if node.id in known:
                node.place.fail("local.declare.twice", "id", id=node.id)
            known[node.id] = node
        before: dict[str, list[tuple[str, str]]] = {name: [] for name in known}
        for node in known.values():
            for handle, follower in node.edges():
                if follower not in known:
                    near = difflib.get_close_matches(follower, known, 1)
                    hint = t("local.declare.near", near=near[0]) if near else ""
                    node.place.fail("local.declare.no_node", "next", id=follower, known=", ".join(known), hint=hint)
                before[follower].append((node.id, handle))
        order = _ordered(known, before)
        roots = tuple(name for name in known if not before[name])
        return cls(known, roots, {name: tuple(ways) for name, ways in before.items()}, tuple(order))

    def check_values(self, outer: Mapping[str, frozenset[str] | None]) -> None:
        """Each value that a node needs must come from before it.

        Args:
            outer: owners outside this graph -> the names they have, None where any will do.

        Raises:
            DeclarationError: an unknown owner or name.
        """
        for node in self.nodes.values():
            earlier = self.ancestors(node.id)
            seen = {**outer, **{name: self.nodes[name].work.outputs() for name in earlier}}
            for name in earlier:
                if self.nodes[name].on_error and (had := seen[name]) is not None:
                    seen[name] = had | {"error_message", "error_type"}
            for selector in node.work.needs():
                check(node, selector, seen, self.nodes)
            node.work.check_inside(node, seen)


def check(
    node: Node,
    selector: Selector,
    seen: Mapping[str, frozenset[str] | None],
    later: Iterable[str] = (),
) -> None:
    """A value that a node needs must be one that it can see.

    Raises:
        DeclarationError: an unknown owner or name, or a node that does not run before.
    """
    owner = selector[0]
    name = ".".join(selector)
    if owner not in seen:
        if owner in later:
            node.place.fail("local.declare.later", name=name, id=owner)
        near = difflib.get_close_matches(owner, seen, 1)
        hint = t("local.declare.near", near=near[0]) if near else ""
        node.place.fail("local.declare.no_value", name=name, known=", ".join(sorted(seen)), hint=hint)
    names = seen[owner]
    if names is not None and (len(selector) < 2 or selector[1] not in names):
        node.place.fail("local.declare.no_output", name=name, id=owner, known=", ".join(sorted(names)))


def _ordered(nodes: Mapping[str, Node], before: Mapping[str, list[tuple[str, str]]]) -> list[str]:
    """Each node after those before it. Raises: DeclarationError, naming a circle."""
    left = {name: {earlier for earlier, _ in ways} for name, ways in before.items()}
    order: list[str] = []
    while left:
        free = [name for name, waits in left.items() if not waits]
        if not free:
            circle = _circle(left)
            nodes[circle[0]].place.fail("local.declare.circle", "next", circle=" → ".join([*circle, circle[0]]))
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
