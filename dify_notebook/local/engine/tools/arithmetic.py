"""Arithmetic without `eval`: the expression is parsed, every node is checked, every size is bounded."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

MAX_LENGTH = 500
"""Characters of an expression."""
MAX_NODES = 200
MAX_DEPTH = 40
MAX_BITS = 13_000
"""Bits of a whole number: about 3,900 digits, which Python can still print."""

Number = int | float | Fraction


class NotComputable(ValueError):
    """The expression is none, or too big; the message says which, in English."""


def evaluate(expression: str) -> int | float:
    """The value of an arithmetic expression.

    Takes + - * / // % ** (also ^ × ÷ − ·), brackets, and the functions and constants in `FUNCTIONS` and
    `CONSTANTS`. Division of whole numbers is exact inside: (1/3)*3 is 1.

    Raises:
        NotComputable: not an expression, not a number (1/0), or beyond the bounds.
    """
    text = expression.strip()
    if len(text) > MAX_LENGTH:
        raise NotComputable(f"the expression is longer than {MAX_LENGTH} characters")
    for written, meant in (
        ("×", "*"),
        ("÷", "/"),
        ("−", "-"),
        ("·", "*"),
        ("^", "**"),
        ("（", "("),
        ("）", ")"),
        ("，", ","),
    ):
        text = text.replace(written, meant)
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NotComputable("this is not an arithmetic expression") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise NotComputable(f"the expression has more than {MAX_NODES} parts")
    try:
        value = _value(tree.body, 0)
    except ZeroDivisionError:
        raise NotComputable("division by zero") from None
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, NotComputable):
            raise
        raise NotComputable(str(error) or "out of range") from None
    if isinstance(value, Fraction):
        value = value.numerator if value.denominator == 1 else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise NotComputable("the result is not a finite number")
    return value


def show(value: int | float) -> str:
    """A result as a reader wants it: no floating noise in the last digits."""
    if isinstance(value, float):
        return format(value, ".12g")
    return str(value)


def _value(node: ast.expr, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise NotComputable(f"the expression is nested deeper than {MAX_DEPTH}")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, depth + 1))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(_BINARY[type(op)](_value(left, depth + 1), _value(right, depth + 1)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            least, most, function = FUNCTIONS[name]
            if not least <= len(args) <= most:
                raise NotComputable(f"{name} does not take {len(args)} values")
            return _bounded(function(*[_value(argument, depth + 1) for argument in args]))
    raise NotComputable("only numbers, operators, brackets and known functions can be computed")


def _bounded(value: Number) -> Number:
    if isinstance(value, complex):
        raise NotComputable("the result is not a real number")
    sizes = (value.numerator, value.denominator) if isinstance(value, Fraction) else (value,)
    if any(isinstance(size, int) and size.bit_length() > MAX_BITS for size in sizes):
        raise NotComputable("the numbers become too large")
    return value


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    return Fraction(left) / Fraction(right)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        exponent = exponent.numerator
    if isinstance(exponent, int):
        size = max(
            base.numerator.bit_length() if not isinstance(base, float) else 0,
            base.denominator.bit_length() if isinstance(base, Fraction) else 0,
        )
        if not isinstance(base, float) and size * abs(exponent) > MAX_BITS and abs(base) != 1 and base != 0:
            raise NotComputable("the numbers become too large")
        if exponent < 0 and not isinstance(base, float):
            return Fraction(base) ** exponent
        return base**exponent
    result: Any = float(base) ** float(exponent)
    return _bounded(result)


def _factorial(value: Number) -> Number:
    if not isinstance(value, int) or not 0 <= value <= 1000:
        raise NotComputable("factorial takes a whole number from 0 to 1000")
    return math.factorial(value)


def _rounded(value: Number, places: Number = 0) -> Number:
    if not isinstance(places, int) or abs(places) > 20:
        raise NotComputable("round takes a whole number of places up to 20")
    exact = Fraction(value)
    # Halves go away from zero here, as people round; Python's own rule is for statisticians.
    scaled = abs(exact) * Fraction(10) ** places
    rounded = Fraction(math.floor(scaled + Fraction(1, 2))) / Fraction(10) ** places
    return rounded if exact >= 0 else -rounded


def _root(value: Number) -> Number:
    if isinstance(value, int) and value >= 0 and (whole := math.isqrt(value)) ** 2 == value:
        return whole
    return math.sqrt(value)


_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: lambda value: value,
    ast.USub: lambda value: -value,
}
CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Number]]] = {
    "sqrt": (1, 1, _root),
    "abs": (1, 1, abs),
    "round": (1, 2, _rounded),
    "floor": (1, 1, math.floor),
    "ceil": (1, 1, math.ceil),
    "min": (1, 20, min),
    "max": (1, 20, max),
    "factorial": (1, 1, _factorial),
    "exp": (1, 1, math.exp),
    "ln": (1, 1, math.log),
    "log": (1, 2, math.log),
    "log10": (1, 1, math.log10),
    "log2": (1, 1, math.log2),
    "sin": (1, 1, math.sin),
    "cos": (1, 1, math.cos),
    "tan": (1, 1, math.tan),
    "gcd": (2, 2, math.gcd),
}
