"""How many cases go to one server at once, and how long to wait after a refusal. Pure: times arrive as arguments."""

from __future__ import annotations

import msgspec

from ...errors import APIError, ConnectError, DifyError, InputError, RateLimitError, ServerError

#: Cases that a server gets at once before it has answered any.
START = 4
#: Cases that it must have taken for each that is allowed, until one more is: after the first refusal.
STEP = 2


class Pace:
    """Cases under way to one server: how many may be.

    It begins with a few. Until the server first refuses one, each that it takes allows one more, up to the limit.
    A refusal halves what is allowed, and from then on it grows slowly. Refusals of cases that went out before the
    last halving are the same one: their server had not been spared yet.

    Args:
        limit: at most so many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.allowed = min(START, limit)
        self.active = 0
        self.not_before = float("-inf")
        """Seconds of whichever clock: the server asked to be left alone until then."""
        self._halvings = 0
        self._taken = 0

    def has_room(self, now: float) -> bool:
        """Whether one more may begin."""
        return self.active < self.allowed and now >= self.not_before

    def enter(self) -> int:
        """One more is under way. Gives its ticket, for `refused`."""
        self.active += 1
        return self._halvings

    def leave(self) -> None:
        """One is no longer under way."""
        self.active -= 1

    def taken(self) -> None:
        """The server took a question."""
        if self.allowed >= self.limit:
            return
        self._taken += 1
        if not self._halvings or self._taken >= STEP * self.allowed:
            self._taken = 0
            self.allowed += 1

    def refused(self, ticket: int, now: float, retry_after: float | None = None) -> bool:
        """The server said that there are too many, or that it is not there. Gives whether it says so anew.

        Args:
            ticket: what `enter` gave.
            now: seconds, as for `has_room`.
            retry_after: seconds for which it wants no more; None where it did not say.
        """
        if retry_after:
            self.not_before = max(self.not_before, now + retry_after)
        if ticket != self._halvings:
            return False
        self.allowed = max(1, self.allowed // 2)
        self._halvings += 1
        self._taken = 0
        return True


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often one question is asked again that surely did not arrive, and after how long."""

    tries: int = 8
    """With the first one; then the case fails with what the server said."""
    first: float = 0.5
    """Seconds before the second; each further wait is twice as long."""
    longest: float = 30.0
    """Seconds that a wait takes at most which the server did not ask for."""
    obeyed: float = 300.0
    """Seconds that a server may ask for; one that wants more is not asked again."""

    def wait(self, tries: int, retry_after: float | None, chance: float) -> float | None:
        """Seconds until the next try; None where there is none.

        Args:
            tries: how many there were.
            retry_after: seconds that the server asked for, or None; a wait is never shorter than without.
            chance: a number from 0 to 1: many that were refused together do not come back together.
        """
        if tries >= self.tries or (retry_after is not None and retry_after > self.obeyed):
            return None
        spread = 0.5 + chance / 2
        own = min(self.first * 2.0 ** min(tries - 1, 30), self.longest) * spread
        return own if retry_after is None else max(own, retry_after + self.first * chance)


_DOWN = (502, 503, 504)


def is_down(error: DifyError | None) -> bool:
    """Whether a gateway says that nobody is behind it just now. The question may have arrived all the same."""
    return isinstance(error, ServerError) and error.status in _DOWN


_UNSENT = ("connect", "proxy")
"""Codes of a connection that was never made. A time that ran out is none: the question may have arrived."""


def surely_unsent(error: DifyError) -> bool:
    """Whether a question was refused for being one too many, or never left: only such a one may be asked again."""
    return isinstance(error, RateLimitError) or (isinstance(error, ConnectError) and error.code in _UNSENT)


def refused(error: DifyError | None) -> bool:
    """Whether the app was not asked at all, so that there is no answer and nothing that could have cost."""
    if error is None:
        return False
    reported = isinstance(error, APIError) and error.status is not None and 400 <= error.status < 500
    return reported or isinstance(error, InputError) or surely_unsent(error)
