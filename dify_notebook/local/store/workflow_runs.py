"""Runs of workflows as they are kept: one of them, and the log of a workflow app."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from .store import NotFound, Row, Store


@dataclass(frozen=True)
class LogFilter:
    """Which runs a page of the log has; all that is given must fit."""

    keyword: str = ""
    """Stands in what went in or came out, as it is kept, in the name of who ran it, or begins the run's id."""
    status: str | None = None
    before: float | None = None
    """Seconds since 1970."""
    after: float | None = None
    """Seconds since 1970."""
    session: str | None = None
    """Who ran it."""
    ended: bool = False
    """Leaves out what still runs."""


_LISTED = ", ".join(f"r.{name}" for name in (
    "id", "end_user", "status", "error", "elapsed", "tokens", "steps", "exceptions", "created_at", "finished_at",
))  # fmt: skip
"""What a log tells; what went in and came out may be large."""


class WorkflowRuns:
    """What a store holds of them: those of workflow apps, and of chatflows since this is written down."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, app: str, key: str) -> Row:
        """One run of an app, whoever began it. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row | None:
            row = db.execute("SELECT * FROM workflow_runs WHERE id = ? AND app = ?", (key, app)).fetchone()
            return None if row is None else _read(row)

        # That it began is written beside the stream that tells so: behind what is being written, it is there.
        row = await self._store.reader.do(job) or await self._store.writer.do(job)
        if row is None:
            raise NotFound("workflow_run")
        return row

    async def page(self, app: str, wanted: LogFilter, *, page: int, limit: int) -> tuple[list[Row], int]:
        """A page (from 1) of a workflow app's log, newest first, and how many there are in all."""
        where, values = _condition(app, wanted)
        source = f"FROM workflow_runs r JOIN end_users u ON u.id = r.end_user WHERE {where}"

        def job(db: sqlite3.Connection) -> tuple[list[Row], int]:
            (total,) = db.execute(f"SELECT COUNT(*) {source}", values).fetchone()
            rows = db.execute(
                f"SELECT {_LISTED}, u.session {source} ORDER BY r.seq DESC LIMIT ? OFFSET ?",
                [*values, limit, (page - 1) * limit],
            )
            return [dict(row) for row in rows], total

        return await self._store.reader.do(job)


def _read(row: sqlite3.Row) -> Row:
    outputs = None if row["outputs"] is None else json.loads(row["outputs"])
    return {**dict(row), "inputs": json.loads(row["inputs"]), "outputs": outputs}


def _condition(app: str, wanted: LogFilter) -> tuple[str, list[object]]:
    parts: list[tuple[str, list[object]]] = [("r.app = ? AND r.logged = 1", [app])]
    if wanted.keyword:
        # Dify looks for no more than 30 characters.
        text = wanted.keyword[:30].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        like = "LIKE ? ESCAPE '\\'"
        found = f"(r.inputs {like} OR r.outputs {like} OR u.session {like} OR r.id {like})"
        parts.append((found, [*[f"%{text}%"] * 3, f"{text}%"]))
    if wanted.status is not None:
        parts.append(("r.status = ?", [wanted.status]))
    if wanted.before is not None:
        parts.append(("r.created_at <= ?", [wanted.before]))
    if wanted.after is not None:
        parts.append(("r.created_at >= ?", [wanted.after]))
    if wanted.session is not None:
        parts.append(("u.session = ?", [wanted.session]))
    if wanted.ended:
        parts.append(("r.status <> 'running'", []))
    return " AND ".join(part for part, _ in parts), [value for _, values in parts for value in values]
