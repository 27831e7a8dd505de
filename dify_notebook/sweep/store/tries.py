"""Where the tries of cases stand among the lines, and what reads them from there with each look."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import overload

from ..records import Outcome

Read = Callable[[Iterable[int]], Iterator[Outcome]]
"""Reads the tries of these numbers."""


class Index:
    """Where the tries stand in the file: a few bytes for each."""

    def __init__(self) -> None:
        self.places, self.lengths, self._before = array("Q"), array("Q"), array("q")
        self.succeeded = bytearray()
        self.last: dict[str, int] = {}
        """Case -> the number of its last try."""

    def __len__(self) -> int:
        return len(self.places)

    def add(self, case: str, place: int, length: int, succeeded: bool) -> None:
        """One more try; `place` and `length` are its line's, in bytes."""
        number = len(self.places)
        self._before.append(self.last.get(case, -1))
        self.succeeded.append(succeeded)
        self.lengths.append(length)
        self.places.append(place)
        self.last[case] = number  # last: whoever reads meanwhile finds the rest there

    def tries(self, case: str) -> list[int]:
        """The numbers of a case's tries, oldest first."""
        numbers, number = [], self.last.get(case, -1)
        while number >= 0:
            numbers.append(number)
            number = self._before[number]
        return numbers[::-1]


class Outcomes(Mapping[str, Outcome]):
    """The last try of each case, by its id."""

    def __init__(self, index: Index, read: Read) -> None:
        self._index = index
        self._read = read

    def __getitem__(self, case: str) -> Outcome:
        (outcome,) = self._read([self._index.last[case]])
        return outcome

    def __contains__(self, case: object) -> bool:
        return case in self._index.last

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._index.last))

    def __len__(self) -> int:
        return len(self._index.last)


class Tries(Sequence[Outcome]):
    """All tries, oldest first."""

    def __init__(self, index: Index, read: Read) -> None:
        self._index = index
        self._read = read

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> list[Outcome]: ...
    def __getitem__(self, index: int | slice) -> Outcome | list[Outcome]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return list(self._read(numbers))
        (outcome,) = self._read([numbers])
        return outcome

    def __iter__(self) -> Iterator[Outcome]:
        return self._read(range(len(self)))
