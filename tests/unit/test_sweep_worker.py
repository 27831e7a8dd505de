"""The thread that writes for an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from dify_notebook.sweep.asking.worker import BATCH, Worker

pytestmark = pytest.mark.anyio


async def test_work_is_done_in_one_thread_in_order_and_its_errors_are_the_waiters() -> None:
    worker, order = Worker("tests"), []

    def work(number: int) -> int:
        order.append((number, threading.current_thread().name))
        if number % 7 == 3:
            raise ValueError(number)
        return number * 2

    found = await asyncio.gather(*(worker.do(work, number) for number in range(3 * BATCH)), return_exceptions=True)
    assert [number for number, _ in order] == list(range(3 * BATCH))
    assert {name for _, name in order} == {"tests"}
    for number, result in enumerate(found):
        assert (type(result) is ValueError) if number % 7 == 3 else result == number * 2
    worker.close()


async def test_closing_waits_for_what_is_done_and_leaves_the_rest() -> None:
    worker, begun, go, done = Worker("tests"), threading.Event(), threading.Event(), []

    def slow(number: int) -> None:
        begun.set()
        go.wait(30)
        done.append(number)

    waiting = [asyncio.ensure_future(worker.do(slow, number)) for number in range(3)]
    await asyncio.to_thread(begun.wait, 30)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    closing = asyncio.create_task(asyncio.to_thread(worker.close))
    while not worker._closed:
        await asyncio.sleep(0)
    go.set()
    await closing
    assert done == [0]


async def test_one_that_did_nothing_can_be_closed() -> None:
    Worker("tests").close()
