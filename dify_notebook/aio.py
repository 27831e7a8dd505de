"""`dify_notebook.run`: a coroutine from a synchronous cell. The only importer of nest-asyncio2."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .errors import InputError
from .i18n import t

T = TypeVar("T")


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where this thread's loop runs already.

    In a notebook cell `await` is better. Use this in code that must be synchronous: it runs
    on the kernel's own loop, so that objects bound to it can be used. Where no loop runs it
    is `asyncio.run`. An Interrupt cancels the coroutine and waits for its clean-up.

    Raises:
        InputError: the running loop is uvloop, which cannot be entered twice; use `await`, or
            `Dify` instead of `AsyncDify`.
    """
    if not asyncio.iscoroutine(coro):
        raise InputError(t("net.not_a_coroutine", kind=type(coro).__name__), code="run")
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coro)
    if type(loop).__module__.startswith("uvloop"):
        coro.close()
        raise InputError(t("net.uvloop"), code="uvloop")
    import nest_asyncio2

    nest_asyncio2.apply(loop)
    task = loop.create_task(coro)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        # An interrupted task would go on and write into later cells.
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait([task], timeout=5))
        raise
