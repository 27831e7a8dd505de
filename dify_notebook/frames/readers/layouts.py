"""Which table a row is of, by its columns, and what its cells say.

The columns are those of Dify's database (0.15 to 1.12: messages, conversations, end_users, message_feedbacks,
message_agent_thoughts, message_files, message_annotations, dataset_retriever_resources), of what its console
answers (chat-messages, chat-conversations), of its API, of the feedback export of the console, and of the log
export that is passed around as a patch of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import InputError
from ...i18n import t
from ...wire.loose import shallow
from .. import texts

if TYPE_CHECKING:
    from .sources import Row

_MOST = 1e18
"""No count, price or time reaches this; a column of whole numbers holds less than ten times as much."""

OURS: Mapping[str, frozenset[str]] = {
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
    **OURS,
    "feedback_export": frozenset({"feedback_id", "message_id", "feedback_rating_raw", "user_query"}),
    "messages": frozenset({"id", "conversation_id", "query", "answer"}),
    "log_export": frozenset({"conversation_id", "query", "answer", "created_at"}),
    "dataset_retriever_resources": frozenset({"message_id", "dataset_id", "segment_id", "score"}),
    "message_agent_thoughts": frozenset({"id", "message_id", "position", "thought", "tool"}),
    "message_files": frozenset({"id", "message_id", "type", "transfer_method"}),
    "message_feedbacks": frozenset({"id", "message_id", "rating", "from_source"}),
    "message_annotations": frozenset({"id", "question", "content", "hit_count"}),
    "annotations": frozenset({"id", "question", "answer", "hit_count"}),
    "end_users": frozenset({"id", "session_id", "type"}),
    "conversations": frozenset({"id", "name", "inputs", "created_at"}),
    "console_conversations": frozenset({"id", "from_source", "created_at", "message_count"}),
}
"""Table -> columns that its rows have; the first that fits is it."""


def kind_of(table: str | None, row: Row, place: str) -> str | None:
    """The layout of a row; None for a table of a dump that is not looked at.

    Raises:
        InputError: its columns are those of no export that is known.
    """
    names = set(row)
    if table is not None:
        return table if table in LAYOUTS and names >= LAYOUTS[table] else None
    for kind, columns in LAYOUTS.items():
        if names >= columns:
            return kind
    near = min(LAYOUTS, key=lambda kind: len(LAYOUTS[kind] - names) / len(LAYOUTS[kind]))
    shown = ", ".join(str(name)[:40] for name in list(row)[:12]) + (", …" if len(row) > 12 else "")
    missing = ", ".join(sorted(LAYOUTS[near] - names))
    raise InputError(t("history.export.unknown", place=place, columns=shown, near=near, missing=missing), code="export")


def parsed(value: Any, place: str) -> Any:
    """A cell that holds JSON, as a text or already read; None for nothing.

    Raises:
        InputError: it is a text and no JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return shallow(msgspec.json.decode(value))
    except (ValueError, RecursionError) as error:
        raise InputError(t("history.export.bad_cell", place=place, reason=error), code="export") from None


def mapping(value: Any, place: str) -> dict[str, Any] | None:
    """A cell that holds a JSON object; None for nothing and for anything else."""
    found = parsed(value, place)
    return found if isinstance(found, dict) else None


def true(value: Any) -> bool:
    """Whether a cell says yes: true, t, 1."""
    return value is True or str(value).lower() in ("t", "true", "1")


def number(value: Any, place: str, name: str) -> float | None:
    """A number; None for nothing.

    Raises:
        InputError: it is something else.
    """
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if math.isfinite(found) and abs(found) < _MOST:
        return found
    raise InputError(t("history.export.no_number", place=place, name=name, value=str(value)[:60]), code="export")


def whole(value: Any, place: str, name: str) -> int | None:
    """A whole number; None for nothing. Raises: InputError."""
    found = number(value, place, name)
    return None if found is None else int(found)


def moment(value: Any, place: str) -> int | None:
    """A time as microseconds since 1970; None for nothing.

    Raises:
        InputError: it is something else.
    """
    if value is None or value == "":
        return None
    found = texts.as_microseconds(value)
    if found is None:
        raise InputError(t("history.export.no_time", place=place, value=str(value)[:60]), code="export")
    return found
