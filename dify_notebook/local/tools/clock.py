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

_TIME = re.compile(
    r"(?<![\d:.])(?P<hour>\d{1,2})(?:[:：](?P<minute>\d{2}))?\s*(?P<half>am|pm|a\.m\.|p\.m\.)\b"
    r"|(?<![\d:.])(?P<hour24>[01]?\d|2[0-3])[:：](?P<minute24>[0-5]\d)(?!\d)"
    r"|(?:(?P<han>上午|下午|早上|晚上|中午|凌晨)\s*)?(?P<hourhan>\d{1,2})\s*[点时](?:\s*(?P<minutehan>\d{1,2})\s*分)?(?P<halfhan>半)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clock:
    """A time said in a question; no zone with it."""

    hour: int
    minute: int


@cache
def zones() -> dict[str, str]:
    """Names of places in lower case, with their zones."""
    found: dict[str, str] = {}
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
            found.setdefault(city.replace("_", " ").lower(), zone)
    return found | _PLACES


def places(text: str) -> list[tuple[str, str]]:
    """Places that a text names, in its order, with their zones; a zone's own name counts too."""
    found: list[tuple[int, int, str, str]] = []
    lowered = text.lower()
    for match in re.finditer(r"\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+\b", text):
        if match.group() in available_timezones():
            found.append((match.start(), match.end(), match.group(), match.group()))
    for name, zone in zones().items():
        edge = r"(?<![a-z])" if name.isascii() else ""
        end = r"(?![a-z])" if name.isascii() else ""
        if len(name) < 2 or (len(name) < 4 and name.isascii() and name not in _PLACES):
            continue
        for match in re.finditer(edge + re.escape(name) + end, lowered):
            found.append((match.start(), match.end(), text[match.start() : match.end()], zone))
    chosen: list[tuple[int, int, str, str]] = []
    for one in sorted(found, key=lambda item: (item[0], -item[1])):
        if not chosen or one[0] >= chosen[-1][1]:
            chosen.append(one)
    return [(name, zone) for _, _, name, zone in chosen]


def said_time(text: str) -> Clock | None:
    """A time that a text says, such as 3pm, 15:30 or 下午3点半; None where it says none."""
    for match in _TIME.finditer(text):
        if match["half"]:
            hour, minute = int(match["hour"]), int(match["minute"] or 0)
            if not 1 <= hour <= 12:
                continue
            hour = hour % 12 + (12 if match["half"].lower().startswith("p") else 0)
        elif match["hour24"]:
            hour, minute = int(match["hour24"]), int(match["minute24"])
        else:
            hour, minute = int(match["hourhan"]), int(match["minutehan"] or (30 if match["halfhan"] else 0))
            if match["han"] in ("下午", "晚上") and hour < 12:
                hour += 12
        if hour < 24 and minute < 60:
            return Clock(hour, minute)
    return None


NOW: ContextVar[datetime | None] = ContextVar("NOW", default=None)
"""The moment that counts as now, where it is not really now."""


def _now() -> datetime:
    return NOW.get() or datetime.now(UTC)


def now_in(zone: str, now: datetime | None = None) -> dict[str, str]:
    """The time in a zone now.

    Raises:
        ValueError: no such zone.
    """
    return _told(zone, (now or _now()).astimezone(_zone(zone)))


def convert(
    hour: int, minute: int, from_zone: str, to_zone: str, now: datetime | None = None
) -> dict[str, str]:
    """Today's hour and minute in one zone, in another.

    Raises:
        ValueError: no such zone.
    """
    here = (now or _now()).astimezone(_zone(from_zone))
    there = here.replace(hour=hour, minute=minute, second=0, microsecond=0).astimezone(_zone(to_zone))
    return {"from_zone": from_zone, "from_time": f"{hour:02}:{minute:02}", **_told(to_zone, there)}


def _told(zone: str, moment: datetime) -> dict[str, str]:
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
