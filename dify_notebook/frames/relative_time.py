"""Parses relative times: yesterday, 7 days, 2 weeks ago, 昨天, 最近7天."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, time, timedelta

_DAYS: Mapping[str, int] = {
    "today": 0, "yesterday": -1, "the day before yesterday": -2, "tomorrow": 1,
    "今天": 0, "今日": 0, "昨天": -1, "昨日": -1, "前天": -2, "明天": 1,
}  # fmt: skip
"""Words for days; their beginning is meant."""
_NOW = ("now", "现在")
_ENGLISH = re.compile(
    r"(?:(?:the )?(?:last|past) )?([0-9]{1,9}|an?|one) ?"
    r"(s|secs?|seconds?|min|mins|minutes?|h|hrs?|hours?|d|days?|w|weeks?|months?|y|years?)(?: ago)?"
)
_CHINESE = re.compile(
    r"(?:最近|过去|近)? ?([0-9]{1,9}|[一二两三四五六七八九十]) ?"
    r"(秒|分|小时|天|日|周|星期|月|年|个(?:小时|星期|月))钟?(?:以?前|之前|以?内)?"
)
_DIGITS: Mapping[str, int] = {"a": 1, "an": 1, "one": 1, "两": 2} | {
    digit: number for number, digit in enumerate("一二三四五六七八九十", start=1)
}
_SECONDS: Mapping[str, int] = {
    "s": 1, "sec": 1, "second": 1, "秒": 1,
    "min": 60, "minute": 60, "分": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "小时": 3600, "个小时": 3600,
    "d": 86_400, "day": 86_400, "天": 86_400, "日": 86_400,
    "w": 604_800, "week": 604_800, "周": 604_800, "星期": 604_800, "个星期": 604_800,
}  # fmt: skip
_MONTHS: Mapping[str, int] = {"month": 1, "个月": 1, "y": 12, "year": 12, "年": 12}


def parse_relative(text: str, now: datetime) -> datetime | None:
    """The instant of a relative time; None for what is none, or ambiguous (`last month`, `30m`, `3月`).

    Days by name begin at midnight here. A day and a week are 24 and 168 hours; months and years go by the calendar.

    >>> str(parse_relative("2 hours ago", datetime.fromisoformat("2026-01-01T12:00Z")))
    '2026-01-01 10:00:00+00:00'

    Args:
        now: aware; from when it counts.

    Raises:
        OverflowError: before the year 1.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if plain in _NOW:
        return now
    local = now.astimezone()
    if plain in _DAYS:
        day = local.date() + timedelta(days=_DAYS[plain])
        return datetime.combine(day, time()).astimezone()
    match = _ENGLISH.fullmatch(plain) or _CHINESE.fullmatch(plain)
    if match is None:
        return None
    count = _DIGITS.get(match[1]) or int(match[1])
    unit = match[2] if match[2] in ("s", "月") else match[2].removesuffix("s")
    if unit in _SECONDS:
        return now - timedelta(seconds=count * _SECONDS[unit])
    return _before(local, count * _MONTHS[unit]) if unit in _MONTHS else None


def _before(local: datetime, months: int) -> datetime:
    """So many months earlier on the clock here; the 31st becomes the last of a shorter month."""
    months_since_0 = local.year * 12 + local.month - 1 - months
    year, month = divmod(months_since_0, 12)
    if year < 1:
        raise OverflowError(year)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day, tzinfo=None, fold=0).astimezone()
