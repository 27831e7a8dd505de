"""One struct for each event of the API, `Unknown` for the rest.

Fields are permissive on purpose: real servers send null, numbers as text and fields
that no document names.
Every event carries `at`, seconds since the question was sent, set by whoever read it.
A struct says here where its text stands and what tells it apart; that is all there is to a new one but its
meaning, in `turn/fold.py`. The last group never comes over the wire: it is what happened on this side of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cache
from typing import Any, ClassVar

import msgspec

from ..printable import BoundedRepr
from .form_tokens import Pickled, hide_tokens


class Event(BoundedRepr, Pickled, msgspec.Struct, tag_field="event", kw_only=True):
    """Base of all events. A subclass with a tag is one; a tag with § never comes over the wire."""

    ANSWER: ClassVar[tuple[str, ...]] = ()
    """Where a piece of the answer may stand: fields, or `data.` and what is in it; the first that has a text counts."""
    REASONING: ClassVar[tuple[str, ...]] = ()
    """Where a piece of the reasoning may stand, in the same way."""
    UNLESS: ClassVar[str] = ""
    """A field with which it is something else than a text, where it is told."""
    ENDS_TEXT: ClassVar[bool] = False
    """Whether no text before it goes on."""

    at: float = msgspec.field(default=0.0, name="§at")
    """Seconds since the question was sent. Whatever a server names so is overwritten."""
    unread: int = msgspec.field(default=0, name="§unread")
    """How many of its characters were none; each is U+FFFD now."""
    half: bool = msgspec.field(default=False, name="§half")
    """Whether its text ended in half a character: left out here, and the next piece begins with what came of it."""

    @property
    def answer_text(self) -> str | None:
        """The piece of the answer that it brings, which may be empty; None where it brings none."""
        return self._text_in(self.ANSWER) if self.ANSWER else None

    @property
    def reasoning_text(self) -> str | None:
        """The piece of the model's reasoning that it brings, which may be empty; None where it brings none."""
        return self._text_in(self.REASONING) if self.REASONING else None

    def _text_in(self, paths: tuple[str, ...]) -> str | None:
        if self.UNLESS and getattr(self, self.UNLESS):
            return None
        result = None
        for path in paths:
            outer, _, field = path.rpartition(".")
            text = (getattr(self, outer) or {}).get(field) if outer else getattr(self, field)
            if text and isinstance(text, str):
                return text
            result = "" if text == "" else result
        return result

    @property
    def node_id(self) -> str | None:
        """The node of the run that said it, or that it tells of; None where none is told."""
        data = getattr(self, "data", None)
        data = data if isinstance(data, dict) else {}
        selector = getattr(self, "from_variable_selector", None) or data.get("from_variable_selector")
        named = selector[0] if isinstance(selector, list) and selector else data.get("node_id")
        return named if named and isinstance(named, str) else None

    def identity(self) -> Hashable | None:
        """What it has in common with its first telling where it is told again; None where it has no name."""
        return None


class ChatEvent(Event):
    """Fields that the events of a chat have in common."""

    task_id: str | None = None
    message_id: str | None = None
    conversation_id: str | None = None
    created_at: Any = None


class Message(ChatEvent, tag="message"):
    """A piece of the answer."""

    ANSWER = ("answer",)

    id: str | None = None
    answer: str | None = None
    from_variable_selector: Any = None


class AgentMessage(ChatEvent, tag="agent_message"):
    """A piece of an agent's answer."""

    ANSWER = ("answer",)

    id: str | None = None
    answer: str | None = None


class TextChunk(ChatEvent, tag="text_chunk"):
    """A piece of text of a workflow app, or of a newer chatflow."""

    ANSWER = ("data.text",)

    workflow_run_id: str | None = None
    data: dict[str, Any] | None = None


class ReasoningChunk(ChatEvent, tag="reasoning_chunk"):
    """A piece of the model's reasoning, kept apart by the server.

    Since Dify 1.15 `data` has `node_id`, and `is_final` with the last piece of a node, which is empty.
    """

    REASONING = ("data.reasoning", "data.text", "reasoning", "answer")

    workflow_run_id: str | None = None
    data: dict[str, Any] | None = None
    reasoning: str | None = None
    answer: str | None = None


class TextReplace(ChatEvent, tag="text_replace"):
    """The whole text of a workflow app so far is replaced (moderation)."""

    ENDS_TEXT = True

    workflow_run_id: str | None = None
    data: dict[str, Any] | None = None


class MessageReplace(ChatEvent, tag="message_replace"):
    """The whole answer so far is replaced: by moderation, or, with an empty `reason`, by a run's state so far."""

    ENDS_TEXT = True

    answer: str | None = None
    reason: str | None = None


class MessageFile(ChatEvent, tag="message_file"):
    """A file of the message; or, on Dify 1.11 to 1.12, a piece of the answer."""

    ANSWER, UNLESS = ("answer",), "url"

    id: str | None = None
    type: str | None = None
    belongs_to: str | None = None
    url: str | None = None
    answer: str | None = None
    filename: str | None = None
    mime_type: str | None = None
    size: Any = None
    from_variable_selector: Any = None


class AgentThought(ChatEvent, tag="agent_thought"):
    """A step of an agent; sent again under the same id as it grows."""

    id: str | None = None
    position: Any = None
    thought: str | None = None
    observation: Any = None
    tool: str | None = None
    tool_input: Any = None
    tool_labels: Any = None
    message_files: Any = None


class AgentLog(ChatEvent, tag="agent_log"):
    """An entry of an agent node's log; sent again under the same id."""

    data: dict[str, Any] | None = None

    def identity(self) -> Hashable | None:
        data = self.data or {}
        return (type(self), str(data.get("id")), str(data.get("status")))


class MessageEnd(ChatEvent, tag="message_end"):
    """The answer is whole; speech may still follow."""

    ENDS_TEXT = True

    id: str | None = None
    metadata: dict[str, Any] | None = None
    files: list[Any] | None = None


class TtsMessage(ChatEvent, tag="tts_message"):
    """A piece of speech, base64."""

    audio: str | None = None

    def identity(self) -> Hashable | None:
        return (type(self), hash(self.audio))


class TtsMessageEnd(ChatEvent, tag="tts_message_end"):
    """The speech is whole."""

    audio: str | None = None


class Error(ChatEvent, tag="error"):
    """The run failed. HTTP said 200 long before."""

    ENDS_TEXT = True

    code: str | None = None
    message: str | None = None
    status: int | None = None


class ServerWarning(ChatEvent, tag="warning"):
    """Something is not as it should be, and the answer comes all the same (newer than Dify 1.17)."""

    warning: Any = None
    message: Any = None


class Ping(ChatEvent, tag="ping"):
    """Nothing new; the connection lives."""


class WorkflowEvent(ChatEvent):
    """Fields that the events of a workflow run have in common."""

    workflow_run_id: str | None = None
    data: dict[str, Any] | None = None

    def identity(self) -> Hashable | None:
        data = self.data or {}
        name = data.get("id") or data.get("form_id") or data.get("node_id") or self.workflow_run_id
        return (type(self), str(name), str(data.get("retry_index")))


class RoundEvent(WorkflowEvent):
    """What the events of iterations and loops have in common: they are told again for each round."""

    def identity(self) -> Hashable | None:
        data = self.data or {}
        name = data.get("node_id") or data.get("id") or data.get("form_id") or self.workflow_run_id
        time = data.get("created_at")
        second = int(time) if isinstance(time, (int, float)) else str(time)
        return (type(self), str(name), str(data.get("index")), second)


class WorkflowStarted(WorkflowEvent, tag="workflow_started"):
    """A chatflow or a workflow app began to run."""


class WorkflowFinished(WorkflowEvent, tag="workflow_finished"):
    """The run is over; the stream of a chatflow is not, nor that of an app that speaks."""


class WorkflowPaused(WorkflowEvent, tag="workflow_paused"):
    """The run waits for a person."""

    ENDS_TEXT = True

    def __post_init__(self) -> None:
        hide_tokens(self.data)  # pickles of earlier versions have them


class NodeStarted(WorkflowEvent, tag="node_started"):
    """A node began."""


class NodeFinished(WorkflowEvent, tag="node_finished"):
    """A node ended, well or not."""


class NodeRetry(WorkflowEvent, tag="node_retry"):
    """A try of a node failed and will be repeated."""


class IterationStarted(RoundEvent, tag="iteration_started"):
    """An iteration began."""


class IterationNext(RoundEvent, tag="iteration_next"):
    """An iteration's next round."""


class IterationCompleted(RoundEvent, tag="iteration_completed"):
    """An iteration ended."""


class LoopStarted(RoundEvent, tag="loop_started"):
    """A loop began."""


class LoopNext(RoundEvent, tag="loop_next"):
    """A loop's next round."""


class LoopCompleted(RoundEvent, tag="loop_completed"):
    """A loop ended."""


class ParallelBranchStarted(WorkflowEvent, tag="parallel_branch_started"):
    """A parallel branch began (Dify 0.15)."""


class ParallelBranchFinished(WorkflowEvent, tag="parallel_branch_finished"):
    """A parallel branch ended (Dify 0.15)."""


class HumanInputRequired(WorkflowEvent, tag="human_input_required"):
    """The run asks a person."""

    def __post_init__(self) -> None:
        hide_tokens(self.data)  # as for `WorkflowPaused`


class HumanInputFormFilled(WorkflowEvent, tag="human_input_form_filled"):
    """A person has answered."""


class HumanInputFormTimeout(WorkflowEvent, tag="human_input_form_timeout"):
    """Nobody answered in time."""


class Unknown(Event, tag="§unknown"):
    """What no document names, or what cannot be read; kept as it came."""

    name: str = ""
    """The event's name, or empty when there is none."""
    raw: bytes = b""
    damaged: bool = False
    """True when this is no event at all: broken JSON, or a known event with broken fields."""
    reason: str = ""


class Sent(Event, tag="§sent"):
    """The question went out."""

    query: str | None = None
    inputs: dict[str, Any] | None = None
    conversation_id: str | None = None
    user: str | None = None
    server: str | None = None
    app: str | None = None
    app_mode: str | None = None
    turn_number: int | None = None
    conversation_name: str | None = None
    created_at: Any = None


class Opened(Event, tag="§opened"):
    """The response's status line and headers came."""


class Continued(Event, tag="§continued"):
    """A run that had paused, or whose connection was lost for good, is read on from here.

    `answered` are the ids of forms that were submitted meanwhile, each with its action and inputs.
    """

    answered: dict[str, Any] | None = None


class StopRequested(Event, tag="§stop_asked"):
    """This side asked the server to stop; `confirmed` is what it said, None before it said anything."""

    confirmed: bool | None = None


class Rejected(Event, tag="§refused"):
    """The server answered with an HTTP error instead of a stream, or could not be reached."""

    code: str = ""
    message: str = ""
    status: int | None = None


class StreamEnd(Event, tag="§eof"):
    """The body ended cleanly; `rest` is an event that was cut off, if any."""

    rest: bytes = b""


class Disconnected(Event, tag="§lost"):
    """The connection broke, or this side left it; then `code` says why and is the turn's error."""

    code: str = ""
    message: str = ""
    rest: bytes = b""


class Resumed(Event, tag="§followed"):
    """The connection was lost, and the run is followed on another one.

    `whole` is None when that began. When what was read turns out to lack a part, or may lack one,
    it is told again with False; with True and the whole answer, where the end of the run told it.
    """

    whole: bool | None = None
    answer: str | None = None
    message: str = ""
    code: str = ""
    """Of the warning that `message` is; empty for `followed`, and with False for `gap`."""


class Stored(Event, tag="§stored"):
    """The message as the server keeps it (`/messages`), looked up for a run that ended while nobody listened."""

    answer: str | None = None
    """What users may see: a moderated answer is the moderated one."""
    usage: dict[str, Any] | None = None
    error: str | None = None
    citations: list[Any] | None = None
    files: list[Any] | None = None
    forms: list[Any] | None = None
    """Of each that was closed: `form_id`, `status`, `action`, `inputs` and `content`."""
    replaced: bool = False
    """Whether it is another answer than the run's own: a moderated one."""


class DeadlineExceeded(Event, tag="§out_of_time"):
    """The time allowed for the whole turn was over."""

    seconds: float = 0.0


class Cancelled(Event, tag="§cancelled"):
    """The reader went away without a stop."""


# Their names in 0.1.0, one a line: of several at once a type checker makes variables, not types.
StopAsked = StopRequested
Refused = Rejected
Eof = StreamEnd
Lost = Disconnected
Followed = Resumed
OutOfTime = DeadlineExceeded


OURS = "\n§"
"""The name of a tape's frame that holds one of this last group. No server can send it: a name ends with its line."""


@cache
def own_events() -> tuple[type[Event], ...]:
    """Those of the last group that a tape keeps."""
    return (Continued, StopRequested, Disconnected, DeadlineExceeded, Cancelled, Resumed, Stored)


@cache
def wire_events() -> dict[str, type[Event]]:
    """Every event that comes over the wire, by its name there: the structs that there are on the first call.

    Of several with one name the first is it: one that somebody derives of `Message` takes no messages away.
    """
    named: dict[str, type[Event]] = {}
    for kind in _subclasses(Event):
        name = kind.__struct_config__.tag
        if isinstance(name, str) and name != kind.__name__ and not name.startswith("§"):
            named.setdefault(name, kind)
    return named


def _subclasses(kind: type[Event]) -> Iterator[type[Event]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
