"""Many requests at once, and never too many: the limiter of a server, and bounded work."""

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

#: Requests to a server at once that may be asked for, at most.
MAX_CONNECTIONS = 128
#: Those that a history may be fetched with: reading pages gets no faster with more.
MAX_FETCHING = 32
#: Permits that short calls find beside answers that are open; no more than all there are.
SPARE = 4
#: Refusals within so many seconds are one: those under way were sent before the first was known.
BURST_SECONDS = 1.0


def check_connections(connections: int, maximum: int = MAX_CONNECTIONS) -> int:
    """The number as it may be used: 1 to `maximum`.

    Raises:
        InputError: it is another.
    """
    if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= maximum:
        raise InputError(t("net.bad_connections", value=repr(connections), maximum=maximum), code="connections")
    return connections


class Permit:
    """What lets a request go, or waits until it may.

    Args:
        owner: who reads an answer that stays open, a task or a thread; None for a short call.
    """

    __slots__ = ("arrival", "owner", "ready")

    def __init__(self, owner: object | None = None) -> None:
        self.owner = owner
        self.arrival = 0
        self.ready: asyncio.Future[None] | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it is for an answer, which stays open as long as it is read."""
        return self.owner is not None


class AdaptiveLimiter:
    """How many requests may be under way to one server; fewer once it says that there are too many.

    Whoever comes first goes first. Answers that stay open leave room for short calls (`SPARE`), which so
    never wait for an answer to end. `back_off` halves what is allowed; a long row of requests that
    went well (eight for each connection) gives one back, up to the limit.

    Args:
        limit: how many at once.
        timeout: seconds to wait while none is released; None waits for ever.
    """

    def __init__(self, limit: int, timeout: float | None = None) -> None:
        self._configured = limit
        self._raised: list[int] = []
        self.limit = limit
        self.allowed = limit
        self._timeout = timeout
        self._active: dict[Permit, None] = {}
        self._streams = 0
        self._released = {True: 0, False: 0}  # how many answers, and how many short calls, have left
        self._waiting: dict[bool, deque[Permit]] = {True: deque(), False: deque()}
        self._arrivals = 0
        self._successes = 0
        self._halved_at = float("-inf")

    @property
    def active(self) -> int:
        """Requests under way."""
        return len(self._active)

    async def acquire(self, owner: object | None = None) -> Permit:
        """Wait for a permit. Cancelling gives it up.

        Args:
            owner: of an answer that stays open: who opens it.

        Raises:
            InputError: `owner` itself holds all permits with answers that are open, or none was
                released in time.
        """
        permit, waiting = Permit(owner), self._waiting[owner is not None]
        if not waiting and self._has_room(permit):
            self._admit(permit)
            return permit
        if owner is not None and sum(other.owner == owner for other in self._active) >= self.allowed:
            raise self._no_permit("net.all_places_yours")
        self._arrivals += 1
        permit.arrival, permit.ready = self._arrivals, asyncio.get_running_loop().create_future()
        waiting.append(permit)
        try:
            await self._until_ready(permit, permit.ready)
        except BaseException:
            if permit in self._active:
                self.release(permit)  # it was given in the same moment
            else:
                waiting.remove(permit)
            raise
        return permit

    async def _until_ready(self, permit: Permit, ready: asyncio.Future[None]) -> None:
        while not ready.done():
            released = self._released[permit.is_stream]
            await asyncio.wait([ready], timeout=self._timeout)
            if not ready.done() and released == self._released[permit.is_stream]:
                raise self._no_permit("net.no_place")

    def _no_permit(self, key: str) -> InputError:
        message = t(
            key,
            open=self._streams,
            other=len(self._active) - self._streams,
            allowed=self.allowed,
            seconds=self._timeout,
            maximum=MAX_CONNECTIONS,
        )
        if self.allowed < self.limit:
            message += t("net.fewer_for_now", allowed=self.allowed, own=self.limit)
        return InputError(message, code="connections")

    def _has_room(self, permit: Permit) -> bool:
        if len(self._active) < self.allowed:
            return True
        return not permit.is_stream and len(self._active) - self._streams < min(SPARE, self.allowed)

    def _admit(self, permit: Permit) -> None:
        self._active[permit] = None
        self._streams += permit.is_stream

    def release(self, permit: Permit) -> None:
        """Give a permit back."""
        del self._active[permit]
        self._streams -= permit.is_stream
        self._released[permit.is_stream] += 1
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        while True:
            first = sorted((line[0] for line in self._waiting.values() if line), key=lambda permit: permit.arrival)
            permit = next((permit for permit in first if self._has_room(permit)), None)
            if permit is None:
                return
            self._waiting[permit.is_stream].popleft()
            self._admit(permit)
            if permit.ready is not None and not permit.ready.done():
                permit.ready.set_result(None)

    @contextmanager
    def raised_to(self, connections: int) -> Iterator[None]:
        """Within this, up to so many may be under way; of several that overlap, the highest counts.

        Afterwards it is as before; those under way beyond it are not disturbed. While the server says that there are
        too many, fewer go here, too.
        """
        self._raised.append(connections)
        self._set_limit()
        try:
            yield
        finally:
            self._raised.remove(connections)
            self._set_limit()

    def _set_limit(self) -> None:
        before, self.limit = self.limit, max([self._configured, *self._raised])
        self.allowed = self.limit if self.allowed == before else min(self.allowed, self.limit)
        self._admit_waiting()

    def back_off(self) -> None:
        """The server said that there were too many at once. A burst of refusals halves once."""
        now = asyncio.get_running_loop().time()
        if now - self._halved_at < BURST_SECONDS:
            return
        self._halved_at = now
        self.allowed = max(1, self.allowed // 2)
        self._successes = 0

    def succeeded(self) -> None:
        """A request was answered as it should be."""
        if self.allowed >= self.limit:
            return
        self._successes += 1
        if self._successes >= 8 * self.allowed:
            self._successes = 0
            self.allowed += 1
            self._admit_waiting()


class PacedLimiter(AdaptiveLimiter):
    """One for requests that somebody else paces: it bounds them, and does not slow down by itself."""

    def back_off(self) -> None:
        """Nothing: who paces them hears of the refusal."""


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
    results: dict[int, R] = {}
    concurrency = max(1, concurrency)
    queue: asyncio.Queue[tuple[int, T] | None] = asyncio.Queue(concurrency)

    async def producer() -> None:
        number = 0
        async for item in _each(items):
            await queue.put((number, item))
            number += 1
        for _ in range(concurrency):
            await queue.put(None)

    async def worker() -> None:
        while (entry := await queue.get()) is not None:
            number, item = entry
            results[number] = await work(item)

    problem: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(producer())
            for _ in range(concurrency):
                group.create_task(worker())
    except* Exception as group_error:
        problem = group_error.exceptions[0]
    if problem is not None:
        while isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
        raise problem
    return [results[number] for number in range(len(results))]


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
