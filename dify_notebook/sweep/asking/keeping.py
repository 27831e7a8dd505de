"""Writing down what a run asks, beside its asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...secret import Secret
from ...tape import Tape
from ...turn.state import Turn
from ..records import Answer, Checked, Outcome, answer_of
from .worker import Worker

if TYPE_CHECKING:
    from .protocols import Records


class Keeping:
    """Writes in two threads of its own: a disk keeps no answer waiting, and packing a tape no case that begins."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._lines = Worker("dify_notebook sweep")
        self._ends = Worker("dify_notebook sweep tapes")

    async def begin(self, case_id: str, at: float) -> int:
        """Write down that it begins. Gives how often it was tried before."""
        return await self._lines.do(self._begin, case_id, at)

    def _begin(self, case_id: str, at: float) -> int:
        tried = len(self._store.history(case_id))
        self._store.begin(case_id, at)
        return tried

    async def check(self, checked: Checked) -> None:
        """Write down what an app is."""
        await self._lines.do(self._store.check, checked)

    def _answer(self, case_id: str, number: int, tried: int, tape: Tape | None, turn: Turn) -> Answer:
        name = None
        if tape is not None and len(tape.entries):
            name = self._store.keep_tape(case_id, number, tried, tape, turn)
        return answer_of(turn, name)

    async def end(
        self, outcome: Outcome, tried: int, turns: Sequence[tuple[Tape | None, Turn]], key: Secret
    ) -> Outcome:
        """Write down how it ended, and keep its tapes. Gives what was written.

        Args:
            outcome: without its answers.
            tried: what `begin` gave.
            turns: what its answers are made of, each with its tape.
            key: of the app.
        """
        return await self._ends.do(self._end, outcome, tried, turns, key)

    def _end(
        self, outcome: Outcome, tried: int, turns: Sequence[tuple[Tape | None, Turn]], key: Secret
    ) -> Outcome:
        for number, (tape, turn) in enumerate(turns, 1):
            outcome.answers.append(self._answer(outcome.case, number, tried, tape, turn))
        return self._store.end(outcome, key)

    def new_tape(self) -> Tape:
        """For an answer that comes; a long one goes to the store's disk meanwhile."""
        return Tape(spool=self._store.spool)

    def close(self) -> None:
        """Let the threads go, once what they write just now is written; what waits is not."""
        self._lines.close()
        self._ends.close()
