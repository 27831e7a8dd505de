"""The measure that other tests of growth trust, on a clock that the test turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from support import linear


def straight(size: int) -> float:
    return 3.0 * size


def square(size: int) -> float:
    return 0.001 * size * size


def step(size: int) -> float:
    """A buffer that is given back to the system after each use, from some size on."""
    return size if size <= 200 else 5.0 * size


CASES: list[tuple[str, Callable[[int], float], bool]] = [
    ("straight", straight, True),
    ("with a step", step, True),
    ("square", square, False),
    ("cube", lambda size: 1e-6 * size**3, False),
]


@pytest.mark.parametrize("held", [1.0, 2.4, 9.0], ids="{}x in one run of three".format)
@pytest.mark.parametrize(("cost", "fine"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_grows_too_fast_is_told_from_what_does_not(
    monkeypatch: pytest.MonkeyPatch, cost: Callable[[int], float], fine: bool, held: float
) -> None:
    now = 0.0
    turns = itertools.cycle([1.0] * 4 + [held] * 2)  # others have the processor now and then

    def work(size: int) -> None:
        nonlocal now
        now += cost(size) * next(turns)

    monkeypatch.setattr("support.linear.time.thread_time", lambda: now)
    assert (linear.growth(lambda size: size, work, 100) <= linear.MOST) is fine
