"""`run` drives a coroutine from synchronous code, with and without a running loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from dify_notebook import run
from dify_notebook.errors import InputError


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_without_a_loop_it_is_asyncio_run() -> None:
    assert run(double(2)) == 4


def test_what_is_no_coroutine_is_refused() -> None:
    with pytest.raises(InputError, match="coroutine"):
        run(3)  # type: ignore[arg-type]  # a mistake on purpose


INSIDE = """
import asyncio, sys
import dify_notebook
assert "nest_asyncio2" not in sys.modules
async def main():
    other = asyncio.create_task(asyncio.sleep(0.01, "other"))
    async def inner():
        await asyncio.sleep(0.02)
        return await other
    assert dify_notebook.run(inner()) == "other"
    async def broken():
        await asyncio.sleep(0)
        raise ZeroDivisionError
    try:
        dify_notebook.run(broken())
    except ZeroDivisionError:
        print("fine")
asyncio.run(main())
"""


def test_inside_a_running_loop() -> None:
    """In a process of its own: nest-asyncio2 changes asyncio for good."""
    done = subprocess.run([sys.executable, "-c", INSIDE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("fine", 0), done.stderr


INTERRUPTED = """
import asyncio, threading, _thread
import dify_notebook
log = []
async def main():
    async def endless():
        try:
            threading.Timer(0.1, _thread.interrupt_main).start()
            while True:
                await asyncio.sleep(0.01)
                log.append(1)
        finally:
            log.append("cleaned")
    try:
        dify_notebook.run(endless())
    except KeyboardInterrupt:
        pass
    count = len(log)
    await asyncio.sleep(0.1)
    assert log[-1] == "cleaned" and len(log) == count, "the task went on"
    print("fine")
# As a kernel's loop: asyncio.run would turn the interrupt into a cancelled main task.
asyncio.new_event_loop().run_until_complete(main())
"""


def test_an_interrupt_leaves_no_task_behind() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("fine", 0), done.stderr


UVLOOP = """
import asyncio, sys, types
import dify_notebook
class Loop(asyncio.SelectorEventLoop): pass
Loop.__module__ = "uvloop"
async def main():
    async def nothing(): pass
    try:
        dify_notebook.run(nothing())
    except dify_notebook.DifyError as problem:
        assert "await" in str(problem) and "Dify" in str(problem)
        print("fine")
loop = Loop()
loop.run_until_complete(main())
"""


def test_uvloop_is_refused_with_a_way_out() -> None:
    done = subprocess.run([sys.executable, "-c", UVLOOP], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("fine", 0), done.stderr
