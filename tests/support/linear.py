"""Whether work grows with its input and no faster: CPU of n against 2n and 4n, never seconds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST = 2.6
"""Times the CPU that twice the input may take; square growth takes 4."""


def growth(make: Callable[[int], T], work: Callable[[T], object], size: int, *, tries: int = 12) -> float:
    """How many times as much CPU `work` takes on twice the input, at the lesser of two doublings from `size` on.

    Square growth shows at both. A buffer that becomes too large for a cache, or is given back to the system after
    each use, makes a step at one of them. The least of some tries counts for each size, since others use the
    processor too; three at least, so that one that was held up does not hide what is slow.
    """
    inputs = [make(size), make(2 * size), make(4 * size)]
    least = [float("inf")] * 3
    lesser = float("inf")
    gc.disable()
    try:
        for done in range(1, tries + 1):
            for place, told in enumerate(inputs):
                begun = time.thread_time()
                work(told)
                least[place] = min(least[place], time.thread_time() - begun)
            lesser = min(least[1] / max(least[0], 1e-6), least[2] / max(least[1], 1e-6))
            if done >= 3 and lesser <= MOST:
                break
    finally:
        gc.enable()
    return lesser
