"""Who asks in a seeded history, and when: people with working hours, weekends, and one bad day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from ...engine.search.sections import Language

_NAMES: dict[Language, tuple[str, ...]] = {
    "en": (
        "anna", "ben", "carla", "david", "emma", "felix", "grace", "henry", "ines", "jonas", "karin", "liam",
        "maya", "noah", "olga", "paul", "rosa", "sam", "tara", "victor",
    ),
    "zh-Hans": (
        "chen.wei", "gao.lan", "he.jing", "huang.bo", "li.na", "lin.tao", "liu.yang", "sun.li", "wang.fang",
        "wu.jie", "xu.min", "yang.xue", "zhang.hao", "zhao.lei", "zhou.qi",
    ),
}  # fmt: skip
_ZONES: dict[Language, int] = {"en": 1, "zh-Hans": 8}
"""Hours before UTC where they sit."""
_WEEK = (1.0, 1.1, 1.05, 1.0, 0.85, 0.22, 0.18)
"""How much is asked on each day, Monday first."""
_DAY = (1, 1, 1, 1, 1, 1, 2, 6, 16, 26, 28, 24, 14, 18, 24, 24, 20, 14, 8, 6, 5, 4, 3, 2)
"""How much is asked in each hour where the person sits."""


@dataclass(frozen=True)
class Person:
    """An end user."""

    session: str
    lang: Language
    zeal: float
    """How often they ask, beside the others."""


@dataclass(frozen=True)
class Calendar:
    """The days of a history, and what happened on them."""

    since: date
    days: int

    @property
    def until(self) -> date:
        """The first day after it."""
        return self.since + timedelta(days=self.days)

    @property
    def launch(self) -> date:
        """The day from which people ask about billing, after three fifths of the time."""
        return self.since + timedelta(days=int(self.days * 0.6))

    @property
    def bad_day(self) -> date:
        """A Wednesday near two fifths of the time on which the service was overloaded."""
        near = self.since + timedelta(days=int(self.days * 0.4))
        return near + timedelta(days=(2 - near.weekday()) % 7)

    def overloaded(self, moment: datetime) -> bool:
        """Whether it was in the bad hours: 7 to 15 o'clock UTC of the bad day."""
        return moment.date() == self.bad_day and 7 <= moment.hour < 15


def people() -> tuple[Person, ...]:
    """All of them; a few ask much, and many ask little."""
    result = []
    for lang, names in _NAMES.items():
        for index, name in enumerate(names, start=1):
            result.append(Person(name, lang, 1 / index**0.7))
    return tuple(result)


def beginnings(chance: random.Random, calendar: Calendar, number: int) -> Iterator[tuple[datetime, Person]]:
    """When conversations begin and whose they are, in no order; use doubles over the whole time."""
    days = [calendar.since + timedelta(days=at) for at in range(calendar.days)]
    growth = [_WEEK[day.weekday()] * (1 + at / max(calendar.days - 1, 1)) for at, day in enumerate(days)]
    by_day, by_hour = list(accumulate(growth)), list(accumulate(_DAY))
    everyone = people()
    zeal = list(accumulate(person.zeal for person in everyone))
    midnight = datetime.combine(calendar.since, datetime.min.time(), UTC)
    end = midnight + timedelta(days=calendar.days)
    for _ in range(number):
        (person,) = chance.choices(everyone, cum_weights=zeal)
        (at,) = chance.choices(range(calendar.days), cum_weights=by_day)
        (hour,) = chance.choices(range(24), cum_weights=by_hour)
        local = timedelta(days=at, hours=hour - _ZONES[person.lang], seconds=chance.randrange(3600))
        # What would lie before the first day or after the last stands at the edge of it.
        latest = end - timedelta(hours=1)
        yield min(max(midnight + local, midnight), latest), person
