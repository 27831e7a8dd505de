"""Many requests at once, and never too many: the gate of a server, and bounded work."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from ..errors import InputError
from ..i18n import t

T = TypeVar("T")
R = TypeVar("R")

#: Connections to a server, in all, by default; and the most that may be asked for.
CONNECTIONS = 8
MOST_CONNECTIONS = 32
#: Refusals within so many seconds are one: those under way were sent before the first was known.
BURST_SECONDS = 1.0


def check_connections(connections: int) -> int:
    """The number as it may be used: 1 to 32.

    Raises:
        InputError: it is another.
    """
    if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= MOST_CONNECTIONS:
        raise InputError(
            t("net.bad_connections", value=repr(connections), most=MOST_CONNECTIONS), code="connections"
        )
    return connections


class Gate:
    """How many requests may be under way to one server; fewer once it says that there are too many.

    Whoever comes first goes first. `too_many` halves what is allowed; a long row of requests that
    went well (eight for each connection) gives one back, up to what was asked for.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.allowed = most
        self.used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._went_well = 0
        self._halved = float("-inf")

    async def enter(self) -> None:
        """Wait for a place. Cancelling gives it up."""
        if self.used < self.allowed and not self._waiting:
            self.used += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it was given in the same moment
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Give a place back."""
        self.used -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.used < self.allowed:
            place = self._waiting.popleft()
            if not place.done():
                self.used += 1
                place.set_result(None)

    def set_most(self, most: int) -> None:
        """Allow so many from now on; those under way beyond it are not disturbed."""
        self.most = self.allowed = most
        self._let_in()

    def too_many(self) -> None:
        """The server said that there were too many at once. A burst of refusals halves once."""
        now = asyncio.get_running_loop().time()
        if now - self._halved < BURST_SECONDS:
            return
        self._halved = now
        self.allowed = max(1, self.allowed // 2)
        self._went_well = 0

    def went_well(self) -> None:
        """A request was answered as it should be."""
        if self.allowed >= self.most:
            return
        self._went_well += 1
        if self._went_well >= 8 * self.allowed:
            self._went_well = 0
            self.allowed += 1
            self._let_in()


async def gather_bounded(
    work: Callable[[T], Awaitable[R]], items: Iterable[T] | AsyncIterable[T], *, concurrency: int = CONNECTIONS
) -> list[R]:
    """`work` done for every item, at most so many at once; results in the order of the items.

    As many items again are taken ahead, so that nobody waits while a list fetches its next page; not
    more, so a long list is read as it is needed. The first failure cancels the rest and is raised.

    >>> async def double(number: int) -> int:
    ...     return number * 2
    >>> asyncio.run(gather_bounded(double, range(5), concurrency=2))
    [0, 2, 4, 6, 8]
    """
    found: dict[int, R] = {}
    concurrency = max(1, concurrency)
    ready: asyncio.Queue[tuple[int, T] | None] = asyncio.Queue(concurrency)

    async def feed() -> None:
        number = 0
        async for item in _each(items):
            await ready.put((number, item))
            number += 1
        for _ in range(concurrency):
            await ready.put(None)

    async def hand() -> None:
        while (taken := await ready.get()) is not None:
            number, item = taken
            found[number] = await work(item)

    problem: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            for _ in range(concurrency):
                group.create_task(hand())
    except* Exception as many:
        problem = many.exceptions[0]
    if problem is not None:
        while isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
        raise problem
    return [found[number] for number in range(len(found))]


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
