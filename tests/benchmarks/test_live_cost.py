"""What a live cell costs grows with the answer and no faster."""

from __future__ import annotations

import pytest
from benchmarks.bench_live import KINDS, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_and_cpu_are_linear_and_small(kind: str) -> None:
    run(kind, 1000)  # what is made only once is made
    small, large = run(kind, 1000), run(kind, 10_000)
    assert large["live"] <= 1.5e6
    assert large["live"] / 10_000 <= 1.3 * small["live"] / 1000
    assert large["cpu"] / 10_000 <= 1.5 * small["cpu"] / 1000
    assert large["slowest"] < 0.5, "the reader waits"


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_thousand_tokens_cost_as_much_each(kind: str) -> None:
    run(kind, 1000)
    medium, large = run(kind, 10_000), run(kind, 50_000)
    assert large["live"] / 50_000 <= 1.3 * medium["live"] / 10_000
    assert large["cpu"] / 50_000 <= 1.5 * medium["cpu"] / 10_000
