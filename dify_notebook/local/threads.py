"""Blocking work beside the loop, in a thread of its own, and hanging up on it.

The loop's own pool has few threads and is for short work. What waits for another machine, or for a function of
the user's, would hold them all up; and a server that ends must not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Exited(Exception):
    """What was called wanted to end its thread or the whole process (`sys.exit()`); the text names how."""

    def __init__(self, problem: BaseException) -> None:
        said = str(problem)
        super().__init__(f"{type(problem).__name__}: {said}" if said else type(problem).__name__)


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

    Raises:
        Exited: instead of SystemExit, KeyboardInterrupt and the like, which would end this loop.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def give(value: Result) -> None:
        if not done.done():
            done.set_result(value)

    def fail(problem: Exception) -> None:
        if not done.done():
            done.set_exception(problem)

    def work() -> None:
        try:
            value = context.run(call, *args, **kwargs)
        except StopIteration as stop:
            tell(fail, RuntimeError(f"StopIteration: {stop}"))  # a future cannot carry one
        except Exception as problem:
            tell(fail, problem)
        except BaseException as problem:
            tell(fail, Exited(problem))
        else:
            tell(give, value)

    def tell(how: Callable[..., None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
            loop.call_soon_threadsafe(how, what)

    threading.Thread(target=work, name="dify_notebook-aside", daemon=True).start()
    return await done


async def in_own_loop(
    call: Callable[Arguments, Coroutine[Any, Any, Result]], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run a coroutine function of the user's to its end on a loop of its own, in a thread of its own.

    On the server's loop one `time.sleep` in it would hold up every request. When nobody waits any more it is cancelled.

    Raises:
        Exited: see `in_thread`.
    """
    asked = Asked()

    async def watched() -> Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def hang_up() -> None:
            with contextlib.suppress(RuntimeError):  # that loop has closed: there is nothing left to end
                loop.call_soon_threadsafe(task.cancel)

        asked.on_cancel(hang_up)
        try:
            return await call(*args, **kwargs)
        finally:
            asked.on_cancel(None)

    try:
        return await in_thread(asyncio.run, watched())
    finally:
        asked.cancel()
