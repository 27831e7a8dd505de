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
from ..turn.state import CUT, Turn
from .case import Case, Message, Target
from .ends import Failure, failure_of, stopped_failure
from .pace import surely_unsent
from .records import Answer, Checked, Outcome, answer_of

if TYPE_CHECKING:
    from typing import Protocol

    from ..net.client import AsyncDify
    from ..net.stream import ChatStream
    from ..tape import Tape

    class Records(Protocol):
        """What the engine asks of a store, see `store.Store`."""

        def begin(self, case_id: str, at: float) -> None: ...
        def end(self, outcome: Outcome) -> None: ...
        def check(self, checked: Checked) -> None: ...
        def history(self, case_id: str) -> Sequence[Outcome]: ...
        def keep_tape(
            self, case_id: str, turn_number: int, repeat_of_try: int, tape: Tape, turn: Turn
        ) -> str | None: ...


T = TypeVar("T")


class Slot:
    """A place among the cases that are under way to a server; its ticket is None while it waits for another."""

    __slots__ = ("ticket",)

    def __init__(self, ticket: int | None) -> None:
        self.ticket = ticket


class Keeping:
    """Writes in a thread of its own, one after another: a disk keeps no answer waiting."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dify_notebook sweep")

    async def do(self, work: Callable[..., T], *args: Any) -> T:
        """What the work returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args))

    def begin(self, case_id: str, at: float) -> int:
        """Write down that it begins. Gives how often it was tried before."""
        tried = len(self._store.history(case_id))
        self._store.begin(case_id, at)
        return tried

    def answer(self, case_id: str, number: int, tried: int, tape: Tape | None, turn: Turn) -> Answer:
        """What is written down of a turn, whose tape is kept."""
        name = None
        if tape is not None and len(tape.entries):
            name = self._store.keep_tape(case_id, number, tried, tape, turn)
        return answer_of(turn, name)

    def end(self, outcome: Outcome, *last: Any) -> None:
        """Write down how it ended, with its last turn where there is one (as for `answer`)."""
        if last:
            outcome.answers.append(self.answer(*last))
        self._store.end(outcome)

    def close(self) -> None:
        """Let the thread go once everything is written."""
        self._thread.shutdown(cancel_futures=True)


class Asking:
    """One case.

    Args:
        case, target: what is asked of which app.
        client: asks, over connections that the engine paces.
        keeping: where it is written down.
        timeout: seconds for each turn, or None.
        clock: seconds since 1970.
        taken: called when the server took a question.
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
        self._taken, self._again, self._stopping = taken, again, stopping

    async def outcome(self) -> Outcome:
        """Ask it to its end, or to the first turn that fails. Raises nothing of the server's."""
        began = self._clock()
        tried = await self._keeping.do(self._keeping.begin, self.case.id, began)
        answers: list[Answer] = []
        conversation: str | None = None
        last: tuple[Any, ...] = ()
        for number, message in enumerate(self.case.messages, 1):
            if last:
                answers.append(await self._keeping.do(self._keeping.answer, *last))
                last = ()
            if number > 1 and conversation is None:
                self.failure = Failure("no_conversation", t("sweep.engine.no_conversation"))
            elif self._stopping():
                self.failure = stopped_failure()
            if self.failure is not None:
                break
            turn = await self._turn(message, conversation)
            conversation = (turn.conversation_id if turn is not None else None) or conversation
            if turn is not None and self.stream is not None and turn.status != "running":
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
        await self._keeping.do(self._keeping.end, outcome, *last)
        return outcome

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
            turn: Turn | None = None
            try:
                stream = self.stream = ask(self._client, asked)
                stream.obeys_interrupts = False
                async with stream:
                    if stream.turn.end not in CUT:
                        self._taken()
                    turn = await stream.read()
                turn = stream.turn
            except DifyError as problem:
                error = problem
                turn = problem.turn
            if error is not None and surely_unsent(error) and await self._again(error, tries) and not self._stopping():
                continue
            stopped = self._stopping()
            if stopped and error is not None and surely_unsent(error):
                self.failure = stopped_failure()
                return turn
            self.error, self.failure = error, failure_of(turn, error, stopped=stopped)
            return turn
