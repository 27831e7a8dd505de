"""What the kernel tells the browser about a chat panel: custom messages of its widget.

They are numbered (`n`, from 1, one more for each). A browser that misses one says hello and leaves out what
comes until the next `texts`, which begins a whole picture: texts, all states, all turns, the whole tree of
each turn's view. Contents (files, sound) travel as binary buffers beside a message, never inside.

`js/src/panel/protocol.gen.ts` is made from this file and `commands.py`; a test says when it is no longer so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..live.protocol import FormState
from ..turn.state import Status as TurnStatus
from ..wire.kinds import AppMode, PlainControl

BlockForm = Annotated[list[Any], msgspec.Meta(title="Block")]
"""A `views.Block` in the form of the wire (`views.diff.to_wire`)."""
Rating = Literal["like", "dislike"]
Control = Literal[PlainControl, "json"]


class Value(msgspec.Struct, frozen=True):
    """A part of a message; nothing is left out, what is absent is null."""


class Problem(Value, frozen=True):
    """An error in the reader's words."""

    message: str
    hint: str | None = None
    """What to do about it."""


# ------------------------------------------------------------------ values of states


class Icon(Value, frozen=True):
    """The app's picture: an emoji on a colour, or an image as a data URI."""

    emoji: str | None = None
    background: str | None = None
    """A CSS colour, checked (#rgb, #rrggbb, #rrggbbaa)."""
    src: str | None = None


class FileRules(Value, frozen=True):
    """What the app takes as attachments of a question."""

    number: int
    """How many at most."""
    types: list[str]
    """image, document, audio, video, custom."""
    extensions: list[str]
    """For the accept attribute: ".pdf" and so on."""
    rules: str
    """The rules as a sentence, said before an upload."""
    sizes: dict[str, int]
    """Largest size in bytes by type."""


class Field(Value, frozen=True):
    """One input of the app's form."""

    name: str
    label: str
    control: Control
    required: bool
    max_length: int | None
    options: list[str]
    default: Any
    """The value to begin with, null for none."""
    hint: str
    """What is to be known about it (kinds and sizes of files); may be empty."""
    accept: str
    """The accept attribute of a file input; may be empty."""
    number: int | None
    """How many files at most, for file-list."""


class Offers(Value, frozen=True):
    """What a panel offers for apps of one mode: see `offers.py`."""

    asks: Literal["question", "run"]
    """A question that is written, in a conversation; or a form that is filled in, and run."""
    history: Literal["conversations", "runs", "here"]
    """What the list at the side has; `here`: what was run from here, where the server lists nothing."""
    conversations: bool
    """Whether there are conversations to begin, name and delete."""
    suggestions: bool
    annotations: bool
    variables: bool


class App(Value, frozen=True):
    """What the panel talks to."""

    name: str
    mode: AppMode
    offers: Offers
    description: str
    icon: Icon | None
    server: str
    """Who answers, in words."""
    local: bool
    """Whether that is the embedded server."""
    opening: BlockForm | None
    """The opening statement, rendered."""
    suggested: list[str]
    """Questions to begin with."""
    speech_to_text: bool
    text_to_speech: bool
    autoplay: bool
    annotations: bool
    """Whether annotations can be made."""
    files: FileRules | None
    """None when the app takes no attachments."""
    form: list[Field]


class Resume(Value, frozen=True):
    """A conversation to go on with."""

    id: str
    name: str


class Conversation(Value, frozen=True):
    """The conversation on show."""

    id: str | None
    """None before its first question."""
    name: str
    inputs: dict[str, Any]
    frozen: str | None
    """Why the inputs cannot be changed any more; None while they can."""
    older: bool
    """Whether there are older turns to ask for."""
    loading: bool
    totals: str
    """Turns, tokens, price and time of what is shown, in words."""
    notice: str | None
    """Something to be known, such as that the kernel was restarted."""
    resume: Resume | None
    """What the notice offers to open."""


class Listed(Value, frozen=True):
    """One line in the list of conversations, or of runs."""

    id: str
    name: str
    when: str
    current: bool
    status: str
    """How a run ended; empty for a conversation."""
    facts: str


class Deleted(Value, frozen=True):
    """A conversation that is deleted unless `undo` comes in time."""

    id: str
    name: str


class Conversations(Value, frozen=True):
    """The list of conversations, or of runs, newest first."""

    items: list[Listed]
    more: bool
    loading: bool
    search: str
    deleted: Deleted | None


class Variable(Value, frozen=True):
    """A conversation variable."""

    id: str
    name: str
    type: str
    value: str
    """JSON text."""
    description: str


class Variables(Value, frozen=True):
    """The conversation's variables."""

    items: list[Variable]


class Queued(Value, frozen=True):
    """A question that waits behind the running one."""

    id: str
    query: str


class Status(Value, frozen=True):
    """How the panel is."""

    running: str | None
    """The key of the turn that is being answered."""
    stopping: bool
    connected: bool
    """Whether the server has answered and the app is known."""
    error: Problem | None


# ------------------------------------------------------------------ turns


class Attachment(Value, frozen=True):
    """A file of a question."""

    id: str
    name: str
    type: str
    size: int | None
    """Bytes, where known."""
    thumb: str | None
    """A small picture as a data URI."""


class Download(Value, frozen=True):
    """A file of an answer; its content comes by the command `file`."""

    id: str
    name: str
    type: str
    size: int | None


class Can(Value, frozen=True):
    """What may be done with a turn."""

    retry: bool
    take_up: bool
    """Whether its inputs can be put into the form again."""
    read_on: bool
    """Whether more of it may have come at the server."""
    regenerate: bool
    rate: bool
    annotate: bool
    speak: bool


class NodeLine(Value, frozen=True):
    """A step whose details may be asked for by the command `node`."""

    id: str
    title: str


class TurnMeta(Value, frozen=True):
    """A question and what belongs to its answer besides the blocks of its view."""

    key: str
    view: int
    """The number that patches of its blocks carry."""
    query: str
    title: str
    """What it is called in labels and lists."""
    files: list[Attachment]
    status: TurnStatus
    message_id: str | None
    rating: Rating | None
    comment: str | None
    annotated: bool
    can: Can
    suggested: list[str]
    """Next questions."""
    downloads: list[Download]
    audio: bool
    """Whether sound came with the answer; ask with `sound`."""
    when: str
    facts: str
    """Tokens, price and time in words."""
    nodes: list[NodeLine]
    say: str | None
    """For a screen reader: a change of status, never a piece of the answer."""
    forms: list[FormState]
    """What its run asks, and waits for."""


# ------------------------------------------------------------------ messages


class Numbered(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True):
    """What every message of the kernel carries."""

    n: int = 0
    """Its number; set when it is sent."""


class Texts(Numbered, frozen=True, kw_only=True, tag="texts"):
    """All labels, templates with {name}; begins a whole picture."""

    lang: Literal["en", "zh-Hans"]
    texts: dict[str, str]
    height: int
    """Of the panel, in CSS pixels."""
    kept: str = ""
    """A style rule for the page, in force while the panel is shown: it hides the saved conversation, which
    lies in an output of its own."""


class StatePart(Numbered, frozen=True, kw_only=True, tag_field="part"):
    """Replaces a part of the state."""

    kind: Literal["state"] = "state"


class SetApp(StatePart, frozen=True, kw_only=True, tag="app"):
    value: App


class SetConversation(StatePart, frozen=True, kw_only=True, tag="conversation"):
    value: Conversation


class SetConversations(StatePart, frozen=True, kw_only=True, tag="conversations"):
    value: Conversations


class SetVariables(StatePart, frozen=True, kw_only=True, tag="variables"):
    value: Variables | None
    """None: the app has none, or they were not asked for."""


class SetQueue(StatePart, frozen=True, kw_only=True, tag="queue"):
    value: list[Queued]


class SetStatus(StatePart, frozen=True, kw_only=True, tag="status"):
    value: Status


class Turns(Numbered, frozen=True, kw_only=True, tag="turns"):
    """Replaces the list, or puts older ones before it; oldest first."""

    items: list[TurnMeta]
    where: Literal["all", "older"]


class PutTurn(Numbered, frozen=True, kw_only=True, tag="turn"):
    """Replaces the turn of that key, or adds it at the end."""

    item: TurnMeta


class PatchView(Numbered, frozen=True, kw_only=True, tag="patch"):
    """Blocks of a turn's view: see `live.protocol`."""

    patch: Annotated[Any, msgspec.Meta(title="Patch | Packed")]
    """A `live.protocol.Patch` or `Packed`."""


class Heard(Numbered, frozen=True, kw_only=True, tag="heard"):
    """The command arrived; sent at once by the thread that hears."""

    id: int


class Reply(Numbered, frozen=True, kw_only=True, tag="reply"):
    """A command has ended; some bring a buffer."""

    id: int
    ok: bool
    value: Any = None
    """One of the *Value forms, by the command; null for most."""
    error: Problem | None = None


class Progress(Numbered, frozen=True, kw_only=True, tag="progress"):
    """How far an upload to the server is."""

    upload: str
    sent: int
    total: int
    file: Attachment | None = None
    """Set when it is done."""
    error: Problem | None = None


class Sound(Numbered, frozen=True, kw_only=True, tag="sound"):
    """A piece of a running turn's speech, in a buffer."""

    key: str
    mime: str
    last: bool


SetState = SetApp | SetConversation | SetConversations | SetVariables | SetQueue | SetStatus
FromKernel = Texts | SetState | Turns | PutTurn | PatchView | Heard | Reply | Progress | Sound
