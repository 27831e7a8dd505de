"""Another connection to a run whose own was lost: whether it is wanted, and how it is had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from ..errors import DifyError
from ..wire import events as ev
from ..wire.calls import Call
from .responses import is_event_stream
from .retry import RetryBudget

if TYPE_CHECKING:
    from .shared_builder import SharedBuilder
    from .transport import LoopPools

FOLLOWS = 3
"""How often a run is followed again after a loss."""
FOLLOW_SECONDS = 5.0
"""Seconds in which a server is asked again that has refused."""


class Follower:
    """Follows one run where the server tells its events again (newer than Dify 1.12), which is found by asking.

    Args:
        pools: the client's connections: whoever closes them has no more of a run.
        builder: knows whether the run goes on.
        left: whether this side has ended it, or is about to.
        opening: sends a call; whoever ends it meanwhile cancels that.
    """

    def __init__(
        self,
        pools: LoopPools,
        builder: SharedBuilder,
        *,
        left: Callable[[], bool],
        opening: Callable[[Call[Any]], asyncio.Future[httpx.Response]],
    ) -> None:
        self._pools, self._closings = pools, pools.closings
        self._builder = builder
        self._left = left
        self._opening = opening
        self._times = 0

    def wants(self, end: ev.Event) -> bool:
        """Whether the run may go on behind that end of a connection.

        Not when this side ended it, not for chat and agent apps, which have no run, and not when the
        run is over. Where it came to its own end behind the message's, nothing is missing.
        """
        if self._times >= FOLLOWS or self._left() or self._pools.closings != self._closings:
            return False
        lost = type(end) is not ev.StreamEnd
        return self._builder.unfinished_run is not None and (lost or self._builder.status == "running")

    async def response(self, call: Call[Any], end: ev.Event) -> httpx.Response | None:
        """What tells the run from now on; None where that is not to be had, or is not wanted any more.

        Args:
            call: asks for it.
            end: of the connection before.
        """
        budget = RetryBudget(FOLLOW_SECONDS)
        while self.wants(end):
            try:
                response = await self._opening(call)
            except (httpx.HTTPError, OSError, DifyError):
                wait = budget.after_failure()
            except asyncio.CancelledError:
                if not self._left():
                    raise
                return None
            else:
                if response.status_code == 200 and is_event_stream(response):
                    self._times += 1
                    return response
                await response.aclose()
                wait = budget.after_status(response.status_code, response.headers.get("retry-after"))
            if wait is None:
                return None
            await budget.wait(wait)
        return None
