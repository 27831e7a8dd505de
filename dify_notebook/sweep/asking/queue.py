"""Cases that nobody has begun yet, in their order, by target. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from ..case import Case


class Queue:
    """The cases of a run. What one target waits for keeps no other from going on.

    Args:
        cases: in the order in which they are to be asked.
    """

    def __init__(self, cases: Sequence[Case]) -> None:
        self._lines: dict[str, deque[tuple[int, Case]]] = {}
        self._count = len(cases)
        for place, case in enumerate(cases):
            self._lines.setdefault(case.variant.target, deque()).append((place, case))

    def __len__(self) -> int:
        return self._count

    def heads(self) -> Iterator[Case]:
        """The next case of each target, the one that came first in front."""
        for _, case in sorted((line[0] for line in self._lines.values() if line), key=lambda entry: entry[0]):
            yield case

    def take(self, target: str) -> Case:
        """Take the next one of a target out."""
        self._count -= 1
        return self._lines[target].popleft()[1]

    def drop(self, target: str) -> None:
        """Take all of a target out: none of them is asked."""
        self._count -= len(self._lines.pop(target, ()))
