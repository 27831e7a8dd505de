"""Frames to events: one struct for each event of the API, `Unknown` for the rest.

Fields are permissive on purpose: real servers send null, numbers as text and fields
that no document names. What cannot be read is kept as `Unknown`, never raised.
Every event carries `at`, seconds since the question was sent, set by whoever read it.
A struct says here where its text stands and what tells it apart; that is all there is to a new one but its
meaning, in `turn/fold.py`. The last group never comes over the wire: it is what happened on this side of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, ClassVar, Union

import msgspec

from ..printable import BoundedRepr
from ..refusals import refusal
from .loose import DEEPEST, counted, is_shallow, raw_loads, shallow
from .sse import STRAY, Frame
from .surrogates import Surrogates


class Event(BoundedRepr, msgspec.Struct, tag_field="event", kw_only=True):
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

    def _text_in(self, places: tuple[str, ...]) -> str | None:
        if self.UNLESS and getattr(self, self.UNLESS):
            return None
        found = None
        for place in places:
            outer, _, field = place.rpartition(".")
            text = (getattr(self, outer) or {}).get(field) if outer else getattr(self, field)
            if text and isinstance(text, str):
                return text
            found = "" if text == "" else found
        return found

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
    """A piece of the model's reasoning, kept apart by the server."""

    REASONING = ("data.reasoning", "data.text", "reasoning", "answer")

    workflow_run_id: str | None = None
    data: dict[str, Any] | None = None
    reasoning: str | None = None
    answer: str | None = None


class MessageReplace(ChatEvent, tag="message_replace"):
    """The whole answer so far is replaced (moderation)."""

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
        told = data.get("created_at")
        second = int(told) if isinstance(told, (int, float)) else str(told)
        return (type(self), str(name), str(data.get("index")), second)


class WorkflowStarted(WorkflowEvent, tag="workflow_started"):
    """A chatflow began to run."""


class WorkflowFinished(WorkflowEvent, tag="workflow_finished"):
    """The chatflow's run is over; the stream is not."""


class WorkflowPaused(WorkflowEvent, tag="workflow_paused"):
    """The run waits for a person."""

    ENDS_TEXT = True


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
    """The response headers came."""


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


class DeadlineExceeded(Event, tag="§out_of_time"):
    """The time allowed for the whole turn was over."""

    seconds: float = 0.0


class Cancelled(Event, tag="§cancelled"):
    """The reader went away without a stop."""


# Their names in 0.1.0.
StopAsked, Refused, Eof, Lost = StopRequested, Rejected, StreamEnd, Disconnected
Followed, OutOfTime = Resumed, DeadlineExceeded


@cache
def wire_events() -> dict[str, type[Event]]:
    """Every event that comes over the wire, by its name there: the structs that there are on the first call.

    Of several with one name the first is it: one that somebody derives of `Message` takes no messages away.
    """
    named: dict[str, type[Event]] = {}
    for kind in _below(Event):
        name = kind.__struct_config__.tag
        if isinstance(name, str) and name != kind.__name__ and not name.startswith("§"):
            named.setdefault(name, kind)
    return named


def _below(kind: type[Event]) -> Iterator[type[Event]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    """Built when the first event comes, not on import."""
    # strict=False: the documents' own examples hold "total_steps": "1".
    return msgspec.json.Decoder(Union[tuple(wire_events().values())], strict=False)  # noqa: UP007


def decode(frame: Frame, at: float = 0.0, halves: Surrogates | None = None) -> Event:
    """The event that a frame holds. Never raises; what is nested deeper than `DEEPEST` is damaged.

    What is no character is U+FFFD, and counted in `unread`.

    Args:
        frame: event name and data, as the splitter gives them.
        at: seconds since the question was sent.
        halves: of the stream, whose frames come in order; then a character that two events share is whole.
    """
    name, data = frame
    if data is None:
        return Ping(at=at) if name == "ping" else Unknown(name=name, at=at)
    if name == STRAY:
        return _loosely(name, data, at, halves)
    try:
        event: Event = _decoder().decode(data)
        if len(data) > 2 * DEEPEST and data.count(b"[") + data.count(b"{") > DEEPEST:
            shallow(list(msgspec.structs.astuple(event)))
    except (ValueError, RecursionError) as problem:  # of msgspec, or broken UTF-8
        return _loosely(name, data, at, halves, str(problem))
    if halves is not None and halves.waiting and (event.ANSWER or event.REASONING or event.ENDS_TEXT):
        return _loosely(name, data, at, halves)
    event.at = at
    return event


def _loosely(name: str, data: bytes, at: float, halves: Surrogates | None, reason: str = "") -> Event:
    """Read what can be read without guessing; tell an event that is new to us from a line that is damaged."""
    if data.strip() == b"[DONE]":  # a habit of other APIs that gateways add
        return Unknown(name="[DONE]", raw=data, at=at)
    stray, name = name == STRAY, "" if name == STRAY else name
    found: Any = None
    unread = 0
    with suppress(ValueError, RecursionError):
        found, unread = raw_loads(data)
        if isinstance(found, dict) and found.get("event", name) == "error":
            found = {field: value for field, value in found.items() if is_shallow(value)}
        elif not is_shallow(found):
            found = None
    if isinstance(found, dict):
        told = found.get("event", name or None)
        if stray and told is not None and told != "error":  # an event without `data:` is none
            return Unknown(raw=data, at=at)
        kind = wire_events().get(told) if isinstance(told, str) else None
        if kind is not None:
            half = halves is not None and halves.join(kind, found)
            found, halved = counted(found)
            mended = _mended(kind, found)
            if mended is not None:
                mended.at, mended.unread, mended.half = at, unread + halved, half
                return mended
        elif isinstance(told, str):
            return Unknown(name=told.encode("utf-8", "replace").decode(), raw=data, at=at)
        elif told is None:
            found, halved = counted(found)
            if (body := _error_body(found)) is not None:
                body.at, body.unread = at, unread + halved
                return body
    if name == "error" and (words := found if isinstance(found, str) else "" if found is not None else _text(data)):
        return Error(message=words, at=at)
    if name == "ping" and not (isinstance(found, dict) and "event" in found):
        return Ping(at=at)  # whatever stands beside it (nothing, a time) is no answer
    return Unknown(name=name, raw=data, damaged=not stray, reason=reason, at=at)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip()


def _error_body(found: dict[str, Any]) -> Error | None:
    """The error of a body that names no event: see `refusals`."""
    told = refusal(found)
    mended = None if told is None else _mended(Error, told)
    return mended if isinstance(mended, Error) else None


_OURS = frozenset(field.name for field in msgspec.structs.fields(Event))


@cache
def _fields(kind: type[Event]) -> tuple[tuple[str, Any], ...]:
    return tuple((field.encode_name, field.type) for field in msgspec.structs.fields(kind) if field.name not in _OURS)


def _mended(kind: type[Event], found: dict[str, Any]) -> Event | None:
    """The event whose fields are written in another way: a number where text belongs, an empty thing for none.

    None where one cannot be read so. An error is never lost: what cannot be read of it is left out.
    """
    fitted: dict[str, Any] = {}
    for name, type_ in _fields(kind):
        if name not in found:
            continue
        value = found[name]
        ways = [value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            ways.append(str(value))
        if not value and not isinstance(value, (int, float)):
            ways.append(None)  # "", [] and {} say nothing, whatever belongs there
        if kind is Error:
            ways += [msgspec.json.encode(value).decode(), None]
        for way in ways:
            try:
                fitted[name] = msgspec.convert(way, type_, strict=False)
                break
            except msgspec.ValidationError:
                continue
        else:
            return None
    return msgspec.convert(fitted | {"event": kind.__struct_config__.tag}, kind)
