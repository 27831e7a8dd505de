"""How long a call may take, and when to try again: idempotent calls only, politely, and not for ever."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from numbers import Real
from typing import Any

from ..errors import InputError
from ..i18n import t

#: Seconds that a call may take with all its repetitions where a server never answered and cannot be reached: its
#: address is wrong most likely, or it is not up.
UNREACHED_SECONDS = 1.5
_FIRST_WAIT = 0.3
_LONGEST_WAIT = 8.0
_SHORTEST_WAIT = 0.1
_LONGEST_DATE = 100
_STATUSES = frozenset((429, 500, 502, 503, 504))


class RetryBudget:
    """How long to wait before the next try; None when it is enough.

    Waits grow twofold with jitter, so that many clients do not come back together, and obey
    Retry-After. A wait that would pass the total is not begun.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._begun = clock()
        self._end = self._begun + seconds
        self._attempts = 0

    def shorten(self, seconds: float) -> None:
        """Take no longer than this altogether."""
        self._end = min(self._end, self._begun + seconds)

    def after_failure(self) -> float | None:
        """After a connection that failed."""
        return self._delay(None)

    def after_status(self, status: int, retry_after: str | None) -> float | None:
        """After an answer with that status."""
        return self._delay(seconds_of(retry_after)) if status in _STATUSES else None

    async def wait(self, seconds: float) -> None:
        """Wait so long."""
        await self._sleep(seconds)

    def _delay(self, retry_after: float | None) -> float | None:
        base = min(_FIRST_WAIT * 2 ** min(self._attempts, 10), _LONGEST_WAIT)
        self._attempts += 1
        # A Retry-After of 0 does not mean as fast as the line can carry.
        delay = max(retry_after, _SHORTEST_WAIT) if retry_after else base * (0.5 + self._chance() / 2)
        return delay if self._clock() + delay < self._end else None


def seconds_of(retry_after: str | None) -> float | None:
    """Retry-After in seconds: a number or a date (RFC 9110); None for what is neither."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        date = http_date(retry_after)
        return None if date is None else max(0.0, (date - datetime.now(UTC)).total_seconds())
    return None if math.isnan(seconds) else max(0.0, seconds)


def http_date(text: str | None) -> datetime | None:
    """A header's date; None for what is none, whatever it is: a server may write anything.

    >>> http_date("Wed, 21 Oct 2015 07:28:00 GMT").year, http_date("Fri, 31 Dec 99999 23:59:59 GMT")
    (2015, None)
    """
    try:
        date = parsedate_to_datetime((text or "")[:_LONGEST_DATE])
        if date.tzinfo is None:  # "-0000": UTC, of a place that is not told
            return date.replace(tzinfo=UTC)
        return date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def check_seconds(timeout: Any) -> float | None:
    """A time limit as it may be used.

    Raises:
        InputError: it is no positive number of seconds.
    """
    if timeout is None:
        return None
    seconds = 0.0
    if isinstance(timeout, Real) and not isinstance(timeout, bool):
        with suppress(OverflowError):
            seconds = float(timeout)
    if not seconds > 0:
        raise InputError(t("net.bad_timeout", value=repr(timeout)), code="bad_timeout")
    return seconds
