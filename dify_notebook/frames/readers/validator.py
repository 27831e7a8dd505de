"""What a row says: nothing, or something of an app, with ids and times that are whole."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ...errors import InputError
from ...i18n import t
from ...printable import one_line
from ...turn.convert import as_time
from ..schema import SCHEMA
from ..times import from_epoch
from ..timestamp import NUMBER, parse_timestamp
from .layouts import LAYOUTS, NA_VALUES, Row, is_na, is_saved
from .text_files import Budget

_SPACE = uuid.UUID("f7f1c0de-5f0b-5c19-9a5a-9c1f2f0e7a11")
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "feedback_export": ("feedback_id", "message_id"),
    "messages": ("id",),
    "log_export": ("conversation_id",),
    "dataset_retriever_resources": ("message_id",),
    "message_agent_thoughts": ("id", "message_id"),
    "message_files": ("id", "message_id"),
    "message_feedbacks": ("id", "message_id"),
    "message_annotations": ("id",),
    "annotations": ("id",),
    "end_users": ("id",),
    "conversations": ("id",),
    "console_conversations": ("id",),
}
"""Layout -> columns without which a row is of nothing."""
ID_COLUMNS = frozenset(
    {
        "id", "message_id", "conversation_id", "parent_message_id", "feedback_id", "end_user_id", "from_end_user_id",
        "session_id", "from_end_user_session_id", "user",
    }
)  # fmt: skip
_USER_COLUMNS = frozenset({"user", "session_id", "from_end_user_session_id"})
"""Columns with names that people gave, who may have given `None`."""
_CODE_COLUMNS = (
    "rating", "feedback_rating_raw", "user_rating", "currency", "tool", "error", "status", "from_source", "type",
    "transfer_method", "belongs_to",
)  # fmt: skip
"""Columns of words that programs wrote."""
_NESTED = ("agent_thoughts", "feedbacks", "message_files")
TIME_COLUMNS = ("created_at", "updated_at", "feedback_date", "message_date")
_ROUNDED_ID = re.compile(r"[0-9](?:[.,][0-9]{1,20})?E\+[0-9]{2,3}")
"""What a spreadsheet makes of an id of digits that is long."""
_UUID_LENGTH = 36
"""Characters of a UUID, in which case means nothing."""
_EXACT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps; it writes 0 for the others."""
_TIME_OF_DAY = re.compile(r"[0-9]{1,3}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]{1,6})?")
"""A time of day, which is what Excel shows of a time with fractions of a second."""
_SERIAL_DAYS = range(20_000, 80_000)
"""Day numbers of spreadsheets: the years 1954 to 2119, or four years later."""


class Validator:
    """Looks at rows before they are gathered, and remembers what is to be said of them."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._left_out: list[str] = []
        """Places of rows that are of nothing, with what they say."""
        self._long: dict[tuple[str, str], tuple[int, int, str]] = {}
        """File and column -> ids of more than 15 digits, how many of them end as if they were cut, and the first."""

    def row(self, kind: str, place: str, row: Row) -> tuple[str, Row] | None:
        """The row as it is meant, with its layout; None for one that says nothing.

        Raises:
            InputError: an id is missing or damaged, or a time cannot be what was meant.
        """
        if is_saved(kind):
            return self._ours(kind, place, row)
        if kind == "annotation_export":
            kind, row = "annotations", _annotation(row)
        if self._says_nothing(kind, place, row):
            return None
        for name in ID_COLUMNS & row.keys():
            row[name] = self._id(row[name], place, name)
        for name in _CODE_COLUMNS:
            if isinstance(row.get(name), str):
                row[name] = _code(row[name])
        for name in REQUIRED[kind]:
            if row[name] is None:
                raise InputError(t("history.export.no_key", place=place, name=name), code="export")
        for one in (row, *_nested_rows(row)):
            for name in TIME_COLUMNS:
                if one.get(name) is not None:
                    one[name] = parse_time(one[name], place, name)
        return kind, row

    def _ours(self, kind: str, place: str, row: Row) -> tuple[str, Row] | None:
        """The same of a table that was saved of a history: its cells stand as they are, unless a spreadsheet had it."""
        if all(_is_blank(row.get(name)) for name in SCHEMA[kind.partition(".")[2]].names):
            return None
        for name in ID_COLUMNS & row.keys():
            self._id(row[name], place, name)
        for name in TIME_COLUMNS:
            if row.get(name) is not None:
                row[name] = parse_time(row[name], place, name)
        return kind, row

    def notes(self) -> list[str]:
        """What was left out, and ids that may be damaged."""
        found = []
        if self._left_out:
            told = {"count": len(self._left_out), "first": self._left_out[0]}
            found.append(t("history.export.left_out", **told))
        for (_, name), (count, cut, first) in self._long.items():
            if count == cut:
                found.append(t("history.export.cut_ids", name=name, count=count, first=first))
        return found

    def _says_nothing(self, kind: str, place: str, row: Row) -> bool:
        """Whether it is empty, or the line of a sum: of what its layout must have one cell at most is filled."""
        filled = 0
        for name in LAYOUTS[kind]:
            if not _is_blank(row.get(name)):
                filled += 1
                if filled > 1:
                    return False
        said = [str(value) for value in row.values() if not _is_blank(value)]
        if said:
            self._budget.keep(row, place)
            self._left_out.append(f"{place} ({one_line(', '.join(said), 40)})")
        return True

    def _id(self, value: Any, place: str, name: str) -> Any:
        if type(value) is not str:
            if value is None:
                return None
            if isinstance(value, (dict, list)):
                raise InputError(t("history.export.by_columns", place=place, name=name), code="export")
            text = str(value)
            value = value if isinstance(value, (bool, float)) else text
        else:
            text = value.strip()
            if text.startswith('="') and text.endswith('"'):  # so that no spreadsheet takes it for a number
                value = text = text[2:-1]
            value = value if name in _USER_COLUMNS else None if text in NA_VALUES else text
            if value and len(value) == _UUID_LENGTH and value[8] == value[13] == "-" and name not in _USER_COLUMNS:
                value = value.lower()
        if isinstance(value, (bool, float)) or ("E+" in text and _ROUNDED_ID.fullmatch(text)):
            told = {"place": place, "name": name, "value": text[:60]}
            raise InputError(t("history.export.bad_id", **told), code="export")
        if text.isdigit() and len(text) > _EXACT_DIGITS:
            key = (place.rpartition(":")[0], name)
            count, cut, first = self._long.get(key, (0, 0, f"{place} ({text[:40]})"))
            self._long[key] = (count + 1, cut + (not text[_EXACT_DIGITS:].strip("0")), first)
        return value if text else None


def _code(text: str) -> str | None:
    """A word that a program wrote; a rating in small letters."""
    text = text.strip()
    if text in NA_VALUES:
        return None
    return text.lower() if text.lower() in ("like", "dislike") else text


def _nested_rows(row: Row) -> list[Row]:
    """Rows that JSON tells within a message."""
    lists = [row[name] for name in _NESTED if name in row]
    return [one for some in lists if isinstance(some, list) for one in some if isinstance(one, dict)]


def _is_blank(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, str) and value.isspace())


def _annotation(row: Row) -> Row:
    """One of the console's export, which tells no ids: the same question and answer give the same one."""
    question, answer = (row[name] or "" for name in ("question", "answer"))
    made = str(uuid.uuid5(_SPACE, f"{question}\x1f{answer}")) if question or answer else None
    return {**row, "id": made, "question": question, "answer": answer}


def parse_time(value: Any, place: str, name: str) -> Any:
    """A time as it stands, where it can be read as it is, or as an aware datetime.

    Seconds, milliseconds, microseconds and nanoseconds since 1970 are taken, and what `written` reads, in UTC where
    no zone is told.

    Raises:
        InputError: it is something else: a day alone, a time of day alone, a day number of a spreadsheet, a number
            that is rounded to more than a second, a date in an order that could be another.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        value = value.strip()
        if not value or is_na(value):
            return None
        if value[4:5] == "-" and value[13:14] == ":" and _is_iso(value):
            return value  # nearly always
        told = parse_timestamp(value)
        if told is not None and not told.day:
            return told.value if told.value.tzinfo else told.value.replace(tzinfo=UTC)
    number = _number(value)
    if number is not None:
        found = from_epoch(number)
        if found is not None and not _is_rounded(number):
            plain = as_time(value)
            return value if plain is not None and abs(plain - found).total_seconds() < 1e-5 else found
    raise InputError(t(_reason(value, number), place=place, name=name, value=str(value)[:60]), code="export")


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).replace(",", ".")
    try:
        return Decimal(text) if NUMBER.fullmatch(text) else None
    except InvalidOperation:
        return None


def _is_rounded(number: Decimal) -> bool:
    """Whether its last digit counts more than a second, as in 1.70965E+12."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent > max(number.adjusted() - 9, 0)


def _reason(value: Any, number: Decimal | None) -> str:
    if number is not None:
        if from_epoch(number) is not None:
            return "history.export.rounded_time"
        return "history.export.day_number" if int(number) in _SERIAL_DAYS else "history.export.what_time"
    if isinstance(value, str):
        if _TIME_OF_DAY.fullmatch(value):
            return "history.export.only_time"
        told = parse_timestamp(value)
        if told is not None:
            return "history.export.only_day"
    return "history.export.what_time"
