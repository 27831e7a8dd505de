"""What the wire calls numbers, times, prices and files, as the values of a turn.

Each takes whatever JSON gives and answers None (or nothing) for what it cannot read: a field that a
server writes differently must not end a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, cast

import msgspec

from ..redact import redact
from ..wire.loose import is_shallow
from .state import Citation, MessageFile, Usage

PLACES = 60
"""Digits that a price has before and after its point at most; Dify's have seven after it."""
_CITATION_FIELDS = frozenset(Citation.__struct_fields__) - {"extra"}


def as_float(value: object) -> float | None:
    """A finite number, or None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def as_int(value: object) -> int | None:
    """A whole number, or None for what is none."""
    number = as_float(value)
    return int(number) if number is not None and abs(number) < 1e18 else None


def as_decimal(value: object) -> Decimal | None:
    """An exact price; Dify sends text such as "0E-7", and floats in its examples.

    None for what has more than `PLACES` places: written out, it would be as long as its exponent says.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() > PLACES:
        return None
    return number if cast(int, number.as_tuple().exponent) >= -PLACES else None


def as_size(value: object) -> int | None:
    """Bytes, or None where the server does not know (-1)."""
    size = as_int(value)
    return size if size is not None and size >= 0 else None


def as_text(value: object) -> str:
    """Text as it is; other JSON as JSON text; nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def as_dict(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def as_time(value: object) -> datetime | None:
    """An aware time in UTC from seconds, milliseconds or ISO text; None for what is none."""
    number = as_float(value)
    if number is not None:
        if abs(number) > 1e11:  # seconds reach this in the year 5138: these are milliseconds
            number /= 1000
        try:
            return datetime.fromtimestamp(number, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str) and value:
        try:
            time = datetime.fromisoformat(value)
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (OverflowError, ValueError):
            return None
    return None


def as_usage(data: Mapping[str, Any]) -> Usage:
    """The `usage` of a message_end."""
    return Usage(
        prompt_tokens=as_int(data.get("prompt_tokens")),
        completion_tokens=as_int(data.get("completion_tokens")),
        total_tokens=as_int(data.get("total_tokens")),
        prompt_price=as_decimal(data.get("prompt_price")),
        completion_price=as_decimal(data.get("completion_price")),
        total_price=as_decimal(data.get("total_price")),
        currency=data.get("currency") if isinstance(data.get("currency"), str) else None,
        latency=as_float(data.get("latency")),
        time_to_first_token=as_float(data.get("time_to_first_token")),
    )


def as_citation(data: Mapping[str, Any]) -> Citation:
    """One of the `retriever_resources`."""
    known: dict[str, Any] = {k: v for k, v in data.items() if k in _CITATION_FIELDS}
    known["position"] = as_int(known.get("position"))
    known["score"] = as_float(known.get("score"))
    known["content"] = as_text(known.get("content"))
    for name in ("dataset_id", "dataset_name", "document_id", "document_name", "segment_id"):
        known[name] = as_text(known.get(name)) or None
    extra = {k: v for k, v in data.items() if k not in _CITATION_FIELDS}
    return Citation(**known, extra=extra or None)


def as_file(data: Mapping[str, Any]) -> MessageFile:
    """A file as message_end and the history write it."""
    return MessageFile(
        id=as_text(data.get("related_id") or data.get("id")) or None,
        type=as_text(data.get("type")),
        belongs_to=as_text(data.get("belongs_to")) or "assistant",
        name=as_text(data.get("filename")) or None,
        mime_type=as_text(data.get("mime_type")) or None,
        size=as_size(data.get("size")),
        url=as_text(data.get("url") or data.get("remote_url")) or None,
        upload_file_id=as_text(data.get("upload_file_id")) or None,
        transfer_method=as_text(data.get("transfer_method")) or None,
        extension=as_text(data.get("extension")) or None,
        reference=as_text(data.get("reference")) or None,
    )


FILE_IDENTITY = "__dify__file__"
"""What Dify writes under `dify_model_identity` of a value that is a file."""


def file_identity(file: MessageFile) -> str | None:
    """What tells a file apart in a list: its id, or where it lies (files of other places have no id)."""
    return file.id or (file.url and redact(f"{file.url} {file.name}")) or None


def file_value(value: object) -> MessageFile | None:
    """A value of a run's variables that is a file; None for all others."""
    if isinstance(value, dict) and value.get("dify_model_identity") == FILE_IDENTITY:
        return as_file(value)
    return value if isinstance(value, MessageFile) else None


def with_files(value: Any, known: Iterable[MessageFile] = ()) -> Any:
    """A value of a run's variables, with a `MessageFile` wherever Dify wrote a file.

    Where it is one of those that are `known`, it is that one. A value that is nested deeper than
    `wire.loose.MAX_DEPTH`, which no server's answer is, stays as it is.
    """
    by_identity = {identity: file for file in known if (identity := file_identity(file)) is not None}

    def converted(data: Mapping[str, Any]) -> MessageFile:
        file = as_file(data)
        return by_identity.get(file_identity(file) or "", file)

    return map_files(value, converted) if is_shallow(value) else value


def files_in(value: Any) -> list[dict[str, Any]]:
    """The files that Dify wrote in a value of a run's variables, as they came."""
    found: list[dict[str, Any]] = []
    if is_shallow(value):
        map_files(value, found.append)
    return found


def map_files(value: Any, convert: Callable[[dict[str, Any]], Any]) -> Any:
    """A value of a run's variables, with what `convert` makes of them wherever Dify wrote a file."""
    if isinstance(value, list):
        return [map_files(item, convert) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("dify_model_identity") == FILE_IDENTITY:
        return convert(value)
    return {name: map_files(item, convert) for name, item in value.items()}
