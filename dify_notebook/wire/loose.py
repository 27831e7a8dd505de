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
