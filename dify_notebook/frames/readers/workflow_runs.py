"""Runs of workflow apps: of a database, and of what the API lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...errors import InputError
from ...i18n import t
from ...turn.convert import as_text
from ...wire import models
from .. import run_rows, texts
from ..item_rows import Batch, batch_of
from . import duplicates
from .layouts import LocatedRow, Row, parse_integer, parse_json, parse_microseconds, parse_number

RUNS = "workflow_runs"
"""The table of the database, in which chatflows have their runs too."""
_LOGS = "workflow_app_logs"
"""Who asked for a run, and from where."""
_LISTED = "workflow_logs"
"""What /workflows/logs answers."""


def is_of_chatflow(row: Row) -> bool:
    """Whether a row of the database is the run of a chatflow: that is a message's."""
    return row.get("type") == "chat"


def batches(rows: dict[str, list[LocatedRow]], name: Callable[[Any], str | None]) -> list[Batch]:
    """The table `workflow_runs`, of the database and of the API's lists.

    Args:
        rows: by layout; those of runs are taken out.
        name: the `user` for the server's id of an end user.

    Raises:
        InputError: a cell cannot be read.
    """
    logs = {str(row["workflow_run_id"]): row for _, row in rows.pop(_LOGS, []) if row.get("workflow_run_id")}
    runs = duplicates.drop_duplicates([(0, rows.pop(RUNS, []))], RUNS)
    stored = [_stored(location, row, logs.get(id, {}), name) for id, (location, row) in runs.items()]
    listed = duplicates.drop_duplicates([(0, rows.pop(_LISTED, []))], _LISTED)
    items = [_listed(location, row) for location, row in listed.values()]
    return [batch for batch in (batch_of(stored), run_rows.run_rows(items)) if batch]


def _listed(location: str, row: Row) -> models.WorkflowLog:
    try:
        return models.read(models.WorkflowLog, {**row, "workflow_run": parse_json(row.get("workflow_run"), location)})
    except msgspec.ValidationError as error:
        raise InputError(t("history.export.bad_row", location=location, reason=error), code="export") from None


def _stored(location: str, row: Row, log: Row, name: Callable[[Any], str | None]) -> dict[str, Any]:
    """A row of the database, with its line of the log."""
    role = texts.as_word(row.get("created_by_role"))
    return {
        "workflow_run_id": str(row["id"]),
        "user": name(row.get("created_by")) if role == "end_user" else None,
        "created_at": parse_microseconds(row.get("created_at"), location),
        "finished_at": parse_microseconds(row.get("finished_at"), location),
        "status": texts.as_word(row.get("status")),
        "elapsed": parse_number(row.get("elapsed_time"), location, "elapsed_time"),
        **{
            column: parse_integer(row.get(column), location, column)
            for column in ("total_tokens", "total_steps", "exceptions_count")
        },
        "user_role": role,
        "created_from": texts.as_word(log.get("created_from")),
        **{column: texts.as_word(row.get(column)) for column in ("triggered_from", "version", "workflow_id")},
        "error": texts.clean(as_text(row.get("error"))) or None,
        **{column: texts.as_json(parse_json(row.get(column), location)) for column in ("inputs", "outputs")},
    }
