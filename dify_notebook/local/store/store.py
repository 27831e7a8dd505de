"""What the embedded server keeps, in SQLite: end users, and questions while they are answered.

Everything is scoped by app and end user. Rows go out as plain dicts; `serializers.py` gives them Dify's form.
"""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path

from ...private import make_private, private_opener
from ..threads import in_thread
from .directory import Directory
from .journal import journal_mode
from .run_rows import begin_run, break_off, end_run, forget_oldest, hold_file
from .schema import migrate
from .values import Row as Row
from .values import as_json as as_json
from .values import second as second
from .worker import Worker

DEFAULT_USER = "DEFAULT-USER"
INTERRUPTED = "The server ended while it was answering; this is what it had said."
GIVEN_UP = "The server could not answer this; its log says why."


class NotFound(LookupError):
    """There is no such thing for this app and user; `what` says which kind."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Store:
    """The database of one data directory, held by the one process that serves it."""

    def __init__(self, directory: Directory) -> None:
        self.path, self._directory = directory.database, directory
        self.journal = journal_mode(directory.root)
        _prepare(directory.database)
        self.writer = Worker(directory.database, name="store-writer", journal=self.journal)
        try:
            # Outside the writer's transaction: each script of a migration is one of its own.
            migrate(self.writer.connection)
            self.writer.submit(_recover).result()
        except BaseException:
            self.writer.close()
            raise
        self.reader = Worker(directory.database, name="store-reader", journal=self.journal, readonly=True)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def leave_to_parent(self) -> None:
        """See `Worker.leave_to_parent`."""
        self.reader.leave_to_parent()
        self.writer.leave_to_parent()

    # -- people ---------------------------------------------------------------------------------

    async def end_user(self, app: str, session: str) -> str:
        """Id of an end user of an app, who is made when seen for the first time."""
        return await self.known_user(app, session) or await self.writer.do(lambda db: end_user_of(db, app, session))

    async def known_user(self, app: str, session: str) -> str:
        """Id of an end user of an app; "", which nothing belongs to, for one who left nothing here."""
        return await self.reader.do(lambda db: _user(db, app, session))

    async def end_user_by_id(self, app: str, key: str) -> Row:
        """One end user of an app. Raises: NotFound."""

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute("SELECT * FROM end_users WHERE id = ? AND app = ?", (key, app)).fetchone()
            if row is None:
                raise NotFound("end_user")
            return dict(row)

        return await self.reader.do(job)

    # -- answering ------------------------------------------------------------------------------

    async def begin(
        self,
        *,
        app: str,
        user: str,
        conversation: str | None,
        message: str,
        query: str,
        name: str,
        inputs: Row,
        introduction: str,
        files: Sequence[Row],
        variables: Sequence[Row],
        alone: bool = False,
        uploads: Sequence[str] = (),
    ) -> Row:
        """Write down a question before it is answered; gives its conversation.

        Args:
            name: of a conversation that begins with it.
            alone: it is of an app that holds no conversations: its own is in no list; `run_rows.KEPT` of them are kept,
                and files as long as one of those has them.
            uploads: all files that it brings, by id.

        Raises:
            NotFound: the conversation is not there for this app and user.
        """

        forgotten: list[str] = []

        def job(db: sqlite3.Connection) -> Row:
            now = second()
            if conversation is None:
                key = str(uuid.uuid4())
                db.execute(
                    "INSERT INTO conversations (id, app, end_user, name, inputs, introduction, created_at,"
                    " updated_at, touched, alone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (key, app, user, name, as_json(inputs), introduction, now, now, touch(db), alone),
                )
                for variable in variables:
                    db.execute(
                        "INSERT INTO variables VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            key, variable["id"], variable["name"], variable["value_type"], as_json(variable["value"]),
                            variable["description"], now, now,
                        ),
                    )  # fmt: skip
            else:
                key = str(conversation_of(db, app, user, conversation)["id"])
            db.execute(
                "UPDATE conversations SET updated_at = ?, touched = ?, dialogue_count = dialogue_count + 1"
                " WHERE id = ?",
                (now, touch(db), key),
            )
            db.execute(
                "INSERT INTO messages (id, conversation, query, inputs, state, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, 'running', ?, ?)",
                (message, key, query, as_json(inputs), now, now),
            )
            for file in files:
                db.execute(
                    "INSERT INTO message_files (id, message, file, type, transfer_method, belongs_to, url)"
                    " VALUES (?, ?, ?, ?, ?, 'user', ?)",
                    (
                        str(uuid.uuid4()), message, file.get("upload_file_id"), file["type"],
                        file["transfer_method"], file.get("url"),
                    ),
                )  # fmt: skip
            if alone:
                for upload in uploads:
                    hold_file(db, message, upload)
                forgotten.extend(forget_oldest(db, app))
            return dict(db.execute("SELECT * FROM conversations WHERE id = ?", (key,)).fetchone())

        row = await self.writer.do(job)
        if forgotten:
            await in_thread(self._directory.delete_files, forgotten)
        return row

    def write_run(self, message: str, run: Row) -> None:
        """Keep that a message's workflow run began; nobody waits for it. Its end comes with `finish`.

        Args:
            run: its `id`, `workflow_id`, `inputs` and `created_at`.
        """
        self.writer.post(lambda db: begin_run(db, message, run))

    def write_partial(self, message: str, answer: str) -> None:
        """Keep what was said so far; nobody waits for it."""
        self.writer.post(
            lambda db: db.execute(
                "UPDATE messages SET answer = ? WHERE id = ? AND state = 'running'", (answer, message)
            )
        )

    def write_thought(self, message: str, thought: Row) -> None:
        """Keep a thought as it is now; nobody waits for it."""
        values = (
            thought["id"], message, thought["position"], thought["thought"], thought["tool"],
            as_json(thought["tool_labels"]), thought["tool_input"], thought["observation"], second(), message,
        )  # fmt: skip
        self.writer.post(
            lambda db: db.execute(
                "INSERT INTO thoughts SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?"
                " WHERE EXISTS (SELECT 1 FROM messages WHERE id = ?)"
                " ON CONFLICT (id) DO UPDATE SET thought = excluded.thought, tool = excluded.tool,"
                " tool_labels = excluded.tool_labels, tool_input = excluded.tool_input,"
                " observation = excluded.observation",
                values,
            )
        )

    def write_node(self, message: str, data: Row) -> None:
        """Keep a finished node, or one that waits for a person; nobody waits for that."""
        again = data["node_type"] == "human-input"
        values = (
            message, data["id"], data["node_id"], data["node_type"], data["status"],
            data["elapsed_time"], as_json(data), message,
        )  # fmt: skip

        def job(db: sqlite3.Connection) -> None:
            if again:  # it waited, and has gone on
                db.execute("DELETE FROM node_runs WHERE message = ? AND id = ?", (message, data["id"]))
            db.execute(
                "INSERT INTO node_runs (message, id, node_id, node_type, status, elapsed, data)"
                " SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM messages WHERE id = ?)",
                values,
            )

        self.writer.post(job)

    async def finish(
        self,
        message: str,
        *,
        state: str,
        answer: str,
        error: str | None,
        usage: Row,
        resources: Sequence[Row],
        workflow_run: Row | None,
        name: str | None,
        variables: Row,
    ) -> None:
        """Commit an answer: when this returns, killing the process cannot lose it.

        A conversation that was deleted meanwhile takes its message along; that is no error.
        """

        def job(db: sqlite3.Connection) -> None:
            write_answer(
                db, message, state=state, answer=answer, error=error, usage=usage, resources=resources,
                workflow_run=workflow_run, name=name, variables=variables,
            )  # fmt: skip
            # What such a run still asked in another branch, nobody can answer any more.
            db.execute(
                "UPDATE forms SET status = 'timeout', resumed = 1 WHERE message = ? AND status = 'waiting'", (message,)
            )

        await self.writer.do(job)

    def write_title(self, conversation: str, name: str, title: str) -> None:
        """Give a conversation its title, unless it has another name by now; nobody waits for it."""
        with contextlib.suppress(RuntimeError):  # the store is closed
            self.writer.post(
                lambda db: db.execute(
                    "UPDATE conversations SET name = ? WHERE id = ? AND name = ?", (title, conversation, name)
                )
            )

    def give_up(self, message: str) -> None:
        """Mark a message as failed that was written down, and whose answer did not come to an end of its own.

        Nobody waits for it. It comes after all that is already under way, so it also finds what is being written.
        """

        def job(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE messages SET state = 'failed', error = ? WHERE id = ? AND state = 'running'",
                (GIVEN_UP, message),
            )
            break_off(db, message, GIVEN_UP)

        with contextlib.suppress(RuntimeError):  # the store is closed: its next owner marks what it finds
            self.writer.post(job)

    async def abandon(self, message: str) -> None:
        """The client went away before the last event; see `serializers.message` for what that means."""

        def job(db: sqlite3.Connection) -> None:
            db.execute("UPDATE messages SET state = 'abandoned' WHERE id = ? AND state = 'done'", (message,))
            # Dify 0.15 never finds out how the run of a workflow app ended that nobody heard, and logs none.
            db.execute(
                "UPDATE workflow_runs SET status = 'running', outputs = NULL, elapsed = 0, tokens = 0, steps = 0,"
                " finished_at = NULL, logged = 0 WHERE message = ? AND logged = 1",
                (message,),
            )

        await self.writer.do(job)


def _prepare(database: Path) -> None:
    """Make the file before SQLite does: what it puts beside it (-wal, -shm, -journal) gets the modes of this one."""
    with contextlib.suppress(FileExistsError):
        open(database, "xb", opener=private_opener).close()
    for end in ("", "-wal", "-shm", "-journal"):
        make_private(database.with_name(database.name + end))


def _user(db: sqlite3.Connection, app: str, session: str) -> str:
    row = db.execute("SELECT id FROM end_users WHERE app = ? AND session = ?", (app, session)).fetchone()
    return "" if row is None else str(row["id"])


def end_user_of(db: sqlite3.Connection, app: str, session: str) -> str:
    """Id of an end user, made if need be, inside a job that writes."""
    fresh = (str(uuid.uuid4()), app, session, second())
    db.execute("INSERT OR IGNORE INTO end_users VALUES (?, ?, ?, ?)", fresh)
    return _user(db, app, session)


def _recover(db: sqlite3.Connection) -> None:
    """What ran when the last owner died is marked as what it is: half an answer."""
    db.execute(
        "UPDATE forms SET status = 'timeout', resumed = 1 WHERE status = 'waiting'"
        " AND message IN (SELECT id FROM messages WHERE state = 'running')"
    )
    db.execute("UPDATE messages SET state = 'interrupted', error = ? WHERE state = 'running'", (INTERRUPTED,))


def write_answer(
    db: sqlite3.Connection,
    message: str,
    *,
    state: str,
    answer: str,
    error: str | None,
    usage: Row,
    resources: Sequence[Row],
    workflow_run: Row | None,
    name: str | None,
    variables: Row,
) -> bool:
    """Write an answer as far as it has come, inside a job that writes; whether its message is still there."""
    now = second()
    db.execute(
        "UPDATE messages SET state = ?, answer = ?, error = ?, usage = ?, resources = ?,"
        " workflow_run = COALESCE(?, workflow_run), updated_at = ? WHERE id = ?",
        (
            state, answer, error, as_json(usage), as_json(list(resources)),
            None if workflow_run is None else as_json(workflow_run), now, message,
        ),
    )  # fmt: skip
    if workflow_run is not None:
        end_run(db, workflow_run)
    elif state == "interrupted":
        break_off(db, message, error)
    row = db.execute("SELECT conversation FROM messages WHERE id = ?", (message,)).fetchone()
    if row is None:
        return False
    if name is not None:
        db.execute("UPDATE conversations SET name = ? WHERE id = ?", (name, row["conversation"]))
    for variable, value in variables.items():
        db.execute(
            "UPDATE variables SET value = ?, updated_at = ? WHERE conversation = ? AND name = ?",
            (as_json(value), now, row["conversation"], variable),
        )
    db.execute(
        "UPDATE conversations SET updated_at = ?, touched = ? WHERE id = ?",
        (now, touch(db), row["conversation"]),
    )
    return True


def conversation_of(db: sqlite3.Connection, app: str, user: str, key: str) -> sqlite3.Row:
    """A user's conversation, inside a job. Raises: NotFound."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM conversations WHERE id = ? AND app = ? AND end_user = ? AND alone = 0", (key, app, user)
    ).fetchone()
    if row is None:
        raise NotFound("conversation")
    return row


def touch(db: sqlite3.Connection) -> int:
    """The next number by which conversations are ordered, inside a job."""
    return int(db.execute("SELECT COALESCE(MAX(touched), 0) + 1 FROM conversations").fetchone()[0])
