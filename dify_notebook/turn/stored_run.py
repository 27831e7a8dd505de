"""A run as the server keeps it (`GET /workflows/run/{id}`), as the turn that it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from .convert import as_file, file_identity, files_in
from .ends import run_error, run_status
from .results import result_of
from .state import WELL, End, Status, Turn, Usage, Workflow

if TYPE_CHECKING:
    from ..wire.models import WorkflowRun

_STATUSES: dict[str, tuple[Status, End | None]] = {
    **{status: (status, "eof") for status in WELL},
    "stopped": ("stopped", "stopped"),
    "failed": ("failed", "error"),
    "paused": ("paused", "paused"),
}
"""How a run ended -> the turn's status and end. One that runs is incomplete: this turn will not grow."""


def turn_from_run(
    run: WorkflowRun, *, user: str | None = None, server: str | None = None, app: str | None = None
) -> Turn:
    """The turn that a stored run tells of.

    What the server does not keep there is None: nodes, timing, what of `usage` only nodes tell, and of which mode the
    app is (Dify 1.12 tells of the runs of chatflows as well). Of a run that was stopped or failed the streamed text is
    not kept either. Dify 1.12 leaves every other run that was stopped at `running`: such a turn is incomplete.
    """
    workflow = Workflow(
        id=run.id or "",
        workflow_id=run.workflow_id,
        status=run.status or "",
        error=run.error or None,
        inputs=run.inputs,
        outputs=run.outputs,
        elapsed=run.elapsed_time,
        total_tokens=run.total_tokens,
        total_steps=run.total_steps,
    )
    status, end = _STATUSES.get(run_status(workflow), ("incomplete", None))
    if end is None:  # what is told before the end is an empty object
        workflow = msgspec.structs.replace(workflow, outputs=None)
    result = result_of(workflow.outputs)
    return Turn(
        inputs=_without_system(run.inputs),
        answer=result.answer if result else "",
        reasoning=result.reasoning if result else "",
        status=status,
        end=end,
        files=tuple({file_identity(file): file for file in map(as_file, files_in(workflow.outputs))}.values()),
        error=run_error(workflow) if status == "failed" else None,
        complete=end is not None,
        usage=None if run.total_tokens is None else Usage(total_tokens=run.total_tokens),
        workflow=workflow,
        workflow_run_id=run.id,
        user=user,
        server=server,
        app=app,
        created_at=run.created_at,
        source="history",
    )


def _without_system(inputs: Any) -> dict[str, Any] | None:
    """Inputs without what the system puts beside them (`sys.files`, `sys.user_id`, …)."""
    if not isinstance(inputs, Mapping):
        return None
    return {name: value for name, value in inputs.items() if not str(name).startswith("sys.")}
