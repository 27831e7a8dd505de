"""What the store knows of uploaded files; their bytes lie in the directory, under their ids."""

from __future__ import annotations

import sqlite3

from .store import Row, Store, Unknown, second


class Uploads:
    """What a store holds of them. They belong to an app."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self, *, key: str, app: str, user: str, name: str, extension: str, mime_type: str, size: int
    ) -> Row:
        """Write down an upload whose bytes already lie in the directory."""

        def job(db: sqlite3.Connection) -> Row:
            db.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (key, app, user, name, extension, mime_type, size, second()),
            )
            return dict(db.execute("SELECT * FROM files WHERE id = ?", (key,)).fetchone())

        return await self._store.writer.do(job)

    async def find(self, key: str, app: str | None = None) -> Row:
        """An upload, of an app when one is named. Raises: Unknown."""

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute("SELECT * FROM files WHERE id = ?", (key,)).fetchone()
            if row is None or (app is not None and row["app"] != app):
                raise Unknown("file")
            return dict(row)

        return await self._store.reader.do(job)

    async def in_message(self, key: str, app: str) -> Row:
        """An upload that a message of this app uses. Raises: Unknown."""

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute(
                "SELECT f.* FROM files f JOIN message_files mf ON mf.file = f.id WHERE f.id = ? AND f.app = ? LIMIT 1",
                (key, app),
            ).fetchone()
            if row is None:
                raise Unknown("file")
            return dict(row)

        return await self._store.reader.do(job)
