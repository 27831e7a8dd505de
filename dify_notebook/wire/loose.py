"""JSON as servers write it: Python's NaN and Infinity are read as null, the rest is read strictly."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

DEEPEST = 200
"""Lists and objects that may lie in one another; what is deeper no one means, and not everything can walk it."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def loads(data: bytes, *, half: bool = False) -> Any:
    """The value that JSON tells.

    Args:
        half: whether half an emoji is read too, as U+FFFD.

    Raises:
        ValueError: it is no JSON (`msgspec.DecodeError` is one).
        RecursionError: it is nested deeper than anyone means.
    """
    try:
        return msgspec.json.decode(data)
    except ValueError:
        if b"NaN" not in data and b"Infinity" not in data and not (half and _HALF.search(data)):
            raise
    if half:
        return sound(json.loads(data, parse_constant=lambda _: None))
    # Encoded again, so that half characters, which Python lets pass, do not.
    return msgspec.json.decode(msgspec.json.encode(json.loads(data, parse_constant=lambda _: None)))


def sound(value: Any) -> Any:
    """JSON in which all text can be encoded: half an emoji, which Python's `json` lets pass, is U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [sound(item) for item in value]
    if isinstance(value, dict):
        return {sound(name): sound(item) for name, item in value.items()}
    return value


def shallow(value: Any) -> Any:
    """The value itself, when it is nested no deeper than `DEEPEST`.

    Raises:
        RecursionError: it is.
    """
    if not is_shallow(value):
        raise RecursionError(f"lists and objects lie more than {DEEPEST} deep in one another")
    return value


def is_shallow(value: Any) -> bool:
    """Whether it is nested no deeper than `DEEPEST`."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEEPEST):
        if not level:
            break
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return not level
