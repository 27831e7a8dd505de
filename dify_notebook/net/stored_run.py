"""What the server keeps of a workflow app's run whose connection was lost, where it does not tell its events again.

Dify 1.12 goes on with such a run and keeps its end; Dify 0.15 says for ever that it is running. Since 1.13 the events
are told again (`follower.py`), so that this is asked only where a gateway does not let that through.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import APIError, DifyError, ServerError
from ..i18n import t
from ..secret import Secret
from ..wire import calls
from ..wire.sse import encode
from .retry import RetryBudget

if TYPE_CHECKING:
    from ..wire.models import WorkflowRun
    from .client import AsyncDify

END_SECONDS = 60.0
"""Seconds in which the run's end is waited for."""
_UNDER_WAY = ("running", "paused")


async def stored_run(dify: AsyncDify, run_id: str, *, left: Callable[[], bool]) -> WorkflowRun | None:
    """The run as the server keeps it, once it has ended, or as it is when waiting is no use; None where it is not to
    be had.

    Args:
        left: whether this side has ended it, or is about to: a run that was stopped stays "running" in Dify 1.12.
    """
    call, budget, run = calls.workflow_run_detail(run_id), RetryBudget(END_SECONDS), None
    while not left():
        try:
            run = await dify._send(call)
        except DifyError as problem:
            if isinstance(problem, APIError) and not isinstance(problem, ServerError):
                return None
        else:
            if run.id is None or run.status != "running" or dify._cache.app.old:
                break
        wait = budget.after_failure()
        if wait is None:
            break
        await budget.wait(wait)
    return run if run is not None and is_of(run, run_id) else None


def is_of(run: WorkflowRun, id: str) -> bool:
    """Whether an answer is about the run that was asked for; its id may be written in each way that a UUID is."""
    return _plain(run.id or "") == _plain(id)


def _plain(id: str) -> str:
    return id.strip("{}").replace("-", "").lower()


def has_ended(run: WorkflowRun) -> bool:
    """Whether the server told how it ended."""
    return bool(run.status) and run.status not in _UNDER_WAY


def end_bytes(run: WorkflowRun) -> bytes:
    """The end of the run, as a stream would have told it."""
    data = {name: getattr(run, name) for name in _FIELDS}
    data.update((name, _seconds(getattr(run, name))) for name in ("created_at", "finished_at"))
    data["outputs"] = run.outputs if isinstance(run.outputs, dict) else None
    event = {"event": "workflow_finished", "workflow_run_id": run.id, "data": data}
    return encode(("", json.dumps(event, ensure_ascii=False, default=_hidden).encode("utf-8", "replace")))


def _hidden(secret: object) -> None:
    """The token of a form, which the run's end does not need."""
    if not isinstance(secret, Secret):
        raise TypeError(f"no JSON: {type(secret).__name__}")


def unknown_end(*, old: bool) -> str:
    """Why its end is not known."""
    return t("net.run_forgotten") if old else t("net.run_running", seconds=round(END_SECONDS))


_FIELDS = ("id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps")


def _seconds(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


async def unless_left(
    waiting: asyncio.Future[WorkflowRun | None], left: Callable[[], bool]
) -> WorkflowRun | None:
    """What that gives; None where this side ended the run meanwhile and so cancelled it."""
    try:
        return await waiting
    except asyncio.CancelledError:
        if not left():
            waiting.cancel()
            raise
        return None
