"""Rows of exports that overlap: duplicates merged by id, and ids for rows without one."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ...errors import InputError
from ...i18n import t
from ...turn.convert import as_text, as_time
from ...turn.reasoning import split_reasoning
from .. import texts
from ..merging import Version, merge_versions
from .layouts import NAMESPACE, LocatedRow, Row, parse_microseconds

MESSAGES = {"messages": 3, "log_export": 2, "feedback_export": 1}
"""Layouts with messages -> their source rank, for rows of equal times. The table itself comes first: others leave
columns out."""
_COLUMN_GROUPS = {
    "messages": (("status", "error"), ("message_tokens", "answer_tokens"), ("total_price", "currency")),
    "message_agent_thoughts": (("tool", "tool_input", "observation"),),
}
_ID_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "dataset_retriever_resources": ("message_id", "position", "dataset_id", "document_id", "segment_id"),
    "message_agent_thoughts": ("message_id", "position"),
    "message_files": ("message_id", "type", "url", "upload_file_id"),
    "message_annotations": ("question",),
    "annotations": ("question",),
}
"""Layout -> columns that stand in for an id; rows of one file that agree in them are numbered."""
_ALIASES = {
    "rating": "user_rating", "message_tokens": "prompt_tokens", "answer_tokens": "completion_tokens",
    "provider_response_latency": "latency", "model_id": "model",
}  # fmt: skip
"""Columns of messages -> what they are called in a log without ids, or in a saved table whose ids were left out."""
_EXPORTED_LENGTH = 500
"""Characters of an answer that the console's export of feedback has."""


def assign_id(kind: str, row: Row, seen: Counter[tuple[Any, ...]]) -> None:
    """Give a row without an id one that the same row has in every file.

    Args:
        seen: how many rows of the same file said the same.
    """
    if kind not in _ID_COLUMNS or row.get("id") not in (None, ""):
        return
    values = (kind, *(str(row.get(column)) for column in _ID_COLUMNS[kind]))
    row["id"] = str(uuid.uuid5(NAMESPACE, "\x1f".join((*values, str(seen[values])))))
    seen[values] += 1


def drop_duplicates(
    sources: Iterable[tuple[int, Sequence[LocatedRow]]], kind: str, key: str = "id"
) -> dict[str, LocatedRow]:
    """Rows by their id, duplicates merged, in the order in which they first came.

    Args:
        sources: how much the rows count, of equal times, and the rows.

    Raises:
        InputError: of a row that is there twice, the time of its last change cannot be read.
    """
    unique: dict[str, LocatedRow] = {}
    others: dict[str, list[tuple[int, LocatedRow]]] = {}
    first: dict[str, int] = {}
    for source, rows in sources:
        for located in rows:
            id = str(located[1][key])
            if unique.setdefault(id, located) is located:
                first[id] = source
            elif located[1] != unique[id][1] or source != first[id]:
                others.setdefault(id, [(first[id], unique[id])]).append((source, located))
    together = _COLUMN_GROUPS.get(kind, ())
    for id, duplicates in others.items():
        versions = [Version(row, updated_at(row, location), source) for source, (location, row) in duplicates]
        unique[id] = (unique[id][0], merge_versions(versions, together))
    return unique


def updated_at(row: Row, location: str) -> int | None:
    """When a row was last changed, in microseconds since 1970, or None. Raises: InputError."""
    return parse_microseconds(row.get("updated_at"), location)


def conversations(rows: Mapping[str, Sequence[LocatedRow]]) -> dict[str, LocatedRow]:
    """The conversations by id."""
    kinds = ((1, "conversations"), (0, "console_conversations"))
    return drop_duplicates([(source, rows.get(kind, ())) for source, kind in kinds], "conversations")


def messages(rows: dict[str, list[LocatedRow]]) -> tuple[dict[str, list[LocatedRow]], bool]:
    """Rows of messages by layout, in the form of the table `messages`; and whether ids were made.

    A row without an id has that of the message that says the same in the same second of its conversation, or one
    that is made of what it says. What is given is taken out of `rows`, but the export of feedback, which tells more.
    """
    by_layout = {
        "messages": rows.pop("messages", []),
        "feedback_export": [(location, _feedback_message(row)) for location, row in rows.get("feedback_export", [])],
    }
    nameless = rows.pop("log_export", [])
    nameless += [located for located in by_layout["messages"] if located[1].get("id") in (None, "")]
    by_layout["messages"] = [located for located in by_layout["messages"] if located[1].get("id") not in (None, "")]
    made_ids = False
    if nameless:
        known: dict[tuple[Any, ...], str] = {}
        for location, row in (located for group in by_layout.values() for located in group):
            id, key = str(row["id"]), _content_key(row, location)
            known[key] = min(known.get(key, id), id)
        for location, row in nameless:
            row["id"] = known.get(_content_key(row, location))
            if not row["id"]:
                made_ids, row["id"] = True, _made_id(row, location)
            for name, other in _ALIASES.items():
                row.setdefault(name, row.get(other))
    by_layout["log_export"] = nameless
    for group in by_layout.values():
        for _, row in group:
            row["query"], row["answer"] = as_text(row.get("query")), as_text(row.get("answer"))
    return by_layout, made_ids


def _feedback_message(row: Row) -> Row:
    return {
        "id": row["message_id"],
        "conversation_id": row.get("conversation_id"),
        "query": row["user_query"],
        "answer": row.get("ai_response"),
        "created_at": row.get("message_date"),
        "from_end_user_id": row.get("from_end_user_id"),
    }


def _content_key(row: Row, location: str) -> tuple[Any, ...]:
    """What identifies a message without an id: what every export has of it."""
    when = parse_microseconds(row.get("created_at"), location)
    answer, _ = split_reasoning(as_text(row.get("answer")))
    return (
        str(row.get("conversation_id")),
        None if when is None else when // 1_000_000,
        texts.clean(as_text(row.get("query"))),
        (texts.clean(answer) or "").strip()[:_EXPORTED_LENGTH],
    )


def _made_id(row: Row, location: str) -> str:
    when = parse_microseconds(row.get("created_at"), location)
    time = None if when is None else str(texts.from_microseconds(when).replace(tzinfo=None))
    values = (row.get("conversation_id"), time, row.get("query"), row.get("answer"))
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(map(str, values))))


def children(nested: Any, rows_of_table: Sequence[Row]) -> list[Row] | None:
    """What belongs to a message, of the list inside of it and of the rows of a table.

    Where the two name the same things, they add to each other; otherwise the list counts, if it has any.
    """
    nested_rows = [item for item in nested if isinstance(item, dict)] if isinstance(nested, list) else []
    ids = {as_text(item.get("id")) for item in nested_rows}
    if not nested_rows or not rows_of_table or ids.isdisjoint(as_text(item.get("id")) for item in rows_of_table):
        return nested_rows or list(rows_of_table) or None
    rows: dict[str, list[Version]] = {}
    for source, items in ((0, nested_rows), (1, rows_of_table)):
        for row in items:
            rows.setdefault(as_text(row.get("id")), []).append(Version(row, None, source))
    return [dict(item[0].row) if len(item) == 1 else merge_versions(item) for item in rows.values()]


def read(kind: Any, location: str, data: dict[str, Any]) -> Any:
    """A row as the struct of the API that it is. Raises: InputError: it is none."""
    times = {name: as_time(data[name]) for name in ("created_at", "updated_at") if name in data}
    created_at = data.get("created_at")
    if isinstance(created_at, str) and times["created_at"] is None:
        raise InputError(t("history.export.no_time", location=location, value=created_at[:60]), code="export")
    try:
        return msgspec.convert(data | times, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(t("history.export.bad_row", location=location, reason=error), code="export") from None
