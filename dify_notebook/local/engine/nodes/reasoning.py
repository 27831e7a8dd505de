"""A model's reasoning, told apart from its text while both come."""

from __future__ import annotations

from collections.abc import Callable

from ..run import Run

_TAGS = ("<think>", "</think>")


class Reasoning:
    """Takes a model's words, reasoning between tags, and tells them as an llm node with `reasoning_format: separated`
    does: events of reasoning, and a text without it."""

    def __init__(self, run: Run, node: str, tell: Callable[[str], None]) -> None:
        """Args: tell: takes the pieces of the text."""
        self._run = run
        self._node = node
        self._tell = tell
        self._rest = ""
        self._thinks = False
        self._thought: list[str] = []
        self._said: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._said)

    @property
    def thought(self) -> str:
        return "".join(self._thought).strip()

    def add(self, piece: str) -> None:
        """A piece came. Raises: Stopped."""
        self._rest += piece
        while True:
            tag = _TAGS[self._thinks]
            before, found, after = self._rest.partition(tag)
            if not found:
                break
            self._say(before)
            self._thinks, self._rest = not self._thinks, after
        # The beginning of a tag may be at the end.
        kept = next((size for size in range(len(tag) - 1, 0, -1) if self._rest.endswith(tag[:size])), 0)
        ready = len(self._rest) - kept
        self._say(self._rest[:ready])
        self._rest = self._rest[ready:]

    def finish(self) -> None:
        """All came. Raises: Stopped."""
        self._say(self._rest)
        self._rest = ""
        if self._thought:
            self._run.reasoning[self._node] = self.thought
            self._emit("", final=True)

    def _say(self, text: str) -> None:
        if self._thinks:
            if text:
                self._thought.append(text)
                self._emit(text, final=False)
            return
        if self._thought and not self._said:
            text = text.lstrip("\n")
        if text:
            self._said.append(text)
            self._tell(text)

    def _emit(self, text: str, *, final: bool) -> None:
        data = {"reasoning": text, "node_id": self._node, "is_final": final}
        if self._run.conversation is not None:
            data = {"message_id": self._run.message_id, **data}
        self._run.emit("reasoning_chunk", data=data)
