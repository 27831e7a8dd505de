"""What a question came to: the frozen values of one turn of a conversation.

Every way of getting an answer (a stream, a blocking call, a tape, a page of the
history) ends in a `Turn`. A field that its source cannot know is None, not empty.
Times are seconds on one clock that starts when the question is sent; prices are
exact decimals beside their currency; tokens are what the server counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..console import displayed
from ..errors import raise_for_turn
from ..printable import shown
from ..wire.form_tokens import Values
from .forms import Form as Form
from .placing import Placing as Placing
from .value import Value

if TYPE_CHECKING:
    import pandas as pd

    from ..frames.plots import TurnPlots

Status = Literal["succeeded", "partial_succeeded", "failed", "stopped", "paused", "incomplete", "running"]
End = Literal["message_end", "error", "stopped", "eof", "disconnected", "timed_out", "cancelled", "paused"]
NodeStatus = Literal["succeeded", "failed", "exception", "retry", "stopped", "paused", "running", "unknown"]
WELL: tuple[Status, ...] = ("succeeded", "partial_succeeded", "stopped")
"""How a run can end other than by failing."""
CUT: tuple[End, ...] = ("eof", "disconnected", "timed_out", "cancelled")
"""Ends of a stream that can lie before the answer's own."""


class Usage(Value, frozen=True):
    """Tokens and price as the server told them; None where it told nothing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_price: Decimal | None = None
    completion_price: Decimal | None = None
    total_price: Decimal | None = None
    currency: str | None = None
    latency: float | None = None
    """Seconds, as the server measured them."""
    time_to_first_token: float | None = None
    """Seconds, as the server measured them (Dify 1.12); see `Timing.first_token` for ours."""


class Timing(Value, frozen=True):
    """Seconds since the question was sent, measured on this side of the wire."""

    opened: float | None = None
    """When the response headers came."""
    first_event: float | None = None
    first_token: float | None = None
    """When the first visible or reasoning text came."""
    total: float | None = None
    """When the turn ended; None while it runs."""


class Warning_(Value, frozen=True):
    """Something was wrong with the stream, and the turn went on.

    code: damaged (a line that is no event), character (bytes or an escape that are no
    character: U+FFFD stands there), unknown_event, unexpected (an event that makes no
    sense where it stands), server (it warns itself), connection. Of a run that was followed: followed, gap (a part of
    the text may be missing), nodes (some are not told whole), unmoderated (the answer is the run's own).
    """

    code: str
    message: str
    at: float | None = None
    """Seconds since sent."""
    offset: int | None = None
    """Place in `Turn.answer_raw` where it happened, in characters."""
    raw: str | None = None
    """What came, cut to 2,000 characters; kept by the first 1,000 warnings of a turn, the tape has the rest."""


class TurnError(Value, frozen=True):
    """The `error` event, or why the connection failed."""

    code: str
    message: str
    status: int | None = None
    """Dify's status inside the event; the HTTP status of such a stream is 200."""


class Thought(Value, frozen=True):
    """One step of an agent: an `agent_thought`, merged over its repeats."""

    id: str
    position: int | None = None
    thought: str = ""
    tool: str = ""
    """Name of the tool, or several joined by `;` (Dify's form)."""
    tool_input: str = ""
    """JSON text, as Dify sends it."""
    observation: str = ""
    """JSON text or plain text, as Dify sends it."""
    tool_labels: Mapping[str, Any] | None = None
    message_files: tuple[str, ...] = ()
    created_at: datetime | None = None
    started_at: float | None = None
    """Seconds since sent, when it was first seen."""
    finished_at: float | None = None
    """Seconds since sent, when its last form was seen."""
    answer: str = ""
    """What the agent said to the user in this step before it went on (apps of mode agent, Dify 1.15)."""
    offset: int | None = None
    """Place in `Turn.answer_raw` where the step began, in characters; None where that is not known."""

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools called in this step, in order."""
        return tuple(name for name in self.tool.split(";") if name)


class AgentLog(Value, frozen=True):
    """One entry of an agent node's log (`agent_log`), a tree by `parent_id`."""

    id: str
    label: str = ""
    node_id: str | None = None
    parent_id: str | None = None
    status: str = ""
    """start, success or error."""
    error: str | None = None
    data: Any = None
    metadata: Mapping[str, Any] | None = None
    started_at: float | None = None
    """Seconds since sent, when it was first seen."""
    finished_at: float | None = None
    """Seconds since sent, when its end was seen; None until then."""


class Retry(Value, frozen=True):
    """One failed try of a node that was tried again (`node_retry`)."""

    index: int
    """Which try it was, from 1 (Dify's `retry_index`)."""
    error: str | None = None
    elapsed: float | None = None
    """Seconds, as told."""
    at: float | None = None
    """Seconds since sent."""


class Round(Value, frozen=True):
    """One round of an iteration or a loop."""

    index: int
    """From 0."""
    started_at: float | None = None
    """Seconds since sent; in parallel mode all rounds are announced first."""
    elapsed: float | None = None
    """Seconds, as told when the container completed or by the next round."""


def _show_harmless(struct: msgspec.Struct, *names: str) -> None:
    """Objects of JSON as dicts that show no signature."""
    for name in names:
        value = getattr(struct, name)
        if type(value) is dict:
            msgspec.structs.force_setattr(struct, name, Values(value))


class Node(Value, frozen=True):
    """One run of a workflow node, or an iteration or loop that holds others."""

    id: str
    """Id of the run; for containers the node's id, with `#2` for a second run, where the server gives no other."""
    node_id: str = ""
    node_type: str = ""
    title: str = ""
    kind: Literal["node", "iteration", "loop", "parallel"] = "node"
    parent: str | None = None
    """`id` of the container it runs in, None at the top."""
    round: int | None = None
    """Which round of the container it belongs to, from 0, where it can be known."""
    parallel_id: str | None = None
    status: NodeStatus = "running"
    error: str | None = None
    inputs: Any = None
    process_data: Any = None
    outputs: Any = None
    metadata: Mapping[str, Any] | None = None
    """`execution_metadata`, as told."""
    total_tokens: int | None = None
    total_price: Decimal | None = None
    currency: str | None = None
    elapsed: float | None = None
    """Seconds, as told by the server."""
    started_at: float | None = None
    """Seconds since sent, as seen here."""
    finished_at: float | None = None
    """Seconds since sent, as seen here; None while it runs."""
    retries: tuple[Retry, ...] = ()
    rounds: tuple[Round, ...] = ()
    length: int | None = None
    """Rounds that were announced, for containers."""
    parallel: bool = False
    """Whether its rounds run side by side, for containers."""

    def __post_init__(self) -> None:
        _show_harmless(self, "inputs", "process_data", "outputs")


class MessageFile(Value, frozen=True):
    """A file that belongs to the message. Two are equal that differ in nothing but the signature of the address."""

    id: str | None = None
    type: str = ""
    """image, document, audio, video or custom."""
    belongs_to: str = ""
    """user or assistant."""
    name: str | None = None
    mime_type: str | None = None
    size: int | None = None
    """Bytes; None when not told (-1 on the wire)."""
    url: str | None = None
    """Signed by the server and short-lived: never shown, never saved, pickled without its signature. See `data`."""
    data: bytes | None = None
    """The content, where it was fetched from the server's own origin."""
    data_error: str | None = None
    """Why the content was not fetched."""
    upload_file_id: str | None = None
    """The upload that it was, where told."""
    transfer_method: str | None = None
    """local_file, remote_url or tool_file, where told."""
    extension: str | None = None
    """With its dot, where told."""
    reference: str | None = None
    """What stands for the file in a run's variables, where told (Dify 1.16)."""


class Citation(Value, frozen=True):
    """One of the `retriever_resources`: a passage that the answer rests on."""

    position: int | None = None
    dataset_id: str | None = None
    dataset_name: str | None = None
    document_id: str | None = None
    document_name: str | None = None
    segment_id: str | None = None
    score: float | None = None
    content: str = ""
    extra: Mapping[str, Any] | None = None
    """Every other field, as told."""


class Audio(Value, frozen=True):
    """Speech that came with the answer (`tts_message`)."""

    chunks: tuple[str, ...] = ()
    """Base64 pieces in order; `data` joins them."""
    complete: bool = False
    """Whether its end came (`tts_message_end`)."""

    @property
    def data(self) -> bytes:
        """The sound, as the server encoded it (mp3 unless its settings say otherwise).

        A piece that is no base64 is left out; it stands in `chunks`.
        """
        return b"".join(map(_from_base64, self.chunks))


def _from_base64(chunk: str) -> bytes:
    from base64 import b64decode

    try:
        return b64decode(chunk + "=" * (-len(chunk) % 4))
    except ValueError:
        return b""


class Workflow(Value, frozen=True):
    """The run of a chatflow or of a workflow app as a whole."""

    id: str
    workflow_id: str | None = None
    status: str = "running"
    """running, succeeded, failed, stopped, partial-succeeded, paused: Dify's words."""
    error: str | None = None
    inputs: Any = None
    outputs: Any = None
    elapsed: float | None = None
    """Seconds, as told."""
    total_tokens: int | None = None
    total_steps: int | None = None
    exceptions_count: int | None = None
    """Nodes that failed and whose error was handled (Dify's partial-succeeded)."""
    started_at: float | None = None
    """Seconds since sent."""
    finished_at: float | None = None
    """Seconds since sent; None while it runs."""

    def __post_init__(self) -> None:
        _show_harmless(self, "inputs", "outputs")


class Turn(Value, frozen=True, dict=True):
    """One question and all that came back.

    >>> from dify_notebook import Turn
    >>> Turn(query="hi", status="succeeded", answer="Hello!").answer
    'Hello!'
    """

    query: str | None = None
    inputs: Mapping[str, Any] | None = None
    """As they were sent; None where the source does not tell them."""
    answer: str = ""
    """The text without the model's reasoning, as markdown. Of a workflow app whose run ended well: what is text among
    its outputs, in their order with a line between them, or where none is, the outputs as text."""
    answer_raw: str = ""
    """The text as it was streamed, reasoning included; after `message_replace`, the replacement."""
    reasoning: str = ""
    status: Status = "running"
    end: End | None = None
    """How it ended; None while it runs."""
    stop_confirmed: bool | None = None
    """After a stop: whether the server said that it heard; None when nobody stopped it."""
    error: TurnError | None = None
    complete: bool = False
    """Whether everything that was sent arrived and could be read."""
    warnings: tuple[Warning_, ...] = ()
    thoughts: tuple[Thought, ...] | None = None
    logs: tuple[AgentLog, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    files: tuple[MessageFile, ...] | None = None
    citations: tuple[Citation, ...] | None = None
    usage: Usage | None = None
    timing: Timing | None = None
    suggested: tuple[str, ...] | None = None
    """Questions that could come next, where they were asked for."""
    feedback: str | None = None
    """like or dislike; None where it was not rated."""
    workflow: Workflow | None = None
    forms: tuple[Form, ...] = ()
    audio: Audio | None = None
    annotation: Mapping[str, Any] | None = None
    """The annotation that answered instead of the model, as told."""
    replaced: bool = False
    """Whether moderation replaced the text (`message_replace`)."""
    message_id: str | None = None
    conversation_id: str | None = None
    task_id: str | None = None
    workflow_run_id: str | None = None
    user: str | None = None
    server: str | None = None
    """Base URL that answered, without any key."""
    app: str | None = None
    """Name of the app, where known."""
    app_mode: str | None = None
    """One of `wire.kinds.AppMode` (advanced-chat is a chatflow), where known."""
    turn_number: int | None = None
    """Which turn of its conversation this is, from 1, where known."""
    conversation_name: str | None = None
    created_at: datetime | None = None
    """Aware, in UTC: when the question was sent, else as the server tells."""
    source: Literal["stream", "blocking", "tape", "history"] = "stream"
    tape: Any = msgspec.field(default=None)
    """What came over the wire, with times (`dify_notebook.tape.Tape`), where kept."""
    reasoning_chunks: str = ""
    """The part of `reasoning` that came in events of its own."""
    agent_spoke: bool = False
    """Whether text came as `agent_message`; then a `message` closes it: that is the answer."""
    pings: int = 0
    """How many the server sent to keep the connection."""
    halves: tuple[str, ...] = ()
    """While it runs: its texts (answer, reasoning) that end in half a character, which the next piece may complete."""
    reasoning_by_node: Mapping[str, str] | None = None
    """What `reasoning_chunks` has of each node, by node id; None where the server does not tell (Dify 1.15 does)."""
    placing: Placing | None = None
    """How a cell that was run again came to stand here; None where it is the next turn of its conversation."""

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return self.status == "running"

    @property
    def events(self) -> Sequence[Any] | None:
        """The wire's events with their times, a lazy view on the tape; None when it was not kept."""
        return None if self.tape is None else self.tape.events

    @cached_property  # in a loop over rows it is asked for again and again
    def outputs(self) -> dict[str, Any] | None:
        """What the run gave, by name, as the server says it (`workflow_finished`); each time the same dict.

        Its files are `MessageFile`s: those of `files`, with what was fetched of them. What is changed in it changes
        nothing of the turn.

        None without a run, and where none were told (yet).
        """
        outputs = self.workflow.outputs if self.workflow is not None else None
        if not isinstance(outputs, Mapping):
            return None
        from .convert import with_files

        names, values = map(str, outputs), with_files(list(outputs.values()), self.files or ())
        return Values(zip(names, values, strict=True))

    def raise_for_status(self) -> Turn:
        """Return the turn itself, or raise the `DifyError` that its failure means.

        Raises:
            DifyError: the stream ended in an error, or before it was complete.
        """
        raise_for_turn(self)
        return self

    # -- how it is shown, and what becomes of it: rooms above this one, imported when they are asked for

    def __repr__(self) -> str:
        text = shown(self.answer, 120)
        return f"<Turn {self.status} {text if len(text) <= 60 else text[:57] + '...'!r}>"

    def __str__(self) -> str:
        """The answer as it may be printed; `answer` is what came."""
        return shown(self.answer)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from ..views import bundle

        return displayed(bundle(self))

    def nodes_frame(self) -> pd.DataFrame:
        """The workflow nodes as a pandas DataFrame (table `nodes` of `frames.SCHEMA`)."""
        from .. import frames

        return frames.nodes(self)

    def thoughts_frame(self) -> pd.DataFrame:
        """The agent's tool calls as a pandas DataFrame (table `thoughts` of `frames.SCHEMA`)."""
        from .. import frames

        return frames.thoughts(self)

    def events_frame(self) -> pd.DataFrame:
        """The events of the stream as a pandas DataFrame (table `events` of `frames.SCHEMA`)."""
        from .. import frames

        return frames.events(self)

    @property
    def plot(self) -> TurnPlots:
        """Charts (extra `plot`): `turn.plot.timeline()`."""
        from ..frames.plots import TurnPlots

        return TurnPlots(self)
