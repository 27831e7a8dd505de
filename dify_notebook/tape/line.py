"""One line of a tape as it lies on a disk: redacted, and the same for the file of a run and for a running answer."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import msgspec

from ..printable import BoundedRepr
from ..redact import redact
from ..wire.sse import Frame

_BASE64_MARK = "base64:"
"""What earlier versions put before the data of bytes that are no text, and nothing told from a text that begins so."""


class Entry(BoundedRepr, msgspec.Struct, array_like=True):
    """One line of a tape on disk: seconds since sent, event name, data (None: a ping), and how the data is written."""

    at: float
    name: str
    data: str | None
    form: Literal["text", "base64"] | None = None
    """`base64` behind the mark where the data is no text, `text` where a text begins like the mark; a line without it
    may be of an earlier version, which knew the mark alone."""


class Header(BoundedRepr, msgspec.Struct, kw_only=True, omit_defaults=True):
    """The first line of a tape on disk."""

    tape: int = 1
    """Version of the form."""
    created_at: str = ""
    """Wall clock when the question was sent, ISO 8601 in UTC."""
    query: str | None = None
    server: str | None = None
    app: str | None = None
    user: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    status: str | None = None
    app_mode: str | None = None
    """Of the app, as far as it was known."""
    workflow_run_id: str | None = None
    """What tells a run of a workflow app apart, whose turns have no message."""


def line_of(at: float, frame: Frame) -> bytes:
    """One entry as it may lie on a disk: redacted, then written."""
    name, data = frame
    start = (round(at, 4), redact(name))
    if data is None:
        return msgspec.json.encode((*start, None))
    data = redact(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return msgspec.json.encode((*start, _BASE64_MARK + base64.b64encode(data).decode(), "base64"))
    return msgspec.json.encode((*start, text, "text") if text.startswith(_BASE64_MARK) else (*start, text))


def entry_of(line: bytes) -> tuple[float, Frame]:
    """The entry of a line, of this version or an earlier one.

    Raises:
        msgspec.DecodeError: it is none.
    """
    entry = msgspec.json.decode(line, type=Entry)
    return entry.at, (entry.name, None if entry.data is None else _data(entry.data, entry.form))


def _data(text: str, form: str | None) -> bytes:
    if form == "text" or not text.startswith(_BASE64_MARK):
        return text.encode()
    try:
        return base64.b64decode(text[len(_BASE64_MARK) :], validate=True)
    except binascii.Error as problem:
        if form is None:  # an earlier version wrote a text so
            return text.encode()
        raise msgspec.DecodeError(str(problem)) from None
