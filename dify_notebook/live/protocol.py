"""What kernel and browser say to each other about live views: custom messages of one widget.

`js/src/protocol.gen.ts` is made from this file; a test says when it is no longer so.
"""

from __future__ import annotations

import base64
import zlib
from typing import Annotated, Any, Literal

import msgspec


class Labels(msgspec.Struct, frozen=True):
    """Every text that the browser shows by itself, so that it knows no language."""

    stop: str
    """On the button."""
    stopping: str
    """On the button after a click."""
    queued: str
    """When the kernel works on something else: the stop waits for its turn."""
    interrupt: str
    """On the second button, which interrupts what the kernel works on."""
    confirm: str
    """The question before that."""


class Open(msgspec.Struct, frozen=True):
    """A view begins; sent before its display, and again in each whole tree."""

    view: int
    blocking: bool
    """Whether the kernel is busy with this very view until it closes."""
    labels: Labels
    kind: Literal["open"] = "open"


class Patch(msgspec.Struct, frozen=True, omit_defaults=True):
    """Operations (see `views.diff`) that make state `seq`.

    Without `base` it is valid on state `seq - 1` only; with it, on every state from
    `base` to `seq`, and base 0 means the whole tree, valid on anything.
    """

    view: int
    seq: int
    ops: list[Any]
    base: int | None = None
    open: Open | None = None
    """In a whole tree, for whoever missed the beginning."""
    say: str | None = None
    """For a screen reader: a change of status, never a piece of the answer."""


class Packed(msgspec.Struct, frozen=True):
    """A long `Patch`: repairs and whole trees, which repeat what was sent, are mostly of this kind."""

    view: int
    packed: str
    """Its JSON, deflated (zlib) and in base64."""


class Close(msgspec.Struct, frozen=True):
    """The view has ended; nothing more comes for it."""

    view: int
    kind: Literal["close"] = "close"


class Heard(msgspec.Struct, frozen=True):
    """The stop arrived, and the kernel acts on it."""

    view: int
    kind: Literal["heard"] = "heard"


class FormField(msgspec.Struct, frozen=True):
    """A value that a form asks for."""

    name: str
    """Its key in `Submit.inputs`: its number."""
    control: Literal["area", "line", "choice", "file"]
    label: str
    value: str
    """What stands in it before anybody writes."""
    options: list[str]
    required: bool
    note: str
    """Below it: what is to be known of it."""
    many: bool = False
    """Of a file: whether it takes several."""


class FormPart(msgspec.Struct, frozen=True):
    """A piece of what a form says, and the field that comes after it."""

    blocks: list[Annotated[Any, msgspec.Meta(extra_json_schema={"title": "Block"})]]
    """Harmless, as in a tree of `views`."""
    field: FormField | None = None


class FormAction(msgspec.Struct, frozen=True):
    """A button."""

    id: str
    """Its number."""
    title: str
    style: Literal["primary", "default", "accent", "ghost"]


class FormLabels(msgspec.Struct, frozen=True):
    """The texts that the browser shows by itself in a form."""

    lang: str
    """The language of these, as BCP 47 names it; the browser writes the time that is left in it."""
    required: str
    choose: str
    """The first line of a choice without a default."""
    missing: str
    """Under a field that has to have a value; holds {name}."""
    expires: str
    """Holds {time}, as "in 3 days"."""
    expired: str
    sending: str
    silent: str
    """When the kernel has said nothing of an answer for a while: it works on something else."""
    gone: str
    """When the kernel has ended."""


class FormState(msgspec.Struct, frozen=True):
    """A form of a run that waits, as the browser shows it. What a server calls things stays in the kernel: here they
    have numbers, and the form the name of its place. No token comes here."""

    place: str
    """Its name: the class of the elements that it is shown in (`views.form_place`)."""
    status: Literal["waiting", "sending", "done", "expired"]
    title: str
    parts: list[FormPart]
    actions: list[FormAction]
    left: float | None
    """Seconds until it expires, when this was made."""
    labels: FormLabels
    error: str = ""
    """Why it was refused: it waits again."""


class Forms(msgspec.Struct, frozen=True):
    """The forms of a view whose run waits, or has gone on while some still do; all of them, each time."""

    view: int
    forms: list[FormState]
    running: bool
    """Whether the view is open; if not, it has ended for now, and its saved form stands in its place."""
    kind: Literal["forms"] = "forms"


class Hello(msgspec.Struct, frozen=True, tag_field="kind", tag="hello"):
    """The browser lacks something: it was loaded again (no view), or missed patches."""

    view: int | None = None
    seq: int = 0
    """The state that it has."""


class Stop(msgspec.Struct, frozen=True, tag_field="kind", tag="stop"):
    """The button was pressed."""

    view: int


class Submit(msgspec.Struct, frozen=True, tag_field="kind", tag="submit"):
    """A button of a form was pressed."""

    view: int
    form: str
    """Its `FormState.place`."""
    action: str
    inputs: dict[str, str]
    """By `FormField.name`: texts, and of a choice the number of the option; what has no value is left out."""


FromKernel = Open | Patch | Packed | Close | Heard | Forms
FromBrowser = Hello | Stop | Submit


PACK_FROM = 1000
"""Bytes of JSON from which packing is worth its while."""


def pack(message: Patch) -> Patch | Packed:
    """The shorter form of the message."""
    text = msgspec.json.encode(message)
    if len(text) < PACK_FROM:
        return message
    return Packed(message.view, base64.b64encode(zlib.compress(text)).decode("ascii"))


def unpack(message: Patch | Packed) -> Patch:
    """The message itself, as the browser reads it."""
    if isinstance(message, Patch):
        return message
    return msgspec.json.decode(zlib.decompress(base64.b64decode(message.packed)), type=Patch)


def read(content: object) -> FromBrowser | None:
    """The message that the browser sent; None for anything else (a newer or a foreign one)."""
    try:
        message: FromBrowser = msgspec.convert(content, FromBrowser)
    except msgspec.ValidationError:
        return None
    return message
