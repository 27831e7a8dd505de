"""Rows of exports that overlap, each thing once."""

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
from .formats import Row
from .layouts import parse_microseconds

LocatedRow = tuple[str, Row]
"""A place and the row that stands there."""
NAMESPACE = uuid.UUID("f7f1c0de-5f0b-5c19-9a5a-9c1f2f0e7a11")
"""Of ids that are made of what a row says."""
MESSAGES = {"messages": 3, "log_export": 2, "feedback_export": 1}
"""Layouts that tell messages -> how much they count, of equal times. The table itself comes first: of what else tells
the same message, some tell less."""
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
"""Layout -> what tells rows apart that have no id; several of one file that agree in it are the first, the second…"""
_ALIASES = {
    "rating": "user_rating", "message_tokens": "prompt_tokens", "answer_tokens": "completion_tokens",
    "provider_response_latency": "latency", "model_id": "model",
}  # fmt: skip
"""Columns of messages -> what they are called in a log without ids, or in a table of ours whose ids were left out."""
_EXPORTED_LENGTH = 500
"""Characters of an answer that the console's export of feedback tells."""


def assign_id(kind: str, row: Row, seen: Counter[tuple[Any, ...]]) -> None:
    """Give a row without an id one that the same row has in every file.

    Args:
        seen: how many rows of the same file said the same.
    """
    if kind not in _ID_COLUMNS or row.get("id") not in (None, ""):
        return
    said = (kind, *(str(row.get(column)) for column in _ID_COLUMNS[kind]))
    row["id"] = str(uuid.uuid5(NAMESPACE, "\x1f".join((*said, str(seen[said])))))
    seen[said] += 1


def drop_duplicates(
    told: Iterable[tuple[int, Sequence[LocatedRow]]], kind: str, key: str = "id"
) -> dict[str, LocatedRow]:
    """Rows by their id, each once, in the order in which they were first told.

    Args:
        told: how much the rows count, of equal times, and the rows.

    Raises:
        InputError: of a row that is there twice, the time of its last change cannot be read.
    """
    found: dict[str, LocatedRow] = {}
    others: dict[str, list[tuple[int, LocatedRow]]] = {}
    first: dict[str, int] = {}
    for source, rows in told:
        for one in rows:
            id = str(one[1][key])
            if found.setdefault(id, one) is one:
                first[id] = source
            elif one[1] != found[id][1] or source != first[id]:
                others.setdefault(id, [(first[id], found[id])]).append((source, one))
    together = _COLUMN_GROUPS.get(kind, ())
    for id, many in others.items():
        versions = [Version(row, updated_at(row, place), source) for source, (place, row) in many]
        found[id] = (found[id][0], merge_versions(versions, together))
    return found


def updated_at(row: Row, place: str) -> int | None:
    """When a row was last changed, in microseconds; None where it does not say. Raises: InputError."""
    return parse_microseconds(row.get("updated_at"), place)


def conversations(rows: Mapping[str, Sequence[LocatedRow]]) -> dict[str, LocatedRow]:
    """The conversations that are told, by id."""
    kinds = ((1, "conversations"), (0, "console_conversations"))
    return drop_duplicates([(source, rows.get(kind, ())) for source, kind in kinds], "conversations")


def messages(rows: dict[str, list[LocatedRow]]) -> tuple[dict[str, list[LocatedRow]], bool]:
    """Rows that tell messages, by their layout, in the form of the table `messages`; and whether ids were made.

    A row without an id has that of the message that says the same in the same second of its conversation, or one
    that is made of what it says. What is given is taken out of `rows`, but the export of feedback, which tells more.
    """
    found = {
        "messages": rows.pop("messages", []),
        "feedback_export": [(place, _feedback_message(row)) for place, row in rows.get("feedback_export", [])],
    }
    nameless = rows.pop("log_export", [])
    nameless += [one for one in found["messages"] if one[1].get("id") in (None, "")]
    found["messages"] = [one for one in found["messages"] if one[1].get("id") not in (None, "")]
    made = False
    if nameless:
        known: dict[tuple[Any, ...], str] = {}
        for place, row in (one for some in found.values() for one in some):
            id, said = str(row["id"]), _content_key(row, place)
            known[said] = min(known.get(said, id), id)
        for place, row in nameless:
            row["id"] = known.get(_content_key(row, place))
            if not row["id"]:
                made, row["id"] = True, _made_id(row, place)
            for name, other in _ALIASES.items():
                row.setdefault(name, row.get(other))
    found["log_export"] = nameless
    for some in found.values():
        for _, row in some:
            row["query"], row["answer"] = as_text(row.get("query")), as_text(row.get("answer"))
    return found, made


def _feedback_message(row: Row) -> Row:
    return {
        "id": row["message_id"],
        "conversation_id": row.get("conversation_id"),
        "query": row["user_query"],
        "answer": row.get("ai_response"),
        "created_at": row.get("message_date"),
        "from_end_user_id": row.get("from_end_user_id"),
    }


def _content_key(row: Row, place: str) -> tuple[Any, ...]:
    """What a message says, as far as every export tells it."""
    when = parse_microseconds(row.get("created_at"), place)
    answer, _ = split_reasoning(as_text(row.get("answer")))
    return (
        str(row.get("conversation_id")),
        None if when is None else when // 1_000_000,
        texts.clean(as_text(row.get("query"))),
        (texts.clean(answer) or "").strip()[:_EXPORTED_LENGTH],
    )


def _made_id(row: Row, place: str) -> str:
    when = parse_microseconds(row.get("created_at"), place)
    time = None if when is None else str(texts.from_microseconds(when).replace(tzinfo=None))
    said = (row.get("conversation_id"), time, row.get("query"), row.get("answer"))
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(map(str, said))))


def by_message(rows: Iterable[LocatedRow]) -> dict[str, list[LocatedRow]]:
    """Rows by the message that they belong to."""
    found: dict[str, list[LocatedRow]] = {}
    for one in rows:
        found.setdefault(str(one[1]["message_id"]), []).append(one)
    return found


def children(inside: Any, outside: Sequence[Row]) -> list[Row] | None:
    """What belongs to a message, of the list inside of it and of the rows of a table.

    Where the two name the same things, they add to each other; otherwise the list counts, if it has any.
    """
    within = [one for one in inside if isinstance(one, dict)] if isinstance(inside, list) else []
    ids = {as_text(one.get("id")) for one in within}
    if not within or not outside or ids.isdisjoint(as_text(one.get("id")) for one in outside):
        return within or list(outside) or None
    rows: dict[str, list[Version]] = {}
    for source, many in ((0, within), (1, outside)):
        for row in many:
            rows.setdefault(as_text(row.get("id")), []).append(Version(row, None, source))
    return [dict(one[0].row) if len(one) == 1 else merge_versions(one) for one in rows.values()]


def read(kind: Any, place: str, data: dict[str, Any]) -> Any:
    """A row as the struct of the API that it is. Raises: InputError: it is none."""
    times = {name: as_time(data[name]) for name in ("created_at", "updated_at") if name in data}
    told = data.get("created_at")
    if isinstance(told, str) and times["created_at"] is None:
        raise InputError(t("history.export.no_time", place=place, value=told[:60]), code="export")
    try:
        return msgspec.convert(data | times, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(t("history.export.bad_row", place=place, reason=error), code="export") from None
