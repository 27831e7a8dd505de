"""Runs of workflow apps as batches of columns; see `item_rows`. Pure: no pandas, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..wire import models
from .item_rows import Batch, batch_of
from .texts import as_json, as_microseconds, as_word, clean


def run_user(log: models.WorkflowLog) -> str | None:
    """Who started a run: the `user` that it was asked with, of the console the account's name."""
    by_user, by_account = log.created_by_end_user or {}, log.created_by_account or {}
    return as_word(by_user.get("session_id")) or clean(as_word(by_account.get("name")))


def run_rows(items: Sequence[models.WorkflowLog], details: Mapping[str, models.WorkflowRun] | None = None) -> Batch:
    """The table `workflow_runs`, of lines of the log that name a run.

    Args:
        details: run id -> what the server tells of that run alone, where it was asked for.
    """
    rows = []
    for log in items:
        run = log.workflow_run
        if run is None or not run.id:
            continue
        row = {
            "workflow_run_id": run.id,
            "user": run_user(log),
            "created_at": as_microseconds(run.created_at or log.created_at),
            "finished_at": as_microseconds(run.finished_at),
            "status": clean(as_word(run.status)),
            "elapsed": run.elapsed_time,
            "total_tokens": run.total_tokens,
            "total_steps": run.total_steps,
            "exceptions_count": run.exceptions_count,
            "user_role": clean(as_word(log.created_by_role)),
            "created_from": clean(as_word(log.created_from)),
            "triggered_from": clean(as_word(run.triggered_from)),
            "version": clean(as_word(run.version)),
            "error": clean(run.error) or None,
            **dict.fromkeys(("workflow_id", "inputs", "outputs")),
        }
        rows.append(row | _reported((details or {}).get(run.id)))
    return batch_of(rows)


def detail_rows(runs: Sequence[models.WorkflowRun], *, details: bool) -> Batch:
    """The same table of what the server tells of single runs, with the columns that it tells there.

    Args:
        details: whether with inputs and outputs.
    """
    kept = {} if details else dict.fromkeys(("workflow_id", "inputs", "outputs"))
    return batch_of([{"workflow_run_id": run.id, **_reported(run), **kept} for run in runs if run.id])


def _reported(run: models.WorkflowRun | None) -> dict[str, Any]:
    """The columns that the answer about one run tells, which is newer than the list."""
    if run is None:
        return {}
    return {
        "created_at": as_microseconds(run.created_at),
        "finished_at": as_microseconds(run.finished_at),
        "status": clean(as_word(run.status)),
        "elapsed": run.elapsed_time,
        "total_tokens": run.total_tokens,
        "total_steps": run.total_steps,
        "error": clean(run.error) or None,
        "workflow_id": run.workflow_id,
        "inputs": as_json(run.inputs),
        "outputs": as_json(run.outputs),
    }
