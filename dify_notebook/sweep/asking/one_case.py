"""One case under way: its turns one after another in a conversation of its own, each written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ...app.files import FileInput
from ...errors import DifyError
from ...i18n import t
from ...net.ask import Asked, ask
from ...turn.state import Turn
from ..case import Case, Message, Target
from ..records import Outcome
from .ends import Failure, failure_of, stopped_failure
from .pace import refused, surely_unsent

if TYPE_CHECKING:
    from ...net.client import AsyncDify
    from ...net.stream import ChatStream
    from ...tape import Tape
    from .keeping import Keeping


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
        turns: list[tuple[Tape | None, Turn]] = []
        conversation: str | None = None
        for message in self.case.messages:
            if turns and conversation is None:
                self.failure = Failure("no_conversation", t("sweep.engine.no_conversation"))
            elif self._stopping():
                self.failure = stopped_failure()
            if self.failure is not None:
                break
            turn = await self._turn(message, conversation)
            if turn is not None and self.stream is not None and self.stream.sent and not refused(self.error):
                turns.append((self.stream.tape, turn))
                conversation = turn.conversation_id or conversation
            if self.failure is not None:
                break
        outcome = Outcome(
            case=self.case.id,
            state="succeeded" if self.failure is None else "failed",
            conversation_id=conversation,
            user=self._client.user,
            error_code=None if self.failure is None else self.failure.code,
            error=None if self.failure is None else self.failure.message,
            began=began,
            ended=self._clock(),
        )
        self._over()
        return await self._keeping.end(outcome, tried, turns, self._client.settings.api_key)

    async def _turn(self, message: Message, conversation: str | None) -> Turn | None:
        """One turn, asked again while it surely did not arrive; `failure` and `error` say why it is no answer."""
        asked = Asked(
            query=message.query,
            inputs={name: _given(value) for name, value in message.inputs.items()},
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
                    if stream.opened:
                        self._taken()
                    turn: Turn | None = await stream.read()
            except DifyError as problem:
                error, turn = problem, problem.turn
            if error is not None and surely_unsent(error) and await self._again(error, tries) and not self._stopping():
                continue
            stopped = self._stopping()
            self.error, self.failure = error, failure_of(turn, error, stopped=stopped)
            if stopped and error is not None and surely_unsent(error):
                self.failure = stopped_failure()
            return turn


def _given(value: Any) -> Any:
    """A fitted input as somebody gives it: whoever asks fits it to the form of that moment."""
    if not isinstance(value, FileInput):
        return value
    return list(value.sources) if value.many else value.sources[0]
