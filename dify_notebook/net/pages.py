"""Lists that fetch their pages as they are read, and lose nothing where that can be helped."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..console import warn
from ..errors import EndlessList
from ..i18n import t
from ..printable import MESSAGE, one_line
from .bounds import size_text

if TYPE_CHECKING:
    import pandas as pd


class PagingWarning(UserWarning):
    """A list may lack items, because the server cannot give them."""


class Item(Protocol):
    """Something on a page."""

    @property
    def id(self) -> str: ...


class PageBudget:
    """Counts the bytes of a list's pages: `reset` with its first, then call it with the size of each.

    Args:
        limit: bytes of all of them; see `Bounds.pages`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = self._remaining = limit

    def reset(self) -> None:
        """The list is read from its beginning."""
        self._remaining = self._limit

    def __call__(self, size: int) -> None:
        """A page of so many bytes came.

        Raises:
            EndlessList: they are too many.
        """
        self._remaining -= size
        if self._remaining < 0:
            raise EndlessList(t("net.too_large", limit=size_text(self._limit), name="pages"), code="too_large")


REPEATED = 5
"""Numbered pages without anything new, one after another, behind which no more is looked for."""
M = TypeVar("M", bound=Item)
Page = tuple[Sequence[M], bool]
"""Items in the order of the list, and whether the server says that there are more."""


class AsyncPages(Generic[M]):
    """A list that fetches its pages as it is read: `async for item in ...`. Nothing comes twice.

    Args:
        walk: gives the pages, each without what earlier ones had.
        max_items: how many are read without a `limit`.
        keep: whether an item is wanted; None wants all.
        table: the table that `to_frame` makes (see `dify_notebook.frames`).
        of: what the table needs to know besides the items: whose they are.
    """

    def __init__(
        self,
        walk: Callable[[], AsyncIterator[Sequence[M]]],
        *,
        max_items: int,
        keep: Callable[[M], bool] | None = None,
        table: str = "",
        of: Mapping[str, Any] | None = None,
    ) -> None:
        self._walk = walk
        self._max_items = max_items
        self._keep = keep
        self.table = table
        self.of = dict(of or {})

    async def pages(self) -> AsyncGenerator[list[M], None]:
        """Lists of the items, page by page, as they come; a page may be empty.

        Raises:
            EndlessList: there are more than `Bounds.items`, or they are larger than `Bounds.pages`.
        """
        async with aclosing(self._pages(self._max_items)) as pages:
            async for page in pages:
                yield page

    async def _pages(self, max_items: int) -> AsyncGenerator[list[M], None]:
        seen: set[str] = set()
        async for page in self._walk():
            fresh: dict[str, M] = {}
            for item in page:
                if item.id not in seen:
                    fresh.setdefault(item.id, item)
            excess = len(seen) + len(fresh) - max_items
            items = list(fresh.values())[: len(fresh) - max(0, excess)]
            seen.update(fresh)
            yield [item for item in items if self._keep is None or self._keep(item)]
            if excess > 0:
                raise EndlessList(t("net.too_many_items", limit=f"{max_items:,}"), code="too_large")

    async def __aiter__(self) -> AsyncIterator[M]:
        async for page in self.pages():
            for item in page:
                yield item

    async def to_list(self, limit: int | None = None) -> list[M]:
        """Everything, or the first `limit` items.

        Raises:
            EndlessList: there are more than `Bounds.items` and no `limit`, or they are larger than
                `Bounds.pages`; `.items` has those that came.
        """
        items: list[M] = []
        if limit is not None and limit < 1:
            return items
        try:
            async with aclosing(self._pages(max(self._max_items, limit or 0))) as pages:
                async for page in pages:
                    items += page
                    if limit is not None and len(items) >= limit:
                        return items[:limit]
        except EndlessList as problem:
            problem.items = items
            raise
        return items

    async def to_frame(self, limit: int | None = None) -> pd.DataFrame:
        """Everything, or the first `limit` items, as a pandas DataFrame: a row each, with the columns of
        `frames.SCHEMA`. Raises as `to_list`."""
        from .. import frames

        items = await self.to_list(limit)
        frame: pd.DataFrame = getattr(frames, self.table)(items, **self.of)
        return frame


def numbered(
    fetch: Callable[[int], Awaitable[Page[M]]], *, what: str, max_items: int, table: str = ""
) -> AsyncPages[M]:
    """Pages that have numbers, from 1.

    What is new meanwhile stands in front and moves the rest behind, by whole pages where much is; then a page holds
    nothing that was not had. After `REPEATED` of them a `PagingWarning` says that the server goes no further.
    """

    async def walk() -> AsyncIterator[Sequence[M]]:
        seen: set[str] = set()
        repeated = 0
        for number in itertools.count(1):
            items, more = await fetch(number)
            fresh = [item for item in items if item.id not in seen]
            seen.update(item.id for item in fresh)
            yield fresh
            if not more or not items:
                return
            repeated = 0 if fresh else repeated + 1
            if repeated == REPEATED:  # a server that repeats a page would never end
                warn_of_paging("net.paging_stuck", what=what)
                return

    return AsyncPages(walk, max_items=max_items, table=table)


def by_time(
    fetch: Callable[[str | None], Awaitable[Page[M]]],
    time_of: Callable[[M], datetime | None],
    *,
    what: str,
    page_size: int,
    max_items: int,
    moving: bool = False,
    table: str = "",
    of: Mapping[str, Any] | None = None,
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
        max_items, table, of: see `AsyncPages`.
    """

    async def walk() -> AsyncIterator[Sequence[M]]:
        seen: set[str] = set()
        cursors: set[str | None] = set()
        cursor: str | None = None
        pages = 0
        while cursor not in cursors:
            cursors.add(cursor)
            items, more = await fetch(cursor)
            pages += 1
            fresh = [item for item in items if item.id not in seen]
            seen.update(item.id for item in fresh)
            yield fresh
            # `has_more` counts with the same comparison, so a full page may hide the rest of its second.
            if not items or not (more or len(items) >= page_size):
                break
            behind = _earlier(items, time_of)
            if behind is None or behind.id in cursors:
                if not more and not fresh:
                    break
                if behind is None and len(items) > 1:
                    warn_of_paging("net.paging_ties", what=what, count=len(items), when=_when(time_of(items[-1])))
                behind = items[-1]
            cursor = behind.id
            if cursor in cursors and more:
                warn_of_paging("net.paging_stuck", what=what)
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

    return AsyncPages(walk, max_items=max_items, table=table, of=of)


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


_collected: ContextVar[list[str] | None] = ContextVar("_told", default=None)


@contextmanager
def paging_warnings() -> Iterator[list[str]]:
    """Within this, what a `PagingWarning` would say is collected instead; in this task alone."""
    messages: list[str] = []
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)


def warn_of_paging(key: str, **values: object) -> None:
    """Tell that a list may lack something: as a `PagingWarning`, or to who collects them."""
    messages = _collected.get()
    if messages is None:
        warn(one_line(t(key, **values), MESSAGE), PagingWarning, stacklevel=3)
    else:
        messages.append(t(key, **values))
