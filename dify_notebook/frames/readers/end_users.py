"""The end users of exports, and their conversations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ...turn.convert import as_text
from ...wire import models
from .. import dataframes, item_rows, texts
from .duplicates import drop_duplicates, read
from .layouts import LocatedRow, Row, parse_object

_FIELDS = frozenset(models.Conversation.__struct_fields__) - {"extra"}


class EndUsers:
    """The `user`s of an export: by the server's id of the end user, and in the order in which they came up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.users: dict[str, None] = {}
        """Whose conversations there are, in the order in which they came up."""

    def add_table(self, end_users: list[LocatedRow]) -> None:
        """Take the rows of the table `end_users`."""
        rows = drop_duplicates([(0, end_users)], "end_users")
        self._names = {key: str(row["session_id"]) for key, (_, row) in rows.items() if row["session_id"]}

    def name(self, id: Any) -> str | None:
        """The `user` for the server's id of an end user, or None."""
        return self._names.get(str(id)) if id else None

    def user_of(self, row: Row) -> str | None:
        """The `user` of a row, or None."""
        user = row.get("from_end_user_session_id") or row.get("user")
        return str(user) if user else self.name(row.get("from_end_user_id", row.get("end_user_id")))

    def owners(self, conversations: Mapping[str, LocatedRow]) -> dict[str, str]:
        """Users by conversation."""
        found = {key: user for key, (_, row) in conversations.items() if (user := self.user_of(row))}
        self.users.update(dict.fromkeys(found.values()))
        return found


def conversation_batch(
    listed: Mapping[str, LocatedRow], owners: Mapping[str, str], messages: pd.DataFrame
) -> item_rows.Batch:
    """The conversations that exports list; missing times and users are filled from their messages."""
    spans = _spans(messages, listed)
    batch = item_rows.conversation_rows([_conversation(key, location, row) for key, (location, row) in listed.items()])
    for index, key in enumerate(listed):
        began, last, user = spans.get(key, (None, None, None))
        for name, value in (("created_at", began), ("updated_at", last)):
            batch[name][index] = batch[name][index] or value
        batch["user"][index] = owners.get(key) or user
    return batch


def _conversation(key: str, location: str, row: Row) -> models.Conversation:
    """Raises: InputError: it is none."""
    data = {name: row.get(name) for name in _FIELDS} | {
        "id": key,
        "name": as_text(row.get("name") or row.get("summary") or ""),
        "inputs": parse_object(row.get("inputs"), location),
        **{name: texts.as_word(row.get(name)) for name in ("status", "introduction")},
    }
    conversation: models.Conversation = read(models.Conversation, location, data)
    return conversation


def unlisted_conversations(messages: pd.DataFrame, known: Iterable[str]) -> item_rows.Batch:
    """The conversations that only messages name: with the times of the first and the last, and their user."""
    named = messages["conversation_id"].dropna()
    spans = _spans(messages, set(named) - set(known))
    return item_rows.batch_of(
        [
            {"conversation_id": key, "user": user, "created_at": began, "updated_at": last, "name": ""}
            for key, (began, last, user) in spans.items()
        ]
    )


def _spans(messages: pd.DataFrame, conversation_ids: Iterable[str]) -> dict[str, tuple[Any, Any, str | None]]:
    """Conversation -> time of its first message and of its last, and who asked last."""
    rows = messages[messages["conversation_id"].isin(list(conversation_ids)).to_numpy("bool")]
    if rows.empty:
        return {}
    groups = rows[["conversation_id", "created_at", "user"]].groupby("conversation_id", sort=False)
    spans = groups.agg(began=("created_at", "min"), last=("created_at", "max"), user=("user", "last"))
    columns = (dataframes.to_list(spans[name]) for name in spans)
    return dict(zip(spans.index, zip(*columns, strict=True), strict=True))
