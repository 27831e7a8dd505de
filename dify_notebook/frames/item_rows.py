"""Items of the API's lists as batches of columns. Pure: no pandas, no I/O.

A batch is a dict from a column's name (see `schema`) to its values, all of one length; a column that is
not in it is missing in every row. Times are whole microseconds since 1970 in UTC. Nothing signed gets
into a batch: addresses and texts come without the parts of a query that sign it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from ..redact import may_hold_a_secret, redact, without_query
from ..turn.convert import as_float, as_int, as_text
from ..turn.reasoning import split_reasoning
from ..turn.state import Turn
from ..turn.stored import STORED_USAGE, turn_from_stored
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
    batch: Batch = {
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
        batch["rating"] = [as_word(feedback.get("rating")) if feedback else None for feedback in feedbacks]
    errors = [item.error for item in items]
    if any(errors):
        batch["error"] = [clean(error) or None for error in errors]
    parents = [item.parent_message_id for item in items]
    if set(parents) - {NIL, "", None}:
        batch["parent_message_id"] = [None if parent in (NIL, "") else parent for parent in parents]
    all_answers = "".join(answers)
    if "<" in all_answers and (
        "<think>" in all_answers or "<details style" in all_answers
    ):  # one character is found much faster
        split = list(map(split_reasoning, answers))
        answers = [answer for answer, _ in split]
        batch["reasoning"] = [clean(reasoning) or None for _, reasoning in split]
    batch["answer"] = _cleaned(answers)
    return batch | _usage_columns(items)


def _usage_columns(items: Sequence[models.StoredMessage]) -> Batch:
    """Tokens, price and latency, where the server tells them."""
    if not items:
        return {}
    # Six fields of each message of every history: in one go.
    columns = zip(STORED_USAGE, zip(*map(_stored_usage, items), strict=True), strict=True)
    reported: Batch = {name: list(values) for name, values in columns if values.count(None) < len(items)}
    if not reported:
        return {}
    if "total_price" in reported:
        reported["total_price"] = [as_float(price) for price in reported["total_price"]]
    if "currency" in reported:
        currencies = {currency: clean(currency) or None for currency in set(reported["currency"])}
        reported["currency"] = [currencies[currency] for currency in reported["currency"]]
    if any(None not in values for values in reported.values()):
        return {**reported, "usage_from": ["server"] * len(items)}
    is_reported = [values.count(None) < len(values) for values in zip(*reported.values(), strict=True)]
    return {**reported, "usage_from": ["server" if one else None for one in is_reported]}


_stored_usage = attrgetter(*STORED_USAGE.values())


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
"""Table -> the function that makes it of the items of a list."""

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
                "answer": clean(thought.answer) or None,
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
                "position": citation.position,
                "score": citation.score,
                "dataset_id": citation.dataset_id,
                "dataset_name": clean(citation.dataset_name),
                "document_id": citation.document_id,
                "document_name": clean(citation.document_name),
                "segment_id": citation.segment_id,
                "segment_position": as_int(extra.get("segment_position")),
                "hit_count": as_int(extra.get("hit_count")),
                "word_count": as_int(extra.get("word_count")),
                "data_source_type": as_word(extra.get("data_source_type")),
                "content": clean(citation.content),
            }
            for turn in turns
            for citation in turn.citations or ()
            for extra in (citation.extra or {},)
        ]
    )


def file_rows(turns: Sequence[Turn]) -> Batch:
    """The table `files`."""
    return batch_of(
        [
            {
                **message_ids(turn),
                "user": turn.user,
                "file_id": file.id,
                "upload_file_id": file.upload_file_id,
                "type": file.type or None,
                "belongs_to": file.belongs_to or None,
                "transfer_method": file.transfer_method,
                "name": clean(file.name),
                "mime_type": file.mime_type,
                "size": file.size,
                "url": without_query(file.url),
            }
            for turn in turns
            for file in turn.files or ()
        ]
    )


def form_rows(turns: Sequence[Turn]) -> Batch:
    """The table `forms`."""
    return batch_of(
        [
            {
                **message_ids(turn),
                "user": turn.user,
                "workflow_run_id": form.workflow_run_id or turn.workflow_run_id,
                "form_id": form.id,
                "node_id": form.node_id or None,
                "node_title": clean(form.title) or None,
                "status": form.status,
                "submitted": form.status == "filled",
                "action_id": form.action,
                "action_text": clean(next((item.title for item in form.actions if item.id == form.action), None)),
                "created_at": as_microseconds(data.get("created_at")),
                "submitted_at": as_microseconds(data.get("submitted_at")),
                "expires_at": as_microseconds(form.expires_at),
                "content": clean(as_text(data.get("form_content")) or form.content) or None,
                "rendered_content": (clean(form.content) or None) if form.status == "filled" else None,
                "inputs": as_json(form.inputs),
                "definition": as_json(data),
            }
            for turn in turns
            for form in turn.forms
            for data in (form.data if isinstance(form.data, dict) else {},)
        ]
    )


PART_ROWS: dict[str, Callable[[Sequence[Turn]], Batch]] = {
    "thoughts": thought_rows,
    "citations": citation_rows,
    "files": file_rows,
    "forms": form_rows,
}
"""Table of what belongs to messages -> the function that makes it of turns."""


def message_batches(items: Sequence[models.StoredMessage], *, user: str | None = None) -> dict[str, Batch]:
    """The tables of stored messages: `messages`, and of `PART_ROWS` those that have rows."""
    telling = (
        item
        for item in items
        if item.agent_thoughts or item.retriever_resources or item.message_files or item.extra_contents
    )
    turns = [turn_from_stored(item, user=user) for item in telling]
    parts = {name: rows(turns) for name, rows in PART_ROWS.items()}
    return {"messages": message_rows(items, user=user)} | {name: batch for name, batch in parts.items() if batch}


def batch_of(rows: Sequence[Mapping[str, Any]]) -> Batch:
    """Rows as a batch."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
