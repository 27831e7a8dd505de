"""The answer of a chatflow, or the outputs of a workflow app as text, sent as early as it is known.

The text of an answer node, and of an end node's outputs, is a row of parts: fixed texts, and values of other nodes. It
may be begun as soon as it is certain that the node will be reached (no branch and no container before it is undecided),
long before it runs; then its parts are sent in their order, each when its value is there, and a model's text while it
is being made. Several of these nodes wait for each other, so that texts are never mixed.
"""

from __future__ import annotations

from typing import Any

from ..run import Run
from ..template import Placeholder, Selector
from .graph_state import GraphState
from .variable_pool import VariablePool


class AnswerStream:
    """Sends the answers of one run."""

    def __init__(self, run: Run, state: GraphState, pool: VariablePool) -> None:
        self._run = run
        self._state = state
        self._pool = pool
        self._graph = state.graph
        self._parts: dict[str, list[str | Placeholder]] = {}
        """Node -> the parts of its text; each node after those before it."""
        for name in self._graph.order:
            if template := self._graph.nodes[name].work.answer():
                self._parts[name] = [part for part in template.parts if isinstance(part, str | Placeholder)]
        self._queue: list[_Cursor] = []
        self._begun: set[str] = set()
        self._pieces: dict[Selector, list[str]] = {}
        """Of the texts that are, or were, being made."""

    def row(self) -> dict[str, Any]:
        """How far it is, as JSON can say it."""
        return {
            "queue": [[cursor.node, cursor.part, cursor.sent] for cursor in self._queue],
            "begun": sorted(self._begun),
            "pieces": [[*selector, pieces] for selector, pieces in self._pieces.items()],
        }

    def restore(self, row: dict[str, Any]) -> None:
        """Go on from there."""
        self._begun = set(row["begun"])
        self._pieces = {tuple(selector): pieces for *selector, pieces in row["pieces"]}
        for node, part, sent in row["queue"]:
            cursor = _Cursor(node, self._parts[node])
            cursor.part, cursor.sent = part, sent
            self._queue.append(cursor)

    def add(self, node: str, name: str, text: str) -> None:
        """A piece of an output came. Raises: Stopped."""
        self._pieces.setdefault((node, name), []).append(text)
        self.advance()

    def advance(self) -> None:
        """Send what can be sent now. Raises: Stopped."""
        for name, parts in self._parts.items():
            if name not in self._begun and self._certain(name):
                self._begun.add(name)
                self._queue.append(_Cursor(name, parts))
        while self._queue and self._send(self._queue[0]):
            self._queue.pop(0)

    def _certain(self, name: str) -> bool:
        """Whether a node is sure to be reached: over edges that are taken, or that cannot fail to be."""
        if name in self._state.skipped:
            return False
        waiting, seen = [name], {name}
        while waiting:
            node = waiting.pop()
            edges = self._graph.incoming[node]
            if not edges:
                return True
            for earlier, handle in edges:
                taken = self._state.taken(earlier, handle, node)
                certain = taken is None and not self._graph.nodes[earlier].decides
                if (taken or certain) and earlier not in seen:
                    seen.add(earlier)
                    waiting.append(earlier)
        return False

    def _send(self, cursor: _Cursor) -> bool:
        """Send on; whether it is at its end."""
        while cursor.part < len(cursor.parts):
            part = cursor.parts[cursor.part]
            if isinstance(part, str):
                self._run.delta(part, (cursor.node, "answer"))
            elif not self._send_value(cursor, part.selector):
                return False
            cursor.part += 1
            cursor.sent = 0
        return True

    def _send_value(self, cursor: _Cursor, selector: Selector) -> bool:
        """Send a value, as far as it is there; whether it was all."""
        pieces = self._pieces.get(selector)
        settled = self._settled(cursor.node, selector)
        if pieces is not None:
            while cursor.sent < len(pieces):
                self._run.delta(pieces[cursor.sent], selector)
                cursor.sent += 1
            if settled:
                self._run.delta("", selector)  # as with the real one, a text ends with an empty piece
            return settled
        if not settled:
            return False
        text = self._graph.nodes[cursor.node].work.shows(self._pool.get(selector))
        if text is not None:
            self._run.delta(text, selector)
        return True

    def _settled(self, answer: str, selector: Selector) -> bool:
        """Whether a value will not change any more before the answer is at it."""
        owner = selector[0]
        if owner in self._graph.nodes:
            return self._state.settled(owner)
        if owner == "sys":
            return True
        return all(self._state.settled(name) for name in self._graph.ancestors(answer) if self._writes(name, owner))

    def _writes(self, name: str, owner: str) -> bool:
        return any(target[0] == owner for target in self._graph.nodes[name].work.writes())


class _Cursor:
    """How far the text of an answer node was sent."""

    def __init__(self, node: str, parts: list[str | Placeholder]) -> None:
        self.node = node
        self.parts = parts
        self.part = 0
        """Index of the part that is being sent."""
        self.sent = 0
        """Pieces of it that were sent."""
