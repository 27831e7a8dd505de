"""What a spreadsheet would take for a formula, made plain text: what people and models wrote must not be calculated."""

from __future__ import annotations

from typing import TypeVar

Cell = TypeVar("Cell")

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""The wide signs too: Excel in Chinese and Japanese reads them as the narrow ones."""
_BLANK = ("\t", "\r", "\n")
"""A cell that begins with one of these is taken apart again, or what follows it is calculated."""


def escape_formula(value: Cell) -> Cell:
    """A cell with a quote in front, where it is text that a spreadsheet would calculate; everything else as it is.

    Numbers stay numbers. Nothing tells afterwards which quotes were put there, so this form is for looking at.

    >>> escape_formula("=1+1"), escape_formula(" @x"), escape_formula("1-1"), escape_formula(-1)
    ("'=1+1", "' @x", '1-1', -1)
    """
    if isinstance(value, str) and (value.startswith(_BLANK) or value.lstrip().startswith(_FORMULA)):
        return f"'{value}"  # type: ignore[return-value]  # a text as it was one
    return value
