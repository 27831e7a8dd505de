"""The runs of a server: started, counted, stopped by their users, and ended with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

from ...logs import logger
from ..api_error import internal_error
from ..store.store import INTERRUPTED
from .listeners import Listeners
from .run import Run
from .titles import title

TITLE_PAUSE = 1.0
"""Seconds from the end of a first answer to its conversation's title, at pace 1."""

log = logger("dify_notebook.local")


class Runs:
    """The runs of a server that are not finished."""

    LIMIT = 512
    """At once; more are refused."""

    def __init__(self) -> None:
        self._running: dict[str, Run] = {}
        self._reserved: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._untitled: dict[str, tuple[Run, asyncio.TimerHandle]] = {}
        """Task id -> a run that has ended and whose conversation has no title yet, and when it gets one."""
        self._closed = False
        self.listeners = Listeners()
        self.paused = asyncio.Event()
        """Set whenever a run waits for a person."""
        self.resuming = asyncio.Lock()
        """Held while runs that waited are started again, so that who answered finds his running."""

    def of_workflow(self, workflow_run: str) -> Run | None:
        """The run that tells that workflow's events now."""
        for run in self._running.values():
            if run.workflow is not None and run.workflow.id == workflow_run and not run.ended and run.paused is None:
                return run
        return None

    def count(self, app: str) -> int:
        """How many of them are an app's, with those that are about to start."""
        return self._reserved[app] + sum(1 for run in self._running.values() if run.app.name == app)

    @contextlib.contextmanager
    def reserve(self, app: str) -> Iterator[None]:
        """Hold a place while a question is written down, so that of two at once both are counted."""
        self._reserved[app] += 1
        try:
            yield
        finally:
            self._reserved[app] -= 1

    @property
    def full(self) -> bool:
        return len(self._running) + self._reserved.total() >= self.LIMIT

    def start(self, run: Run) -> asyncio.Task[None]:
        """Let it answer, in a task of its own.

        Raises:
            ApiError: 500; the server is ending, and nothing would end this.
        """
        if self._closed:
            raise internal_error(INTERRUPTED)
        self._running[run.task_id] = run
        task = asyncio.get_running_loop().create_task(run.drive())
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._running.pop(run.task_id, None)
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("a run ended badly", exc_info=error)
            if run.paused is not None:
                self.paused.set()
            if not run.ended:  # it was cancelled before it could begin
                run.never_began()
            elif run.titled and run.title_pause:
                later = asyncio.get_running_loop().call_later(run.title_pause, self._give_title, run)
                self._untitled[run.task_id] = (run, later)

        task.add_done_callback(ended)
        return task

    def stop(self, task_id: str, app: str | None, user: str | None) -> bool:
        """Stop a run of this app and user, None for any; False where there is none, which Dify does not tell."""
        run = self._running.get(task_id)
        if run is None or app not in (None, run.app.name) or user not in (None, run.user):
            return False
        run.stop()
        return True

    async def close(self) -> None:
        """End all of them, and take no more; each writes down what it had said, and its conversation's title."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            if not task.cancelling():
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks, return_exceptions=True)
        for run, later in list(self._untitled.values()):
            later.cancel()
            self._give_title(run)
        self.listeners.close()

    def _give_title(self, run: Run) -> None:
        self._untitled.pop(run.task_id, None)
        if run.conversation is not None:
            run.store.write_title(run.conversation_id, run.conversation["name"], title(run.query))
