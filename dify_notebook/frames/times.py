"""Instants out of what `since` and `until` take: datetimes of all kinds, numbers, timestamps and relative times."""

from __future__ import annotations

import math
import numbers
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..i18n import t
from .relative_time import parse_relative
from .timestamp import NUMBER, parse_timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = tuple((Decimal(10 ** (digits - 1)), 10 ** (digits - 10)) for digits in (10, 13, 16, 19))
"""The smallest number of that many digits, and how many of its units are a second."""


def time_range(since: Any, until: Any) -> tuple[datetime | None, datetime | None]:
    """Both ends of a time range, relative to one `now`; see `moment`.

    Raises:
        InputError: one is no time, or the beginning is not before the end.
    """
    now = datetime.now(UTC)
    begin, end = moment(since, "since", now), moment(until, "until", now)
    if begin and end and begin >= end:
        raise InputError(t("frames.empty_time", since=begin.isoformat(), until=end.isoformat()), code="since")
    return begin, end


def moment(value: Any, name: str, now: datetime | None = None) -> datetime | None:
    """The instant that is meant, in UTC, or with the offset here where no zone is told; None for None.

    Taken are datetimes, pandas' Timestamps and numpy's datetime64 of any unit; dates and Periods, for their
    beginning; timedeltas of any kind, for so long ago; numbers, for seconds since 1970 (or milliseconds,
    microseconds, nanoseconds: 10, 13, 16 or 19 digits before the point); and text: such a number, a time as ISO 8601
    writes it, `2026/1/31 14:07`, `2026年1月31日`, `today`, `yesterday`, `7 days`, `2 weeks ago`, `昨天`, `最近7天`.
    What has no zone is local, and of an hour that comes twice the first is meant unless `fold` says otherwise.
    Nanoseconds are rounded up to the next microsecond, which parts the messages, told in microseconds at most, as
    the exact time does.

    >>> moment("2026-01-01T00:00:00Z", "since")
    datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)

    Args:
        name: what the value is called, for the error.
        now: from when "7 days" count; None is now.

    Raises:
        InputError: it is no time, or one that no calendar of Python's has (years 1 to 9999).
    """
    if value is None:
        return None
    try:
        instant = _instant(value, now or datetime.now(UTC))
    except (OverflowError, ValueError, OSError):  # of a year that there is not
        instant = None
    if instant is None:
        raise InputError(t("frames.bad_time", name=name, value=repr(value)[:100]), code=name)
    return instant


def from_epoch(number: Decimal, *, up: bool = False) -> datetime | None:
    """The time that many seconds, milliseconds, microseconds or nanoseconds after 1970; None for other numbers.

    Numbers of 10, 13, 16 and 19 digits before the point are taken, which are the years 2001 to 2286 in each unit.

    >>> from_epoch(Decimal("1709647651.25"))
    datetime.datetime(2024, 3, 5, 14, 7, 31, 250000, tzinfo=datetime.timezone.utc)

    Args:
        up: round to the next microsecond instead of the one before.
    """
    for lower, unit in _UNITS:
        if lower <= number < 10 * lower:
            microseconds = number * 1_000_000 / unit
            return _EPOCH + timedelta(microseconds=math.ceil(microseconds) if up else math.floor(microseconds))
    return None


def _instant(value: Any, now: datetime) -> datetime | None:
    if value is pd.NaT or value is pd.NA or isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, str):
        return _from_text(value, now)
    if isinstance(value, pd.Period):
        value = value.start_time
    if isinstance(value, np.datetime64):
        result = _from_numpy(value)
        return None if result is None else _aware(result)
    if isinstance(value, (timedelta, np.timedelta64)):
        return _ago(pd.Timedelta(value), now)
    if isinstance(value, datetime):
        return _aware(value)
    if isinstance(value, date):
        return _aware(datetime.combine(value, time()))
    if isinstance(value, (numbers.Real, Decimal)) and math.isfinite(value):
        return from_epoch(value if isinstance(value, Decimal) else Decimal(str(value)), up=True)
    return None


def _from_text(text: str, now: datetime) -> datetime | None:
    if NUMBER.fullmatch(text.strip()):
        instant = from_epoch(Decimal(text.strip()), up=True)
        if instant is not None:
            return instant
    parsed = parse_timestamp(text)
    if parsed is None:
        return parse_relative(text, now)
    return _aware(parsed.value) + (_MICROSECOND if parsed.truncated else timedelta())


def _aware(value: datetime) -> datetime:
    """With one offset from UTC, since within a zone of several Python compares what clocks show."""
    more = timedelta()
    if isinstance(value, pd.Timestamp):
        more = _MICROSECOND if value.nanosecond else more
        value = (value.tz_convert("UTC") if value.tzinfo else value).to_pydatetime(warn=False)
    zone: Any = value.tzinfo
    if hasattr(zone, "localize") and value.tzname() == "LMT":
        # A zone of pytz as `tzinfo=`, without its `localize`: local mean time, minutes off, is never meant.
        value = zone.localize(value.replace(tzinfo=None))
    return value.astimezone(UTC if value.tzinfo else None) + more


def _from_numpy(value: np.datetime64) -> datetime | None:
    if np.isnat(value) or not 1 <= int(value.astype("M8[Y]").astype("int64")) + 1970 <= 9999:
        return None
    microseconds = value.astype("M8[us]")
    result: datetime = microseconds.item()
    return result + (_MICROSECOND if microseconds < value else timedelta())


def _ago(value: pd.Timedelta, now: datetime) -> datetime | None:
    if value is pd.NaT or value < pd.Timedelta(0):
        return None
    ago: timedelta = value.to_pytimedelta()
    return now - ago
