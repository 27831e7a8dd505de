"""A thread that does small pieces of work for one event loop, one after another."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

#: Pieces after which the loop hears of what was done, while more is there to do.
BATCH = 32


class Piece(NamedTuple):
    """Some work, and who waits for it."""

    work: Callable[..., Any]
    args: tuple[Any, ...]
    done: asyncio.Future[Any]


Done = tuple[asyncio.Future[Any], Any, BaseException | None]


class Worker:
    """The thread; it begins with the first piece. The loop hears of several pieces at once: waking it costs more than
    most of them. (A ThreadPoolExecutor wakes it for each.)

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: deque[Piece] = deque()
        self._news = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    async def do(self, work: Callable[..., T], *args: Any) -> T:
        """What the work returns, done in the thread; raises what it raises."""
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(loop,), name=self._name, daemon=True)
            self._thread.start()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Piece(work, args, done))
        self._news.set()
        return await done

    def close(self) -> None:
        """Wait for what it does just now, and end it; what waits is left undone."""
        self._waiting.clear()
        self._closed = True
        self._news.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._closed:
            self._news.wait()
            self._news.clear()
            while done := self._some():
                loop.call_soon_threadsafe(_deliver, done)

    def _some(self) -> list[Done]:
        done: list[Done] = []
        while len(done) < BATCH:
            try:
                piece = self._waiting.popleft()
            except IndexError:
                break
            if piece.done.cancelled():
                continue
            try:
                done.append((piece.done, piece.work(*piece.args), None))
            except BaseException as problem:  # raised where it is waited for
                done.append((piece.done, None, problem))
        return done


def _deliver(done: list[Done]) -> None:
    for future, result, problem in done:
        if future.done():  # whoever waited was cancelled
            continue
        if problem is None:
            future.set_result(result)
        else:
            future.set_exception(problem)
