"""Whether work grows with its input and no faster: CPU of n against CPU of 2n, never seconds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST = 2.6
"""Times the CPU that twice the input may take; square growth takes 4."""


def growth(make: Callable[[int], T], work: Callable[[T], object], size: int, *, tries: int = 10) -> float:
    """CPU of `work` on an input of twice the size, by that on one of the size.

    The least of some tries counts for each, since others use the processor too; the first that is fine is enough.
    """
    small, large = make(size), make(2 * size)
    least = [float("inf"), float("inf")]
    gc.disable()
    try:
        for _ in range(tries):
            for place, told in enumerate((small, large)):
                begun = time.thread_time()
                work(told)
                least[place] = min(least[place], time.thread_time() - begun)
            if least[1] <= MOST * least[0]:
                break
    finally:
        gc.enable()
    return least[1] / max(least[0], 1e-6)
