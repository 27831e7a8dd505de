"""What the store knows of uploaded files; their bytes lie in the directory, under their ids."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ...private import private_opener
from ..threads import in_thread
from .run_rows import hold_file
from .store import NotFound, Row, Store, end_user_of, second


class Uploads:
    """What a store holds of them. They belong to an app."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self,
        path: Path,
        write: Callable[[BinaryIO], object],
        *,
        app: str,
        session: str,
        name: str,
        extension: str,
        mime_type: str,
        size: int,
        message: str | None = None,
    ) -> Row:
        """Keep an upload: its bytes in the directory and a row that says so, or neither.

        Args:
            path: where it will lie; its name is the id.
            write: writes the bytes, in a thread.
            session: the user who sends it, made when seen for the first time.
            message: whose run made it; they are forgotten together.

        Raises:
            OSError: it cannot be written.
        """
        part, abandoned = path.with_name(path.name + ".part"), threading.Event()

        def bytes_aside() -> None:
            _written(part, write)
            if abandoned.is_set():  # the request is gone, and with it whoever would take this away
                part.unlink(missing_ok=True)

        def job(db: sqlite3.Connection) -> Row:
            values = (path.name, app, end_user_of(db, app, session), name, extension, mime_type, size, second())
            db.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            os.replace(part, path)
            if message is not None:
                hold_file(db, message, path.name)
            return dict(db.execute("SELECT * FROM files WHERE id = ?", (path.name,)).fetchone())

        try:
            await in_thread(bytes_aside)
            return await self._store.writer.do(job)
        except Exception:  # a cancelled job may still be done, with its row
            path.unlink(missing_ok=True)
            raise
        finally:
            abandoned.set()
            part.unlink(missing_ok=True)

    async def find(self, key: str, app: str | None = None) -> Row:
        """An upload, of an app when one is named. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute("SELECT * FROM files WHERE id = ?", (key,)).fetchone()
            if row is None or (app is not None and row["app"] != app):
                raise NotFound("file")
            return dict(row)

        return await self._store.reader.do(job)

    async def in_message(self, key: str, app: str) -> Row:
        """An upload that a message of this app uses. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute(
                "SELECT f.* FROM files f JOIN message_files mf ON mf.file = f.id WHERE f.id = ? AND f.app = ? LIMIT 1",
                (key, app),
            ).fetchone()
            if row is None:
                raise NotFound("file")
            return dict(row)

        return await self._store.reader.do(job)


def _written(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Raises: OSError; then nothing is left."""
    try:
        with open(path, "xb", opener=private_opener) as target:
            write(target)
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
