"""A question that Python asked in a panel."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

from ..errors import InputError
from ..i18n import t
from ..net.thread import wait
from ..session import Run
from ..turn.state import Turn
from .controller import Controller


class Question:
    """What `ChatPanel.ask` gives: the answer while it comes, and when it has come."""

    def __init__(
        self, controller: Controller, id: str, query: str, future: Future[Run], settle: Callable[[], object]
    ) -> None:
        self._controller = controller
        self._id = id
        self._future = future
        self._settle = settle
        self.query = query
        """What was asked."""

    def __repr__(self) -> str:
        return f"<Question {self.status}: {self.query[:60]!r}>"

    @property
    def status(self) -> str:
        """`waiting` behind another question, then `Turn.status`."""
        turn = self.turn
        return "waiting" if turn is None else turn.status

    @property
    def done(self) -> bool:
        """Whether the answer has ended."""
        return self._future.done() and (self._future.cancelled() or self._future.result().done)

    @property
    def turn(self) -> Turn | None:
        """The turn as it is now; None while the question waits behind another."""
        return self._future.result().turn if self._future.done() and not self._future.cancelled() else None

    def stop(self) -> None:
        """Stop the answer, or take the question back while it waits."""
        if not self._future.done():
            self._controller.unqueue(self._id)
        elif not self._future.cancelled():
            self._future.result().stop()

    def result(self, timeout: float | None = None) -> Turn:
        """Wait for the end and give the turn, whatever it came to; one that waits for a person is `paused`.

        An Interrupt stops the answer.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            TimeoutError: it did not end in that time; it goes on.
            InputError: the question was taken back while it waited.
        """
        end = None if timeout is None else time.monotonic() + timeout
        try:
            run = wait(self._future, timeout)
            turn = run.result(None if end is None else max(0.0, end - time.monotonic()))
        except CancelledError:
            turn = None
        except KeyboardInterrupt:
            self.stop()
            raise
        if turn is None:
            raise InputError(t("panel.taken_back"), code="unqueued")
        self._settle()
        return turn
