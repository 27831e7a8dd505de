"""What the tables need of a store, and its last attempts in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from ...turn.state import Turn
from ..case import Case
from ..records import Answer, Checked, Outcome, State


class Kept(Protocol):
    """A `Store`, as far as tables read it."""

    @property
    def spent(self) -> Iterable[Outcome]:
        """All attempts that ended, oldest first."""

    @property
    def checks(self) -> Sequence[Checked]:
        """What the apps were, and when."""

    def state(self, case_id: str) -> State:
        """What a case comes to."""

    def turn(self, answer: Answer) -> Turn:
        """The turn of an answer, replayed from its tape."""


class Attempts:
    """The last attempt of each case, and how many there were. Read once: a store reads its file with each look.

    Of a case that may have been asked again and whose end nobody knows, none is the last.
    """

    def __init__(self, cases: Iterable[Case], store: Kept) -> None:
        wanted = {case.id for case in cases}
        self.last: dict[str, Outcome] = {}
        self.count: Counter[str] = Counter()
        for outcome in store.spent:
            if outcome.case in wanted:
                self.last[outcome.case] = outcome
                self.count[outcome.case] += 1
        for case_id in [one for one in self.last if store.state(one) == "unknown"]:
            del self.last[case_id]
