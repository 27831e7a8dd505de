"""Blocking work beside the loop, each in a thread of its own.

`asyncio.to_thread` and `anyio.to_thread` share a few threads between all, for short work. What waits for another
machine, for a model in this process or for a function of the user's would hold them all up; and a server that ends
must not wait for it, as it does for theirs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Exited(Exception):
    """What was called wanted to end its thread or the whole process (`sys.exit()`); the text names how."""

    def __init__(self, problem: BaseException) -> None:
        text = str(problem)
        super().__init__(f"{type(problem).__name__}: {text}" if text else type(problem).__name__)


async def in_thread(
    call: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a blocking function in a thread of its own; raises what it raises.

    When nobody waits any more the thread is left to itself, and is no reason for a process to stay.

    Raises:
        Exited: instead of SystemExit, KeyboardInterrupt and the like, which would end this loop.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def succeed(value: Result) -> None:
        if not done.done():
            done.set_result(value)

    def fail(problem: Exception) -> None:
        if not done.done():
            done.set_exception(problem)

    def work() -> None:
        try:
            value = context.run(call, *args, **kwargs)
        except StopIteration as stop:
            on_loop(fail, RuntimeError(f"StopIteration: {stop}"))  # a future cannot carry one
        except Exception as problem:
            on_loop(fail, problem)
        except BaseException as problem:
            on_loop(fail, Exited(problem))
        else:
            on_loop(succeed, value)

    def on_loop(callback: Callable[..., None], argument: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
            loop.call_soon_threadsafe(callback, argument)

    threading.Thread(target=work, name="dify_notebook-aside", daemon=True).start()
    return await done


async def items_of(produce: Callable[[Callable[[Item], bool]], object]) -> AsyncGenerator[Item, None]:
    """What a blocking function hands over, while it runs in a thread of its own; raises what it raises.

    Args:
        produce: is given a function that takes an item and returns whether anyone waits for more.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[Item | None] = asyncio.Queue()
    abandoned = threading.Event()

    def put(item: Item) -> bool:
        if not abandoned.is_set():
            try:
                loop.call_soon_threadsafe(items.put_nowait, item)
            except RuntimeError:  # the loop has closed: nobody waits
                abandoned.set()
        return not abandoned.is_set()

    def ended(work: asyncio.Future[object]) -> None:
        items.put_nowait(None)
        if not work.cancelled():
            work.exception()  # told below where anyone still waits

    working = asyncio.ensure_future(in_thread(produce, put))
    working.add_done_callback(ended)
    try:
        while (item := await items.get()) is not None:
            yield item
        await working
    finally:
        abandoned.set()
        working.cancel()


async def in_own_loop(
    call: Callable[Arguments, Coroutine[Any, Any, Result]], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run a coroutine function of the user's to its end on a loop of its own, in a thread of its own.

    On the server's loop one `time.sleep` in it would hold up every request. When nobody waits any more it is cancelled.

    Raises:
        Exited: see `in_thread`.
    """
    begun: concurrent.futures.Future[Callable[[], object]] = concurrent.futures.Future()

    async def watched() -> Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        cancel = task.cancel
        begun.set_result(lambda: loop.call_soon_threadsafe(cancel))
        return await call(*args, **kwargs)

    def cancelled(begun: concurrent.futures.Future[Callable[[], object]]) -> None:
        with contextlib.suppress(RuntimeError):  # that loop has closed: there is nothing left to end
            begun.result()()

    try:
        return await in_thread(asyncio.run, watched())
    finally:
        begun.add_done_callback(cancelled)  # at once, or as soon as the thread has begun
