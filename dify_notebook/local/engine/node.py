"""What a kind of node does, and what it may use while doing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .template import Selector, shown
from .workflow import Outcome

if TYPE_CHECKING:
    from .flow import Flow
    from .graph import Node
    from .run import Run
    from .template import Template
    from .variable_pool import VariablePool

Names = frozenset[str] | None
"""Names of a node's outputs; None where any will do."""


class NodeFailed(Exception):
    """A node's own error; what follows is up to its error strategy."""

    def __init__(self, message: str, kind: str, process_data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        """Told as `error_type` where the failure has a branch of its own."""
        self.process_data = dict(process_data or {})


@dataclass
class Result(Outcome):
    """What a node came to, and which way it goes on."""

    branch: str | None = None
    """Handle of the way on; None for nodes without branches."""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a node runs: whose values it sees, and in which round of which box."""

    flow: Flow
    pool: VariablePool
    node: str
    box: str | None = None
    kind: str | None = None
    """iteration or loop."""
    index: int | None = None

    @property
    def run(self) -> Run:
        return self.flow.run

    def fill(self, template: Template) -> str:
        """A template with its values."""
        return template.render(self.pool.get, shown)


class Work(ABC):
    """A kind of node with its settings."""

    branches = False
    """Whether only one of its ways is taken."""
    streams = False
    """Whether its text can be sent while it is being made."""
    told = True
    """Whether it is told by node_started and node_finished; boxes have events of their own."""

    @abstractmethod
    async def do(self, place: Place) -> Result:
        """Raises: NodeFailed."""

    def needs(self) -> Iterable[Selector]:
        """Values that it uses."""
        return ()

    def outputs(self) -> Names:
        """Names of what it puts out."""
        return frozenset()

    def handles(self) -> Iterable[str] | None:
        """Handles of its branches; None where it has the one way on."""
        return None

    def writes(self) -> Iterable[Selector]:
        """Values of others that it changes."""
        return ()

    def check_inside(self, node: Node, seen: Mapping[str, Names]) -> None:
        """For boxes: check the nodes inside. Raises: DeclarationError."""
        return
