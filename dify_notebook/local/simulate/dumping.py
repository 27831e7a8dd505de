"""What an embedded server keeps of an app, as CSV with the columns of Dify's database.

It is what an administrator of a real server gets with `COPY messages TO … CSV HEADER`: tokens, prices and latencies
too, which the API tells only since 1.16. Times are UTC without zone, as PostgreSQL writes Dify's.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ...errors import DifyError
from ...i18n import t
from ...paths import expand
from ...private import private_opener
from ...spreadsheets import escape_formula
from ..apps.catalog import APPS
from ..engine.app import fixed_id
from ..store import serializers
from ..store.registry import store_of
from ..store.store import Row

_COLUMNS = {
    "messages": (
        "id", "app_id", "model_provider", "model_id", "conversation_id", "inputs", "query", "message_tokens",
        "message_unit_price", "message_price_unit", "answer", "answer_tokens", "answer_unit_price",
        "answer_price_unit", "provider_response_latency", "total_price", "currency", "from_source", "from_end_user_id",
        "from_account_id", "created_at", "updated_at", "agent_based", "workflow_run_id", "status", "error",
        "message_metadata", "invoke_from", "parent_message_id",
    ),
    "conversations": (
        "id", "app_id", "mode", "name", "inputs", "introduction", "status", "from_source", "from_end_user_id",
        "from_account_id", "created_at", "updated_at", "is_deleted", "invoke_from", "dialogue_count",
    ),
    "end_users": (
        "id", "app_id", "type", "external_user_id", "name", "is_anonymous", "session_id", "created_at", "updated_at",
    ),
    "message_feedbacks": (
        "id", "app_id", "conversation_id", "message_id", "rating", "content", "from_source", "from_end_user_id",
        "from_account_id", "created_at", "updated_at",
    ),
    "message_agent_thoughts": (
        "id", "message_id", "position", "thought", "answer", "tool", "tool_input", "observation", "created_at",
        "tool_labels_str",
    ),
    "message_files": ("id", "message_id", "type", "transfer_method", "url", "upload_file_id", "belongs_to"),
    "message_annotations": ("id", "app_id", "content", "created_at", "question", "hit_count"),
    "human_input_forms": (
        "id", "app_id", "workflow_run_id", "form_kind", "node_id", "form_definition", "rendered_content", "status",
        "expiration_time", "selected_action_id", "submitted_data",
    ),
    "workflow_runs": (
        "id", "app_id", "workflow_id", "type", "triggered_from", "version", "inputs", "status", "outputs", "error",
        "elapsed_time", "total_tokens", "total_steps", "created_by_role", "created_by", "created_at", "finished_at",
        "exceptions_count",
    ),
    "workflow_app_logs": (
        "id", "app_id", "workflow_id", "workflow_run_id", "created_from", "created_by_role", "created_by", "created_at",
    ),
    "execution_extra_contents": ("id", "type", "workflow_run_id", "message_id", "form_id"),
}  # fmt: skip


class DumpError(DifyError):
    """There is no such app in the directory, or the files cannot be written."""


def write(
    directory: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None,
    app: str,
    *,
    safe_for_spreadsheets: bool = False,
) -> dict[str, Path]:
    """See `dify_notebook.local.dump`."""
    target = expand(directory, argument="directory")
    with store_of(data_dir) as (source, store):

        def job(db: sqlite3.Connection) -> dict[str, Path]:
            known = [row[0] for row in db.execute("SELECT DISTINCT app FROM conversations ORDER BY app")]
            if app not in known:
                raise DumpError(t("local.dump.no_app", app=app, path=source.root, known=", ".join(known) or "-"))
            target.mkdir(parents=True, exist_ok=True)
            tables: dict[str, Iterable[Row]] = {
                "messages": _messages(db, app),
                "conversations": _conversations(db, app),
                "end_users": _users(db, app),
                "message_feedbacks": _feedbacks(db, app),
                "message_agent_thoughts": _thoughts(db, app),
                "message_files": _files(db, app),
                "message_annotations": _annotations(db, app),
                "human_input_forms": _forms(db, app),
                "workflow_runs": _runs(db, app),
                "workflow_app_logs": _logs(db, app),
                "execution_extra_contents": _form_messages(db, app),
            }
            return {
                name: _write(target / f"{name}.csv", name, rows, escape_formula if safe_for_spreadsheets else None)
                for name, rows in tables.items()
            }

        try:
            return store.reader.submit(job).result()
        except OSError as error:
            raise DumpError(t("local.dump.failed", path=target, reason=error)) from error


def _write(path: Path, table: str, rows: Iterable[Row], cell: Callable[[Any], Any] | None) -> Path:
    """The file of a table, for its user only: it holds what people asked.

    Args:
        cell: what makes each cell of a value; None leaves it as it is.
    """
    columns = _COLUMNS[table]
    with open(path, "w", encoding="utf-8", newline="", opener=private_opener) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        values = ([row.get(name) for name in columns] for row in rows)
        writer.writerows(values if cell is None else (list(map(cell, row)) for row in values))
    return path


_OF_APP = (
    "SELECT {columns} FROM messages m JOIN conversations c ON c.id = m.conversation {more} WHERE c.app = ?"
    " AND {which} ORDER BY {order}"
)
_OF_MESSAGES = (
    "(c.alone = 0 OR NOT EXISTS (SELECT 1 FROM messages o JOIN workflow_runs r ON r.message = o.id"
    " WHERE o.conversation = c.id AND r.logged = 1))"
)
"""Leaves out what is kept of the runs of workflow apps, which answer no message."""


def _rows(
    db: sqlite3.Connection, columns: str, more: str, app: str, order: str = "m.seq", which: str = "1"
) -> Iterator[Row]:
    for row in db.execute(_OF_APP.format(columns=columns, more=more, order=order, which=which), (app,)):
        yield dict(row)


def _messages(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in _rows(db, "m.*, c.end_user", "", app, which=_OF_MESSAGES):
        usage = json.loads(row["usage"]) if row["usage"] else {}
        # The same as the API tells: Dify keeps no answer that failed or whose client went away.
        more = {"inputs": json.loads(row["inputs"]), "rating": None}
        lists: Row = {name: [] for name in ("resources", "thoughts", "files", "forms")}
        listed = serializers.message({**row, **more, **lists}, lambda _: "")
        metadata = {"annotation_reply": None, "retriever_resources": json.loads(row["resources"]), "usage": usage}
        yield {
            **{name: listed[name] for name in ("id", "conversation_id", "query", "answer", "status", "error")},
            **_owner(app, row["end_user"]),
            **_times(row),
            "inputs": row["inputs"],
            **{name: listed[name] for name in ("message_tokens", "answer_tokens", "total_price", "currency")},
            "provider_response_latency": listed["provider_response_latency"],
            "message_unit_price": usage.get("prompt_unit_price", 0),
            "message_price_unit": usage.get("prompt_price_unit", 0),
            "answer_unit_price": usage.get("completion_unit_price", 0),
            "answer_price_unit": usage.get("completion_price_unit", 0),
            "agent_based": "f",
            "workflow_run_id": json.loads(row["workflow_run"])["id"] if row["workflow_run"] else None,
            "message_metadata": json.dumps(metadata, ensure_ascii=False),
            "invoke_from": "service-api",
            "parent_message_id": listed["parent_message_id"],
        }


def _conversations(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    mode = APPS[app].mode if app in APPS else None
    query = f"SELECT * FROM conversations c WHERE app = ? AND {_OF_MESSAGES} ORDER BY seq"
    for row in map(dict, db.execute(query, (app,))):
        more = {"mode": mode, "status": "normal", "is_deleted": "f", "invoke_from": "service-api"}
        yield {**row, **_owner(app, row["end_user"]), **_times(row), **more}


def _users(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    rows = db.execute("SELECT * FROM end_users WHERE app = ? ORDER BY created_at, session", (app,))
    for row in map(dict, rows):
        listed = serializers.end_user(row, fixed_id("app", app), "")
        anonymous = "t" if listed["is_anonymous"] else "f"
        times = dict.fromkeys(("created_at", "updated_at"), _time(row["created_at"]))
        yield {**listed, **times, "is_anonymous": anonymous}


def _feedbacks(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in _rows(db, "f.*, m.conversation", "JOIN feedbacks f ON f.message = m.id", app):
        yield {**serializers.feedback(row, fixed_id("app", app)), **_times(row)}


def _thoughts(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in _rows(db, "t.*", "JOIN thoughts t ON t.message = m.id", app, "m.seq, t.position"):
        when = _time(row["created_at"])
        more = {"message_id": row["message"], "answer": row["thought"], "tool_labels_str": row["tool_labels"]}
        yield {**row, **more, "created_at": when}


def _files(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in _rows(db, "mf.*", "JOIN message_files mf ON mf.message = m.id", app, "mf.seq"):
        yield {**row, "message_id": row["message"], "upload_file_id": row["file"]}


def _annotations(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in map(dict, db.execute("SELECT * FROM annotations WHERE app = ? ORDER BY seq", (app,))):
        more = {"content": row["answer"], "created_at": _time(row["created_at"]), "app_id": fixed_id("app", app)}
        yield {**row, **more}


_OF_FORMS = "f.*, json_extract(m.workflow_run, '$.id') AS run", "JOIN forms f ON f.message = m.id"


def _forms(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    """Without tokens, of which the store has none. When a form was asked and answered is not kept."""
    for row in _rows(db, *_OF_FORMS, app, "f.seq"):
        asked = json.loads(row["definition"])
        definition = {
            **{name: asked[name] for name in ("form_content", "inputs", "node_title", "display_in_ui")},
            "user_actions": asked["actions"],
            "default_values": asked["resolved_default_values"],
        }
        submitted = row["status"] == "submitted"
        yield {
            "id": row["id"],
            "app_id": fixed_id("app", app),
            "workflow_run_id": row["run"],
            "form_kind": "runtime",
            "node_id": row["node"],
            "form_definition": json.dumps(definition, ensure_ascii=False),
            "rendered_content": asked["form_content"],
            "status": row["status"],
            "expiration_time": _time(int(row["expires_at"])),
            "selected_action_id": row["action"] if submitted else None,
            "submitted_data": row["inputs"] if submitted else None,
        }


def _form_messages(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in _rows(db, *_OF_FORMS, app, "f.seq"):
        key = str(uuid.uuid5(uuid.UUID(row["id"]), "message"))
        message = None if row["run"] == row["message"] else row["message"]  # a workflow app's run answers none
        ids = {"workflow_run_id": row["run"], "message_id": message, "form_id": row["id"]}
        yield {"id": key, "type": "human_input", **ids}


_OF_RUNS = (
    "SELECT r.*, u.session FROM workflow_runs r JOIN end_users u ON u.id = r.end_user WHERE r.app = ? ORDER BY r.seq"
)


def _runs(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    """Without the graph that was run."""
    for row in map(dict, db.execute(_OF_RUNS, (app,))):
        finished = None if row["finished_at"] is None else _time(row["finished_at"])
        known = {name: row[name] for name in ("id", "inputs", "status", "outputs", "error")}
        counts = {"total_tokens": "tokens", "total_steps": "steps", "exceptions_count": "exceptions"}
        yield {
            **known,
            **{name: row[column] for name, column in counts.items()},
            "app_id": fixed_id("app", app),
            "workflow_id": row["workflow"],
            "type": "workflow" if row["logged"] else "chat",
            "triggered_from": "app-run",
            "version": serializers.VERSION,
            "elapsed_time": row["elapsed"],
            "created_by_role": "end_user",
            "created_by": row["end_user"],
            "created_at": _time(row["created_at"]),
            "finished_at": finished,
        }


def _logs(db: sqlite3.Connection, app: str) -> Iterator[Row]:
    for row in map(dict, db.execute(_OF_RUNS, (app,))):
        if row["logged"]:
            listed = serializers.workflow_log(row)
            yield {
                **{name: listed[name] for name in ("id", "created_from", "created_by_role")},
                "app_id": fixed_id("app", app),
                "workflow_id": row["workflow"],
                "workflow_run_id": row["id"],
                "created_by": row["end_user"],
                "created_at": _time(row["created_at"]),
            }


def _owner(app: str, end_user: str) -> dict[str, Any]:
    return {"app_id": fixed_id("app", app), "from_source": "api", "from_end_user_id": end_user}


def _times(row: Row) -> dict[str, str]:
    return {name: _time(row[name]) for name in ("created_at", "updated_at")}


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
