"""Asking and stopping."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ..apps.app import App
from ..context import Context, app_of, context_of
from ..forms import check_inputs
from ..payloads import ChatRequest, chat_request, is_uuid, json_body, user_of
from ..replies import ApiError, blocking_reply, invalid, not_found, reply
from ..run import Run, Upload
from ..store import INTERRUPTED, Row, Unknown
from ..stream import EventStream

HISTORY = 20
"""Earlier messages that an app sees."""


async def ask(request: Request) -> Response | ASGIApp:
    """POST /chat-messages."""
    app, context = app_of(request), context_of(request)
    asked = chat_request(await json_body(request))
    if not asked.query.strip():
        raise invalid("query is required")
    if app.mode == "agent-chat" and not asked.streaming:
        raise invalid("Agent Chat App does not support blocking mode")
    inputs = check_inputs(app.form, asked.inputs)
    files = await _files(context, app, asked.files)
    if context.runs.full:
        raise ApiError(429, "too_many_requests", "Too many requests. Please try again later.")
    run = await _begin(context, app, asked, inputs, files)
    task = context.runs.start(run)
    if run.events is not None:
        return EventStream(run.events, context.ping_interval, run.leave)
    try:
        # A blocking client that goes away takes nothing along either.
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled():
            raise ApiError(500, "internal_server_error", INTERRUPTED) from None
        raise
    return _whole(run)


async def _begin(
    context: Context, app: App, asked: ChatRequest, inputs: dict[str, Any], files: list[tuple[Row, Row]]
) -> Run:
    store = context.store
    user = await store.end_user(app.name, asked.user)
    history: list[Row] = []
    message = str(uuid.uuid4())
    try:
        if asked.conversation_id is not None:
            history, _ = await store.messages(
                app.name, user, asked.conversation_id, first_id=None, limit=HISTORY
            )
        conversation = await store.begin(
            app=app.name,
            user=user,
            conversation=asked.conversation_id,
            message=message,
            query=asked.query,
            inputs=inputs,
            introduction=app.opening,
            files=[used for used, _ in files],
            variables=[variable.row(app.name) for variable in app.variables],
        )
        variables = await store.variables(app.name, user, conversation["id"]) if app.variables else []
    except Unknown:
        raise not_found("Conversation Not Exists.") from None
    uploads = [
        Upload(
            row["name"], row["extension"], row["mime_type"], row["size"], context.directory.files / row["id"]
        )
        for _, row in files
    ]
    return Run(
        app=app,
        store=store,
        user=asked.user,
        end_user=user,
        conversation=conversation,
        message_id=message,
        query=asked.query,
        inputs=inputs,
        history=history,
        uploads=uploads,
        variables={row["name"]: row["value"] for row in variables},
        pace=context.pace,
        auto_name=asked.auto_generate_name,
        events=asyncio.Queue() if asked.streaming else None,
    )


async def _files(context: Context, app: App, files: list[dict[str, Any]]) -> list[tuple[Row, Row]]:
    """Files of a question, each with its upload. An app that takes none does not look at them.

    Raises:
        ApiError: one of them is unknown or of a kind that the app does not take.
    """
    rules = app.files
    if rules is None:
        return []
    if len(files) > rules.limit:
        raise invalid(f"Number of files exceeds the maximum limit {rules.limit}")
    found: list[tuple[Row, Row]] = []
    for told in files:
        method, kind = told.get("transfer_method"), told.get("type")
        if method == "remote_url":
            # Fetching what a request names would let anyone with a key make this machine talk to others.
            raise invalid("remote_url is not allowed by this app; upload the file")
        if method != "local_file":
            raise invalid(f"No matching enum found for value '{method}'")
        key = told.get("upload_file_id")
        if not key:
            raise invalid("Invalid upload file id")
        if not isinstance(key, str) or not is_uuid(key):
            raise invalid("Invalid upload file id format")
        try:
            row = await context.store.file(key.lower(), app.name)
        except Unknown:
            raise invalid("Invalid upload file") from None
        name = row["name"]
        if (kind not in rules.types and kind != "custom") or not name.lower().endswith(rules.extensions):
            raise invalid(f"File validation failed for file: {name}")
        used = {"upload_file_id": row["id"], "type": str(kind), "transfer_method": "local_file"}
        found.append((used, row))
    return found


def _whole(run: Run) -> Response:
    if run.error is not None:
        if run.error.code == "internal_server_error":
            raise ApiError(500, run.error.code, run.error.message)
        raise ApiError(400, run.error.code, run.error.message)
    metadata = {"annotation_reply": None, "retriever_resources": run.resources, "usage": run.usage}
    return blocking_reply(
        {
            "event": "message",
            "task_id": run.task_id,
            "id": run.message_id,
            "message_id": run.message_id,
            "conversation_id": run.conversation_id,
            "mode": run.app.mode,
            "answer": run.answer,
            "metadata": metadata,
            "created_at": run.created_at,
        }
    )


async def stop(request: Request) -> Response:
    """POST /chat-messages/{task_id}/stop. Says success whatever there was to stop, as Dify does."""
    app, context = app_of(request), context_of(request)
    user = user_of(await json_body(request))
    context.runs.stop(request.path_params["task_id"], app.name, user)
    return reply({"result": "success"})
