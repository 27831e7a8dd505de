"""The values of one run: what was asked, conversation variables, and what nodes have put out."""

from __future__ import annotations

from typing import Any

from ..template import Selector, walk


class VariablePool:
    """Values by the name of who put them there. A round of a container lays a pool of its own on top."""

    def __init__(self, below: VariablePool | None = None) -> None:
        self._below = below
        self._values: dict[str, dict[str, Any]] = {}

    def put(self, owner: str, values: dict[str, Any]) -> None:
        """Lay down all values of a node (or sys, conversation)."""
        self._values[owner] = values

    def set(self, selector: Selector, value: Any) -> None:
        """Change one value, where its owner was laid down."""
        pool: VariablePool | None = self
        while pool is not None:
            if selector[0] in pool._values:
                pool._values[selector[0]][selector[1]] = value
                return
            pool = pool._below
        raise KeyError(selector[0])

    def get(self, selector: Selector) -> Any:
        """A value; None where nothing was put, as after a branch that was not taken."""
        pool: VariablePool | None = self
        while pool is not None:
            if selector[0] in pool._values:
                return walk(pool._values[selector[0]], selector[1:])
            pool = pool._below
        return None
