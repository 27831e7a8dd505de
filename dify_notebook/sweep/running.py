"""A run of a sweep that is under way on the portal's thread, for whoever waits for it on another."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..i18n import t
from ..net.portal import portal
from ..net.thread import CLEANUP_SECONDS, wait
from .progress import SECONDS, Progress, ProgressLine
from .records import Outcome

if TYPE_CHECKING:
    from ..net.stream import ChatStream
    from .asking.engine import Ended
    from .case import Case
    from .job import Job, Request


class Running:
    """Begins the run.

    Args:
        on_outcome: called on the portal's thread with each case that ended.

    Raises:
        RuntimeError: the caller is on the portal's thread, which would wait for itself.
    """

    def __init__(
        self, job: Job, request: Request, on_outcome: Callable[[Case, Outcome], None] | None = None
    ) -> None:
        if portal().inside:
            raise RuntimeError(t("net.portal_deadlock"))
        self._job = job
        self._request = request
        self._on_outcome = on_outcome
        self.progress = Progress()
        """How far it is."""
        self._over = threading.Event()
        self._future = portal().submit(self._run())

    async def _run(self) -> Ended:
        try:
            return await self._job.run(self._request, self._on_outcome, self.progress)
        finally:
            self._over.set()

    @property
    def running(self) -> list[tuple[Case, ChatStream]]:
        """What is being asked now, for views: `stream.seen()` is a turn as it is now."""
        engine = self._job.engine
        return engine.running if engine is not None else []

    @property
    def done(self) -> bool:
        """Whether it has ended, however it did."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, or for so many seconds; whether it has. An Interrupt is raised and ends nothing."""
        with suppress(TimeoutError, concurrent.futures.CancelledError):  # whoever asks for the result gets the others
            self._future.exception(timeout)
        return self._future.done()

    def result(self) -> Ended:
        """How it ended; raises what ended it."""
        return wait(self._future)

    def stop(self) -> None:
        """Begin nothing more and stop what runs, also on the server; returns at once."""
        if not self.done:
            portal().submit(self._job.stop())

    def abandon(self) -> None:
        """Stop it and wait for that, 4 seconds at most; what has not ended by then is left."""
        if self._job.engine is None:  # nothing was asked so far
            self._future.cancel()
        self.stop()
        try:
            if self._over.wait(CLEANUP_SECONDS):
                return
        finally:
            if not self._over.is_set():
                self._future.cancel()
                self._over.wait(CLEANUP_SECONDS)

    def watched(self, shown: bool | None, interrupted: str = "sweep.run.interrupted") -> Ended:
        """Wait with a line of progress, which is this thread's output. An Interrupt stops the run and is raised.

        Args:
            shown: None shows it where somebody looks.
            interrupted: which sentence says what becomes of it after an Interrupt.
        """
        line = ProgressLine(shown)
        try:
            while not self.wait(SECONDS):
                line.show(self.progress)
            ended = self.result()
        except KeyboardInterrupt:
            self.abandon()
            if self.progress.begun:
                line.end(self.progress, t(interrupted, left=f"{self.progress.left:,}"))
            raise
        except BaseException:
            if self.progress.asked:
                line.end(self.progress)
            raise
        line.end(self.progress, ending(ended, self.progress))
        return ended


def ending(ended: Ended, progress: Progress) -> str:
    """Why a run ended before everything was asked, as a sentence; "" where it did not."""
    if ended.reason == "budget":
        return t("sweep.run.budget", left=f"{progress.left:,}", why=ended.refused).strip()
    if ended.refusals:
        return t("sweep.run.refused", left=f"{progress.left:,}", why=ended.refused)
    if ended.reason == "stopped":
        return t("sweep.run.stopped", left=f"{progress.left:,}")
    if progress.beyond:
        return t("sweep.run.limit", left=f"{progress.beyond:,}")
    return ""
