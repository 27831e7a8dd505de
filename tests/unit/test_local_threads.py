"""Blocking work beside the loop: what becomes of it, and what it is told when nobody waits any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dify_notebook.local.threads import Exited, in_own_loop, items_of

pytestmark = pytest.mark.anyio


async def gather(produce: Callable[[Callable[[Any], bool]], object], into: list[Any]) -> None:
    async for item in items_of(produce):
        into.append(item)


async def test_items_come_in_order_and_then_what_was_raised() -> None:
    def produce(put: Callable[[int], bool]) -> None:
        assert all(put(number) for number in range(100))
        raise LookupError("no more")

    items: list[int] = []
    with pytest.raises(LookupError, match="no more"):
        await gather(produce, items)
    assert items == [*range(100)]


async def test_what_wants_to_end_the_process_ends_the_items() -> None:
    def produce(put: Callable[[int], bool]) -> None:
        put(1)
        raise SystemExit(3)

    items: list[int] = []
    with pytest.raises(Exited, match="SystemExit: 3"):
        await gather(produce, items)
    assert items == [1]


async def test_who_hands_over_is_told_that_nobody_waits() -> None:
    ended = threading.Event()

    def produce(put: Callable[[int], bool]) -> None:
        while put(1):
            pass
        ended.set()

    items = items_of(produce)
    assert await anext(items) == 1
    await items.aclose()
    assert await asyncio.to_thread(ended.wait, 10)


@pytest.mark.parametrize("late", [False, True])
async def test_a_coroutine_on_its_own_loop_is_cancelled(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody waits for it any more, also where its thread begins only then."""
    go, begun, cancelled = threading.Event(), threading.Event(), threading.Event()
    run = asyncio.run

    def run_later(coroutine: Any) -> Any:
        go.wait(10)
        return run(coroutine)

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    if late:
        monkeypatch.setattr(asyncio, "run", run_later)
    waiting = asyncio.ensure_future(in_own_loop(work))
    if late:
        await asyncio.sleep(0)
    else:
        assert await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    await asyncio.wait({waiting})
    go.set()
    assert await asyncio.to_thread(cancelled.wait, 10)
