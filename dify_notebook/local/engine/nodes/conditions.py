"""Conditions of an if-else, and of a loop's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..graph.variable_pool import VariablePool
from ..template import Selector, Template, shown


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _contains(value: Any, expected: Any) -> bool:
    return expected in [shown(item) for item in value] if isinstance(value, list) else expected in shown(value)


_COMPARE: Mapping[str, Callable[[Any, str], bool]] = {
    "contains": _contains,
    "not contains": lambda value, expected: not _contains(value, expected),
    "start with": lambda value, expected: shown(value).startswith(expected),
    "end with": lambda value, expected: shown(value).endswith(expected),
    "is": lambda value, expected: shown(value) == expected,
    "is not": lambda value, expected: shown(value) != expected,
    "in": lambda value, expected: shown(value) in [choice.strip() for choice in expected.split(",")],
    "not in": lambda value, expected: shown(value) not in [choice.strip() for choice in expected.split(",")],
    "empty": lambda value, expected: _empty(value),
    "not empty": lambda value, expected: not _empty(value),
    "null": lambda value, expected: value is None,
    "not null": lambda value, expected: value is not None,
    "=": lambda value, expected: float(value) == float(expected),
    "≠": lambda value, expected: float(value) != float(expected),
    ">": lambda value, expected: float(value) > float(expected),
    "<": lambda value, expected: float(value) < float(expected),
    "≥": lambda value, expected: float(value) >= float(expected),
    "≤": lambda value, expected: float(value) <= float(expected),
}
ALIASES = {"!=": "≠", ">=": "≥", "<=": "≤", "==": "="}
OPERATORS = (*_COMPARE, *ALIASES)
NEEDS_NO_VALUE = ("empty", "not empty", "null", "not null")

Logic = Literal["and", "or"]


class CannotCompare(ValueError):
    """A number is compared with something else."""


@dataclass(frozen=True)
class Condition:
    """One comparison."""

    selector: Selector
    operator: str
    value: Template

    def expected(self, pool: VariablePool) -> str:
        """The value to compare with, places filled in."""
        return self.value.render(pool.get, shown)

    def holds(self, pool: VariablePool) -> bool:
        """Raises: CannotCompare."""
        actual, expected = pool.get(self.selector), self.expected(pool)
        try:
            return _COMPARE[self.operator](actual, expected)
        except (TypeError, ValueError):
            name = ".".join(self.selector)
            raise CannotCompare(f"{name} {self.operator} {expected}: {actual!r} is no number") from None

    def as_input(self, pool: VariablePool) -> dict[str, Any]:
        """As a node's inputs tell it."""
        return {
            "actual_value": pool.get(self.selector),
            "expected_value": self.expected(pool),
            "comparison_operator": self.operator,
        }

    def group(self, pool: VariablePool) -> dict[str, Any]:
        """As process data tells it."""
        return {
            "variable_selector": list(self.selector),
            "comparison_operator": self.operator,
            "value": self.expected(pool),
            "sub_variable_condition": None,
        }


def results(conditions: tuple[Condition, ...], logic: Logic, pool: VariablePool) -> list[bool]:
    """Each condition's result, up to the one that decides."""
    held: list[bool] = []
    for condition in conditions:
        held.append(condition.holds(pool))
        if held[-1] == (logic == "or"):
            break
    return held


def decided(held: list[bool], logic: Logic) -> bool:
    return any(held) if logic == "or" else all(held)
