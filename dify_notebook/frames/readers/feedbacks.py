"""What exports say of ratings: the table of them, the console's export, and the messages themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ...wire import models
from .. import dataframes, item_rows
from ..merging import Version
from ..ratings import GENERATED_ID
from .duplicates import NAMESPACE, LocatedRow, read, updated_at
from .end_users import EndUsers
from .formats import Row
from .layouts import parse_json

_FIELDS = frozenset(models.Feedback.__struct_fields__) - {"id", "app_id", "created_at", "updated_at", "extra"}
_TABLE, _SAVED, _EXPORT, _MESSAGE = 3, 2, 1, 0


def from_tables(rows: Mapping[str, Sequence[LocatedRow]], people: EndUsers) -> Iterator[Version]:
    """What the tables of ratings say. Raises: InputError: a row cannot be read."""
    for place, row in rows.get("message_feedbacks", ()):
        yield _version(place, row, people, _TABLE)
    for place, row in rows.get("feedback_export", ()):
        same = {"id": row["feedback_id"], "rating": row["feedback_rating_raw"], "content": row.get("feedback_comment")}
        when = row.get("feedback_date")
        source = row.get("feedback_source")
        told = {**row, **same, "from_source": source, "created_at": when, "updated_at": when}
        yield _version(place, told, people, _EXPORT)


def from_saved_feedbacks(frames: Sequence[pd.DataFrame]) -> Iterator[Version]:
    """What the tables of ratings say that were saved of a history."""
    for frame in frames:
        for row in dataframes.to_dicts(frame):
            yield Version(row, _updated_at(row), _SAVED)


def from_saved_messages(frames: Sequence[pd.DataFrame]) -> Iterator[Version]:
    """The ratings that saved tables of messages tell."""
    for frame in frames:
        rated = frame[frame["rating"].notna().to_numpy("bool")]
        for row in dataframes.to_dicts(rated[["message_id", "conversation_id", "user", "rating"]]):
            yield _from_message(*row.values())


def from_messages(told: Sequence[LocatedRow], people: EndUsers, owners: Mapping[str, str]) -> Iterator[Version]:
    """The ratings that messages tell. Without one, a message that says when it was changed says that there is none."""
    for place, row in told:
        inside, one = row.get("feedbacks"), row.get("feedback")
        if inside is not None:
            yield from _from_list(place, row, parse_json(inside, place), people)
            continue
        rating = one.get("rating") if isinstance(one, dict) else row.get("rating")
        taken_back = "feedback" in row and not one and updated_at(row, place) is not None
        if rating in ("like", "dislike") or taken_back:
            conversation = row.get("conversation_id")
            user = people.of(row) or owners.get(str(conversation))
            rating = str(rating) if rating else None
            yield _from_message(row["id"], conversation, user, rating, updated_at(row, place))


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


def _from_list(place: str, row: Row, inside: Any, people: EndUsers) -> Iterator[Version]:
    """The ratings as the console tells them: all of the message, without id and time."""
    when = updated_at(row, place)
    sides = {"user", "admin"}
    for at, inner in enumerate(inside if isinstance(inside, list) else ()):
        if not isinstance(inner, dict):
            continue
        sides.discard(inner.get("from_source") or "user")
        made = str(uuid.uuid5(NAMESPACE, f"{row['id']}/{at}"))
        told = {"id": "", "message_id": row["id"], "conversation_id": row.get("conversation_id"), **inner}
        found = _version(place, told, people, _MESSAGE)
        yield Version({**found.row, GENERATED_ID: made}, found.time or when, _MESSAGE)
    if when is not None and isinstance(inside, list):
        for side in sides:
            none = {"message_id": str(row["id"]), "conversation_id": None, "rating": None, "from_source": side}
            yield Version(none, when, _MESSAGE)


def _version(place: str, row: Row, people: EndUsers, source: int) -> Version:
    data = {name: row.get(name) or None for name in _FIELDS} | {"id": str(row["id"] or "")}
    times = {name: row[name] for name in ("created_at", "updated_at") if row.get(name)}
    found = read(models.Feedback, place, {**data, **times})
    told = {name: value for name, (value,) in item_rows.feedback_rows([found]).items()}
    told["user"] = people.name(found.from_end_user_id)
    return Version(told, _updated_at(told), source)


def _updated_at(row: Mapping[str, Any]) -> int | None:
    when: int | None = row["updated_at"] if row["updated_at"] is not None else row["created_at"]
    return when
