"""The run of a chatflow that never began, as Dify tells it since 1.13: of a question that does not fit, or that was
answered before the graph was asked."""

from __future__ import annotations

import time
from typing import Any

from .app import App, fixed_id

NO_END = "Workflow stream ended without a terminal event"
"""What is said where the question had its answer without a run."""


def workflow_of(app: App) -> str:
    """Id of a chatflow's workflow."""
    return fixed_id("workflow", app.name)


def unstarted(app: App, error: str, *, task: str, run: str) -> list[dict[str, Any]]:
    """The two events that take the place of a run's. They name no message and no conversation.

    Args:
        task, run: ids of the task and the run.
    """
    now = int(time.time())
    head = {"task_id": task, "workflow_run_id": run}
    known = {"id": run, "workflow_id": workflow_of(app)}
    began = {**known, "inputs": {}, "created_at": now, "reason": "initial"}
    ended: dict[str, Any] = {
        **known,
        "status": "failed",
        "outputs": None,
        "error": error,
        "elapsed_time": 0.0,
        "total_tokens": 0,
        "total_steps": 0,
        "created_by": {},
        "created_at": now,
        "finished_at": now,
        "exceptions_count": 1,
        "files": [],
    }
    return [
        {"event": "workflow_started", **head, "data": began},
        {"event": "workflow_finished", **head, "data": ended},
    ]
