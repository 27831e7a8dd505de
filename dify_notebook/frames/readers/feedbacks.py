"""The ratings in exports: of the tables of them, the console's export, and the messages themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ...wire import models
from .. import dataframes, item_rows
from ..merging import Version
from ..ratings import GENERATED_ID
from .duplicates import read, updated_at
from .end_users import EndUsers
from .layouts import NAMESPACE, LocatedRow, Row, parse_json

_FIELDS = frozenset(models.Feedback.__struct_fields__) - {"id", "app_id", "created_at", "updated_at", "extra"}
_TABLE, _SAVED, _EXPORT, _MESSAGE = 3, 2, 1, 0


def from_tables(rows: Mapping[str, Sequence[LocatedRow]], end_users: EndUsers) -> Iterator[Version]:
    """Of the database's table and the console's export. Raises: InputError: a row cannot be read."""
    for location, row in rows.get("message_feedbacks", ()):
        yield _version(location, row, end_users, _TABLE)
    for location, row in rows.get("feedback_export", ()):
        same = {"id": row["feedback_id"], "rating": row["feedback_rating_raw"], "content": row.get("feedback_comment")}
        when = row.get("feedback_date")
        source = row.get("feedback_source")
        feedback = {**row, **same, "from_source": source, "created_at": when, "updated_at": when}
        yield _version(location, feedback, end_users, _EXPORT)


def from_saved_feedbacks(frames: Sequence[pd.DataFrame]) -> Iterator[Version]:
    """Of saved tables `feedbacks` of a history."""
    for frame in frames:
        for row in dataframes.to_dicts(frame):
            yield Version(row, _updated_at(row), _SAVED)


def from_saved_messages(frames: Sequence[pd.DataFrame]) -> Iterator[Version]:
    """Of saved tables `messages` of a history."""
    for frame in frames:
        rated = frame[frame["rating"].notna().to_numpy("bool")]
        for row in dataframes.to_dicts(rated[["message_id", "conversation_id", "user", "rating"]]):
            yield _from_message(*row.values())


def from_messages(messages: Sequence[LocatedRow], end_users: EndUsers, owners: Mapping[str, str]) -> Iterator[Version]:
    """Of messages. One with `updated_at` and without a rating says that its rating was withdrawn."""
    for location, row in messages:
        nested, feedback = row.get("feedbacks"), row.get("feedback")
        if nested is not None:
            yield from _from_list(location, row, parse_json(nested, location), end_users)
            continue
        rating = feedback.get("rating") if isinstance(feedback, dict) else row.get("rating")
        taken_back = "feedback" in row and not feedback and updated_at(row, location) is not None
        if rating in ("like", "dislike") or taken_back:
            conversation = row.get("conversation_id")
            user = end_users.user_of(row) or owners.get(str(conversation))
            rating = str(rating) if rating else None
            yield _from_message(row["id"], conversation, user, rating, updated_at(row, location))


def _from_message(
    message: Any, conversation: Any, user: str | None, rating: str | None, when: int | None = None
) -> Version:
    row = {
        "message_id": str(message),
        "conversation_id": str(conversation) if conversation else None,
        "user": user,
        "rating": rating,
        "from_source": "user",
    }
    return Version(row, when, _MESSAGE)


def _from_list(location: str, row: Row, nested: Any, end_users: EndUsers) -> Iterator[Version]:
    """As the console answers: all ratings of the message, without id and time."""
    when = updated_at(row, location)
    sources = {"user", "admin"}
    for index, item in enumerate(nested if isinstance(nested, list) else ()):
        if not isinstance(item, dict):
            continue
        sources.discard(item.get("from_source") or "user")
        generated = str(uuid.uuid5(NAMESPACE, f"{row['id']}/{index}"))
        feedback = {"id": "", "message_id": row["id"], "conversation_id": row.get("conversation_id"), **item}
        version = _version(location, feedback, end_users, _MESSAGE)
        yield Version({**version.row, GENERATED_ID: generated}, version.time or when, _MESSAGE)
    if when is not None and isinstance(nested, list):
        for source in sources:
            none = {"message_id": str(row["id"]), "conversation_id": None, "rating": None, "from_source": source}
            yield Version(none, when, _MESSAGE)


def _version(location: str, row: Row, end_users: EndUsers, source: int) -> Version:
    data = {name: row.get(name) or None for name in _FIELDS} | {"id": str(row["id"] or "")}
    times = {name: row[name] for name in ("created_at", "updated_at") if row.get(name)}
    feedback = read(models.Feedback, location, {**data, **times})
    values = {name: value for name, (value,) in item_rows.feedback_rows([feedback]).items()}
    values["user"] = end_users.name(feedback.from_end_user_id)
    return Version(values, _updated_at(values), source)


def _updated_at(row: Mapping[str, Any]) -> int | None:
    when: int | None = row["updated_at"] if row["updated_at"] is not None else row["created_at"]
    return when
