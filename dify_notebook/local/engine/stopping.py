"""Work that ends early when the user asks to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Stopped(Exception):
    """The user asked to stop; raised inside the app at its next step."""


async def unless_done(stopping: asyncio.Future[None], doing: Coroutine[Any, Any, Result]) -> Result:
    """Wait for something, and cancel it when the user asks to stop.

    Args:
        stopping: done once that was asked.

    Raises:
        Stopped: by the user.
    """
    task = asyncio.ensure_future(doing)
    try:
        either: set[asyncio.Future[Any]] = {task, stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Stopped
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # what it says while it is cancelled is of no use any more
