"""What the API says, as columns of plain values. Pure: no pandas, no I/O.

A block is a dict from a column's name (see `schema`) to its values, all of one length; a column that is
not in it is missing in every row. Times are whole microseconds since 1970 in UTC. Nothing signed gets
into a block: addresses and texts come without the parts of a query that sign it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..redact import may_hold_a_secret, redact, without_query
from ..turn.convert import as_int, as_text
from ..turn.reasoning import split_reasoning
from ..turn.state import Turn
from ..turn.stored import turn_of
from ..wire import models
from .texts import as_json, as_microseconds, as_word, clean
from .toolcalls import call_rows

Batch = dict[str, list[Any]]

NIL = "00000000-0000-0000-0000-000000000000"
"""What Dify writes where there is no parent message."""


def conversation_rows(items: Sequence[models.Conversation], *, user: str | None = None) -> Batch:
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


def message_rows(items: Sequence[models.StoredMessage], *, user: str | None = None) -> Batch:
    """The table `messages`, with the columns that the API knows."""
    # A page at a time where that is as good: this runs for every message of every history.
    answers = [item.answer or "" for item in items]
    block: Batch = {
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
        parted = list(map(split_reasoning, answers))
        answers = [answer for answer, _ in parted]
        block["reasoning"] = [clean(reasoning) or None for _, reasoning in parted]
    block["answer"] = _cleaned(answers)
    return block


def _cleaned(texts: list[str]) -> list[str]:
    """Texts without signatures and keys; looked at one by one only if one may hold any."""
    return [redact(text) for text in texts] if may_hold_a_secret("".join(texts)) else texts


def variable_rows(
    items: Sequence[models.ConversationVariable], *, conversation_id: str, user: str | None = None
) -> Batch:
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


def feedback_rows(items: Sequence[models.Feedback]) -> Batch:
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


def annotation_rows(items: Sequence[models.Annotation]) -> Batch:
    """The table `annotations`."""
    return {
        "annotation_id": [item.id for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "hit_count": [as_int(item.hit_count) for item in items],
        "question": [clean(item.question) for item in items],
        "answer": [clean(item.answer) for item in items],
    }


ITEM_ROWS: dict[str, Callable[..., Batch]] = {
    "conversations": conversation_rows,
    "messages": message_rows,
    "variables": variable_rows,
    "feedbacks": feedback_rows,
    "annotations": annotation_rows,
}
"""Table -> what makes it of the items of a list."""

# -- of turns, and of stored messages by way of them ----------------------------------------------


def message_ids(turn: Turn) -> dict[str, Any]:
    """The columns that tell which message a row belongs to."""
    return {"message_id": turn.message_id, "conversation_id": turn.conversation_id}


def thought_rows(turns: Sequence[Turn]) -> Batch:
    """The table `thoughts`."""
    rows: list[dict[str, Any]] = []
    for turn in turns:
        for thought in turn.thoughts or ():
            base = {
                "thought_id": thought.id,
                **message_ids(turn),
                "user": turn.user,
                "position": thought.position,
                "created_at": as_microseconds(thought.created_at),
                "started": thought.started_at,
                "finished": thought.finished_at,
                "thought": clean(thought.thought),
            }
            rows += call_rows(base, redact(thought.tool), thought.tool_input, thought.observation, thought.tool_labels)
    return batch_of(rows)


def citation_rows(turns: Sequence[Turn]) -> Batch:
    """The table `citations`."""
    return batch_of(
        [
            {
                **message_ids(turn),
                "user": turn.user,
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
            for turn in turns
            for found in turn.citations or ()
            for extra in (found.extra or {},)
        ]
    )


def file_rows(turns: Sequence[Turn]) -> Batch:
    """The table `files`."""
    return batch_of(
        [
            {
                **message_ids(turn),
                "user": turn.user,
                "file_id": found.id,
                "upload_file_id": found.upload_file_id,
                "type": found.type or None,
                "belongs_to": found.belongs_to or None,
                "transfer_method": found.transfer_method,
                "name": clean(found.name),
                "mime_type": found.mime_type,
                "size": found.size,
                "url": without_query(found.url),
            }
            for turn in turns
            for found in turn.files or ()
        ]
    )


PART_ROWS: dict[str, Callable[[Sequence[Turn]], Batch]] = {
    "thoughts": thought_rows,
    "citations": citation_rows,
    "files": file_rows,
}
"""Table of what belongs to messages -> what makes it of turns."""


def message_batches(items: Sequence[models.StoredMessage], *, user: str | None = None) -> dict[str, Batch]:
    """The tables of stored messages: `messages`, and of `PART_ROWS` those that have rows."""
    telling = (item for item in items if item.agent_thoughts or item.retriever_resources or item.message_files)
    turns = [turn_of(item, user=user) for item in telling]
    parts = {name: rows(turns) for name, rows in PART_ROWS.items()}
    return {"messages": message_rows(items, user=user)} | {name: block for name, block in parts.items() if block}


def batch_of(rows: Sequence[Mapping[str, Any]]) -> Batch:
    """Rows as a block."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def joined(blocks: Iterable[Batch]) -> Batch:
    """Blocks of one table, one behind the other."""
    parts = [block for block in blocks if block]
    sizes = [len(next(iter(block.values()))) for block in parts]
    found: Batch = {}
    for name in {name: None for block in parts for name in block}:
        values: list[Any] = []
        for block, size in zip(parts, sizes, strict=True):
            values += block.get(name) or [None] * size
        found[name] = values
    return found
