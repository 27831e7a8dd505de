"""How far a fetch of a history is."""

from __future__ import annotations

import time


class Progress:
    """How far a fetch is."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.listed = 0
        """Conversations to read, so far."""
        self.all_listed = False
        self.conversations = 0
        """Conversations read."""
        self.messages = 0
        self.runs = 0
        """Runs of a workflow app that were read."""
        self.failures = 0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started
