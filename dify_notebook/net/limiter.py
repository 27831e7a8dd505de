"""Many requests at once, and never too many: the gate of a server, and bounded work."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..errors import InputError
from ..i18n import t
from .defaults import CONNECTIONS

T = TypeVar("T")
R = TypeVar("R")

#: The most requests to a server at once that may be asked for.
MOST_CONNECTIONS = 128
#: The most that a history may be fetched with: reading pages gets no faster with more.
MOST_FETCHING = 32
#: Places that short calls find beside answers that are open; no more than all places there are.
SPARE = 4
#: Refusals within so many seconds are one: those under way were sent before the first was known.
BURST_SECONDS = 1.0


def check_connections(connections: int, most: int = MOST_CONNECTIONS) -> int:
    """The number as it may be used: 1 to `most`.

    Raises:
        InputError: it is another.
    """
    if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= most:
        raise InputError(t("net.bad_connections", value=repr(connections), most=most), code="connections")
    return connections


class Permit:
    """A request's place at the gate, or one that waits for it.

    Args:
        owner: who reads an answer that stays open, a task or a thread; None for a short call.
    """

    __slots__ = ("arrival", "owner", "ready")

    def __init__(self, owner: object | None = None) -> None:
        self.owner = owner
        self.arrival = 0
        self.ready: asyncio.Future[None] | None = None

    @property
    def lasts(self) -> bool:
        """Whether it is an answer's, which stays open as long as it is read."""
        return self.owner is not None


class AdaptiveLimiter:
    """How many requests may be under way to one server; fewer once it says that there are too many.

    Whoever comes first goes first. Answers that stay open leave room for short calls (`SPARE`), which so
    never wait for an answer to end. `too_many` halves what is allowed; a long row of requests that
    went well (eight for each connection) gives one back, up to what was asked for.

    Args:
        most: how many at once.
        patience: seconds to wait while no place comes free; None waits for ever.
    """

    def __init__(self, most: int, patience: float | None = None) -> None:
        self._own = most
        self._raised: list[int] = []
        self.most = most
        self.allowed = most
        self._patience = patience
        self._inside: dict[Permit, None] = {}
        self._answers = 0
        self._left = {True: 0, False: 0}  # how many answers, and how many short calls, have left
        self._waiting: dict[bool, deque[Permit]] = {True: deque(), False: deque()}
        self._arrivals = 0
        self._went_well = 0
        self._halved = float("-inf")

    @property
    def used(self) -> int:
        """Requests under way."""
        return len(self._inside)

    async def enter(self, owner: object | None = None) -> Permit:
        """Wait for a place. Cancelling gives it up.

        Args:
            owner: of an answer that stays open: who opens it.

        Raises:
            InputError: `owner` itself holds all places with answers that are open, or no place came
                free in time.
        """
        place, waiting = Permit(owner), self._waiting[owner is not None]
        if not waiting and self._has_room(place):
            self._let_in(place)
            return place
        if owner is not None and sum(other.owner == owner for other in self._inside) >= self.allowed:
            raise self._full("net.all_places_yours")
        self._arrivals += 1
        place.arrival, place.ready = self._arrivals, asyncio.get_running_loop().create_future()
        waiting.append(place)
        try:
            await self._until_ready(place, place.ready)
        except BaseException:
            if place in self._inside:
                self.leave(place)  # it was given in the same moment
            else:
                waiting.remove(place)
            raise
        return place

    async def _until_ready(self, place: Permit, ready: asyncio.Future[None]) -> None:
        while not ready.done():
            left = self._left[place.lasts]
            await asyncio.wait([ready], timeout=self._patience)
            if not ready.done() and left == self._left[place.lasts]:
                raise self._full("net.no_place")

    def _full(self, key: str) -> InputError:
        told = t(
            key,
            open=self._answers,
            other=len(self._inside) - self._answers,
            allowed=self.allowed,
            seconds=self._patience,
            most=MOST_CONNECTIONS,
        )
        if self.allowed < self.most:
            told += t("net.fewer_for_now", allowed=self.allowed, own=self.most)
        return InputError(told, code="connections")

    def _has_room(self, place: Permit) -> bool:
        if len(self._inside) < self.allowed:
            return True
        return not place.lasts and len(self._inside) - self._answers < min(SPARE, self.allowed)

    def _let_in(self, place: Permit) -> None:
        self._inside[place] = None
        self._answers += place.lasts

    def leave(self, place: Permit) -> None:
        """Give a place back."""
        del self._inside[place]
        self._answers -= place.lasts
        self._left[place.lasts] += 1
        self._let_those_in()

    def _let_those_in(self) -> None:
        while True:
            first = sorted((line[0] for line in self._waiting.values() if line), key=lambda place: place.arrival)
            place = next((place for place in first if self._has_room(place)), None)
            if place is None:
                return
            self._waiting[place.lasts].popleft()
            self._let_in(place)
            if place.ready is not None and not place.ready.done():
                place.ready.set_result(None)

    @contextmanager
    def at_least(self, connections: int) -> Iterator[None]:
        """Within this, up to so many may be under way; of several that overlap, the highest counts.

        Afterwards it is as before; those under way beyond it are not disturbed. While the server says that there are
        too many, fewer go here, too.
        """
        self._raised.append(connections)
        self._set_most()
        try:
            yield
        finally:
            self._raised.remove(connections)
            self._set_most()

    def _set_most(self) -> None:
        before, self.most = self.most, max([self._own, *self._raised])
        self.allowed = self.most if self.allowed == before else min(self.allowed, self.most)
        self._let_those_in()

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
            self._let_those_in()


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
