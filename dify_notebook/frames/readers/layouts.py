"""Which table a row is of, by its columns, and what its cells say.

The columns are those of Dify's database (0.15 to 1.12: messages, conversations, end_users, message_feedbacks,
message_agent_thoughts, message_files, message_annotations, dataset_retriever_resources), of what its console
answers (chat-messages, chat-conversations), of its API, of the feedback export of the console, and of the log
export that is passed around as a patch of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ...errors import InputError
from ...i18n import t
from ...wire.loose import shallow
from .. import texts
from ..schema import HISTORY

Row = dict[str, Any]
_MAXIMUM = 1e18
"""No count, price or time reaches this; a column of whole numbers holds less than ten times as much."""

_CURRENCY = re.compile(r"^[¥￥$€£₩] ?| ?(?:[¥￥$€£₩元]|USD|EUR|GBP|CNY|RMB|JPY)$")
_NUMBER_FORMS = (
    (re.compile(r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3}){2,6}|(?:,[0-9]{3}){1,6}\.[0-9]{1,30})"), ","),
    (re.compile(r"[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3}){2,6}|(?:\.[0-9]{3}){1,6},[0-9]{1,30})"), "."),
    (re.compile(r"[+-]?[0-9]{1,3}(?:[ \u00a0\u202f'’][0-9]{3}){1,6}(?:[.,][0-9]{1,30})?"), " \u00a0\u202f'’"),
    (re.compile(r"[+-]?(?:0|[0-9]{4,20}|[0-9]{1,3}(?!,[0-9]{3}(?![0-9]))),[0-9]{1,30}(?:[eE][+-]?[0-9]{1,3})?"), ""),
)
"""Forms of numbers that leave no doubt, each with its marks of thousands."""
_AMBIGUOUS = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")
"""A number that could be two, according to who wrote it."""

PADDING = " \t\r\n\"'`\0\u00a0\u200b\u3000\ufeff"
"""Signs around the name of a column that are no part of it."""
_GAP = re.compile(r"[\s\u00a0-]+")
_ALIASES = {"问题": "question", "答案": "answer", "回答": "answer"}
"""Columns of the console's export of annotations in Chinese."""
SAVED_LAYOUTS: Mapping[str, frozenset[str]] = {
    "history.turns": frozenset({"message_id", "query", "answer", "turn_number", "complete"}),
    "history.messages": frozenset({"message_id", "query", "answer"}),
    "history.conversations": frozenset({"conversation_id", "name", "introduction"}),
    "history.thoughts": frozenset({"thought_id", "call"}),
    "history.citations": frozenset({"message_id", "conversation_id", "user", "position", "segment_id", "score"}),
    "history.files": frozenset({"message_id", "file_id", "transfer_method"}),
    "history.variables": frozenset({"conversation_id", "variable_id", "value"}),
    "history.feedbacks": frozenset({"feedback_id", "message_id", "rating", "from_source"}),
    "history.annotations": frozenset({"annotation_id", "question", "answer"}),
}
"""Tables of a history, as people saved them -> columns that tell them from all others."""
LAYOUTS: Mapping[str, frozenset[str]] = {
    **SAVED_LAYOUTS,
    "feedback_export": frozenset({"feedback_id", "message_id", "feedback_rating_raw", "user_query"}),
    "messages": frozenset({"id", "conversation_id", "query", "answer"}),
    "log_export": frozenset({"conversation_id", "query", "answer", "created_at"}),
    "dataset_retriever_resources": frozenset({"message_id", "dataset_id", "segment_id", "score"}),
    "message_agent_thoughts": frozenset({"id", "message_id", "thought", "tool"}),
    "message_files": frozenset({"id", "message_id", "type", "transfer_method"}),
    "message_feedbacks": frozenset({"id", "message_id", "rating"}),
    "message_annotations": frozenset({"id", "question", "content"}),
    "annotations": frozenset({"id", "question", "answer"}),
    "end_users": frozenset({"id", "session_id"}),
    "conversations": frozenset({"id", "name", "inputs", "created_at"}),
    "console_conversations": frozenset({"id", "from_source", "created_at", "message_count"}),
    "annotation_export": frozenset({"question", "answer"}),  # all that the console's has, so it comes last
}
"""Table -> columns that its rows must have, whatever else they have; the first that fits is it."""
KNOWN_COLUMNS = frozenset(name for columns in LAYOUTS.values() for name in columns)
"""Columns by which tables are told."""
_DATABASE_COLUMNS = frozenset(
    {"message_tokens", "answer_tokens", "provider_response_latency", "from_end_user_id", "app_id"}
)
"""Columns of the table of messages that no table of ours has."""
NUMBER_COLUMNS = frozenset({"message_tokens", "answer_tokens", "provider_response_latency"}).union(
    column.name for table in HISTORY for column in table.columns if column.dtype in ("Int64", "float64")
)
"""Columns of numbers, of these and of our own tables."""
NA_VALUES = frozenset({"NULL", "\\N", "null", "NaN", "nan", "None", "<NA>", "N/A", "#N/A", "NaT"})
"""What tools write into a cell of numbers, times, ids or ratings that has none."""
TEXT_COLUMNS = frozenset(
    {"query", "answer", "content", "question", "name", "user_query", "ai_response", "feedback_comment"}
)
"""Columns that people wrote, who may have written `NULL`."""


def column_name(text: str) -> str:
    """A column's name as a database would write it.

    >>> column_name("\ufeff Conversation ID ")
    'conversation_id'
    """
    name = _GAP.sub("_", text.strip(PADDING)).lower()
    return _ALIASES.get(name, name)


def layout_of(names: Iterable[str]) -> str | None:
    """The layout whose columns these are; None for those of no export that is known."""
    found = set(names)
    kind = next((kind for kind, columns in LAYOUTS.items() if found >= columns), None)
    # The table of messages, joined with what belongs to them: `message_id` may be there, and may be empty.
    is_joined = kind == "history.messages" and found >= LAYOUTS["messages"] and not found.isdisjoint(_DATABASE_COLUMNS)
    return "messages" if is_joined else kind


def is_saved(kind: str | None) -> bool:
    """Whether it is the layout of a table that was saved of a history: what is in its cells is meant as it stands."""
    return kind is not None and kind.startswith("history.")


def row_layout(table: str | None, row: Row, place: str) -> str | None:
    """The layout of a row; None for a table of a dump that is not looked at.

    Names of columns that are written otherwise, such as `Conversation ID`, become those of a database in the row.

    Raises:
        InputError: its columns are those of no export that is known.
    """
    names = set(row)
    if table is not None:
        return table if table in LAYOUTS and names >= LAYOUTS[table] else None
    kind = layout_of(names)
    if kind is not None:
        return kind
    plain = {column_name(name): value for name, value in row.items()}
    kind = layout_of(plain) if len(plain) == len(row) else None
    if kind is not None:
        row.clear()
        row.update(plain)
        return kind
    near = min(LAYOUTS, key=lambda kind: len(LAYOUTS[kind] - names) / len(LAYOUTS[kind]))
    shown = ", ".join(str(name)[:40] for name in list(row)[:12]) + (", …" if len(row) > 12 else "")
    missing = ", ".join(sorted(LAYOUTS[near] - names))
    raise InputError(t("history.export.unknown", place=place, columns=shown, near=near, missing=missing), code="export")


def is_na(value: Any) -> bool:
    """Whether a cell that is no text of people's holds a word for nothing."""
    return type(value) is str and value.strip() in NA_VALUES


def parse_json(value: Any, place: str) -> Any:
    """A cell that holds JSON, as a text or already read; None for nothing.

    Raises:
        InputError: it is a text and no JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip() or is_na(value):
        return None
    try:
        return shallow(msgspec.json.decode(value))
    except (ValueError, RecursionError) as error:
        raise InputError(t("history.export.bad_cell", place=place, reason=error), code="export") from None


def parse_object(value: Any, place: str) -> dict[str, Any] | None:
    """A cell that holds a JSON object; None for nothing and for anything else."""
    found = parse_json(value, place)
    return found if isinstance(found, dict) else None


def as_bool(value: Any) -> bool:
    """Whether a cell says yes: true, t, yes, 1."""
    return value is True or str(value).strip().lower() in ("t", "true", "yes", "y", "1", "1.0")


def parse_number(value: Any, place: str, name: str) -> float | None:
    """A number; None for nothing.

    Raises:
        InputError: it is something else, or could be two: 1,234.
    """
    if value is None or value == "" or is_na(value):
        return None
    try:
        found = float(normalize_number(value, name) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        found = math.nan
    if math.isfinite(found) and abs(found) < _MAXIMUM:
        return found
    reason = "two_numbers" if isinstance(value, str) and _AMBIGUOUS.fullmatch(value.strip()) else "no_number"
    raise InputError(t(f"history.export.{reason}", place=place, name=name, value=str(value)[:60]), code="export")


def normalize_number(text: str, name: str) -> str:
    """A number's text as Python reads it: without marks of thousands, with a point, a price without its currency.

    >>> figures("1.234,5", "latency"), figures("\xa50,001", "total_price"), figures("1 234", "position")
    ('1234.5', '0.001', '1234')
    """
    text = text.strip()
    if "price" in name:
        text = _CURRENCY.sub("", text)
    for form, marks in _NUMBER_FORMS:
        if form.fullmatch(text):
            return "".join(sign for sign in text if sign not in marks).replace(",", ".")
    return text


def parse_integer(value: Any, place: str, name: str) -> int | None:
    """A whole number; None for nothing.

    Raises:
        InputError: it is something else: 1.234 tokens are no number of tokens.
    """
    found = parse_number(value, place, name)
    if found is None or found.is_integer():
        return None if found is None else int(found)
    raise InputError(t("history.export.no_whole", place=place, name=name, value=str(value)[:60]), code="export")


def parse_microseconds(value: Any, place: str) -> int | None:
    """A time as microseconds since 1970; None for nothing.

    Raises:
        InputError: it is something else.
    """
    if value is None or value == "" or is_na(value):
        return None
    found = texts.as_microseconds(value)
    if found is None:
        raise InputError(t("history.export.no_time", place=place, value=str(value)[:60]), code="export")
    return found
