"""Blocking work beside the loop, in a thread of its own, and hanging up on it.

The loop's own pool has few threads and is for short work. What waits for another machine, or for a function of
the user's, would hold them all up; and a server that ends must not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Asked:
    """Something under way, as who does it sees it: whether anyone still waits, and how to hang up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hang_up: Callable[[], None] | None = None
        self.over = False

    def on_cancel(self, hang_up: Callable[[], None] | None) -> None:
        """What ends a blocking read; called at once when nobody waits already."""
        with self._lock:
            over = self.over
            self._hang_up = None if over else hang_up
        if over and hang_up is not None:
            hang_up()

    def cancel(self) -> None:
        """Nobody waits any more. From any thread; harmless when repeated."""
        with self._lock:
            self.over = True
            hang_up, self._hang_up = self._hang_up, None
        if hang_up is not None:
            hang_up()


def shut(plug: socket.socket) -> None:
    """End a blocking read of a socket that another thread is at."""
    with contextlib.suppress(OSError):
        plug.shutdown(socket.SHUT_RDWR)


async def in_thread(
    call: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a blocking function in a thread of its own; raises what it raises.

    When nobody waits any more the thread is left to itself, and is no reason for a process to stay.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def give(value: Result) -> None:
        if not done.done():
            done.set_result(value)

    def fail(problem: Exception) -> None:
        if not done.done():
            done.set_exception(problem)

    def work() -> None:
        try:
            value = call(*args, **kwargs)
        except StopIteration as stop:
            tell(fail, RuntimeError(f"StopIteration: {stop}"))  # a future cannot carry one
        except Exception as problem:
            tell(fail, problem)
        else:
            tell(give, value)

    def tell(how: Callable[..., None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
            loop.call_soon_threadsafe(how, what)

    threading.Thread(target=work, name="dify_notebook-aside", daemon=True).start()
    return await done
