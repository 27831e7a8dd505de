"""Who follows a run beside the one who asked: streams of its events, from some moment on."""

from __future__ import annotations

import asyncio
from typing import Any

Event = dict[str, Any]

LINGER = 300.0
"""Seconds after the end of a run that a stream stays open which shall go on over pauses and did not begin with a
snapshot. Dify does not see the end in that case."""


class Listener:
    """One stream; `queue` has what it is to send, None is the end.

    What happens before `begin` stands behind what that is given.

    Args:
        continue_on_pause: whether a pause is no end.
        lingers: whether it stays open when the run has ended.
    """

    def __init__(self, *, continue_on_pause: bool, lingers: bool) -> None:
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._continue_on_pause = continue_on_pause
        self._lingers = lingers
        self._held: list[Event | None] | None = []

    def begin(self, events: list[Event]) -> None:
        """Send these, then what happened meanwhile and what happens from now on."""
        held, self._held = self._held or [], None
        for event in events:
            self.hear(event)
        for item in held:
            self.end() if item is None else self.hear(item)

    def hear(self, event: Event) -> None:
        """Something was told."""
        if self._held is not None:
            self._held.append(event)
            return
        self.queue.put_nowait(event)
        ends = event["event"] == "workflow_paused" and not self._continue_on_pause
        # Dify reads no further than to the end of the run.
        if ends or (event["event"] == "workflow_finished" and not self._lingers):
            self.queue.put_nowait(None)

    def end(self) -> None:
        """The run has ended."""
        if self._held is not None:
            self._held.append(None)
        elif self._lingers:
            asyncio.get_running_loop().call_later(LINGER, self.queue.put_nowait, None)
        else:
            self.queue.put_nowait(None)

    def close(self) -> None:
        """The server ends."""
        self.queue.put_nowait(None)


class Listeners:
    """Those of a server, by the message that a run answers; of a workflow app, by the run."""

    def __init__(self) -> None:
        self._of: dict[str, list[Listener]] = {}
        self._lingering: list[Listener] = []

    def add(self, message: str, listener: Listener) -> None:
        self._of.setdefault(message, []).append(listener)

    def remove(self, message: str, listener: Listener) -> None:
        """Harmless when repeated."""
        mine = self._of.get(message, [])
        if listener in mine:
            mine.remove(listener)
            if not mine:
                del self._of[message]
        if listener in self._lingering:
            self._lingering.remove(listener)

    def hear(self, message: str, event: Event) -> None:
        """A run tells something."""
        for listener in self._of.get(message, ()):
            listener.hear(event)

    def end(self, message: str) -> None:
        """A run has ended."""
        for listener in self._of.pop(message, []):
            self._lingering.append(listener)
            listener.end()

    def close(self) -> None:
        """End all of them: the server ends."""
        for listener in [*self._lingering, *(listener for mine in self._of.values() for listener in mine)]:
            listener.close()
        self._of.clear()
        self._lingering.clear()
