"""Conversations and their messages as they are kept: read, renamed, rated and deleted."""

from __future__ import annotations

import json
import sqlite3

from .store import NotFound, Row, Store, conversation_of, second, touch

_SAID = "NOT EXISTS (SELECT 1 FROM workflow_runs r WHERE r.id = m.id)"
"""Leaves out what stands for a run of a workflow app, which answers no message."""


class Conversations:
    """What a store holds of them. They belong to an app and an end user.

    Paging goes by row numbers, not by times, so messages of the same second are neither lost nor mixed up.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, app: str, user: str, key: str) -> Row:
        """One conversation. Raises: NotFound."""
        return await self._store.reader.do(lambda db: dict(conversation_of(db, app, user, key)))

    async def page(
        self, app: str, user: str, *, sort_by: str, last_id: str | None, limit: int
    ) -> tuple[list[Row], bool]:
        """A page, and whether there is more. Raises: NotFound, for the conversation to go on from."""
        column = "touched" if sort_by.endswith("updated_at") else "seq"
        order, comparison = ("DESC", "<") if sort_by.startswith("-") else ("ASC", ">")

        def job(db: sqlite3.Connection) -> list[Row]:
            where, values = "app = ? AND end_user = ? AND alone = 0", [app, user]
            if last_id:
                try:
                    last = conversation_of(db, app, user, last_id)
                except NotFound:
                    raise NotFound("last_conversation") from None
                where += f" AND {column} {comparison} ?"
                values.append(last[column])
            rows = db.execute(
                f"SELECT * FROM conversations WHERE {where} ORDER BY {column} {order} LIMIT ?",
                [*values, limit + 1],
            )
            return [dict(row) for row in rows]

        rows = await self._store.reader.do(job)
        return rows[:limit], len(rows) > limit

    async def messages(
        self, app: str, user: str, conversation: str, *, first_id: str | None, limit: int
    ) -> tuple[list[Row], bool]:
        """A page, oldest first, of the messages before `first_id` (or the newest); whether older ones exist.

        Each has its `thoughts`, `files` and `rating`. Raises: NotFound (conversation, first_message).
        """

        def job(db: sqlite3.Connection) -> list[Row]:
            conversation_of(db, app, user, conversation)
            before = 2**62
            if first_id:
                first = db.execute(
                    "SELECT seq FROM messages WHERE id = ? AND conversation = ?", (first_id, conversation)
                ).fetchone()
                if first is None:
                    raise NotFound("first_message")
                before = first["seq"]
            rows = db.execute(
                "SELECT m.*, f.rating FROM messages m LEFT JOIN feedbacks f ON f.message = m.id"
                " WHERE m.conversation = ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?",
                (conversation, before, limit + 1),
            )
            return [_whole(db, row) for row in rows]

        rows = await self._store.reader.do(job)
        return rows[:limit][::-1], len(rows) > limit

    async def message(self, app: str, user: str, key: str) -> Row:
        """One message of this user's. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute(
                "SELECT m.*, f.rating FROM messages m JOIN conversations c ON c.id = m.conversation"
                " LEFT JOIN feedbacks f ON f.message = m.id"
                f" WHERE m.id = ? AND c.app = ? AND c.end_user = ? AND {_SAID}",
                (key, app, user),
            ).fetchone()
            if row is None:
                raise NotFound("message")
            return _whole(db, row)

        return await self._store.reader.do(job)

    async def answer_of(self, app: str, key: str) -> str:
        """What a message of an app, whoever asked it, says. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> str:
            row = db.execute(
                "SELECT m.answer FROM messages m JOIN conversations c ON c.id = m.conversation"
                f" WHERE m.id = ? AND c.app = ? AND {_SAID}",
                (key, app),
            ).fetchone()
            if row is None:
                raise NotFound("message")
            return str(row["answer"])

        return await self._store.reader.do(job)

    async def feedbacks(self, app: str, *, page: int, limit: int) -> list[Row]:
        """A page (from 1) of all feedback that an app got, newest first."""
        return await self._store.reader.do(
            lambda db: [
                dict(row)
                for row in db.execute(
                    "SELECT f.*, m.conversation FROM feedbacks f JOIN messages m ON m.id = f.message"
                    " JOIN conversations c ON c.id = m.conversation WHERE c.app = ?"
                    " ORDER BY f.created_at DESC, m.seq DESC LIMIT ? OFFSET ?",
                    (app, limit, (page - 1) * limit),
                )
            ]
        )

    async def node_runs(self, message: str) -> list[Row]:
        """What the nodes of a message did, in order; the API never gives this."""
        return await self._store.reader.do(
            lambda db: [
                json.loads(row["data"])
                for row in db.execute("SELECT data FROM node_runs WHERE message = ? ORDER BY seq", (message,))
            ]
        )

    async def rename(self, app: str, user: str, key: str, name: str) -> Row:
        """Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row:
            conversation_of(db, app, user, key)
            db.execute(
                "UPDATE conversations SET name = ?, updated_at = ?, touched = ? WHERE id = ?",
                (name, second(), touch(db), key),
            )
            return dict(conversation_of(db, app, user, key))

        return await self._store.writer.do(job)

    async def delete(self, app: str, user: str, key: str) -> None:
        """With all its messages. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> None:
            conversation_of(db, app, user, key)
            db.execute("DELETE FROM conversations WHERE id = ?", (key,))

        await self._store.writer.do(job)

    async def rate(self, app: str, user: str, message: str, rating: str | None, content: str | None) -> bool:
        """Set a feedback, or take it back with None; False when there was none to take back.

        Raises:
            NotFound: not this user's message.
        """
        await self.message(app, user, message)

        def job(db: sqlite3.Connection) -> bool:
            if rating is None:
                return db.execute("DELETE FROM feedbacks WHERE message = ?", (message,)).rowcount > 0
            now = second()
            db.execute(
                "INSERT INTO feedbacks VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (message) DO UPDATE SET"
                " rating = excluded.rating, content = excluded.content, updated_at = excluded.updated_at",
                (message, user, rating, content, now, now),
            )
            return True

        return await self._store.writer.do(job)


def _whole(db: sqlite3.Connection, message: sqlite3.Row) -> Row:
    key = message["id"]
    thoughts = db.execute("SELECT * FROM thoughts WHERE message = ? ORDER BY position", (key,))
    files = db.execute(
        "SELECT mf.*, f.name, f.mime_type, f.size FROM message_files mf LEFT JOIN files f ON f.id = mf.file"
        " WHERE mf.message = ? ORDER BY mf.seq",
        (key,),
    )
    forms = db.execute("SELECT * FROM forms WHERE message = ? ORDER BY seq", (key,))
    return {
        **dict(message),
        "inputs": json.loads(message["inputs"]),
        "resources": json.loads(message["resources"]),
        "thoughts": [dict(row) for row in thoughts],
        "files": [dict(row) for row in files],
        "forms": [dict(row) for row in forms],
    }
