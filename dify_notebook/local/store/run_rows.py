"""The rows of workflow runs, inside jobs that write: how a run begins, ends, breaks off and is forgotten."""

from __future__ import annotations

import sqlite3

from .values import Row, as_dify_json, second

KEPT = 10_000
"""Questions to an app that holds no conversations, and so lets nobody delete one."""


def begin_run(db: sqlite3.Connection, message: str, run: Row) -> None:
    """Keep that a message's run began, in the words of `Store.write_run`."""
    row = db.execute(
        "SELECT c.app, c.end_user, c.alone FROM messages m JOIN conversations c ON c.id = m.conversation"
        " WHERE m.id = ?",
        (message,),
    ).fetchone()
    if row is None:  # deleted meanwhile
        return
    more = {"sys.timestamp": run["created_at"]} if row["alone"] else {}
    values = (
        run["id"], message, row["app"], row["end_user"], row["alone"], run["workflow_id"],
        as_dify_json({**run["inputs"], **more}), run["created_at"],
    )  # fmt: skip
    # One that goes on after a pause has begun before.
    db.execute(
        "INSERT OR IGNORE INTO workflow_runs (id, message, app, end_user, logged, workflow, status, inputs,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?)",
        values,
    )


def end_run(db: sqlite3.Connection, run: Row) -> None:
    """Keep how a workflow run ended, or that it waits, inside a job that writes."""
    db.execute(
        "UPDATE workflow_runs SET status = ?, outputs = ?, error = ?, elapsed = ?, tokens = ?, steps = ?,"
        " exceptions = ?, finished_at = ? WHERE id = ?",
        (
            run["status"], as_dify_json(run["outputs"]) if run.get("outputs") else None, run.get("error"),
            run["elapsed_time"], run["total_tokens"], run["total_steps"], run.get("exceptions_count", 0),
            run.get("finished_at"), run["id"],
        ),
    )  # fmt: skip


def break_off(db: sqlite3.Connection, message: str, error: str | None) -> None:
    """A message's workflow run, if it had one that runs, did not come to an end of its own."""
    db.execute(
        "UPDATE workflow_runs SET status = 'failed', error = ?, finished_at = ?"
        " WHERE message = ? AND status = 'running'",
        (error, second(), message),
    )


def hold_file(db: sqlite3.Connection, message: str, file: str) -> None:
    """Keep that a question to an app that holds no conversations was given a file, or made it."""
    db.execute(
        "INSERT OR IGNORE INTO run_files (file, message) SELECT f.id, m.id FROM files f, messages m"
        " JOIN conversations c ON c.id = m.conversation WHERE f.id = ? AND m.id = ? AND c.alone = 1",
        (file, message),
    )


def forget_oldest(db: sqlite3.Connection, app: str) -> list[str]:
    """Keep the newest `KEPT` questions of an app that holds no conversations, and all that are not at their end.

    Gives the files that go with them: those that nothing has any more, whose bytes are to be deleted behind this job.
    """
    oldest = db.execute(
        "SELECT seq FROM conversations WHERE app = ? AND alone = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?", (app, KEPT)
    ).fetchone()
    if oldest is None:
        return []
    forgotten = (
        "FROM conversations WHERE app = ? AND alone = 1 AND seq <= ? AND id NOT IN"
        " (SELECT conversation FROM messages WHERE state IN ('running', 'paused'))"
    )
    values = (app, oldest["seq"])
    held = db.execute(
        "SELECT file FROM run_files WHERE message IN"
        f" (SELECT id FROM messages WHERE conversation IN (SELECT id {forgotten}))",
        values,
    ).fetchall()
    db.execute(f"DELETE {forgotten}", values)
    return [file for file in dict.fromkeys(str(row["file"]) for row in held) if _let_go(db, file)]


def _let_go(db: sqlite3.Connection, file: str) -> bool:
    """Take a file's row away, unless something still has it; whether it is gone."""
    unused = db.execute(
        "DELETE FROM files WHERE id = ? AND NOT EXISTS (SELECT 1 FROM run_files WHERE file = files.id)"
        " AND NOT EXISTS (SELECT 1 FROM message_files WHERE file = files.id)",
        (file,),
    )
    return unused.rowcount > 0
