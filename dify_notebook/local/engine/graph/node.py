"""One node of a graph, what its type does, and what it may use while it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..declare.reader import TableReader
from ..run import Run
from ..template import Selector, Template, shown, shown_in_answer
from .events import WorkflowEvents
from .result import NodeRunResult
from .variable_pool import VariablePool

SOURCE = "source"
"""Handle of the edges of a node without branches."""
FAIL_BRANCH = "fail-branch"
"""Handle of the edges of a node that failed."""

Names = frozenset[str] | None
"""Names of a node's outputs; None where any will do."""


@dataclass(frozen=True)
class NodeContext:
    """What a node that runs may use."""

    run: Run
    events: WorkflowEvents
    pool: VariablePool
    node_id: str
    on_text: Callable[[str, str], None]
    """Takes a piece of one of its outputs (name, text) while that is being made."""

    def render(self, template: Template) -> str:
        """A template with its values."""
        return template.render(self.pool.get, shown)


class NodeType(ABC):
    """A type of node with its settings."""

    branches = False
    """Whether only one of its handles is followed."""
    container = False
    """Whether nodes are inside; it has events of its own instead of node_started and node_finished."""

    @abstractmethod
    async def run(self, context: NodeContext) -> NodeRunResult:
        """Raises: NodeFailed."""

    def needs(self) -> Iterable[Selector]:
        """Values that it uses."""
        return ()

    def outputs(self) -> Names:
        """Names of what it puts out."""
        return frozenset()

    def handles(self) -> Iterable[str] | None:
        """Handles of its branches; None where it has none."""
        return None

    def writes(self) -> Iterable[Selector]:
        """Values of others that it changes."""
        return ()

    def answer(self) -> Template | None:
        """The part of the answer that it gives; None for all but answer and end nodes."""
        return None

    def shows(self, value: Any) -> str | None:
        """A value as a part of that; None where nothing is sent."""
        return shown_in_answer(value) or None

    def check_inside(self, node: Node, visible: Mapping[str, Names]) -> None:
        """For containers: check the nodes inside. Raises: DeclarationError."""
        return


@dataclass(frozen=True)
class Node:
    """One node of a graph."""

    id: str
    type: str
    title: str
    work: NodeType
    followers: Mapping[str, tuple[str, ...]]
    """Handle -> nodes that its edges lead to."""
    declaration: TableReader
    """For naming the place of a mistake."""
    on_error: str | None = None
    """None, fail-branch or default-value."""
    default: Mapping[str, Any] = field(default_factory=dict)
    max_retries: int = 0
    retry_interval: float = 0.0
    """Seconds before each retry."""
    prepare: Callable[[NodeContext], Awaitable[None]] | None = None
    """Awaited before node_started; in no node's time."""

    @property
    def decides(self) -> bool:
        """Whether what follows is open until it is done: it branches, or is a container, which may end the run."""
        return self.work.branches or FAIL_BRANCH in self.followers or self.work.container

    def edges(self) -> Iterator[tuple[str, str]]:
        """(handle, following node)."""
        for handle, followers in self.followers.items():
            for follower in followers:
                yield handle, follower
