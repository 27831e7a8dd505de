"""A turn in the making that several threads look at."""

from __future__ import annotations

import threading

from ..turn.fold import Builder
from ..turn.state import Status, Turn
from ..wire import events as ev


class SharedBuilder(Builder):
    """A `Builder` that one thread feeds and any may ask: what one sees is whole, and nothing is lost by looking."""

    def __init__(self, turn: Turn | None = None) -> None:
        self._lock = threading.RLock()
        super().__init__(turn)

    def apply(self, event: ev.Event) -> None:
        with self._lock:
            super().apply(event)

    def turn(self) -> Turn:
        with self._lock:
            return super().turn()

    def snapshot(self) -> tuple[int, Turn]:
        """The version and the turn that belongs to it."""
        with self._lock:
            return self.version, super().turn()

    @property
    def status(self) -> Status:
        with self._lock:
            return super().status

    @property
    def task_id(self) -> str | None:
        with self._lock:
            return super().task_id

    @property
    def conversation_id(self) -> str | None:
        with self._lock:
            return super().conversation_id

    @property
    def unfinished_run(self) -> str | None:
        with self._lock:
            return super().unfinished_run
