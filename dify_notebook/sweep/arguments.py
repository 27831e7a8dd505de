"""The arguments of `Sweep` and `map`, as far as they can be told wrong before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, cast

from ..errors import InputError
from ..i18n import t
from ..printable import one_line
from .records import State

MOST_REPEATS = 1_000
MOST_AT_ONCE = 128
AGAIN = ("failed", "unknown")
"""States of cases that can be asked again."""


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """An argument that is a whole number within bounds.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise _unfit(name, value, least, most)
    number = int(value)
    if number < least or (most is not None and number > most):
        raise _unfit(name, value, least, most)
    return number


def _unfit(name: str, value: Any, least: int, most: int | None) -> InputError:
    key = "sweep.arguments.at_least" if most is None else "sweep.arguments.between"
    shown = one_line(repr(value), 60)
    return InputError(t(key, name=name, value=shown, least=f"{least:,}", most=f"{most or 0:,}"), code=name)


def seconds(name: str, value: Any) -> float | None:
    """A time that is waited, or None.

    Raises:
        InputError: it is no positive number.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > 0:
        return float(value)
    raise InputError(t("sweep.arguments.seconds", name=name, value=one_line(repr(value), 60)), code=name)


def states_again(again: Any) -> tuple[State, ...]:
    """Which cases are asked beside those that never were.

    Args:
        again: names of states, which are asked beside failed ones; a single text is one name; None asks neither.

    Raises:
        InputError: cases of such a state are not asked again.
    """
    if again is None:
        return ()
    names = list(again) if isinstance(again, Iterable) and not isinstance(again, str) else [again]
    for name in names:
        if name == "succeeded":
            raise InputError(t("sweep.arguments.finished"), code="again")
        if name not in AGAIN:
            raise InputError(t("sweep.arguments.again", value=one_line(repr(name), 60)), code="again")
    return cast("tuple[State, ...]", tuple(dict.fromkeys(["failed", *names])))
