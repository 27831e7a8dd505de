"""Forms of runs that wait for a person, and runs that are followed from some moment on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ...api_error import ApiError, not_found
from ...engine.app import App
from ...engine.forms import as_input
from ...engine.human_forms import checked, file_rules
from ...engine.listeners import Event, Listener
from ...engine.pausing import Waiting
from ...engine.snapshot import paused_snapshot, snapshot
from ...responses import JSONReply, reply
from ...store.paused import NotWaiting
from ...store.serializers import SignURL, linked
from ...store.store import NotFound, Row
from ..attached import checked_files
from ..context import WRONG_APP, Context, app_of, context_of, signer_of
from ..event_stream import EventStream
from ..payloads import form_submission, is_uuid, json_body, user_of
from ..resumption import go_on


def _no_form(token: str) -> ApiError:
    # The token is told to nobody but who sent it.
    path = "/v1/form/human_input/"
    return not_found(
        f"Form not found. You have requested this URI [{path}{token}] but did you mean {path}<string:form_token> ?"
    )


def _not_waiting(error: NotWaiting) -> ApiError:
    if error.status == "submitted":
        message = f"This form has already been submitted by another user, form_id={error.form}"
        return ApiError(412, "human_input_form_submitted", message)
    return ApiError(412, "human_input_form_expired", f"This form has expired, form_id={error.form}")


async def _form(context: Context, app: App, token: str) -> Row:
    try:
        return await context.pauses.form(app.name, token)
    except NotFound:
        raise _no_form(token) from None
    except NotWaiting as error:
        raise _not_waiting(error) from None


async def form(request: Request) -> Response:
    """GET /form/human_input/{token}."""
    app, context = app_of(request), context_of(request)
    row = await _form(context, app, request.path_params["token"])
    definition = row["definition"]
    return JSONReply(
        {
            "form_content": definition["form_content"],
            "inputs": definition["inputs"],
            "resolved_default_values": definition["resolved_default_values"],
            "user_actions": definition["actions"],
            "expiration_time": definition["expiration_time"],
        }
    )


async def submit(request: Request) -> Response:
    """POST /form/human_input/{token}. Whoever has the token may; `user` need not be who asked."""
    app, context = app_of(request), context_of(request)
    body = await json_body(request)
    user = user_of(body)
    action, inputs = form_submission(body)
    token = request.path_params["token"]
    definition = (await _form(context, app, token))["definition"]
    values = checked(definition, action, inputs)
    for field in definition["inputs"]:
        rules = file_rules(field)
        if rules is not None:
            name = field["output_variable_name"]
            given = values[name] if field["type"] == "file-list" else [values[name]]
            rows = await checked_files(context, app, user, rules, given)
            files = [as_input(reference, row, signer_of(request).url) for reference, row in rows]
            values[name] = files if field["type"] == "file-list" else files[0]
    try:
        await context.pauses.submit(app.name, token, action, values)
    except NotFound:
        raise _no_form(token) from None
    except NotWaiting as error:
        raise _not_waiting(error) from None
    await go_on(context)
    return reply({})


async def events(request: Request) -> Response | ASGIApp:
    """GET /workflow/{run}/events: a run from now on, or from a snapshot of where it stands."""
    app, context = app_of(request), replace(context_of(request), signer=signer_of(request))
    session = user_of(request.query_params)
    if not app.is_flow:
        raise ApiError(400, "not_workflow_app", WRONG_APP)
    run = request.path_params["run"]
    if not is_uuid(run):
        raise ApiError(500, "unknown", "Internal Server Error")
    with_snapshot = _flag(request, "include_state_snapshot")
    continue_on_pause = _flag(request, "continue_on_pause")
    user = await context.store.known_user(app.name, session)
    while True:
        listener = Listener(
            continue_on_pause=continue_on_pause, lingers=continue_on_pause and not with_snapshot
        )
        found = await _follow(context, app, user, run.lower(), listener, with_snapshot=with_snapshot)
        if found is not None:
            break
    message, ended = found

    def left() -> None:
        context.runs.listeners.remove(message, listener)

    return EventStream(listener.queue, context.options.ping_interval, left, ping_first=not ended)


async def _follow(
    context: Context, app: App, user: str, run_id: str, listener: Listener, *, with_snapshot: bool
) -> tuple[str, bool] | None:
    """Let the listener hear the run. Gives its message, and whether it has ended; None: look again, it moved.

    Raises:
        ApiError: 404.
    """
    followed = _follow_running(context, app, user, run_id, listener, with_snapshot=with_snapshot)
    if followed is not None:
        return followed, False
    row = await _stored(context, app, user, run_id)
    message = row["id"]
    if row["paused"] is None:
        if row["state"] == "running":  # it is about to go on
            await asyncio.sleep(0.005)
            return None
        listener.begin([_finished(row, context.signer.url)])
        listener.close()
        return message, True
    context.runs.listeners.add(message, listener)
    row = await _stored(context, app, user, run_id)  # what happens from this look on is heard
    if row["paused"] is None or context.runs.of_workflow(run_id) is not None:
        context.runs.listeners.remove(message, listener)
        return None
    listener.begin(_paused(context, app, row) if with_snapshot else [])
    return message, False


async def _stored(context: Context, app: App, user: str, run_id: str) -> Row:
    try:
        return await context.pauses.run(app.name, user, run_id)
    except NotFound:
        raise not_found("Workflow run not found") from None


def _paused(context: Context, app: App, row: Row) -> list[Event]:
    state = row["paused"]
    head = {"task_id": state["task_id"], **_where(app, row["conversation"], row["id"], state["created_at"])}
    forms = [form for form in map(Waiting.of, state["waiting"]) if form.id in row["waiting"]]
    said = None if app.is_workflow else row["answer"]
    return paused_snapshot(head, state, said, forms, [context.pauses.token(form.id) for form in forms])


def _follow_running(
    context: Context, app: App, user: str, run_id: str, listener: Listener, *, with_snapshot: bool
) -> str | None:
    run = context.runs.of_workflow(run_id)
    if run is None or run.workflow is None:
        return None
    if run.app.name != app.name or run.end_user != user:
        raise not_found("Workflow run not found")
    # While it runs, Dify knows no more than its id.
    head = {"task_id": run_id, **_where(app, run.conversation_id, run.message_id, run.created_at)}
    context.runs.listeners.add(run.message_id, listener)
    said = None if app.is_workflow else run.persisted
    listener.begin(snapshot(head, run.workflow.row(), said) if with_snapshot else [])
    return run.message_id


def _where(app: App, conversation: str, message: str, created_at: int) -> dict[str, Any]:
    """Which message is answered; nothing, of a workflow app's run."""
    if app.is_workflow:
        return {}
    return {"conversation_id": conversation, "message_id": message, "created_at": created_at}


def _finished(row: Row, sign_url: SignURL) -> Event:
    """All that Dify tells of a run that has ended."""
    data = linked(row["workflow_run"], sign_url)
    if row["state"] == "interrupted":
        data = {**data, "status": "failed", "error": row["error"]}
    return {"event": "workflow_finished", "task_id": data["id"], "workflow_run_id": data["id"], "data": data}


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")
