"""Workflow apps: run, stopped, looked up, listed."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ...api_error import ApiError, invalid, not_found
from ...responses import reply
from ...store import serializers
from ...store.store import NotFound
from ...store.workflow_runs import LogFilter, WorkflowRuns
from ..asking import answer
from ..context import WRONG_APP, app_of, context_of, signer_of, workflow_app_of
from ..payloads import json_body, query_integer, query_limit, user_of, wrong
from ..questions import workflow_request

_LOG = "WorkflowLogQuery"
_STATUSES = ("succeeded", "failed", "stopped")


async def run(request: Request) -> Response | ASGIApp:
    """POST /workflows/run, and /workflows/{workflow}/run for a published version (since Dify 1.0)."""
    app, older = workflow_app_of(request), context_of(request).options.older
    version = request.path_params.get("workflow")
    return await answer(request, app, workflow_request(await json_body(request), version, older=older))


async def stop(request: Request) -> Response:
    """POST /workflows/tasks/{task_id}/stop. Says success whatever there was to stop; newer ones than Dify 0.15 look at
    neither user nor app."""
    app, context = workflow_app_of(request), context_of(request)
    user = user_of(await json_body(request))
    older = context.options.older
    context.stop(request.path_params["task_id"], app.name if older else None, user if older else None)
    return reply({"result": "success"})


async def detail(request: Request) -> Response:
    """GET /workflows/run/{run}: also of a chatflow's, since Dify 1.0. Nobody has to be named."""
    app, context = app_of(request), context_of(request)
    if not (app.is_workflow or (app.is_flow and not context.options.older)):
        raise ApiError(400, "not_workflow_app", WRONG_APP)
    try:
        key = str(uuid.UUID(request.path_params["run"]))
    except ValueError:
        raise _crashed() from None
    try:
        row = await WorkflowRuns(context.store).get(app.name, key)
    except NotFound:
        raise not_found("Workflow run not found.") from None
    return reply(serializers.workflow_run(row, signer_of(request).url))


async def logs(request: Request) -> Response:
    """GET /workflows/logs: of all users. Keys of other apps are answered too, with nothing."""
    app, context = app_of(request), context_of(request)
    page = query_integer(request, "page", _LOG, default=1, maximum=99999)
    limit = query_limit(request, _LOG)
    wanted = _older_filter(request) if context.options.older else _filter(request)
    rows, total = await WorkflowRuns(context.store).page(app.name, wanted, page=page, limit=limit)
    data = [serializers.workflow_log(row) for row in rows]
    more = page * limit < total
    return reply({"page": page, "limit": limit, "total": total, "has_more": more, "data": data})


def _filter(request: Request) -> LogFilter:
    query, status = request.query_params, _status(request)
    keyword, session = query.get("keyword", ""), query.get("created_by_end_user_session_id") or None
    before, after = _time(query.get("created_at__before")), _time(query.get("created_at__after"))
    if account := query.get("created_by_account"):  # there are none here
        raise invalid(f"Account not found: {account}")
    if keyword and session:
        raise _crashed()
    return LogFilter(keyword=keyword, status=status, before=before, after=after, session=session)


def _older_filter(request: Request) -> LogFilter:
    """What Dify 0.15 knows; the rest it leaves unread. A run is in its log when it has ended."""
    # It looks for a text as that is kept: escaped.
    keyword = request.query_params.get("keyword", "").encode("unicode_escape").decode()
    return LogFilter(keyword=keyword, status=_status(request), ended=True)


def _status(request: Request) -> str | None:
    status = request.query_params.get("status")
    if status is not None and status not in _STATUSES:
        raise wrong(_LOG, "status", "Input should be 'succeeded', 'failed' or 'stopped'", "literal_error")
    return status


def _time(text: str | None) -> float | None:
    """Seconds since 1970 of an ISO text, in UTC where it names no zone. Raises: ApiError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise invalid(str(problem)) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _crashed() -> ApiError:
    """What Dify did not think of."""
    return ApiError(500, "unknown", "Internal Server Error")
