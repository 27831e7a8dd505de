"""Validates rows: empty ones are left out, damaged ids and ambiguous times refused."""

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
from .layouts import LAYOUTS, NA_VALUES, NAMESPACE, Row, is_na, is_saved
from .text_files import Budget

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "feedback_export": ("feedback_id", "message_id"),
    "messages": ("id",),
    "log_export": ("conversation_id",),
    "dataset_retriever_resources": ("message_id",),
    "message_agent_thoughts": ("id", "message_id"),
    "message_files": ("id", "message_id"),
    "human_input_forms": ("id",),
    "execution_extra_contents": ("id",),
    "message_feedbacks": ("id", "message_id"),
    "message_annotations": ("id",),
    "annotations": ("id",),
    "end_users": ("id",),
    "conversations": ("id",),
    "console_conversations": ("id",),
    "workflow_runs": ("id",),
    "workflow_app_logs": ("id", "workflow_run_id"),
    "workflow_logs": ("id",),
}
"""Layout -> columns that every row must have."""
ID_COLUMNS = frozenset(
    {
        "id", "message_id", "conversation_id", "parent_message_id", "feedback_id", "end_user_id", "from_end_user_id",
        "session_id", "from_end_user_session_id", "user", "form_id", "workflow_run_id", "workflow_id",
    }
)  # fmt: skip
_USER_COLUMNS = frozenset({"user", "session_id", "from_end_user_session_id"})
"""Columns with names that people chose, who may be called `None`."""
_CODE_COLUMNS = (
    "rating", "feedback_rating_raw", "user_rating", "currency", "tool", "error", "status", "from_source", "type",
    "transfer_method", "belongs_to",
)  # fmt: skip
"""Columns of words that programs wrote."""
_NESTED = ("agent_thoughts", "feedbacks", "message_files")
TIME_COLUMNS = (
    "created_at", "updated_at", "feedback_date", "message_date", "expiration_time", "expires_at", "submitted_at",
    "finished_at",
)  # fmt: skip
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
    """Validates rows before they are added, and collects notes on them."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._skipped: list[str] = []
        """Locations of rows that were left out, with their values."""
        self._long_ids: dict[tuple[str, str], tuple[int, int, str]] = {}
        """File and column -> ids of more than 15 digits, how many of them end as if they were cut, and the first."""

    def row(self, kind: str, location: str, row: Row) -> tuple[str, Row] | None:
        """The row with its layout, ids and times normalized; None for an empty one.

        Raises:
            InputError: an id is missing or damaged, or a time cannot be what was meant.
        """
        if is_saved(kind):
            return self._saved(kind, location, row)
        if kind == "annotation_export":
            kind, row = "annotations", _annotation(row)
        if self._is_empty(kind, location, row):
            return None
        for name in ID_COLUMNS & row.keys():
            row[name] = self._id(row[name], location, name)
        for name in _CODE_COLUMNS:
            if isinstance(row.get(name), str):
                row[name] = _code(row[name])
        for name in REQUIRED[kind]:
            if row[name] is None:
                raise InputError(t("history.export.no_key", location=location, name=name), code="export")
        for item in (row, *_nested_rows(row)):
            for name in TIME_COLUMNS:
                if item.get(name) is not None:
                    item[name] = parse_time(item[name], location, name)
        return kind, row

    def _saved(self, kind: str, location: str, row: Row) -> tuple[str, Row] | None:
        """The same of a table that was saved of a history: its cells stand as they are, unless a spreadsheet had it."""
        if all(_is_blank(row.get(name)) for name in SCHEMA[kind.partition(".")[2]].names):
            return None
        for name in ID_COLUMNS & row.keys():
            self._id(row[name], location, name)
        for name in TIME_COLUMNS:
            if row.get(name) is not None:
                row[name] = parse_time(row[name], location, name)
        return kind, row

    def notes(self) -> list[str]:
        """What was left out, and ids that may be damaged."""
        found = []
        if self._skipped:
            values = {"count": len(self._skipped), "first": self._skipped[0]}
            found.append(t("history.export.left_out", **values))
        for (_, name), (count, cut, first) in self._long_ids.items():
            if count == cut:
                found.append(t("history.export.cut_ids", name=name, count=count, first=first))
        return found

    def _is_empty(self, kind: str, location: str, row: Row) -> bool:
        """Whether it is empty, or the line of a sum: of what its layout must have one cell at most is filled."""
        filled = 0
        for name in LAYOUTS[kind]:
            if not _is_blank(row.get(name)):
                filled += 1
                if filled > 1:
                    return False
        values = [str(value) for value in row.values() if not _is_blank(value)]
        if values:
            self._budget.count_row(row, location)
            self._skipped.append(f"{location} ({one_line(', '.join(values), 40)})")
        return True

    def _id(self, value: Any, location: str, name: str) -> Any:
        if type(value) is not str:
            if value is None:
                return None
            if isinstance(value, (dict, list)):
                raise InputError(t("history.export.by_columns", location=location, name=name), code="export")
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
            values = {"location": location, "name": name, "value": text[:60]}
            raise InputError(t("history.export.bad_id", **values), code="export")
        if text.isdigit() and len(text) > _EXACT_DIGITS:
            key = (location.rpartition(":")[0], name)
            count, cut, first = self._long_ids.get(key, (0, 0, f"{location} ({text[:40]})"))
            self._long_ids[key] = (count + 1, cut + (not text[_EXACT_DIGITS:].strip("0")), first)
        return value if text else None


def _code(text: str) -> str | None:
    """A word that a program wrote; a rating in small letters."""
    text = text.strip()
    if text in NA_VALUES:
        return None
    return text.lower() if text.lower() in ("like", "dislike") else text


def _nested_rows(row: Row) -> list[Row]:
    """Rows that JSON nests in a message."""
    lists = [row[name] for name in _NESTED if name in row]
    return [item for nested in lists if isinstance(nested, list) for item in nested if isinstance(item, dict)]


def _is_blank(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, str) and value.isspace())


def _annotation(row: Row) -> Row:
    """A row of the console's export, which has no ids: the same question and answer give the same one."""
    question, answer = (row[name] or "" for name in ("question", "answer"))
    id = str(uuid.uuid5(NAMESPACE, f"{question}\x1f{answer}")) if question or answer else None
    return {**row, "id": id, "question": question, "answer": answer}


def parse_time(value: Any, location: str, name: str) -> Any:
    """A time, unchanged if it can be parsed as it is, or as an aware datetime.

    Seconds, milliseconds, microseconds and nanoseconds since 1970 are taken, and what `parse_timestamp` reads, UTC
    without a zone.

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
        parsed = parse_timestamp(value)
        if parsed is not None and not parsed.date_only:
            return parsed.value if parsed.value.tzinfo else parsed.value.replace(tzinfo=UTC)
    number = _number(value)
    if number is not None:
        instant = from_epoch(number)
        if instant is not None and not _is_rounded(number):
            plain = as_time(value)
            return value if plain is not None and abs(plain - instant).total_seconds() < 1e-5 else instant
    raise InputError(t(_reason(value, number), location=location, name=name, value=str(value)[:60]), code="export")


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
        parsed = parse_timestamp(value)
        if parsed is not None:
            return "history.export.only_day"
    return "history.export.what_time"
