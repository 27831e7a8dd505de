"""The rows of a seeded history into the store, in one transaction, before whatever is there."""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ....private import private_opener
from ...apps.catalog import APPS
from ...store.values import as_dify_json
from .crowd import Calendar, people
from .rows import Rows

_COLUMNS = {
    "conversations": "id, app, end_user, name, inputs, introduction, created_at, updated_at, dialogue_count",
    "messages": "id, conversation, query, inputs, answer, state, error, created_at, updated_at, usage, resources,"
    " workflow_run",
    "thoughts": "id, message, position, thought, tool, tool_labels, tool_input, observation, created_at",
    "node_runs": "message, id, node_id, node_type, status, elapsed, data",
    "feedbacks": "message, end_user, rating, content, created_at, updated_at",
    "variables": "conversation, id, name, value_type, value, description, created_at, updated_at",
    "files": "id, app, end_user, name, extension, mime_type, size, created_at",
    "message_files": "id, message, file, type, transfer_method, belongs_to, url",
    "workflow_runs": "id, message, app, end_user, logged, workflow, status, inputs, outputs, error, elapsed, tokens,"
    " steps, exceptions, created_at, finished_at",
    "annotations": "id, app, question, answer, created_at",
}


class Busy(Exception):
    """There are messages in the time that was to be filled; `first_message` says when the first was asked."""

    def __init__(self, first_message: datetime) -> None:
        super().__init__(first_message.isoformat())
        self.first_message = first_message


def users(db: sqlite3.Connection, chance: random.Random, created_at: int) -> dict[tuple[str, str], str]:
    """Ids of all people in all apps, made where they are not known yet."""
    ids = {}
    for app in (app.name for app in APPS.values() if app.holds_conversations):
        for person in people():
            fresh = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            db.execute("INSERT OR IGNORE INTO end_users VALUES (?, ?, ?, ?)", (fresh, app, person.session, created_at))
            (key,) = db.execute(
                "SELECT id FROM end_users WHERE app = ? AND session = ?", (app, person.session)
            ).fetchone()
            ids[app, person.session] = str(key)
    return ids


def check_free(db: sqlite3.Connection, calendar: Calendar) -> None:
    """Whether nothing was asked before the end of the history, which is put in front of all that is there.

    Raises:
        Busy: something was.
    """
    end = datetime.fromisoformat(f"{calendar.until}T00:00:00+00:00")
    (first,) = db.execute("SELECT MIN(created_at) FROM messages").fetchone()
    if first is not None and first < end.timestamp():
        raise Busy(datetime.fromtimestamp(first, end.tzinfo))


def insert(db: sqlite3.Connection, rows: Rows) -> None:
    """Put the rows into the tables."""
    # Lists are ordered by these numbers: the past gets those below the ones that are taken.
    conversation, touched = _below(db, "conversations", "seq"), _below(db, "conversations", "touched")
    order = sorted(range(len(rows.conversations)), key=lambda at: rows.conversations[at][7])
    number = len(rows.conversations)
    rank = {at: touched - number + index for index, at in enumerate(order)}
    _many(
        db,
        "conversations",
        [(*row, conversation - number + at, rank[at]) for at, row in enumerate(rows.conversations)],
        ", seq, touched",
    )
    for table in ("messages", "node_runs", "message_files"):
        values: list[tuple[Any, ...]] = getattr(rows, table)
        # A row of another table needs its file and its message first.
        if table == "message_files":
            _many(db, "files", rows.files)
        start = _below(db, table, "seq") - len(values)
        _many(db, table, [(*row, start + at) for at, row in enumerate(values)], ", seq")
    for table in ("thoughts", "feedbacks", "variables"):
        _many(db, table, getattr(rows, table))
    runs = list(_runs(rows))
    start = _below(db, "workflow_runs", "seq") - len(runs)
    _many(db, "workflow_runs", [(*row, start + at) for at, row in enumerate(runs)], ", seq")


def _runs(rows: Rows) -> Iterator[tuple[Any, ...]]:
    """The workflow runs of the messages."""
    owners = {row[0]: (row[1], row[2]) for row in rows.conversations}
    for key, conversation, query, inputs, *_, ran in rows.messages:
        if ran is not None:
            run = json.loads(ran)
            system = {"sys.query": query, "sys.workflow_id": run["workflow_id"], "sys.workflow_run_id": run["id"]}
            yield (
                run["id"], key, *owners[conversation], 0, run["workflow_id"], run["status"],
                as_dify_json({**json.loads(inputs), **system}),
                as_dify_json(run["outputs"]) if run["outputs"] else None, run["error"], run["elapsed_time"],
                run["total_tokens"], run["total_steps"], run["exceptions_count"], run["created_at"], run["finished_at"],
            )  # fmt: skip


def annotate(db: sqlite3.Connection, chance: random.Random, at: int) -> None:
    """A few answers that someone wrote by hand; they answer only once annotation answers are switched on."""
    pairs = (
        ("guide", "How do I get a refund?", "Ask the people who sold you the plan; this is about the notebook."),
        ("guide", "怎么申请退款？", "请联系销售方；本文档只介绍 notebook 的用法。"),
        ("guide", "Can I pay with PayPal?", "Ask the people who sold you the plan."),
        ("toolbox", "Can you draw?", "No, I compute, convert times and count."),
    )  # fmt: skip
    start = _below(db, "annotations", "seq") - len(pairs)
    rows = [
        (str(uuid.UUID(int=chance.getrandbits(128), version=4)), *pair, at + 3600 * index, start + index)
        for index, pair in enumerate(pairs)
    ]
    _many(db, "annotations", rows, ", seq")


def write_files(directory: Path, uploads: dict[str, bytes]) -> None:
    """The bytes of uploads, readable by their owner only."""
    for key, content in uploads.items():
        with open(directory / key, "wb", opener=private_opener) as target:
            target.write(content)


def _below(db: sqlite3.Connection, table: str, column: str) -> int:
    """The least number taken, or 1 where there is none."""
    (minimum,) = db.execute(f"SELECT MIN({column}) FROM {table}").fetchone()
    return 1 if minimum is None else min(int(minimum), 1)


def _many(db: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]], more: str = "") -> None:
    columns = _COLUMNS[table] + more
    marks = ", ".join("?" * (columns.count(",") + 1))
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
