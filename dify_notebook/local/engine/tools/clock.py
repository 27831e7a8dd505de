"""Time in other places: what time is it there, and what is this time there."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

# Places that have no zone of their own name, and Chinese names.
_PLACES = {
    "beijing": "Asia/Shanghai", "shenzhen": "Asia/Shanghai", "guangzhou": "Asia/Shanghai",
    "china": "Asia/Shanghai", "hangzhou": "Asia/Shanghai", "japan": "Asia/Tokyo", "korea": "Asia/Seoul",
    "india": "Asia/Kolkata", "mumbai": "Asia/Kolkata", "delhi": "Asia/Kolkata",
    "bangalore": "Asia/Kolkata", "germany": "Europe/Berlin", "munich": "Europe/Berlin",
    "frankfurt": "Europe/Berlin", "france": "Europe/Paris", "uk": "Europe/London",
    "england": "Europe/London", "spain": "Europe/Madrid", "italy": "Europe/Rome",
    "san francisco": "America/Los_Angeles", "california": "America/Los_Angeles",
    "seattle": "America/Los_Angeles", "boston": "America/New_York", "washington": "America/New_York",
    "miami": "America/New_York", "texas": "America/Chicago", "brazil": "America/Sao_Paulo", "utc": "UTC",
    "gmt": "UTC", "est": "America/New_York", "pst": "America/Los_Angeles", "cet": "Europe/Berlin",
    "jst": "Asia/Tokyo", "ist": "Asia/Kolkata", "北京": "Asia/Shanghai", "上海": "Asia/Shanghai",
    "深圳": "Asia/Shanghai", "广州": "Asia/Shanghai", "中国": "Asia/Shanghai", "香港": "Asia/Hong_Kong",
    "台北": "Asia/Taipei", "东京": "Asia/Tokyo", "日本": "Asia/Tokyo", "首尔": "Asia/Seoul",
    "新加坡": "Asia/Singapore", "孟买": "Asia/Kolkata", "印度": "Asia/Kolkata", "迪拜": "Asia/Dubai",
    "莫斯科": "Europe/Moscow", "柏林": "Europe/Berlin", "德国": "Europe/Berlin", "巴黎": "Europe/Paris",
    "法国": "Europe/Paris", "伦敦": "Europe/London", "英国": "Europe/London", "纽约": "America/New_York",
    "洛杉矶": "America/Los_Angeles", "旧金山": "America/Los_Angeles", "芝加哥": "America/Chicago",
    "多伦多": "America/Toronto", "悉尼": "Australia/Sydney", "奥克兰": "Pacific/Auckland",
}  # fmt: skip

_PERIODS: dict[str, tuple[str, ...]] = {
    "am": ("am", "in the morning", "凌晨"),
    "morning": ("上午", "早上", "早晨", "清晨", "今早", "明早"),
    "noon": ("noon", "at noon", "midday", "中午", "正午"),
    "pm": ("pm", "in the afternoon", "下午", "午后"),
    "evening": ("in the evening", "at night", "晚上", "晚间", "夜晚", "傍晚", "今晚", "明晚", "昨晚"),
    "night": ("midnight", "at midnight", "in the night", "半夜", "深夜", "午夜", "夜里", "夜间", "子夜"),
}
"""Which part of the day a word names; what that makes of an hour stands in `_hour`."""
_PERIOD_OF = {word: period for period, words in _PERIODS.items() for word in words}
_ENGLISH = r"[ap]\.?m\b\.?|(?:at )?(?:noon|midday|midnight)\b|at night\b|in the (?:morning|afternoon|evening|night)\b"
_CHINESE = "|".join(word for word in _PERIOD_OF if not word.isascii())
_DIGITS = "零一二三四五六七八九"
_NUMBER = r"(?:[二三四五]?十[一二三四五六七八九]?|[零〇一二两三四五六七八九])"
_BEFORE = r"(?<![\d:：.零〇一二两三四五六七八九十])"

TIME = re.compile(
    rf"(?:\b(?P<part>half|quarter)\s{{1,3}}(?P<side>past|to)\s{{1,3}})?"
    rf"(?<![\d:：.])(?P<hour>\d{{1,2}})(?:[:：.](?P<minute>[0-5]\d))?\s{{0,3}}"
    rf"(?:o['’]clock\b(?:\s{{0,3}}(?P<half>{_ENGLISH}))?|(?P<half_alone>{_ENGLISH}))"
    rf"|(?:(?P<day>(?-i:\b[AP]M)|{_CHINESE})\s{{0,3}})?(?<![\d:：.])(?P<hour24>\d{{1,2}})[:：](?P<minute24>[0-5]\d)(?!\d)"
    rf"|(?:(?P<dayhan>{_CHINESE})的?\s{{0,3}})?{_BEFORE}(?P<hourhan>\d{{1,2}}|{_NUMBER})\s{{0,3}}[点點时時][钟鐘整]?"
    rf"(?:\s{{0,3}}(?P<minutehan>\d{{1,2}}|{_NUMBER})\s{{0,3}}分|(?P<minutebare>[0-5]\d)(?!\d)"
    rf"|(?P<halfhan>半)|(?P<quarter>[一三])刻)?"
    rf"|\b(?P<word>noon|midday|midnight)\b|(?P<wordhan>正午|中午|午夜|子夜|半夜)",
    re.IGNORECASE,
)
_WORDS = ("half", "half_alone", "day", "dayhan", "word", "wordhan")
"""The groups of it that say a part of the day."""


@dataclass(frozen=True)
class Clock:
    """A time of day that a question names, without a zone."""

    hour: int
    minute: int


@cache
def zones() -> dict[str, str]:
    """Names of places in lower case, with their zones."""
    by_city: dict[str, str] = {}
    for zone in sorted(available_timezones()):
        region, _, city = zone.rpartition("/")
        if region.split("/")[0] in (
            "Africa",
            "America",
            "Asia",
            "Atlantic",
            "Australia",
            "Europe",
            "Indian",
            "Pacific",
        ):
            by_city.setdefault(city.replace("_", " ").lower(), zone)
    return by_city | _PLACES


def places(text: str) -> list[tuple[str, str]]:
    """Places that a text names, in its order, with their zones; a zone's own name counts too."""
    matches: list[tuple[int, int, str, str]] = []
    lowered = text.lower()
    for match in re.finditer(r"\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+\b", text):
        if match.group() in available_timezones():
            matches.append((match.start(), match.end(), match.group(), match.group()))
    for name, zone in zones().items():
        edge = r"(?<![a-z])" if name.isascii() else ""
        end = r"(?![a-z])" if name.isascii() else ""
        if name not in lowered or len(name) < 2 or (len(name) < 4 and name.isascii() and name not in _PLACES):
            continue
        for match in re.finditer(edge + re.escape(name) + end, lowered):
            matches.append((match.start(), match.end(), text[match.start() : match.end()], zone))
    chosen: list[tuple[int, int, str, str]] = []
    for candidate in sorted(matches, key=lambda item: (item[0], -item[1])):
        if not chosen or candidate[0] >= chosen[-1][1]:
            chosen.append(candidate)
    return [(name, zone) for _, _, name, zone in chosen]


def spoken_time(text: str) -> Clock | None:
    """A time that a text says, such as 3pm, 15:30, noon or 下午3点半; None where it says none.

    >>> spoken_time("12 am"), spoken_time("晚上12点"), spoken_time("12:30 p.m.")
    (Clock(hour=0, minute=0), Clock(hour=0, minute=0), Clock(hour=12, minute=30))
    """
    for match in TIME.finditer(text):
        hour, minute = _number(match["hour"] or match["hour24"] or match["hourhan"] or "12"), _minute(match)
        word = next((match[name] for name in _WORDS if match[name]), "")
        if match["hourhan"] == "一" and not word and match.group()[-1] in "点點":
            continue  # "a little"
        period = _PERIOD_OF.get(word.lower().replace(".", ""), "")
        meant = _hour(hour, minute, period, digital=match["hour24"] is not None)
        if meant is not None and minute < 60:
            return Clock((meant - ((match["side"] or "").lower() == "to")) % 24, minute)
    return None


def _hour(hour: int, minute: int, period: str, *, digital: bool) -> int | None:
    """The hour from 0 to 23 that is meant in that part of the day; None where there is none such."""
    if hour == 24 and minute == 0:
        return 0
    if hour > 23 or (hour > 12 and period in ("am", "morning")):
        return None
    if hour > 12 or not period:
        return hour
    if period == "morning":  # 上午12点 is noon for who says it, and midnight on a digital clock, which means AM
        return hour % 12 if digital else hour
    if period == "noon":
        return hour if hour > 9 else hour % 12 + 12
    if period == "pm":
        return hour % 12 + 12
    small = {"am": 12, "evening": 5, "night": 7}[period]
    return hour % 12 if hour % 12 < small else hour + 12


def _minute(match: re.Match[str]) -> int:
    if match["halfhan"]:
        return 30
    if match["quarter"]:
        return 15 * _number(match["quarter"])
    if match["part"]:
        past = 30 if match["part"].lower() == "half" else 15
        return past if match["side"].lower() == "past" else 60 - past
    return _number(match["minute"] or match["minute24"] or match["minutehan"] or match["minutebare"] or "0")


def _number(text: str) -> int:
    """A number below 60 in digits of any kind."""
    if text[0].isdecimal():
        return int(text)
    text = text.replace("〇", "零").replace("两", "二")
    tens, ten, ones = text.rpartition("十")
    return (_DIGITS.index(tens) if tens else 1) * 10 * bool(ten) + (_DIGITS.index(ones) if ones else 0)


NOW: ContextVar[datetime | None] = ContextVar("NOW", default=None)
"""The moment that counts as now, where it is not really now."""


def _now() -> datetime:
    return NOW.get() or datetime.now(UTC)


def now_in(zone: str, now: datetime | None = None) -> dict[str, str]:
    """The time in a zone now.

    Raises:
        ValueError: no such zone.
    """
    return _result(zone, (now or _now()).astimezone(_zone(zone)))


def convert(
    hour: int, minute: int, from_zone: str, to_zone: str, now: datetime | None = None
) -> dict[str, str]:
    """Today's hour and minute in one zone, in another.

    Raises:
        ValueError: no such zone.
    """
    here = (now or _now()).astimezone(_zone(from_zone))
    there = here.replace(hour=hour, minute=minute, second=0, microsecond=0).astimezone(_zone(to_zone))
    return {"from_zone": from_zone, "from_time": f"{hour:02}:{minute:02}", **_result(to_zone, there)}


def _result(zone: str, moment: datetime) -> dict[str, str]:
    offset = moment.strftime("%z")
    return {
        "zone": zone,
        "date": moment.strftime("%Y-%m-%d"),
        "time": moment.strftime("%H:%M"),
        "weekday": moment.strftime("%A"),
        "utc_offset": f"{offset[:3]}:{offset[3:]}",
    }


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r}") from None
