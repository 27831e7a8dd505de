"""One question being answered: what an app may do meanwhile, and how the answer comes to its end.

A run is a task of its own on the server's loop. It outlives its client: when that goes away the
run goes on. It ends early only by a stop, or with the server.
"""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ...i18n import t
from ...logs import logger
from .. import tokens
from ..store.damage import damaged_store, is_damage
from ..store.paused import PausedRuns
from ..store.store import INTERRUPTED, Row, Store
from ..threads import Exited, in_thread
from .ending import tell_error
from .file_values import KeepFile
from .file_values import Upload as Upload
from .pausing import Paused, Resumption, keep, paused_data, required
from .preset import moderated, preset_answer, say_preset
from .speech import Speech, speak
from .stopping import Stopped, unless_done
from .telling import telling_of
from .titles import title
from .usage import usage_of

if TYPE_CHECKING:
    from .app import App
    from .graph.events import WorkflowEvents
    from .listeners import Listeners

log = logger("dify_notebook.local")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

STEP_PAUSE = 0.15
"""Seconds between two steps (nodes, tool calls), at pace 1."""
_PARTIAL_INTERVAL = 0.2
"""Seconds between two writings of an unfinished answer."""


class RunFailed(Exception):
    """The answer cannot be given; becomes an `error` event, or a 400 in blocking mode."""

    def __init__(self, message: str, code: str = "completion_request_error") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    @property
    def status(self) -> int:
        """Of the `error` event and of the response in blocking mode."""
        return {"internal_server_error": 500, "rate_limit_error": 429}.get(self.code, 400)


@dataclass
class Run:
    """What an app sees of the question, and what it says. That of a workflow app answers no message: its inputs are the
    question, its outputs the answer."""

    app: App
    store: Store
    user: str
    end_user: str
    conversation: Row | None
    """None for a workflow app. That of a completion is not told."""
    message_id: str
    """The store's key of it; for a workflow app the id of the run."""
    query: str
    """"" for a workflow app; of a completion, what takes the place of the filled prompt, if anything."""
    inputs: dict[str, Any]
    history: Sequence[Row]
    """Earlier messages of the conversation, oldest first."""
    uploads: Sequence[Upload]
    variables: dict[str, Any]
    """Conversation variables by name; what an app changes here is kept, however the run ends."""
    pace: float
    auto_name: bool
    events: asyncio.Queue[dict[str, Any] | None] | None
    """Where events go; None in blocking mode."""
    annotation: Row | None = None
    """The annotation that answers instead of the app."""
    speech: Speech | None = None
    """What speaks after an answer, for an app that does so by itself."""
    allow: tuple[str, ...] = ()
    """Origins that http-request nodes may reach."""
    files: Sequence[dict[str, Any]] = ()
    """The question's files in the form in which a workflow tells them."""
    kept: bool = False
    """Whether the answer is stored also where its client has gone away before it was whole."""
    title_pause: float = 0.0
    """Seconds from the end to the conversation's title; 0 stores the title with the answer."""
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: int = field(default_factory=lambda: int(time.time()))
    meter: tokens.Meter = field(default_factory=tokens.Meter)
    resources: list[dict[str, Any]] = field(default_factory=list)
    error: RunFailed | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    reasoning: dict[str, str] = field(default_factory=dict)
    """Node -> what its model thought, of nodes that tell it apart from their text."""
    finish_workflow: Callable[[str, str | None], dict[str, Any]] | None = None
    """Set by a workflow; called with status and error before the answer is committed."""
    workflow: WorkflowEvents | None = None
    """Set by a workflow when it starts."""
    pauses: PausedRuns | None = None
    """What keeps it while it waits for a person; None where it cannot."""
    listeners: Listeners | None = None
    """Who follows it beside the one who asked."""
    resumption: Resumption | None = None
    """With what it goes on, after it waited."""
    persisted: str = ""
    """What it had said when it last waited."""
    spent: float = 0.0
    """Seconds that it ran before it last waited."""
    first_token: float | None = None
    """Seconds from the question to the first text, without those in which it waited."""
    keep_file: KeepFile | None = None
    """None where files that a run makes cannot be kept."""

    def __post_init__(self) -> None:
        self.telling = telling_of(self.app.mode)
        self.finished: Row | None = None
        """What `workflow_finished` said, of a workflow app."""
        self._initial = copy.deepcopy(self.variables)
        self._started_at = time.monotonic() - self.spent
        self._text = [self.persisted] if self.persisted else []
        self.paused: dict[str, Any] | None = None
        """What `workflow_paused` said, once it waits for a person."""
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._written_at = 0.0
        self._client_gone = False
        self.ended = False
        """Whether the last event was said."""
        self.unmetered = False
        """Whether nothing is counted: the answer was ready."""

    # -- for apps -------------------------------------------------------------------------------

    @property
    def conversation_id(self) -> str:
        """"" where there is none."""
        return "" if self.conversation is None else str(self.conversation["id"])

    @property
    def answer(self) -> str:
        """What was said so far."""
        return "".join(self._text)

    def emit(self, event: str, **fields: Any) -> None:
        """Send an event; the fields that all have are put in front.

        Raises:
            Stopped: the user asked to stop.
        """
        if self._stopping.done():
            raise Stopped
        self.tell(event, **fields)

    async def say(self, text: str, selector: Sequence[str] | None = None) -> None:
        """Stream a text in small pieces, watchably.

        Args:
            selector: in a workflow, the node and variable that the text comes from.
        """
        for piece in tokens.pieces(text):
            await self.pause(tokens.TOKEN_PAUSE)
            self.delta(piece, selector)
        self.meter.wrote(text)

    def delta(self, piece: str, selector: Sequence[str] | None = None) -> None:
        """Send a piece of text at once, as a model or a node gives it; counts nothing.

        Raises:
            Stopped: the user asked to stop.
        """
        if self.first_token is None:
            self.first_token = self.elapsed
        self.telling.text(self, piece, selector)
        self._text.append(piece)  # what a stop kept from being said is not kept either
        if self.elapsed - self._written_at >= _PARTIAL_INTERVAL:
            self._written_at = self.elapsed
            self.store.write_partial(self.message_id, self.answer)

    async def pause(self, seconds: float) -> None:
        """Wait so that someone can watch, scaled by the server's pace; give others a turn in any case.

        Raises:
            Stopped: the user asked to stop, before or meanwhile.
        """
        if self.pace > 0:
            await asyncio.wait({self._stopping}, timeout=seconds * self.pace)
        else:
            await asyncio.sleep(0)
        if self._stopping.done():
            raise Stopped

    async def unless_stopped(self, doing: Coroutine[Any, Any, Result]) -> Result:
        """Wait for something that takes its time, and cancel it when the user asks to stop.

        Raises:
            Stopped: by the user.
        """
        return await unless_done(self._stopping, doing)

    async def work(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> tuple[Result, float]:
        """Do real work beside the loop, in a thread of its own; gives its result and the seconds it took there.

        Raises:
            Stopped: the user asked to stop; the work, which is bounded, ends by itself.
        """

        def timed() -> tuple[Result, float]:
            start = time.perf_counter()
            return function(*args, **kwargs), time.perf_counter() - start

        return await self.unless_stopped(in_thread(timed))

    # -- for the server -------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Seconds since the question came in, without those in which it waited for a person."""
        return time.monotonic() - self._started_at

    @property
    def listening(self) -> bool:
        """Whether the one who asked hears it."""
        return self.events is not None and not self._client_gone

    @property
    def titled(self) -> bool:
        """Whether its conversation gets a title of this question."""
        return self.auto_name and self.conversation is not None and bool(self.conversation["dialogue_count"] == 1)

    def blocking_answer(self) -> Row:
        """The body of what a client gets that does not stream: of a run that has ended or waits."""
        return self.telling.blocking(self)

    def stop(self) -> None:
        """Ask the run to end; on the loop's thread."""
        if not self._stopping.done():
            self._stopping.set_result(None)

    def disconnected(self) -> None:
        """The client went away; the run goes on unheard."""
        self._client_gone = True

    async def drive(self) -> None:
        """Let the app answer, then commit, then say the last event."""
        state: str = "done"
        waits: Paused | None = None
        try:
            # A question may be long and the words many: where there are rules they are held against it aside.
            preset = preset_answer(self) if self.app.moderation is None else (await self.work(preset_answer, self))[0]
            if preset is None:
                await self.app.answer(self)
            else:
                await say_preset(self, preset)
        except Stopped:
            state = "stopped"
        except Paused as pause:
            state, waits = "paused", pause
        except RunFailed as failure:
            state, self.error = "failed", failure
        except asyncio.CancelledError:
            # The server ends. The stream is told so, rather than cut off without a word.
            await self._commit("interrupted", INTERRUPTED, None)
            self.telling.failure(self, RunFailed(INTERRUPTED, "internal_server_error"))
            self._close()
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as failure:
            log.exception("the app %s failed", self.app.name)
            text = f"{failure if isinstance(failure, Exited) else type(failure).__name__} in the app"
            state, self.error = "failed", RunFailed(text, "internal_server_error")
        try:
            await (self._end(state) if waits is None else self._pause(waits))
        finally:
            self._close()

    async def _pause(self, pause: Paused) -> None:
        """Keep what is needed to go on, then say what it waits for."""
        if self.pauses is None:
            self.error = RunFailed("A node asks a person, for which this version of Dify has no way", "invalid_param")
            await self._end("failed")
            return
        self._count("paused")
        try:
            await keep(self, self.pauses, pause, name=self._name, variables=self._changed)
        except Exception as failure:
            self.error = self._not_stored(failure)
            tell_error(self, self.error)
            return
        tokens_ = [self.pauses.token(form.id) for form in pause.forms]
        run = pause.data["workflow_run_id"]
        self.paused = paused_data(pause.data, pause.forms, tokens_)
        for form, token in zip(pause.forms, tokens_, strict=True):
            self.tell("human_input_required", workflow_run_id=run, data=required(form, token))
        self.tell("workflow_paused", workflow_run_id=run, data=self.paused)

    def never_began(self) -> None:
        """Mark the message, and tell the client."""
        self.store.give_up(self.message_id)
        self.error = RunFailed(INTERRUPTED, "internal_server_error")
        self.telling.failure(self, self.error)
        self._close()

    def _close(self) -> None:
        self.ended = True
        if self.events is not None:
            self.events.put_nowait(None)
        if self.listeners is not None and self.paused is None:
            self.listeners.end(self.message_id)

    def _count(self, state: str) -> None:
        """What was used up to now."""
        ready = self.unmetered and not self.app.is_flow
        nothing = state == "stopped" or self.unmetered
        self.usage = usage_of(self.meter, self.elapsed, self.first_token, nothing=nothing, ready=ready)

    async def _end(self, state: str) -> None:
        self._count(state)
        message = self.error.message if self.error else None
        status = {"done": "succeeded", "stopped": "stopped", "failed": "failed"}[state]
        ran = None if self.finish_workflow is None else self.finish_workflow(status, message)
        replaced = None if self.app.moderation is None else await in_thread(moderated, self, state)
        if replaced is not None:
            self._text = [replaced]
        try:
            await self._commit(state, message, ran)
        except Exception as failure:
            self.error = self._not_stored(failure)
            ran = None
        if self.error is not None:
            self.telling.failure(self, self.error, ran)
        else:
            self.telling.end(self, ran, replaced)
            if state == "done":
                await speak(self)
        if self._client_gone and state == "done" and not self.kept:
            await self.store.abandon(self.message_id)

    def _not_stored(self, failure: Exception) -> RunFailed:
        damage = damaged_store(self.store.path, failure) if is_damage(failure) else None
        log.error(damage or "an answer could not be stored", exc_info=failure)
        self.store.give_up(self.message_id)
        return RunFailed(t("local.not_stored", reason=type(failure).__name__), "internal_server_error")

    async def _commit(self, state: str, error: str | None, workflow_run: Row | None) -> None:
        await self.store.finish(
            self.message_id,
            state=state,
            answer=self.answer,
            error=error,
            usage=self.usage,
            resources=self.resources,
            workflow_run=workflow_run,
            name=self._name,
            variables=self._changed,
        )

    @property
    def _name(self) -> str | None:
        """What the conversation is called from now on; None leaves it alone."""
        return title(self.query) if self.titled and not self.title_pause else None

    @property
    def _changed(self) -> dict[str, Any]:
        """Variables with new values. Those that were left alone may have been set from outside meanwhile."""
        return {name: value for name, value in self.variables.items() if value != self._initial.get(name)}

    def tell(self, event: str, **fields: Any) -> None:
        """Send an event to whoever listens, also of a run that was asked to stop."""
        if not self.listening and self.listeners is None:
            return
        head: dict[str, Any] = {"event": event, **self.telling.head(self)}
        if event != "error":  # Dify's has none
            head["task_id"] = self.task_id
        event_ = {**head, **fields}
        if self.events is not None and not self._client_gone:
            self.events.put_nowait(event_)
        if self.listeners is not None:
            self.listeners.hear(self.message_id, event_)
