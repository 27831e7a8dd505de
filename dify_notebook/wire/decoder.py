"""Frames to events. What cannot be read is kept as `Unknown`, never raised."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, Union

import msgspec

from ..error_bodies import error_of
from ..redact import has_form_token, without_form_tokens
from ..secret import Secret
from .events import OURS, Error, Event, Ping, Unknown, own_events, wire_events
from .form_tokens import hide_tokens
from .loose import MAX_DEPTH, check_depth, is_shallow, raw_loads, replace_surrogates
from .sse import STRAY, Frame
from .surrogates import Surrogates


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    """Built when the first event comes, not on import."""
    # strict=False: the documents' own examples hold "total_steps": "1".
    return msgspec.json.Decoder(Union[tuple(wire_events().values())], strict=False)  # noqa: UP007


@cache
def _own_decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Union[own_events()])  # noqa: UP007


def own_frame(event: Event) -> Frame:
    """The frame in which a tape keeps what happened on this side of the wire; `decode` reads it."""
    return OURS, encoded(event)


def encoded(event: Event) -> bytes:
    """An event as JSON, without the token of a form."""
    return msgspec.json.encode(event, enc_hook=_without_secret)


def _without_secret(value: object) -> None:
    if not isinstance(value, Secret):
        raise NotImplementedError(type(value).__name__)


def decode(frame: Frame, at: float = 0.0, surrogates: Surrogates | None = None) -> Event:
    """The event that a frame holds. Never raises; what is nested deeper than `MAX_DEPTH` is damaged.

    What is no character is U+FFFD, and counted in `unread`. The token of a form is a `Secret`.

    Args:
        frame: event name and data, as the splitter gives them.
        at: seconds since the question was sent.
        surrogates: of the stream, whose frames come in order; then a character that two events share is whole.
    """
    event = _decode(frame, at, surrogates)
    if frame[1] is not None and has_form_token(frame[1]):
        _hide_tokens(event)
    return event


def _hide_tokens(event: Event) -> None:
    """Put a `Secret` in the place of each form's token: with it anybody may answer the form."""
    if isinstance(event, Unknown):
        event.raw = without_form_tokens(event.raw)
        return
    hide_tokens([getattr(event, name) for name in event.__struct_fields__])


def _decode(frame: Frame, at: float, surrogates: Surrogates | None) -> Event:
    name, data = frame
    if data is None:
        return Ping(at=at) if name == "ping" else Unknown(name=name, at=at)
    if name == STRAY:
        return _decode_loosely(name, data, at, surrogates)
    if name == OURS:
        return _own(data, at)
    try:
        event: Event = _decoder().decode(data)
        if len(data) > 2 * MAX_DEPTH and data.count(b"[") + data.count(b"{") > MAX_DEPTH:
            check_depth(list(msgspec.structs.astuple(event)))
    except (ValueError, RecursionError) as problem:  # of msgspec, or broken UTF-8
        return _decode_loosely(name, data, at, surrogates, str(problem))
    if surrogates is not None and surrogates.pending and (event.ANSWER or event.REASONING or event.ENDS_TEXT):
        return _decode_loosely(name, data, at, surrogates)
    event.at = at
    return event


def _own(data: bytes, at: float) -> Event:
    try:
        event: Event = _own_decoder().decode(data)
    except (ValueError, RecursionError) as problem:  # of a newer version, or spoilt
        return Unknown(raw=data, damaged=True, reason=str(problem), at=at)
    event.at = at
    return event


def _decode_loosely(name: str, data: bytes, at: float, surrogates: Surrogates | None, reason: str = "") -> Event:
    """Read what can be read without guessing; tell an event that is new to us from a line that is damaged."""
    if data.strip() == b"[DONE]":  # a habit of other APIs that gateways add
        return Unknown(name="[DONE]", raw=data, at=at)
    stray, name = name == STRAY, "" if name == STRAY else name
    value: Any = None
    unread = 0
    with suppress(ValueError, RecursionError):
        value, unread = raw_loads(data)
        if isinstance(value, dict) and value.get("event", name) == "error":
            value = {field: item for field, item in value.items() if is_shallow(item)}
        elif not is_shallow(value):
            value = None
    if isinstance(value, dict):
        tag = value.get("event", name or None)
        if stray and tag is not None and tag != "error":  # an event without `data:` is none
            return Unknown(raw=data, at=at)
        kind = wire_events().get(tag) if isinstance(tag, str) else None
        if kind is not None:
            half = surrogates is not None and surrogates.join(kind, value)
            value, halves = replace_surrogates(value)
            event = _converted(kind, value)
            if event is not None:
                event.at, event.unread, event.half = at, unread + halves, half
                return event
        elif isinstance(tag, str):
            return Unknown(name=tag.encode("utf-8", "replace").decode(), raw=data, at=at)
        elif tag is None:
            value, halves = replace_surrogates(value)
            if (error := _error_of_body(value)) is not None:
                error.at, error.unread = at, unread + halves
                return error
    if name == "error" and (words := value if isinstance(value, str) else "" if value is not None else _text(data)):
        return Error(message=words, at=at)
    if name == "ping" and not (isinstance(value, dict) and "event" in value):
        return Ping(at=at)  # whatever stands beside it (nothing, a time) is no answer
    return Unknown(name=name, raw=data, damaged=not stray, reason=reason, at=at)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip()


def _error_of_body(body: dict[str, Any]) -> Event | None:
    """The error of a body that names no event: see `error_bodies`."""
    error = error_of(body)
    return None if error is None else _converted(Error, error)


_OURS = frozenset(field.name for field in msgspec.structs.fields(Event))


@cache
def _fields(kind: type[Event]) -> tuple[tuple[str, Any], ...]:
    return tuple((field.encode_name, field.type) for field in msgspec.structs.fields(kind) if field.name not in _OURS)


def _converted(kind: type[Event], values: dict[str, Any]) -> Event | None:
    """The event whose fields are written in another way: a number where text belongs, an empty thing for none.

    None where one cannot be read so. An error is never lost: what cannot be read of it is left out.
    """
    fields: dict[str, Any] = {}
    for name, type_ in _fields(kind):
        if name not in values:
            continue
        value = values[name]
        forms = [value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            forms.append(str(value))
        if not value and not isinstance(value, (int, float)):
            forms.append(None)  # "", [] and {} say nothing, whatever belongs there
        if kind is Error:
            forms += [msgspec.json.encode(value).decode(), None]
        for form in forms:
            try:
                fields[name] = msgspec.convert(form, type_, strict=False)
                break
            except msgspec.ValidationError:
                continue
        else:
            return None
    return msgspec.convert(fields | {"event": kind.__struct_config__.tag}, kind)
