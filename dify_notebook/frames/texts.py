"""Converters of cells: texts and addresses without signatures, JSON text, times as microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ..redact import redact
from ..secret import Secret
from ..turn.convert import as_text, as_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def clean(text: str | None) -> str | None:
    """A text in which no address is signed any more, and no key stands; None for None.

    >>> clean("see /files/x?timestamp=1&nonce=ab&sign=cd%3D or a=b")
    'see /files/x?timestamp=1&nonce=-&sign=- or a=b'
    """
    return redact(text) if text else text


def as_json(value: Any) -> str | None:
    """JSON text of a value, without signatures, null for each `Secret`; None for None."""
    if value is None:
        return None
    if value == {}:  # the usual inputs
        return "{}"
    return clean(msgspec.json.encode(value, enc_hook=_hidden).decode())


def _hidden(value: Any) -> None:
    if not isinstance(value, Secret):
        raise TypeError(f"no JSON: {type(value).__name__}")


def as_microseconds(value: Any) -> int | None:
    """A time as whole microseconds since 1970; seconds, milliseconds, ISO text and datetimes are read."""
    if type(value) is datetime and value.tzinfo is UTC:  # the usual case: what the client reads
        return (value - _EPOCH) // _MICROSECOND
    time = as_time(value)
    return None if time is None else round(time.timestamp() * 1_000_000)


def from_microseconds(value: int) -> datetime:
    """The aware time that many microseconds after 1970."""
    return datetime.fromtimestamp(value / 1_000_000, UTC)


def as_word(value: object) -> str | None:
    """A category or an id as text; None for an empty one."""
    return as_text(value) or None
