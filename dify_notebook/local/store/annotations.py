"""Annotations: answers that people wrote down, given instead of the app's own to questions like theirs.

There is no embedding model here. How like two questions are is the share of three-letter groups that
they have in common, from 0 to 1; the same question, in any case of letters and with any marks, is 1.
"""

from __future__ import annotations

import sqlite3
import time
import unicodedata
import uuid
from collections import Counter

from .store import NotFound, Row, Store

MAX_CHARACTERS = 20_000
"""Characters of a question that is held against annotations."""


def normal(text: str) -> str:
    """A question without case, marks and extra spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(character if character.isalnum() else " " for character in plain)
    return " ".join(words.split())


def similarity(text: str, other: str) -> float:
    """How like two questions are, 0 to 1.

    >>> similarity("What is Dify?", "what is dify")
    1.0
    """
    return Question(text).likeness(other)


class Question:
    """A question that is held against many others."""

    def __init__(self, text: str) -> None:
        self._text = normal(text)
        self._groups = _groups(self._text)

    def likeness(self, other: str, minimum: float = 0.0) -> float:
        """How like the other is, 0 to 1; what cannot reach `minimum`, going by its length, counts as 0."""
        text = normal(other)
        if not text or not self._text:
            return 0.0
        if text == self._text:
            return 1.0
        # A text has as many groups as characters.
        total = len(text) + len(self._text)
        if 2 * min(len(text), len(self._text)) < minimum * total:
            return 0.0
        return 2 * (self._groups & _groups(text)).total() / total


def _groups(text: str) -> Counter[str]:
    padded = f" {text} "
    return Counter(padded[at : at + 3] for at in range(len(padded) - 2))


class Annotations:
    """What a store holds of them. They belong to the app, not to a user."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, app: str, *, keyword: str, page: int, limit: int) -> tuple[list[Row], int]:
        """A page (from 1), newest first, and how many there are in all."""

        def job(db: sqlite3.Connection) -> tuple[list[Row], int]:
            where, values = "app = ?", [app]
            if keyword:
                pattern = "%" + keyword.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
                where += " AND (question LIKE ? ESCAPE '\\' OR answer LIKE ? ESCAPE '\\')"
                values += [pattern, pattern]
            (total,) = db.execute(f"SELECT COUNT(*) FROM annotations WHERE {where}", values).fetchone()
            rows = db.execute(
                f"SELECT * FROM annotations WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?",
                [*values, limit, (page - 1) * limit],
            )
            return [dict(row) for row in rows], int(total)

        return await self._store.reader.do(job)

    async def create(self, app: str, question: str, answer: str) -> Row:
        def job(db: sqlite3.Connection) -> Row:
            key = str(uuid.uuid4())
            db.execute(
                "INSERT INTO annotations (id, app, question, answer, created_at) VALUES (?, ?, ?, ?, ?)",
                (key, app, question, answer, int(time.time())),
            )
            return _annotation(db, app, key)

        return await self._store.writer.do(job)

    async def update(self, app: str, key: str, question: str, answer: str) -> Row:
        """Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row:
            _annotation(db, app, key)
            db.execute("UPDATE annotations SET question = ?, answer = ? WHERE id = ?", (question, answer, key))
            return _annotation(db, app, key)

        return await self._store.writer.do(job)

    async def delete(self, app: str, key: str) -> None:
        """Raises: NotFound."""

        def job(db: sqlite3.Connection) -> None:
            _annotation(db, app, key)
            db.execute("DELETE FROM annotations WHERE id = ?", (key,))

        await self._store.writer.do(job)

    async def switch(
        self, app: str, action: str, *, threshold: float | None = None, provider: str = "", model: str = ""
    ) -> str:
        """Turn annotation answers on or off; gives the id of the job, which is done when this returns."""

        def job(db: sqlite3.Connection) -> str:
            if action == "enable":
                db.execute(
                    "INSERT INTO annotation_replies VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT (app) DO UPDATE SET"
                    " enabled = 1, score_threshold = excluded.score_threshold, provider = excluded.provider,"
                    " model = excluded.model",
                    (app, str(uuid.uuid4()), threshold, provider, model),
                )
            else:
                db.execute("UPDATE annotation_replies SET enabled = 0 WHERE app = ?", (app,))
            key = str(uuid.uuid4())
            db.execute("INSERT INTO annotation_jobs VALUES (?, ?, ?, ?)", (key, app, action, int(time.time())))
            return key

        return await self._store.writer.do(job)

    async def has_job(self, app: str, action: str, key: str) -> bool:
        """Whether such a job ran."""
        return await self._store.reader.do(
            lambda db: (
                db.execute(
                    "SELECT 1 FROM annotation_jobs WHERE id = ? AND app = ? AND action = ?", (key, app, action)
                ).fetchone()
                is not None
            )
        )

    async def settings(self, app: str) -> Row | None:
        """How annotation answers are set; None where they are off."""

        def job(db: sqlite3.Connection) -> Row | None:
            row = db.execute("SELECT * FROM annotation_replies WHERE app = ? AND enabled", (app,)).fetchone()
            return None if row is None else dict(row)

        return await self._store.reader.do(job)

    async def match(self, app: str, question: str) -> Row | None:
        """The annotation that answers a question, where answers are on and one is like enough.

        A question of more than `MAX_CHARACTERS` characters is like none.
        """
        settings = await self.settings(app)
        if settings is None or len(question) > MAX_CHARACTERS:
            return None

        def job(db: sqlite3.Connection) -> Row | None:
            wanted, minimum = Question(question), settings["score_threshold"]
            best, score = None, 0.0
            for row in db.execute("SELECT * FROM annotations WHERE app = ? ORDER BY seq", (app,)):
                likeness = wanted.likeness(row["question"], max(minimum, score))
                if likeness > score:
                    best, score = row, likeness
            return dict(best) if best is not None and score >= minimum else None

        return await self._store.reader.do(job)

    async def hit(self, key: str, message: str) -> None:
        """Count that an annotation answered a message."""

        def job(db: sqlite3.Connection) -> None:
            db.execute("UPDATE annotations SET hit_count = hit_count + 1 WHERE id = ?", (key,))
            db.execute("UPDATE messages SET annotation = ? WHERE id = ?", (key, message))

        await self._store.writer.do(job)


def _annotation(db: sqlite3.Connection, app: str, key: str) -> Row:
    row = db.execute("SELECT * FROM annotations WHERE id = ? AND app = ?", (key, app)).fetchone()
    if row is None:
        raise NotFound("annotation")
    return dict(row)
