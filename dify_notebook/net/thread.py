"""The portal's thread and its loop: starting work there, waiting for it, and ending it by an Interrupt."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from ..i18n import t
from .interrupting import attach_turn

T = TypeVar("T")

#: Seconds that a call may take to clean up after an Interrupt.
CLEANUP_SECONDS = 4.0


class Portal:
    """A daemon thread with an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="dify_notebook", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    @property
    def alive(self) -> bool:
        """False in a forked child, where the thread did not come along."""
        return self._pid == os.getpid() and self._thread.is_alive()

    @property
    def inside(self) -> bool:
        """Whether the caller runs on this loop's thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start it and go on."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it and wait. An Interrupt cancels it, lets it clean up, and is raised with what had come of an answer."""
        if self.inside:
            work.close()
            raise RuntimeError(t("net.portal_deadlock"))
        cancellations: list[asyncio.CancelledError] = []
        recorded = _recording(work, cancellations)
        token = _caller.set(_Caller(recorded, threading.current_thread()))
        try:
            future = self.submit(recorded)  # its task runs in a copy of this context
        finally:
            _caller.reset(token)
        try:
            return wait(future)
        except BaseException as problem:
            if not future.done():
                future.cancel()
                # The future is cancelled at once; the task behind it needs a moment.
                barrier = self.submit(_settle())
                concurrent.futures.wait([barrier], timeout=CLEANUP_SECONDS)
            if isinstance(problem, KeyboardInterrupt):
                for turn in (cancelled.turn for cancelled in cancellations if hasattr(cancelled, "turn")):
                    attach_turn(turn, problem)
            raise


async def _recording(work: Coroutine[Any, Any, T], cancellations: list[asyncio.CancelledError]) -> T:
    """The same work; its cancelling is noted down, since a future that was cancelled knows nothing of it."""
    try:
        return await work
    except asyncio.CancelledError as cancelled:
        cancellations.append(cancelled)
        raise


class _Caller(NamedTuple):
    work: Coroutine[Any, Any, Any]
    thread: threading.Thread


_caller: ContextVar[_Caller | None] = ContextVar("_caller", default=None)


def current_owner() -> object:
    """Who does nothing else while this task runs: the thread whose call it is, else the task itself."""
    task, caller = asyncio.current_task(), _caller.get()
    if caller is not None and task is not None and task.get_coro() is caller.work:
        return caller.thread
    return task


def wait(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """The result; on Windows too a wait that an Interrupt can end."""
    if os.name != "nt":
        return future.result(timeout)
    import time

    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            return future.result(0.1)
        except TimeoutError:
            if future.done() or (deadline is not None and time.monotonic() >= deadline):
                raise


async def _settle() -> None:
    """Wait until cancelled tasks have cleaned up."""
    cancelled = [task for task in asyncio.all_tasks() if task.cancelling()]
    if cancelled:
        await asyncio.wait(cancelled, timeout=CLEANUP_SECONDS)
