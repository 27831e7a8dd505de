"""The last events of an answer, and what they tell beside its text."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ..store.store import Row
from .unstarted import NO_END, unstarted

if TYPE_CHECKING:
    from .run import Run, RunFailed


def tell_end(run: Run, ran: Row | None, replaced: str | None) -> None:
    """The last events of an answer. A chatflow's client reads to the end of its run, and no further: the message's
    own end stands before it, but not that of a run which was stopped.

    Args:
        ran: what a chatflow's run says of itself; None where there was none.
        replaced: what takes the place of an answer that may not be given.
    """
    flow, stopped = run.app.is_flow, ran is not None and ran["status"] == "stopped"
    if stopped:
        _tell_finished(run, ran, NO_END)
    if replaced is not None:
        run.tell("message_replace", answer=replaced, reason="output_moderation" if flow else "")
    metadata = {name: value for name, value in metadata_of(run).items() if flow or value is not None}
    run.tell("message_end", id=run.message_id, metadata=metadata, files=[])
    if not stopped:
        _tell_finished(run, ran, NO_END)


def tell_failure(run: Run, error: RunFailed, ran: Row | None = None) -> None:
    """The end of an answer that failed, with what its run, if that was stored, says of it."""
    if ran is None and run.finish_workflow is not None:
        ran = run.finish_workflow("failed", error.message)
    _tell_finished(run, ran, error.message)
    tell_error(run, error)


def tell_error(run: Run, error: RunFailed) -> None:
    """The failure alone."""
    run.tell("error", code=error.code, status=error.status, message=error.message)


def _tell_finished(run: Run, ran: Row | None, reason: str) -> None:
    """The end of a chatflow's run; of one that never began, the reason."""
    if ran is not None:
        run.tell("workflow_finished", workflow_run_id=ran["id"], data=ran)
    elif run.app.is_flow and run.events is not None and run.listening:
        for event in unstarted(run.app, reason, task=run.task_id, run=str(uuid.uuid4())):
            run.events.put_nowait(event)


def metadata_of(run: Run) -> dict[str, Any]:
    """What `message_end` and a blocking answer tell beside the text."""
    annotated = None
    if run.annotation is not None:
        account = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, "dify_notebook")), "name": "dify_notebook"}
        annotated = {"id": run.annotation["id"], "account": account}
    return {
        "annotation_reply": annotated,
        "retriever_resources": run.resources,
        "usage": run.usage,
        "reasoning": run.reasoning,
    }
