"""Runs that wait for a person: their forms, and what is needed to go on, also after the server has ended.

A form's token is a key: whoever has it can submit. It is made of the form's id and the directory's secret, so the
database needs to keep no more than its hash to find the form, and can still tell it again to whoever asked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .store import NotFound, Row, Store, as_json, write_answer

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_LENGTH = 22
TIMEOUT = "__timeout"
"""In place of an action: nobody answered in time."""


class NotWaiting(Exception):
    """A form cannot be submitted any more; `status` says why."""

    def __init__(self, form: str, status: str) -> None:
        super().__init__(form, status)
        self.form = form
        self.status = status
        """submitted or timeout."""


@dataclass(frozen=True)
class NewForm:
    """A form that a run asks from now on."""

    id: str
    node: str
    definition: Row
    expires_at: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Ready:
    """A paused run that can go on."""

    message: str
    state: Row
    answers: dict[str, Row]
    """Node -> its form's definition, and the action and inputs that were chosen."""


class FormTokens:
    """Makes the tokens of one data directory. Its repr shows none.

    Args:
        secret: known to this directory alone.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def of(self, form: str) -> str:
        """The token of a form, by its id: 22 characters."""
        digest = hmac.new(self._secret, f"human-input-form|{form}".encode(), hashlib.sha256).digest()
        number = int.from_bytes(digest, "big")
        digits = []
        for _ in range(TOKEN_LENGTH):
            number, digit = divmod(number, len(_DIGITS))
            digits.append(_DIGITS[digit])
        return "".join(digits)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class PausedRuns:
    """What a store holds of runs that wait."""

    def __init__(self, store: Store, tokens: FormTokens) -> None:
        self._store = store
        self._tokens = tokens

    def token(self, form: str) -> str:
        """The token of a form, by its id."""
        return self._tokens.of(form)

    async def pause(
        self,
        message: str,
        *,
        state: Row,
        forms: Sequence[NewForm],
        answer: str,
        usage: Row,
        resources: Sequence[Row],
        workflow_run: Row,
        name: str | None,
        variables: Row,
    ) -> None:
        """Commit an answer as far as it has come, with the forms that it newly waits for."""
        rows = [
            (form.id, message, _hash(self._tokens.of(form.id)), form.node, as_json(form.definition), form.expires_at)
            for form in forms
        ]

        def job(db: sqlite3.Connection) -> None:
            there = write_answer(
                db, message, state="paused", answer=answer, error=None, usage=usage, resources=resources,
                workflow_run=workflow_run, name=name, variables=variables,
            )  # fmt: skip
            if there:
                db.execute("INSERT INTO paused_runs VALUES (?, ?)", (message, as_json(state)))
                db.executemany(
                    "INSERT INTO forms (id, message, token_hash, node, definition, status, expires_at)"
                    " VALUES (?, ?, ?, ?, ?, 'waiting', ?)",
                    rows,
                )

        await self._store.writer.do(job)

    async def form(self, app: str, token: str) -> Row:
        """A form of an app's that waits.

        Raises:
            NotFound: this app has none with that token.
            NotWaiting: it was answered, or nobody did in time.
        """
        row = await self._store.reader.do(lambda db: _form(db, app, token))
        return {**_waiting(row), "definition": json.loads(row["definition"])}

    async def submit(self, app: str, token: str, action: str, inputs: Row) -> None:
        """Answer a form; of several at once one is taken. Raises: NotFound, NotWaiting."""

        def job(db: sqlite3.Connection) -> None:
            row = _waiting(_form(db, app, token))
            db.execute(
                "UPDATE forms SET status = 'submitted', action = ?, inputs = ? WHERE id = ?",
                (action, as_json(inputs), row["id"]),
            )

        await self._store.writer.do(job)

    async def expire(self) -> float | None:
        """Mark what nobody answered in time. Gives when the next one expires (seconds since 1970), if any waits."""

        def job(db: sqlite3.Connection) -> float | None:
            db.execute(
                "UPDATE forms SET status = 'timeout', action = ? WHERE status = 'waiting' AND expires_at <= ?",
                (TIMEOUT, time.time()),
            )
            next_ = db.execute("SELECT MIN(expires_at) FROM forms WHERE status = 'waiting'").fetchone()[0]
            return None if next_ is None else float(next_)

        return await self._store.writer.do(job)

    async def take_ready(self) -> list[Ready]:
        """Paused runs of which a form was answered or has expired. They count as running from here on."""

        def job(db: sqlite3.Connection) -> list[Ready]:
            ready = db.execute(
                "SELECT DISTINCT p.message, p.state FROM forms f JOIN paused_runs p ON p.message = f.message"
                " WHERE f.resumed = 0 AND f.status <> 'waiting'"
            ).fetchall()
            return [_take(db, row["message"], row["state"]) for row in ready]

        return await self._store.writer.do(job)

    async def run(self, app: str, user: str, workflow_run: str) -> Row:
        """The message of a workflow run of this user's, with the `paused` state where it waits, and for which forms.

        Raises:
            NotFound: this user has no such run, or it has not come to a pause or an end.
        """

        def job(db: sqlite3.Connection) -> Row:
            row = db.execute(
                "SELECT m.*, p.state AS paused FROM messages m JOIN conversations c ON c.id = m.conversation"
                " LEFT JOIN paused_runs p ON p.message = m.id WHERE m.workflow_run IS NOT NULL"
                " AND json_extract(m.workflow_run, '$.id') = ? AND c.app = ? AND c.end_user = ?",
                (workflow_run, app, user),
            ).fetchone()
            if row is None:
                raise NotFound("workflow_run")
            waiting = db.execute("SELECT id FROM forms WHERE message = ? AND status = 'waiting'", (row["id"],))
            return {
                **dict(row),
                "paused": None if row["paused"] is None else json.loads(row["paused"]),
                "waiting": {form["id"] for form in waiting},
                "workflow_run": json.loads(row["workflow_run"]),
            }

        return await self._store.reader.do(job)

    async def question(self, message: str) -> Row | None:
        """What was asked, of a run that goes on: its message and conversation; None where that was deleted."""

        def job(db: sqlite3.Connection) -> Row | None:
            row = db.execute(
                "SELECT c.*, m.query, m.inputs AS asked, m.answer, m.created_at AS asked_at FROM messages m"
                " JOIN conversations c ON c.id = m.conversation WHERE m.id = ?",
                (message,),
            ).fetchone()
            return None if row is None else dict(row)

        return await self._store.reader.do(job)


def _form(db: sqlite3.Connection, app: str, token: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT f.* FROM forms f JOIN messages m ON m.id = f.message JOIN conversations c ON c.id = m.conversation"
        " WHERE f.token_hash = ? AND c.app = ?",
        (_hash(token), app),
    ).fetchone()
    if row is None:
        raise NotFound("form")
    return row


def _waiting(row: sqlite3.Row) -> Row:
    if row["status"] != "waiting" or row["expires_at"] <= time.time():
        raise NotWaiting(row["id"], "submitted" if row["status"] == "submitted" else "timeout")
    return dict(row)


def _take(db: sqlite3.Connection, message: str, state: str) -> Ready:
    answered = db.execute(
        "SELECT * FROM forms WHERE message = ? AND resumed = 0 AND status <> 'waiting'", (message,)
    ).fetchall()
    db.execute("UPDATE forms SET resumed = 1 WHERE message = ? AND status <> 'waiting'", (message,))
    db.execute("DELETE FROM paused_runs WHERE message = ?", (message,))
    db.execute("UPDATE messages SET state = 'running' WHERE id = ?", (message,))
    db.execute("UPDATE workflow_runs SET status = 'running' WHERE message = ? AND status = 'paused'", (message,))
    answers = {
        row["node"]: {
            "action": row["action"],
            "inputs": json.loads(row["inputs"] or "{}"),
            "definition": json.loads(row["definition"]),
        }
        for row in answered
    }
    return Ready(message, json.loads(state), answers)
