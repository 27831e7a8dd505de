"""What a node's work comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...tokens import Meter


@dataclass
class NodeRunResult:
    """A node's outputs and what its events say beside them; named as Dify's class."""

    outputs: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    process_data: dict[str, Any] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    edge_source_handle: str | None = None
    """Handle of the edges to follow; None for nodes without branches."""
    metadata: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] | None = None
    """What the node puts into the variable pool; None: its outputs."""


class NodeFailed(Exception):
    """A node's own error; what follows is up to its error strategy."""

    def __init__(self, message: str, error_type: str, process_data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        """Dify's name for it; an output where the failure has a branch of its own."""
        self.process_data = dict(process_data or {})


class NodePaused(Exception):
    """The node waits for a person.

    Args:
        definition: the form as events tell it, but for id, times and token.
        timeout: seconds that it waits.
    """

    def __init__(self, definition: Mapping[str, Any], timeout: float) -> None:
        super().__init__(definition)
        self.definition = dict(definition)
        self.timeout = timeout
