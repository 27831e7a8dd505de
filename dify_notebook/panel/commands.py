"""What the browser commands, and the values that replies bring: custom messages of the panel's widget.

A command is acknowledged at once (`messages.Heard`) and replied to at its end (`messages.Reply`). Contents travel as
binary buffers beside it, as those of the kernel's messages.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .messages import Attachment, Rating, Value


class Command(msgspec.Struct, frozen=True, tag_field="what", kw_only=True):
    """What every command carries."""

    kind: Literal["do"] = "do"
    id: int
    """From a random start in each browser view, one more for each."""


class Hello(Command, frozen=True, kw_only=True, tag="hello"):
    """The browser has nothing (have = 0), or missed what came after `have`."""

    lang: list[str]
    """navigator.languages"""
    have: int


class Ask(Command, frozen=True, kw_only=True, tag="ask"):
    """Ask a question, or queue it behind the running one. Replies when it was sent or queued."""

    query: str
    """Empty for an app that is run: its text is an input."""
    inputs: dict[str, Any]
    """By field name; files of the form are upload ids."""
    files: list[str]
    """Upload ids."""


class Stop(Command, frozen=True, kw_only=True, tag="stop"):
    """Stop the running answer."""


class Retry(Command, frozen=True, kw_only=True, tag="retry"):
    """Ask again what failed; it replaces the failed turn."""

    key: str


class Regenerate(Command, frozen=True, kw_only=True, tag="regenerate"):
    """Ask the same again as a new turn."""

    key: str


class TakeUp(Command, frozen=True, kw_only=True, tag="take_up"):
    """Put the inputs of a run into the form again."""

    key: str


class Unqueue(Command, frozen=True, kw_only=True, tag="unqueue"):
    queue: str


class Submit(Command, frozen=True, kw_only=True, tag="submit"):
    """Answer a form of a run that waits. Replies when the server has taken it, or why it has not."""

    key: str
    form: str
    """Its place."""
    action: str
    """The number of the button, as a text."""
    inputs: dict[str, str | list[str]]
    """By the number of the field: what stands in it, of files their upload ids."""


class ReadOn(Command, frozen=True, kw_only=True, tag="read_on"):
    """Read on in a run that paused, or whose connection was lost."""

    key: str


class Rate(Command, frozen=True, kw_only=True, tag="rate"):
    """Rate an answer; no rating revokes it."""

    key: str
    rating: Rating | None
    comment: str | None


class Annotate(Command, frozen=True, kw_only=True, tag="annotate"):
    """Make an annotation of a turn: this question is answered so from now on."""

    key: str
    question: str
    answer: str


class ListConversations(Command, frozen=True, kw_only=True, tag="conversations"):
    """List from the top, or (`more`) go on where the list ends."""

    search: str
    more: bool


class OpenConversation(Command, frozen=True, kw_only=True, tag="open"):
    """Show what has that line in the list."""

    conversation: str


class New(Command, frozen=True, kw_only=True, tag="new"):
    """Begin a new conversation with the next question."""


class Rename(Command, frozen=True, kw_only=True, tag="rename"):
    conversation: str
    name: str | None
    """None lets the server find a name."""


class Delete(Command, frozen=True, kw_only=True, tag="delete"):
    """Delete in 6 s unless `undo` comes."""

    conversation: str


class Undo(Command, frozen=True, kw_only=True, tag="undo"):
    conversation: str


class Older(Command, frozen=True, kw_only=True, tag="older"):
    """Load turns before the first."""


class LoadVariables(Command, frozen=True, kw_only=True, tag="variables"):
    pass


class SetVariable(Command, frozen=True, kw_only=True, tag="set_variable"):
    variable: str
    value: str
    """JSON text."""


class Upload(Command, frozen=True, kw_only=True, tag="upload"):
    """Begin an upload; the whole file in a buffer, or none and `upload_part`s after it."""

    upload: str
    """An id made by the browser."""
    name: str
    type: str
    """Its mime type, as the browser believes."""
    size: int
    field: str | None
    """The form's field that it is for; None for an attachment."""
    form: str | None = None
    """The place of a run's form, whose field has that number; None for the app's form."""


class UploadPart(Command, frozen=True, kw_only=True, tag="upload_part"):
    """A piece in a buffer."""

    upload: str
    offset: int
    last: bool


class UploadCancel(Command, frozen=True, kw_only=True, tag="upload_cancel"):
    upload: str


class Hear(Command, frozen=True, kw_only=True, tag="hear"):
    """Turn a recorded voice (in a buffer) into text."""

    mime: str


class Speak(Command, frozen=True, kw_only=True, tag="speak"):
    """Read an answer aloud."""

    key: str


class AskSound(Command, frozen=True, kw_only=True, tag="sound"):
    """The sound that came with an answer."""

    key: str


class AskFile(Command, frozen=True, kw_only=True, tag="file"):
    key: str
    file: str


class AskNode(Command, frozen=True, kw_only=True, tag="node"):
    key: str
    node: str


class Copy(Command, frozen=True, kw_only=True, tag="copy"):
    key: str
    as_: Literal["markdown", "cell"] = msgspec.field(name="as")


class Export(Command, frozen=True, kw_only=True, tag="export"):
    as_: Literal["markdown", "cells"] = msgspec.field(name="as")


# ------------------------------------------------------------------ values of replies


class TextValue(Value, frozen=True):
    """Reply to `hear` and `copy`."""

    text: str


class SoundValue(Value, frozen=True):
    """Reply to `speak` and `sound`, with a buffer."""

    mime: str


class FileValue(Value, frozen=True):
    """Reply to `file`, with a buffer."""

    name: str
    mime: str


class ExportValue(Value, frozen=True):
    """Reply to `export`: a file name and its text."""

    name: str
    text: str


class TakenValue(Value, frozen=True):
    """Reply to `take_up`: the other values are in the state by then."""

    files: dict[str, list[Attachment]]
    """By field: files that can be sent again, each with the id of an upload."""
    left: str
    """What could not be taken up, in words; may be empty."""


class NodeValue(Value, frozen=True):
    """Reply to `node`; long texts and lists inside are cut, and say so."""

    title: str
    status: str
    inputs: Any
    process_data: Any
    outputs: Any
    error: str | None


ReplyValue = TextValue | SoundValue | FileValue | ExportValue | TakenValue | NodeValue
FromBrowser = (
    Hello
    | Ask
    | Stop
    | Retry
    | Regenerate
    | TakeUp
    | Unqueue
    | Submit
    | ReadOn
    | Rate
    | Annotate
    | ListConversations
    | OpenConversation
    | New
    | Rename
    | Delete
    | Undo
    | Older
    | LoadVariables
    | SetVariable
    | Upload
    | UploadPart
    | UploadCancel
    | Hear
    | Speak
    | AskSound
    | AskFile
    | AskNode
    | Copy
    | Export
)


def read(content: object) -> FromBrowser | None:
    """The command that the browser sent; None for anything else (a newer or a foreign one)."""
    try:
        command: FromBrowser = msgspec.convert(content, FromBrowser)
    except msgspec.ValidationError:
        return None
    return command
