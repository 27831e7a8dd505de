"""Layouts: which table a row belongs to, by its columns, and how its cells are parsed.

The columns are those of Dify's database (0.15 to 1.12: messages, conversations, end_users, message_feedbacks,
message_agent_thoughts, message_files, message_annotations, dataset_retriever_resources, of workflow apps workflow_runs
and workflow_app_logs; since 1.13 also human_input_forms, and execution_extra_contents, which says whose these are), of
what its console answers (chat-messages, chat-conversations), of its API, of the feedback export of the console, and of
the log export that is passed around as a patch of it.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ...errors import InputError
from ...i18n import t
from ...wire.loose import check_depth
from .. import texts
from ..schema import HISTORY

Row = dict[str, Any]
LocatedRow = tuple[str, Row]
"""Where a row is (file and line) and the row."""
NAMESPACE = uuid.UUID("f7f1c0de-5f0b-5c19-9a5a-9c1f2f0e7a11")
"""Of ids that are made of the content of a row (uuid5)."""
_MAXIMUM = 1e18
"""No count, price or time reaches this; a column of whole numbers holds less than ten times as much."""

_CURRENCY = re.compile(r"^[¥￥$€£₩] ?| ?(?:[¥￥$€£₩元]|USD|EUR|GBP|CNY|RMB|JPY)$")
_NUMBER_FORMS = (
    (re.compile(r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3}){2,6}|(?:,[0-9]{3}){1,6}\.[0-9]{1,30})"), ","),
    (re.compile(r"[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3}){2,6}|(?:\.[0-9]{3}){1,6},[0-9]{1,30})"), "."),
    (re.compile(r"[+-]?[0-9]{1,3}(?:[ \u00a0\u202f'’][0-9]{3}){1,6}(?:[.,][0-9]{1,30})?"), " \u00a0\u202f'’"),
    (re.compile(r"[+-]?(?:0|[0-9]{4,20}|[0-9]{1,3}(?!,[0-9]{3}(?![0-9]))),[0-9]{1,30}(?:[eE][+-]?[0-9]{1,3})?"), ""),
)
"""Unambiguous forms of numbers, each with its thousands separators."""
_AMBIGUOUS = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")
"""A number whose comma may be a decimal or a thousands separator."""

PADDING = " \t\r\n\"'`\0\u00a0\u200b\u3000\ufeff"
"""Characters around the name of a column that are no part of it."""
_GAP = re.compile(r"[\s\u00a0-]+")
_ALIASES = {"问题": "question", "答案": "answer", "回答": "answer"}
"""Column names of the console's Chinese export of annotations."""
SAVED_LAYOUTS: Mapping[str, frozenset[str]] = {
    "history.turns": frozenset({"message_id", "query", "answer", "turn_number", "complete"}),
    "history.messages": frozenset({"message_id", "query", "answer"}),
    "history.conversations": frozenset({"conversation_id", "name", "introduction"}),
    "history.thoughts": frozenset({"thought_id", "call"}),
    "history.citations": frozenset({"message_id", "conversation_id", "user", "position", "segment_id", "score"}),
    "history.files": frozenset({"message_id", "file_id", "transfer_method"}),
    "history.forms": frozenset({"message_id", "form_id", "node_title", "rendered_content"}),
    "history.variables": frozenset({"conversation_id", "variable_id", "value"}),
    "history.feedbacks": frozenset({"feedback_id", "message_id", "rating", "from_source"}),
    "history.annotations": frozenset({"annotation_id", "question", "answer"}),
    "history.workflow_runs": frozenset({"workflow_run_id", "exceptions_count", "triggered_from"}),
}
"""Saved tables of a history -> columns that identify them."""
LAYOUTS: Mapping[str, frozenset[str]] = {
    **SAVED_LAYOUTS,
    "feedback_export": frozenset({"feedback_id", "message_id", "feedback_rating_raw", "user_query"}),
    "messages": frozenset({"id", "conversation_id", "query", "answer"}),
    "log_export": frozenset({"conversation_id", "query", "answer", "created_at"}),
    "dataset_retriever_resources": frozenset({"message_id", "dataset_id", "segment_id", "score"}),
    "message_agent_thoughts": frozenset({"id", "message_id", "thought", "tool"}),
    "message_files": frozenset({"id", "message_id", "type", "transfer_method"}),
    "human_input_forms": frozenset({"id", "workflow_run_id", "form_definition", "rendered_content"}),
    "execution_extra_contents": frozenset({"id", "message_id", "form_id"}),
    "workflow_runs": frozenset({"id", "workflow_id", "triggered_from", "elapsed_time"}),
    "workflow_app_logs": frozenset({"id", "workflow_run_id", "created_from", "created_by_role"}),
    "workflow_logs": frozenset({"id", "workflow_run", "created_from"}),
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
"""Columns by which layouts are identified."""
_DATABASE_COLUMNS = frozenset(
    {"message_tokens", "answer_tokens", "provider_response_latency", "from_end_user_id", "app_id"}
)
"""Columns of the database's messages that no table of a history has."""
NUMBER_COLUMNS = frozenset({"message_tokens", "answer_tokens", "provider_response_latency", "elapsed_time"}).union(
    column.name for table in HISTORY for column in table.columns if column.dtype in ("Int64", "float64")
)
"""Columns of numbers, of these and of our own tables."""
NA_VALUES = frozenset({"NULL", "\\N", "null", "NaN", "nan", "None", "<NA>", "N/A", "#N/A", "NaT"})
"""What tools write into an empty cell of numbers, times, ids or ratings."""
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
    present = set(names)
    kind = next((kind for kind, columns in LAYOUTS.items() if present >= columns), None)
    # The table of messages, joined with what belongs to them: `message_id` may be there, and may be empty.
    is_joined = (
        kind == "history.messages" and present >= LAYOUTS["messages"] and not present.isdisjoint(_DATABASE_COLUMNS)
    )
    return "messages" if is_joined else kind


def is_saved(kind: str | None) -> bool:
    """Whether it is the layout of a saved table of a history, whose cells need no interpretation."""
    return kind is not None and kind.startswith("history.")


def row_layout(table: str | None, row: Row, location: str) -> str | None:
    """The layout of a row; None for a table of a dump that is not read.

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
    raise InputError(
        t("history.export.unknown", location=location, columns=shown, near=near, missing=missing), code="export"
    )


def is_na(value: Any) -> bool:
    """Whether a cell holds one of `NA_VALUES`."""
    return type(value) is str and value.strip() in NA_VALUES


def parse_json(value: Any, location: str) -> Any:
    """A cell that holds JSON, as a text or already decoded; None for an empty one.

    Raises:
        InputError: it is a text and no JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip() or is_na(value):
        return None
    try:
        return check_depth(msgspec.json.decode(value))
    except (ValueError, RecursionError) as error:
        raise InputError(t("history.export.bad_cell", location=location, reason=error), code="export") from None


def parse_object(value: Any, location: str) -> dict[str, Any] | None:
    """A cell that holds a JSON object; None for anything else."""
    data = parse_json(value, location)
    return data if isinstance(data, dict) else None


def as_bool(value: Any) -> bool:
    """Whether a cell is true: true, t, yes, y, 1."""
    return value is True or str(value).strip().lower() in ("t", "true", "yes", "y", "1", "1.0")


def parse_number(value: Any, location: str, name: str) -> float | None:
    """A number; None for an empty cell.

    Raises:
        InputError: it is something else, or ambiguous: 1,234.
    """
    if value is None or value == "" or is_na(value):
        return None
    try:
        result = float(normalize_number(value, name) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        result = math.nan
    if math.isfinite(result) and abs(result) < _MAXIMUM:
        return result
    reason = "two_numbers" if isinstance(value, str) and _AMBIGUOUS.fullmatch(value.strip()) else "no_number"
    raise InputError(t(f"history.export.{reason}", location=location, name=name, value=str(value)[:60]), code="export")


def normalize_number(text: str, name: str) -> str:
    """A number's text as Python reads it: no thousands separators, a decimal point, no currency.

    >>> normalize_number("1.234,5", "latency"), normalize_number("\xa50,001", "total_price")
    ('1234.5', '0.001')
    """
    text = text.strip()
    if "price" in name:
        text = _CURRENCY.sub("", text)
    for form, marks in _NUMBER_FORMS:
        if form.fullmatch(text):
            return "".join(character for character in text if character not in marks).replace(",", ".")
    return text


def parse_integer(value: Any, location: str, name: str) -> int | None:
    """An integer; None for an empty cell.

    Raises:
        InputError: it is something else, such as 1.234 tokens.
    """
    result = parse_number(value, location, name)
    if result is None or result.is_integer():
        return None if result is None else int(result)
    raise InputError(t("history.export.no_whole", location=location, name=name, value=str(value)[:60]), code="export")


def parse_microseconds(value: Any, location: str) -> int | None:
    """A time as microseconds since 1970; None for an empty cell.

    Raises:
        InputError: it is something else.
    """
    if value is None or value == "" or is_na(value):
        return None
    result = texts.as_microseconds(value)
    if result is None:
        raise InputError(t("history.export.no_time", location=location, value=str(value)[:60]), code="export")
    return result
