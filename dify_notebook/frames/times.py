"""Times as people give them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ..errors import InputError
from ..i18n import t


def moment(value: date | datetime | str | None, name: str) -> datetime | None:
    """An aware time: ISO text, dates and datetimes; what has no zone is local.

    >>> moment("2026-01-01T00:00:00Z", "since")
    datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)

    Args:
        name: what the value is called, for the error.

    Raises:
        InputError: it is no time.
    """
    if value is None:
        return None
    found: Any = value
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found.strip())
        except ValueError:
            found = None
    elif isinstance(found, date) and not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    if not isinstance(found, datetime):
        raise InputError(t("frames.bad_time", name=name, value=repr(value)), code=name)
    time = datetime.fromisoformat(found.isoformat()[:32])  # a pandas Timestamp is a datetime of its own kind
    return time if time.tzinfo else time.astimezone()
