"""What a live cell sends grows with the answer and no faster. Its CPU time: `bench_live.py`."""

from __future__ import annotations

from functools import cache

import pytest
from benchmarks import bench_live
from benchmarks.bench_live import KINDS

pytestmark = pytest.mark.slow


@cache
def run(kind: str, tokens: int) -> dict[str, float]:
    """On a machine whose drawing costs no time, which sends the most."""
    return bench_live.run(kind, tokens, clock=lambda: 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_linear_and_small(kind: str) -> None:
    small, large = run(kind, 1000), run(kind, 10_000)
    assert 0 < large["live"] <= 1.5e6
    assert large["live"] / 10_000 <= 1.3 * small["live"] / 1000


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_thousand_tokens_send_as_much_each(kind: str) -> None:
    medium, large = run(kind, 10_000), run(kind, 50_000)
    assert large["live"] / 50_000 <= 1.3 * medium["live"] / 10_000
