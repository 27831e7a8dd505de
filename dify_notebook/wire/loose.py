"""JSON as servers write it: Python's NaN and Infinity are read as null, the rest is read strictly."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def loads(data: bytes) -> Any:
    """The value that JSON tells.

    Raises:
        ValueError: it is no JSON (`msgspec.DecodeError` is one).
        RecursionError: it is nested deeper than anyone means.
    """
    try:
        return msgspec.json.decode(data)
    except ValueError:
        if b"NaN" not in data and b"Infinity" not in data:
            raise
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
