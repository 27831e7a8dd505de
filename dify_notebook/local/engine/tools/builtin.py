"""Functions that every declared app can name, as tools or in code nodes: the toolbox's, and a few for lists."""

from __future__ import annotations

import re
from typing import Annotated, Any

from ...text import without_bullet
from ..functions import Function, describe
from . import arithmetic, clock, text_stats


def calculator(expression: Annotated[str, "such as 0.17 * (2340 - 12)"]) -> str:
    """Compute an arithmetic expression exactly."""
    return arithmetic.show(arithmetic.evaluate(expression))


def current_time(timezone: Annotated[str, "IANA name such as Asia/Tokyo"] = "UTC") -> dict[str, str]:
    """Tell date, time and weekday in a time zone now."""
    return clock.now_in(timezone)


def convert_time(time: Annotated[str, "24 hours, HH:MM"], from_timezone: str, to_timezone: str) -> dict[str, str]:
    """Tell what a time of today in one time zone is in another; the zones by their IANA names."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", time.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{time!r} is no time such as 15:30")
    return clock.convert(int(match[1]), int(match[2]), from_timezone, to_timezone)


def text_statistics(text: str) -> dict[str, Any]:
    """Count characters, words, sentences and lines of a text."""
    return dict(text_stats.statistics(text))


def split_lines(text: str) -> dict[str, list[str]]:
    """The lines of a text that are not blank, as a list; bullets and numbers in front are taken off."""
    lines = [without_bullet(line).strip() for line in text.splitlines()]
    return {"items": [line for line in lines if line]}


def split_text(text: str, separator: str = ",") -> dict[str, list[str]]:
    """The parts of a text between separators, as a list."""
    return {"items": [part.strip() for part in text.split(separator or ",") if part.strip()]}


def join_texts(items: list[str], separator: str = "\n") -> dict[str, str]:
    """One text out of a list."""
    return {"text": separator.join(str(item) for item in items)}


BUILTIN: tuple[Function, ...] = tuple(
    describe(function)
    for function in (
        calculator,
        convert_time,
        current_time,
        join_texts,
        split_lines,
        split_text,
        text_statistics,
    )
)
