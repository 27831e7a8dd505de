"""The values of one run: system and conversation variables, and the outputs of nodes."""

from __future__ import annotations

from typing import Any

from ..template import Selector, walk


class VariablePool:
    """Values by their owner: a node, sys or conversation; a round of a container has a pool inside an outer one."""

    def __init__(self, outer: VariablePool | None = None) -> None:
        self._outer = outer
        self._values: dict[str, dict[str, Any]] = {}

    def row(self) -> dict[str, Any]:
        """Its values, as JSON can say them."""
        return dict(self._values)

    def put(self, owner: str, values: dict[str, Any]) -> None:
        """All values of an owner."""
        self._values[owner] = values

    def set(self, selector: Selector, value: Any) -> None:
        """Change one value, in the pool that has its owner. Raises: KeyError."""
        pool: VariablePool | None = self
        while pool is not None:
            if selector[0] in pool._values:
                pool._values[selector[0]][selector[1]] = value
                return
            pool = pool._outer
        raise KeyError(selector[0])

    def get(self, selector: Selector) -> Any:
        """A value; None where nothing was put, as after a branch that was not taken."""
        pool: VariablePool | None = self
        while pool is not None:
            if selector[0] in pool._values:
                return walk(pool._values[selector[0]], selector[1:])
            pool = pool._outer
        return None
