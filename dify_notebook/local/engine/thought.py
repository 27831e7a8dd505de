"""A round of an agent, as the client and the history have it."""

from __future__ import annotations

import uuid
from typing import Any

from .run import Run


class Thought:
    """Told several times under one id: empty when it is made, then with what became of it."""

    def __init__(self, run: Run, position: int) -> None:
        self._run = run
        self._thought: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "position": position,
            "thought": "",
            "observation": "",
            "tool": "",
            "tool_labels": {},
            "tool_input": "",
            "message_files": [],
        }
        self.send()

    def send(self, **fields: Any) -> None:
        """Say it, with these fields from now on. Raises: Stopped."""
        self._thought |= fields
        self._run.emit("agent_thought", **self._thought)
        self._run.store.write_thought(self._run.message_id, dict(self._thought))
