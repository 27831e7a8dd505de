"""A record as a line: without keys, in whole characters, and no longer than it is read. Pure."""

from __future__ import annotations

import msgspec

from ..i18n import t
from ..redact import redact
from .lines import LINE_BYTES
from .records import Outcome, Record

_DECODER = msgspec.json.Decoder(Record)


class TooLong(Exception):
    """A line that nobody would read."""


def line_of(record: Record) -> tuple[bytes, Record]:
    """A record as a line, without keys, and as it will be read.

    Raises:
        TooLong, RecursionError, msgspec.DecodeError: it can be no line.
    """
    try:
        line = msgspec.json.encode(record)
    except UnicodeEncodeError:
        line = msgspec.json.encode(_whole_characters(msgspec.to_builtins(record)))
    line = redact(line)
    if len(line) >= LINE_BYTES:
        raise TooLong
    return line, _DECODER.decode(line)


def _whole_characters(value: object) -> object:
    """The same with a question mark for each half of a character."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    return [_whole_characters(item) for item in value] if isinstance(value, list) else value


def without_content(outcome: Outcome) -> Outcome:
    """What an outcome cost, without what was asked and answered."""
    answers = [
        msgspec.structs.replace(answer, query=None, answer="", outputs=None, error=None) for answer in outcome.answers
    ]
    error = t("sweep.store.not_kept")
    return msgspec.structs.replace(outcome, state="failed", answers=answers, error_code="not_kept", error=error)


def record_of(line: bytes) -> Record:
    """The record of a line.

    Raises:
        msgspec.DecodeError, RecursionError: it is none.
    """
    return _DECODER.decode(line)
