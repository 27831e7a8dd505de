"""Lists that fetch their pages as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, Protocol, TypeVar


class Item(Protocol):
    """Something on a page."""

    @property
    def id(self) -> str: ...


M = TypeVar("M", bound=Item)
Page = tuple[list[M], bool, M | None]
"""Items in the order of the list, whether there are more, and where the next page goes on."""


class AsyncPages(Generic[M]):
    """A list that fetches its pages as it is read: `async for item in ...`."""

    def __init__(self, fetch: Callable[[M | None], Awaitable[Page[M]]]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[M]:
        seen: set[str] = set()
        last: M | None = None
        while True:
            items, more, last = await self._fetch(last)
            fresh = [item for item in items if item.id not in seen]
            for item in fresh:
                seen.add(item.id)
                yield item
            if not more or not fresh:  # a server that repeats a page would never end
                return

    async def to_list(self, limit: int | None = None) -> list[M]:
        """Everything, or the first `limit` items."""
        found: list[M] = []
        if limit is not None and limit < 1:
            return found
        async for item in self:
            found.append(item)
            if limit is not None and len(found) >= limit:
                break
        return found
