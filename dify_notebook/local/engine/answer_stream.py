"""The answer of a chatflow, said as early as it is known.

An answer node's text is a row of parts: fixed texts, and values of other nodes. It may be begun as soon
as it is certain that the node will be reached (no branch and no box before it is undecided), long before
it runs; then its parts are said in their order, each when its value is there, and a model's text while it
is being made. Several answer nodes wait for each other, so that texts are never mixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .flow import Course
from .node_types import Answer
from .template import Placeholder, Selector, shown_in_answer

if TYPE_CHECKING:
    from .run import Run


class AnswerStream:
    """Says the answers of one run."""

    def __init__(self, run: Run, course: Course) -> None:
        self._run = run
        self._course = course
        self._graph = course.graph
        self._answers = [name for name in self._graph.order if isinstance(self._graph.nodes[name].work, Answer)]
        self._queue: list[_Saying] = []
        self._begun: set[str] = set()
        self._made: dict[Selector, list[str]] = {}
        """Pieces of the texts that are, or were, being made."""

    def heard(self, selector: Selector, text: str) -> None:
        """A piece of a text came."""
        self._made.setdefault(selector, []).append(text)
        self.speak()

    def speak(self) -> None:
        """Say what can be said now. Raises: Stopped."""
        for name in self._answers:
            if name not in self._begun and self._certain(name):
                self._begun.add(name)
                self._queue.append(_Saying(name, self._parts(name)))
        while self._queue and self._say(self._queue[0]):
            self._queue.pop(0)

    def _parts(self, name: str) -> list[str | Placeholder]:
        work = self._graph.nodes[name].work
        assert isinstance(work, Answer)
        return [part for part in work.template.parts if isinstance(part, str | Placeholder)]

    def _certain(self, name: str) -> bool:
        """Whether a node is sure to be reached: over ways that are taken, or that cannot fail to be."""
        if name in self._course.skipped:
            return False
        waiting, seen = [name], {name}
        while waiting:
            at = waiting.pop()
            ways = self._graph.before[at]
            if not ways:
                return True
            for earlier, handle in ways:
                decided = self._course.taken(earlier, handle, at)
                open_ = decided is None and not self._graph.nodes[earlier].decides
                if (decided or open_) and earlier not in seen:
                    seen.add(earlier)
                    waiting.append(earlier)
        return False

    def _say(self, saying: _Saying) -> bool:
        """Say on; whether it is at its end."""
        while saying.at < len(saying.parts):
            part = saying.parts[saying.at]
            if isinstance(part, str):
                self._run.delta(part, (saying.node, "answer"))
            elif not self._value(saying, part.selector):
                return False
            saying.at += 1
            saying.said = 0
        return True

    def _value(self, saying: _Saying, selector: Selector) -> bool:
        """Say a value, as far as it is there; whether it was all."""
        made = self._made.get(selector)
        settled = self._settled(saying.node, selector)
        if made is not None:
            while saying.said < len(made):
                self._run.delta(made[saying.said], selector)
                saying.said += 1
            if settled:
                self._run.delta("", selector)  # as with the real one, a text ends with an empty piece
            return settled
        if not settled:
            return False
        text = shown_in_answer(self._course.pool.get(selector))
        if text:
            self._run.delta(text, selector)
        return True

    def _settled(self, answer: str, selector: Selector) -> bool:
        """Whether a value will not change any more before the answer is at it."""
        owner = selector[0]
        if owner in self._graph.nodes:
            return owner in self._course.done or owner in self._course.skipped
        if owner == "sys":
            return True
        return all(
            name in self._course.done or name in self._course.skipped
            for name in self._graph.ancestors(answer)
            if self._writes(name, owner)
        )

    def _writes(self, name: str, owner: str) -> bool:
        return any(target[0] == owner for target in self._graph.nodes[name].work.writes())


class _Saying:
    """One answer node that has begun to be said."""

    def __init__(self, node: str, parts: list[str | Placeholder]) -> None:
        self.node = node
        self.parts = parts
        self.at = 0
        """Part that is being said."""
        self.said = 0
        """Pieces of it that were said."""
