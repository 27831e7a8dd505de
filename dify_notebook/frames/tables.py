"""What the API says, as columns of plain values. Pure: no pandas, no I/O.

A block is a dict from a column's name (see `schema`) to its values, all of one length; a column that is
not in it is missing in every row. Times are whole microseconds since 1970 in UTC. Nothing signed gets
into a block: addresses and texts come without the parts of a query that sign it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..redact import may_hold_a_secret, redact
from ..turn.convert import as_citation, as_file, as_int, as_text
from ..turn.reasoning import split_reasoning
from ..turn.state import Citation, MessageFile
from ..wire import models
from .texts import as_json, as_microseconds, as_word, clean, without_query
from .toolcalls import with_calls

Block = dict[str, list[Any]]

NIL = "00000000-0000-0000-0000-000000000000"
"""What Dify writes where there is no parent message."""


def conversation_rows(items: Sequence[models.Conversation], *, user: str | None = None) -> Block:
    """The table `conversations`."""
    return {
        "conversation_id": [item.id for item in items],
        "user": [user] * len(items),
        "created_at": [as_microseconds(item.created_at) for item in items],
        "updated_at": [as_microseconds(item.updated_at) for item in items],
        "status": [as_word(item.status) for item in items],
        "name": [clean(item.name) or "" for item in items],
        "introduction": [clean(item.introduction) for item in items],
        "inputs": [as_json(item.inputs) for item in items],
    }


def message_rows(items: Sequence[models.StoredMessage], *, user: str | None = None) -> Block:
    """The table `messages`, with the columns that the API knows."""
    # A page at a time where that is as good: this runs for every message of every history.
    answers = [item.answer or "" for item in items]
    block: Block = {
        "message_id": [item.id for item in items],
        "conversation_id": [item.conversation_id for item in items],
        "user": [user] * len(items),
        "created_at": [as_microseconds(item.created_at) for item in items],
        "status": [item.status for item in items],
        "query": _cleaned([item.query or "" for item in items]),
        "inputs": ["{}" if item.inputs == {} else as_json(item.inputs) for item in items],
    }
    feedbacks = [item.feedback for item in items]
    if any(feedbacks):
        block["rating"] = [as_word(told.get("rating")) if told else None for told in feedbacks]
    errors = [item.error for item in items]
    if any(errors):
        block["error"] = [clean(error) or None for error in errors]
    parents = [item.parent_message_id for item in items]
    if set(parents) - {NIL, "", None}:
        block["parent_message_id"] = [None if parent in (NIL, "") else parent for parent in parents]
    whole = "".join(answers)
    if "<" in whole and ("<think>" in whole or "<details style" in whole):  # one character is found much faster
        parted = [split_reasoning(answer) if "<" in answer else (answer, "") for answer in answers]
        answers = [answer for answer, _ in parted]
        block["reasoning"] = [clean(reasoning) or None for _, reasoning in parted]
    block["answer"] = _cleaned(answers)
    return block


def _cleaned(texts: list[str]) -> list[str]:
    """Texts without signatures and keys; looked at one by one only if one may hold any."""
    return [redact(text) for text in texts] if may_hold_a_secret("".join(texts)) else texts


def thought_rows(items: Sequence[models.StoredMessage], *, user: str | None = None) -> Block:
    """The table `thoughts` of stored messages."""
    rows: list[dict[str, Any]] = []
    for item in items:
        for told in item.agent_thoughts or ():
            base = {
                "thought_id": as_text(told.get("id")),
                "message_id": item.id,
                "conversation_id": item.conversation_id,
                "user": user,
                "position": as_int(told.get("position")),
                "created_at": as_microseconds(told.get("created_at")),
                "thought": clean(as_text(told.get("thought"))),
            }
            tool, labels = redact(as_text(told.get("tool"))), told.get("tool_labels")
            rows += with_calls(base, tool, told.get("tool_input"), told.get("observation"), labels)
    return block_of(rows)


def citation_rows(items: Sequence[models.StoredMessage], *, user: str | None = None) -> Block:
    """The table `citations` of stored messages."""
    return block_of(
        [
            {
                "message_id": item.id,
                "conversation_id": item.conversation_id,
                "user": user,
                **citation_values(as_citation(told)),
            }
            for item in items
            for told in item.retriever_resources or ()
        ]
    )


def file_rows(items: Sequence[models.StoredMessage], *, user: str | None = None) -> Block:
    """The table `files` of stored messages."""
    return block_of(
        [
            {
                "message_id": item.id,
                "conversation_id": item.conversation_id,
                "user": user,
                **file_values(as_file(told)),
                "upload_file_id": as_word(told.get("upload_file_id")),
                "transfer_method": as_word(told.get("transfer_method")),
            }
            for item in items
            for told in item.message_files or ()
        ]
    )


def variable_rows(
    items: Sequence[models.ConversationVariable], *, conversation_id: str, user: str | None = None
) -> Block:
    """The table `variables` of one conversation."""
    return {
        "conversation_id": [conversation_id] * len(items),
        "user": [user] * len(items),
        "variable_id": [item.id for item in items],
        "name": [clean(item.name) for item in items],
        "value_type": [item.value_type or None for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "updated_at": [as_microseconds(item.updated_at) for item in items],
        "value": [_json_of(item.parsed) for item in items],
        "value_raw": [None if item.value is None else clean(as_text(item.value)) for item in items],
        "description": [item.description for item in items],
    }


def _json_of(value: Any) -> str | None:
    """JSON text of a value that a Python repr may have held; what JSON cannot say, as its repr."""
    try:
        return as_json(value)
    except (TypeError, ValueError, OverflowError):
        return as_json(repr(value))


def feedback_rows(items: Sequence[models.Feedback]) -> Block:
    """The table `feedbacks`; the users are not told."""
    return {
        "feedback_id": [item.id for item in items],
        "message_id": [item.message_id or "" for item in items],
        "conversation_id": [item.conversation_id for item in items],
        "rating": [as_word(item.rating) for item in items],
        "from_source": [as_word(item.from_source) for item in items],
        "end_user_id": [item.from_end_user_id for item in items],
        "account_id": [item.from_account_id for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "updated_at": [as_microseconds(item.updated_at) for item in items],
        "content": [clean(item.content) or None for item in items],
    }


def annotation_rows(items: Sequence[models.Annotation]) -> Block:
    """The table `annotations`."""
    return {
        "annotation_id": [item.id for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "hit_count": [as_int(item.hit_count) for item in items],
        "question": [clean(item.question) for item in items],
        "answer": [clean(item.answer) for item in items],
    }


ITEM_ROWS: dict[str, Callable[..., Block]] = {
    "conversations": conversation_rows,
    "messages": message_rows,
    "variables": variable_rows,
    "feedbacks": feedback_rows,
    "annotations": annotation_rows,
}
"""Table -> what makes it of the items of a list."""

MESSAGE_ROWS: dict[str, Callable[..., Block]] = {
    "messages": message_rows,
    "thoughts": thought_rows,
    "citations": citation_rows,
    "files": file_rows,
}
"""Table -> what makes it of stored messages."""


# -- what stored messages and turns have in common ----------------------------------------------


def block_of(rows: Sequence[Mapping[str, Any]]) -> Block:
    """Rows as a block."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def citation_values(found: Citation) -> dict[str, Any]:
    """The columns of a passage."""
    extra = found.extra or {}
    return {
        "position": found.position,
        "score": found.score,
        "dataset_id": found.dataset_id,
        "dataset_name": clean(found.dataset_name),
        "document_id": found.document_id,
        "document_name": clean(found.document_name),
        "segment_id": found.segment_id,
        "segment_position": as_int(extra.get("segment_position")),
        "hit_count": as_int(extra.get("hit_count")),
        "word_count": as_int(extra.get("word_count")),
        "data_source_type": as_word(extra.get("data_source_type")),
        "content": clean(found.content),
    }


def file_values(found: MessageFile) -> dict[str, Any]:
    """The columns of a file."""
    return {
        "file_id": found.id,
        "upload_file_id": None,
        "type": found.type or None,
        "belongs_to": found.belongs_to or None,
        "transfer_method": None,
        "name": clean(found.name),
        "mime_type": found.mime_type,
        "size": found.size,
        "url": without_query(found.url),
    }


def joined(blocks: Iterable[Block]) -> Block:
    """Blocks of one table, one behind the other."""
    parts = [block for block in blocks if block]
    sizes = [len(next(iter(block.values()))) for block in parts]
    found: Block = {}
    for name in {name: None for block in parts for name in block}:
        values: list[Any] = []
        for block, size in zip(parts, sizes, strict=True):
            values += block.get(name) or [None] * size
        found[name] = values
    return found
