"""The turns before a cell's own asked again in a new conversation, then the cell's: as one run of a cell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from ..errors import DifyError
from ..session import Run
from ..turn.state import Status, Turn
from .run_cell import defer_interrupt

GOES_ON: tuple[Status, ...] = ("succeeded", "partial_succeeded")
"""What a turn must have come to for the next to be asked."""
Ask = Callable[["str | None"], Run]
"""Asks a question in that conversation; None begins one."""


class Replay:
    """What `run_cell` waits for (its `Run`): one run after another, each in the conversation that the first began.

    A run is begun by whoever looks whether all of it is `done`. The first that does not end well is the last.

    Args:
        asks: ask the questions, the cell's own last.
        on_step: is given each turn before the cell's own once it has ended, with its index.
    """

    def __init__(self, asks: Sequence[Ask], on_step: Callable[[int, Turn], object]) -> None:
        self._asks, self._on_step = asks, on_step
        self.on_next: Callable[[], object] = lambda: None
        """Called before another question is asked: whoever shows it is to begin anew."""
        self._lock = threading.Lock()
        self._stopped = False
        self._index = 0
        self._reported = -1
        """The last step that `on_step` was given."""
        self._run = asks[0](None)
        self._progress: Turn | None = None

    @property
    def complete(self) -> bool:
        """Whether the cell's own question was asked."""
        return self._index == len(self._asks) - 1

    @property
    def number(self) -> int:
        """Which turn is asked now, from 1."""
        return self._index + 1

    @property
    def done(self) -> bool:
        """Whether it has ended. The next question is asked where one has ended well: so this is for one thread."""
        while self._run.done and not self.complete:
            turn = self._run.turn
            if self._reported < self._index:
                self._reported = self._index
                self._on_step(self._index, turn)
            if self._stopped or self._run.error is not None or turn.status not in GOES_ON:
                return True
            with defer_interrupt():
                self._next(turn)
        return self._run.done

    def _next(self, turn: Turn) -> None:
        with self._lock:
            if self._stopped:
                return
            self.on_next()
            self._run = self._asks[self._index + 1](turn.conversation_id)
            self._index, self._progress = self._index + 1, None

    @property
    def turn(self) -> Turn:
        """The cell's own turn. Before that one which tells how far it is; of one that did not end well, that."""
        turn = self._run.turn
        if self.complete or (self._run.done and turn.status not in GOES_ON):
            return turn
        if self._progress is None:  # nothing of the answer, which is not the cell's
            names = ("app", "server", "app_mode", "user", "turn_number", "placing")
            self._progress = Turn(**{name: getattr(turn, name) for name in names})
        if self._run.done and self._stopped:  # between two of them
            return msgspec.structs.replace(self._progress, status="stopped", end="stopped")
        return self._progress

    @property
    def error(self) -> DifyError | None:
        """Why a question was refused."""
        return self._run.error

    @property
    def now(self) -> float:
        """Seconds since the question was sent that is asked now."""
        return self._run.now

    @property
    def next(self) -> Run | None:
        """The run that goes on with the last where it ended at a pause."""
        return self._run.next

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until something changed; as of a run."""
        return self._run.wait(timeout)

    def result(self, timeout: float | None = None) -> Turn:
        """Wait for the end of the question that is asked now; as of a run."""
        return self._run.result(timeout)

    def stop(self) -> object:
        """Stop the question that is asked now, and ask no more."""
        with self._lock:
            self._stopped = True
            run = self._run
        return None if run.done else run.stop()

    def wait_shown(self) -> None:
        """As of the last run."""
        self._run.wait_shown()
