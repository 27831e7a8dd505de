"""Parses timestamps: ISO 8601, and what databases and spreadsheets make of it. Ambiguous orders are refused."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import NamedTuple

NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")
"""A number, such as seconds since 1970."""
_TIME = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})|\.([0-9]{1,2})\.([0-9]{1,2}))"
    r"(?:(?:[Tt]| {1,3})([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.,]([0-9]{1,18}))?)?)?"
    r" {0,3}([Zz]|(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2}){0,2}|UTC|GMT)?"
)
"""The year first: 3/5/2024 is two days, according to who reads it."""
_CHINESE = str.maketrans({"年": "-", "月": "-", "日": " ", "号": " ", "时": ":", "点": ":", "分": ":", "秒": " "})
_COMPACT = re.compile(r"[0-9]{8}(?:T.{0,40})?|[0-9]{4}-?W[0-9].{0,40}")
"""ISO 8601 in its basic format, and its weeks; Python reads them."""
_ZONE = re.compile(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?(?::?([0-9]{2}))?")


class ParsedTime(NamedTuple):
    """A timestamp out of a text."""

    value: datetime
    """Aware if the text has a zone; rounded down to microseconds."""
    truncated: bool
    """Whether the text has digits beyond microseconds."""
    date_only: bool
    """Whether the text is a date without a time."""


def parse_timestamp(text: str) -> ParsedTime | None:
    """The timestamp that a text holds; None for what is none, or ambiguous.

    >>> str(parse_timestamp("2024/3/5 14:07").value)
    '2024-03-05 14:07:00'

    Args:
        text: such as `2024-03-05T14:07:31.123456789Z`, `2024-03-05 14:07:31.1+08`, `2024/3/5 14:07`,
            `2024年3月5日 14:07`, `2024-03-05 14:07:31 UTC`, `20240305T140731Z`. Full-width signs are read too.
    """
    plain = unicodedata.normalize("NFKC", text).strip().translate(_CHINESE).rstrip(": ")
    match = _TIME.fullmatch(" ".join(plain.split()))
    if match is None:
        return _compact(plain)
    year, *days = (part for part in match.groups()[:7] if part)
    hour, minute, second, fraction, zone = match.groups()[7:]
    if zone and not hour:
        return None
    iso = f"{year}-{days[0]:0>2}-{days[1]:0>2}"
    if hour:
        iso += f"T{hour:0>2}:{minute:0>2}:{second or 0:0>2}.{(fraction or '0')[:6]:0<6}{_offset(zone)}"
    try:
        value = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return ParsedTime(value, bool((fraction or "")[6:].strip("0")), not hour)


def _compact(text: str) -> ParsedTime | None:
    if not _COMPACT.fullmatch(text):
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    fraction = text.replace(",", ".").partition(".")[2]
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    return ParsedTime(value, bool(digits[6:].strip("0")), "T" not in text)


def _offset(zone: str | None) -> str:
    """As ISO 8601 writes it: `+8`, `+0800`, `UTC+8`, `Z`."""
    if not zone:
        return ""
    match = _ZONE.search(zone)
    if match is None:
        return "+00:00"
    direction, hours, minutes, seconds = match.groups()
    return f"{direction}{hours:0>2}:{minutes or '00'}" + (f":{seconds}" if seconds else "")
