"""Conditions of an if-else, and of a loop's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .template import Selector, Template, shown
from .variable_pool import VariablePool


def _text(value: Any) -> str:
    return shown(value)


def _number(value: Any) -> float:
    return float(value)


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _contains(value: Any, wanted: Any) -> bool:
    return wanted in [_text(one) for one in value] if isinstance(value, list) else wanted in _text(value)


_COMPARE: Mapping[str, Callable[[Any, str], bool]] = {
    "contains": _contains,
    "not contains": lambda value, wanted: not _contains(value, wanted),
    "start with": lambda value, wanted: _text(value).startswith(wanted),
    "end with": lambda value, wanted: _text(value).endswith(wanted),
    "is": lambda value, wanted: _text(value) == wanted,
    "is not": lambda value, wanted: _text(value) != wanted,
    "in": lambda value, wanted: _text(value) in [one.strip() for one in wanted.split(",")],
    "not in": lambda value, wanted: _text(value) not in [one.strip() for one in wanted.split(",")],
    "empty": lambda value, wanted: _empty(value),
    "not empty": lambda value, wanted: not _empty(value),
    "null": lambda value, wanted: value is None,
    "not null": lambda value, wanted: value is not None,
    "=": lambda value, wanted: _number(value) == _number(wanted),
    "≠": lambda value, wanted: _number(value) != _number(wanted),
    ">": lambda value, wanted: _number(value) > _number(wanted),
    "<": lambda value, wanted: _number(value) < _number(wanted),
    "≥": lambda value, wanted: _number(value) >= _number(wanted),
    "≤": lambda value, wanted: _number(value) <= _number(wanted),
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

    def wanted(self, pool: VariablePool) -> str:
        """The value to compare with, places filled in."""
        return self.value.render(pool.get, shown)

    def holds(self, pool: VariablePool) -> bool:
        """Raises: CannotCompare."""
        found, wanted = pool.get(self.selector), self.wanted(pool)
        try:
            return _COMPARE[self.operator](found, wanted)
        except (TypeError, ValueError):
            name = ".".join(self.selector)
            raise CannotCompare(f"{name} {self.operator} {wanted}: {found!r} is no number") from None

    def told(self, pool: VariablePool) -> dict[str, Any]:
        """As a node's inputs tell it."""
        return {
            "actual_value": pool.get(self.selector),
            "expected_value": self.wanted(pool),
            "comparison_operator": self.operator,
        }

    def group(self, pool: VariablePool) -> dict[str, Any]:
        """As process data tells it."""
        return {
            "variable_selector": list(self.selector),
            "comparison_operator": self.operator,
            "value": self.wanted(pool),
            "sub_variable_condition": None,
        }


def results(conditions: tuple[Condition, ...], logic: Logic, pool: VariablePool) -> list[bool]:
    """Each condition's result, up to the one that decides."""
    found: list[bool] = []
    for condition in conditions:
        found.append(condition.holds(pool))
        if found[-1] == (logic == "or"):
            break
    return found


def decided(found: list[bool], logic: Logic) -> bool:
    return any(found) if logic == "or" else all(found)
