"""What the ends of a message and of its run mean together: servers tell them in either order, or one of them alone.

Until Dify 1.12 a chatflow's run ends before its message, and `error` tells of a failure. Since 1.13 the run tells its
end last, and where it failed or was stopped alone.
"""

from __future__ import annotations

from typing import NamedTuple

from ..wire.kinds import ABORTED, UNTOLD_END
from .state import WELL, End, Status, TurnError, Workflow


class Ending(NamedTuple):
    """How a turn has ended."""

    status: Status
    end: End
    error: TurnError | None = None
    """The run's, where that is why."""


def run_status(workflow: Workflow | None) -> str:
    """How the run ended, with `_` where Dify writes `-` (or, elsewhere, `_`); empty without a run.

    One that somebody stopped is stopped, also where Dify 1.12 calls it failed.
    """
    if workflow is None:
        return ""
    status = workflow.status.replace("-", "_")
    return "stopped" if status == "failed" and workflow.error == ABORTED else status


def run_error(workflow: Workflow | None) -> TurnError:
    """The run's own error, which is the turn's where no `error` event tells another."""
    return TurnError(code="workflow_failed", message=(workflow and workflow.error) or "")


def ending(workflow: Workflow | None, *, message_ended: bool, stop_asked: bool, alone: bool) -> Ending | None:
    """How the turn has ended by what was told so far; None where its end is still to come.

    Args:
        workflow: the run, where there is one.
        message_ended: whether the message's end was told.
        stop_asked: whether this side asked the server to stop.
        alone: whether the run that has ended is told without a message: a workflow app's, or one read again later.
    """
    run, error = run_status(workflow), run_error(workflow)
    failed = run == "failed" and not (message_ended and UNTOLD_END in error.message)
    if failed and not stop_asked:
        return Ending("failed", "message_end" if message_ended else "error", error)
    if run == "stopped" or (stop_asked and (failed or message_ended)):
        return Ending("stopped", "message_end" if message_ended and not stop_asked else "stopped")
    if message_ended:
        return Ending("partial_succeeded" if run == "partial_succeeded" else "succeeded", "message_end")
    return next((Ending(status, "eof") for status in WELL if alone and status == run), None)
