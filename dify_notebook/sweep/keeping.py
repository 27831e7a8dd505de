"""Writing down what a run asks, beside its asking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..tape import Tape
from ..turn.state import Turn
from .records import Answer, Checked, Outcome, answer_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    class Records(Protocol):
        """What the engine asks of a store, see `store.Store`."""

        def begin(self, case_id: str, at: float) -> None: ...
        def end(self, outcome: Outcome) -> Outcome: ...
        def check(self, checked: Checked) -> None: ...
        def history(self, case_id: str) -> Sequence[Outcome]: ...
        def spool(self) -> Path | None: ...
        def keep_tape(
            self, case_id: str, turn_number: int, attempt: int, tape: Tape, turn: Turn, /
        ) -> str | None: ...

T = TypeVar("T")


class Keeping:
    """Writes in two threads of its own: a disk keeps no answer waiting, and packing a tape no case that begins."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._lines = ThreadPoolExecutor(1, thread_name_prefix="dify_notebook sweep")
        self._ends = ThreadPoolExecutor(1, thread_name_prefix="dify_notebook sweep tapes")

    async def begin(self, case_id: str, at: float) -> int:
        """Write down that it begins. Gives how often it was tried before."""
        return await _in(self._lines, self._begin, case_id, at)

    def _begin(self, case_id: str, at: float) -> int:
        tried = len(self._store.history(case_id))
        self._store.begin(case_id, at)
        return tried

    async def check(self, checked: Checked) -> None:
        """Write down what an app is."""
        await _in(self._lines, self._store.check, checked)

    async def answer(self, *ended: Any) -> Answer:
        """What is written down of a turn: the case, its number, how often that was tried, its tape, itself."""
        return await _in(self._ends, self._answer, *ended)

    def _answer(self, case_id: str, number: int, tried: int, tape: Tape | None, turn: Turn) -> Answer:
        name = None
        if tape is not None and len(tape.entries):
            name = self._store.keep_tape(case_id, number, tried, tape, turn)
        return answer_of(turn, name)

    async def end(self, outcome: Outcome, *last: Any) -> Outcome:
        """Write down how it ended, with its last turn where there is one (as for `answer`). Gives what was written."""
        return await _in(self._ends, self._end, outcome, *last)

    def _end(self, outcome: Outcome, *last: Any) -> Outcome:
        if last:
            outcome.answers.append(self._answer(*last))
        return self._store.end(outcome)

    def new_tape(self) -> Tape:
        """For an answer that comes; a long one goes to the store's disk meanwhile."""
        return Tape(spool=self._store.spool)

    def close(self) -> None:
        """Let the threads go, once what they write just now is written."""
        for threads in (self._lines, self._ends):
            threads.shutdown(cancel_futures=True)


async def _in(threads: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, partial(work, *args))
