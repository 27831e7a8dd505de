"""Whether work grows with its input and no faster: CPU of n against 2n, and of 2n against 4n, never seconds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST = 2.6
"""Times the CPU that twice the input may take; square growth takes 4."""
DOUBLINGS = 3
"""How many are tried, each from where the last ended."""


def growth(make: Callable[[int], T], work: Callable[[T], object], size: int, *, tries: int = 12) -> float:
    """How many times as much CPU `work` takes on twice the input, at the least of `DOUBLINGS` from `size` on.

    Square growth shows at all of them. A buffer that becomes too large for a cache (which a busy neighbour makes
    smaller), or is given back to the system after each use, makes a step at one. So the next is only looked at where
    the last grew too fast.
    """
    grown = float("inf")
    gc.disable()
    try:
        for at in range(DOUBLINGS):
            if grown > MOST:
                grown = min(grown, doubling(work, make(size << at), make(size << at + 1), tries))
    finally:
        gc.enable()
    return grown


def doubling(work: Callable[[T], object], once: T, twice: T, tries: int) -> float:
    """How many times as much CPU `work` takes on the second of two inputs.

    The least of some tries counts for each, since others use the processor too; of the smaller one three at least, so
    that one that was held up does not hide what is slow. The larger one is tried again while it looks slow.
    """
    small = large = grown = float("inf")
    for done in range(1, tries + 1):
        small = min(small, cost(work, once))
        if done >= 3:
            large = min(large, cost(work, twice))
            grown = large / max(small, 1e-6)
            if grown <= MOST:
                break
    return grown


def cost(work: Callable[[T], object], told: T) -> float:
    """CPU seconds of this thread."""
    begun = time.thread_time()
    work(told)
    return time.thread_time() - begun
