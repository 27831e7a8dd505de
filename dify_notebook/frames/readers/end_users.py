"""Who asked, and the conversations they had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ...turn.convert import as_text
from ...wire import models
from .. import dataframes, item_rows, texts
from .duplicates import LocatedRow, drop_duplicates, read
from .formats import Row
from .layouts import parse_object

_FIELDS = frozenset(models.Conversation.__struct_fields__) - {"extra"}


class EndUsers:
    """The users that exports name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.found: dict[str, None] = {}
        """Whose conversations there are, in the order in which they came up."""

    def learn(self, end_users: list[LocatedRow]) -> None:
        """Take the table of users."""
        rows = drop_duplicates([(0, end_users)], "end_users")
        self._names = {key: str(row["session_id"]) for key, (_, row) in rows.items() if row["session_id"]}

    def name(self, id: Any) -> str | None:
        """The `user` that the API was asked with, of the server's id."""
        return self._names.get(str(id)) if id else None

    def of(self, row: Row) -> str | None:
        """Whose a row is."""
        told = row.get("from_end_user_session_id") or row.get("user")
        return str(told) if told else self.name(row.get("from_end_user_id", row.get("end_user_id")))

    def owners(self, conversations: Mapping[str, LocatedRow]) -> dict[str, str]:
        """Users by conversation."""
        found = {key: user for key, (_, row) in conversations.items() if (user := self.of(row))}
        self.found.update(dict.fromkeys(found.values()))
        return found


def conversation_batch(
    told: Mapping[str, LocatedRow], owners: Mapping[str, str], messages: pd.DataFrame
) -> item_rows.Batch:
    """The conversations that exports tell; what they leave out of times and users, their messages tell."""
    spans = _spans(messages, told)
    block = item_rows.conversation_rows([_conversation(key, place, row) for key, (place, row) in told.items()])
    for at, key in enumerate(told):
        began, last, user = spans.get(key, (None, None, None))
        for name, value in (("created_at", began), ("updated_at", last)):
            block[name][at] = block[name][at] or value
        block["user"][at] = owners.get(key) or user
    return block


def _conversation(key: str, place: str, row: Row) -> models.Conversation:
    """Raises: InputError: it is none."""
    data = {name: row.get(name) for name in _FIELDS} | {
        "id": key,
        "name": as_text(row.get("name") or row.get("summary") or ""),
        "inputs": parse_object(row.get("inputs"), place),
        **{name: texts.as_word(row.get(name)) for name in ("status", "introduction")},
    }
    found: models.Conversation = read(models.Conversation, place, data)
    return found


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


def _spans(messages: pd.DataFrame, wanted: Iterable[str]) -> dict[str, tuple[Any, Any, str | None]]:
    """Conversation -> time of its first message and of its last, and who asked last."""
    theirs = messages[messages["conversation_id"].isin(list(wanted)).to_numpy("bool")]
    if theirs.empty:
        return {}
    groups = theirs[["conversation_id", "created_at", "user"]].groupby("conversation_id", sort=False)
    found = groups.agg(began=("created_at", "min"), last=("created_at", "max"), user=("user", "last"))
    columns = (dataframes.to_list(found[name]) for name in found)
    return dict(zip(found.index, zip(*columns, strict=True), strict=True))
