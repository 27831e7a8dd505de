"""Conversation variables as they are kept; a run reads them at its start and writes what it changed at its end."""

from __future__ import annotations

import json
import sqlite3

from .store import Row, Store, as_json, conversation_of, second


class Variables:
    """What a store holds of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, app: str, user: str, conversation: str) -> list[Row]:
        """Those of a conversation, in the order in which the app declares them. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> list[Row]:
            conversation_of(db, app, user, conversation)
            rows = db.execute("SELECT * FROM variables WHERE conversation = ? ORDER BY rowid", (conversation,))
            return [{**dict(row), "value": json.loads(row["value"])} for row in rows]

        return await self._store.reader.do(job)

    async def set(self, conversation: str, key: str, value: object) -> None:
        """The caller has checked that it exists and that the type fits."""
        await self._store.writer.do(
            lambda db: db.execute(
                "UPDATE variables SET value = ?, updated_at = ? WHERE conversation = ? AND id = ?",
                (as_json(value), second(), conversation, key),
            )
        )
