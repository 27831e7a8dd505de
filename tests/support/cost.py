"""What a piece of work costs, for tests that compare the cost of twice as much with that of once."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any


def spent(work: Callable[[], Any], runs: int = 5) -> float:
    """CPU seconds of the quickest of some runs, without the collector's share."""
    best = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(runs):
            begun = time.process_time()
            work()
            best = min(best, time.process_time() - begun)
    finally:
        gc.enable()
    return best
