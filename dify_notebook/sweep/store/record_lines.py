"""A record as a line: without keys, in whole characters, and no longer than it is read. Pure."""

from __future__ import annotations

import msgspec

from ...i18n import t
from ...redact import redact
from ...secret import Secret
from ...turn.convert import as_decimal
from ..records import LARGEST, Answer, Outcome, Record
from .lines import LINE_BYTES

_DECODER = msgspec.json.Decoder(Record)
_NUMBERS = ("prompt_tokens", "completion_tokens", "total_tokens", "seconds", "first_token")


class TooLong(Exception):
    """A line that nobody would read."""


def line_of(record: Record, key: Secret | None = None) -> tuple[bytes, Record]:
    """A record as a line, without keys, and as it will be read.

    Args:
        key: of the app that answered, which may look like any text; an answer may hold it though no piece of it did.

    Raises:
        TooLong, RecursionError, msgspec.DecodeError: it can be no line.
    """
    try:
        line = msgspec.json.encode(record)
    except UnicodeEncodeError:
        line = msgspec.json.encode(_whole_characters(msgspec.to_builtins(record)))
    line = redact(line if key is None else key.taken_out_of(line))
    if len(line) >= LINE_BYTES:
        raise TooLong
    return line, record_of(line)


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
    """The record of a line. A number in it that can be no price, no count and no time counts as not told.

    Raises:
        msgspec.DecodeError, RecursionError: it is none.
    """
    record = _DECODER.decode(line)
    if isinstance(record, Outcome):
        for answer in record.answers:
            _leave_out_nonsense(answer)
    return record


def _leave_out_nonsense(answer: Answer) -> None:
    """Numbers are added up and written out in full: -7 tokens would make others free, 1E-999999 fills a screen."""
    if answer.price is not None:
        price = as_decimal(str(answer.price))
        answer.price = price if price is not None and 0 <= price <= LARGEST else None
    for name in _NUMBERS:
        number = getattr(answer, name)
        if number is not None and not 0 <= number <= LARGEST:
            setattr(answer, name, None)
