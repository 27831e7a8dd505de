"""Lists that fetch their pages as they are read, and lose nothing where that can be helped."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from ..i18n import t


class PagingWarning(UserWarning):
    """A list may lack items, because the server cannot give them."""


class Item(Protocol):
    """Something on a page."""

    @property
    def id(self) -> str: ...


M = TypeVar("M", bound=Item)
Page = tuple[Sequence[M], bool]
"""Items in the order of the list, and whether the server says that there are more."""
Numbered = tuple[Sequence[M], bool, M | None]
"""The same for numbered pages, and what tells that it is not the first."""


class AsyncPages(Generic[M]):
    """A list that fetches its pages as it is read: `async for item in ...`. Nothing comes twice."""

    def __init__(self, walk: Callable[[], AsyncIterator[Sequence[M]]]) -> None:
        self._walk = walk

    async def __aiter__(self) -> AsyncIterator[M]:
        seen: set[str] = set()
        async for page in self._walk():
            for item in page:
                if item.id not in seen:
                    seen.add(item.id)
                    yield item

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


def numbered(fetch: Callable[[M | None], Awaitable[Numbered[M]]]) -> AsyncPages[M]:
    """Pages that have numbers: `fetch` counts them."""

    async def walk() -> AsyncIterator[Sequence[M]]:
        seen: set[str] = set()
        last: M | None = None
        while True:
            items, more, last = await fetch(last)
            fresh = [item for item in items if item.id not in seen]
            seen.update(item.id for item in fresh)
            yield fresh
            if not more or not fresh:  # a server that repeats a page would never end
                return

    return AsyncPages(walk)


def by_time(
    fetch: Callable[[str | None], Awaitable[Page[M]]],
    time_of: Callable[[M], datetime | None],
    *,
    what: str,
    page_size: int,
    moving: bool = False,
) -> AsyncPages[M]:
    """Pages of a list that the server sorts by a time and goes on with behind an item.

    The server compares times of whole seconds, so what shares its second with the item that ends a
    page would be lost. Therefore the next page is asked for behind the last item of an *earlier*
    second: the last second of a page is read twice, and what came twice is dropped. Where a whole
    page lies within one second that is impossible, and a `PagingWarning` names the second.

    Args:
        fetch: gives the page behind the item of that id; None the first.
        time_of: the time that the list is sorted by.
        what: what the list is of, for a warning.
        page_size: how many items a full page has.
        moving: whether items move to the front while the list is read (`-updated_at`): then the
            front is read once more at the end, when there was more than one page.
    """

    async def walk() -> AsyncIterator[Sequence[M]]:
        seen: set[str] = set()
        asked: set[str | None] = set()
        cursor: str | None = None
        pages = 0
        while cursor not in asked:
            asked.add(cursor)
            items, more = await fetch(cursor)
            pages += 1
            fresh = [item for item in items if item.id not in seen]
            seen.update(item.id for item in fresh)
            yield fresh
            # `has_more` counts with the same comparison, so a full page may hide the rest of its second.
            if not items or not (more or len(items) >= page_size):
                break
            behind = _earlier(items, time_of)
            if behind is None or behind.id in asked:
                if not more and not fresh:
                    break
                if behind is None and len(items) > 1:
                    _warn("net.paging_ties", what=what, count=len(items), when=_when(time_of(items[-1])))
                behind = items[-1]
            cursor = behind.id
            if cursor in asked and more:
                _warn("net.paging_stuck", what=what)
        if not moving or pages < 2:
            return
        cursor = None
        while True:  # what moved to the front meanwhile, and what is new there
            items, more = await fetch(cursor)
            fresh = [item for item in items if item.id not in seen]
            seen.update(item.id for item in fresh)
            yield fresh
            if len(fresh) < len(items) or not items:
                return
            cursor = items[-1].id

    return AsyncPages(walk)


def _earlier(items: Sequence[M], time_of: Callable[[M], datetime | None]) -> M | None:
    """The last item whose second is not that of the last; None where all share one."""
    last = time_of(items[-1])
    if last is None:
        return items[-1]  # a server that tells no times cannot be helped
    for item in reversed(items):
        time = time_of(item)
        if time is not None and int(time.timestamp()) != int(last.timestamp()):
            return item
    return None


def _when(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds") if time else "?"


def _warn(key: str, **values: object) -> None:
    warnings.warn(t(key, **values), PagingWarning, stacklevel=3)
