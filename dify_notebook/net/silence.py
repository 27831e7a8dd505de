"""How long a stream has said nothing that is new: pings alone keep a connection, and say nothing of the run."""

from __future__ import annotations

import asyncio
import time


class Silence:
    """The time since the last news, of which what whoever reads takes for it is no part.

    Args:
        limit: seconds after which it is over.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._since = time.monotonic()
        self._arrived: float | None = None

    def interrupted(self) -> None:
        """Something came, and whoever reads looks at it."""
        self._arrived = time.monotonic()

    def goes_on(self, *, news: bool) -> None:
        """The next is waited for.

        Args:
            news: whether what came was more than pings.
        """
        now = time.monotonic()
        self._since = now if news or self._arrived is None else self._since + now - self._arrived
        self._arrived = None

    async def over(self) -> None:
        """Wait until it has lasted too long."""
        while True:
            left = self.limit if self._arrived is not None else self._since + self.limit - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(left)
