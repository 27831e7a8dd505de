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


def forget_oldest(db: sqlite3.Connection, app: str) -> None:
    """Keep the newest `KEPT` questions of an app that holds no conversations, and all that are not at their end."""
    oldest = db.execute(
        "SELECT seq FROM conversations WHERE app = ? AND alone = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?", (app, KEPT)
    ).fetchone()
    if oldest is not None:
        db.execute(
            "DELETE FROM conversations WHERE app = ? AND alone = 1 AND seq <= ? AND id NOT IN"
            " (SELECT conversation FROM messages WHERE state IN ('running', 'paused'))",
            (app, oldest["seq"]),
        )
