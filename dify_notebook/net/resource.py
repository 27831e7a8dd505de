"""What the groups of calls have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import AsyncDify


class Resource:
    """A group of calls of one client."""

    def __init__(self, dify: AsyncDify) -> None:
        self._dify = dify
