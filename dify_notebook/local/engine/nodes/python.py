"""A node of a built-in app, whose work is a function of this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..graph.node import NodeContext, NodeType
from ..graph.result import NodeRunResult


@dataclass(frozen=True)
class Python(NodeType):
    """Calls a function beside the loop; it may raise NodeFailed."""

    function: Callable[[NodeContext], NodeRunResult]

    async def run(self, context: NodeContext) -> NodeRunResult:
        result, _ = await context.run.work(self.function, context)
        return result
