"""One case under way: its turns one after another in a conversation of its own, each written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import DifyError
from ..i18n import t
from ..net.ask import Asked, ask
from ..tape import Tape
from ..turn.state import CUT, Turn
from .case import Case, Message, Target
from .ends import Failure, failure_of, stopped_failure
from .pace import refused, surely_unsent
from .records import Answer, Checked, Outcome, answer_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    from ..net.client import AsyncDify
    from ..net.stream import ChatStream

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


class Slot:
    """A place among the cases that are under way to a server; its ticket is None while it waits for another."""

    __slots__ = ("ticket",)

    def __init__(self, ticket: int | None) -> None:
        self.ticket = ticket


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


class Asking:
    """One case.

    Args:
        case, target: what is asked of which app.
        client: asks, over connections that the engine paces.
        keeping: where it is written down.
        timeout: seconds for each turn, or None.
        clock: seconds since 1970.
        taken: called when the server took a question.
        over: called when nothing more of it will be asked.
        again: waits until a question that surely did not arrive may be asked again, given what was raised and how
            many tries there were; gives False where it may not.
        stopping: whether nothing more is to be asked.
    """

    def __init__(
        self,
        case: Case,
        target: Target,
        client: AsyncDify,
        keeping: Keeping,
        *,
        timeout: float | None,
        clock: Callable[[], float],
        taken: Callable[[], None],
        over: Callable[[], None],
        again: Callable[[DifyError, int], Awaitable[bool]],
        stopping: Callable[[], bool],
    ) -> None:
        self.case = case
        self.stream: ChatStream | None = None
        """The turn that is asked just now; None before the first."""
        self.failure: Failure | None = None
        self.error: DifyError | None = None
        """What was raised instead of an answer, where it failed so."""
        self._target, self._client, self._keeping = target, client, keeping
        self._timeout, self._clock = timeout, clock
        self._taken, self._over, self._again, self._stopping = taken, over, again, stopping

    async def outcome(self) -> Outcome:
        """Ask it to its end, or to the first turn that fails. Raises nothing of the server's."""
        began = self._clock()
        tried = await self._keeping.begin(self.case.id, began)
        answers: list[Answer] = []
        conversation: str | None = None
        last: tuple[Any, ...] = ()
        for number, message in enumerate(self.case.messages, 1):
            if last:
                answers.append(await self._keeping.answer(*last))
                last = ()
            if number > 1 and conversation is None:
                self.failure = Failure("no_conversation", t("sweep.engine.no_conversation"))
            elif self._stopping():
                self.failure = stopped_failure()
            if self.failure is not None:
                break
            turn = await self._turn(message, conversation)
            conversation = (turn.conversation_id if turn is not None else None) or conversation
            if turn is not None and self.stream is not None and not refused(self.error):
                last = (self.case.id, number, tried, self.stream.tape, turn)
            if self.failure is not None:
                break
        outcome = Outcome(
            case=self.case.id,
            state="succeeded" if self.failure is None else "failed",
            answers=answers,
            conversation_id=conversation,
            user=self._client.user,
            error_code=None if self.failure is None else self.failure.code,
            error=None if self.failure is None else self.failure.message,
            began=began,
            ended=self._clock(),
        )
        self._over()
        return await self._keeping.end(outcome, *last)

    async def _turn(self, message: Message, conversation: str | None) -> Turn | None:
        """One turn, asked again while it surely did not arrive; `failure` and `error` say why it is no answer."""
        asked = Asked(
            query=message.query,
            inputs=message.inputs,
            files=message.files or None,
            conversation_id=conversation,
            timeout=self._timeout,
            auto_generate_name=False,
            workflow_id=self._target.workflow_id,
        )
        tries = 0
        while True:
            tries += 1
            error: DifyError | None = None
            try:
                stream = self.stream = ask(self._client, asked)
                stream.obeys_interrupts = False
                stream.tape = self._keeping.new_tape()
                async with stream:
                    if stream.turn.end not in CUT:
                        self._taken()
                    await stream.read()
                turn: Turn | None = stream.turn
            except DifyError as problem:
                error, turn = problem, problem.turn
            if error is not None and surely_unsent(error) and await self._again(error, tries) and not self._stopping():
                continue
            stopped = self._stopping()
            self.error, self.failure = error, failure_of(turn, error, stopped=stopped)
            if stopped and error is not None and surely_unsent(error):
                self.failure = stopped_failure()
            return turn
