"""Asking and stopping."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ....wire.kinds import FILE_CONTROLS
from ...api_error import ApiError, internal_error, invalid, not_found
from ...engine.app import FILE_LIMITS, MEGABYTE, App
from ...engine.fetch import FetchFailed, Refused, fetch
from ...engine.forms import FileRules, as_input, check_inputs
from ...engine.run import Run, Upload
from ...engine.runs import TITLE_PAUSE
from ...engine.unstarted import unstarted, workflow_of
from ...responses import blocking_reply, reply
from ...simulate.playback import Player
from ...store.annotations import Annotations
from ...store.conversations import Conversations
from ...store.store import INTERRUPTED, NotFound, Row
from ...store.uploads import Uploads
from ...store.variables import Variables
from ...text import media_type
from ..context import Context, app_of, context_of, signer_of
from ..event_stream import EventStream
from ..payloads import ChatRequest, chat_request, is_uuid, json_body, user_of

_NO_PINGS = 86_400.0
UNNAMED = "New conversation"
"""What the older version calls one until its name is generated."""
HISTORY = 20
"""Earlier messages that an app sees."""


async def ask(request: Request) -> Response | ASGIApp:
    """POST /chat-messages."""
    app, context = app_of(request), replace(context_of(request), signer=signer_of(request))
    payload = chat_request(await json_body(request), older=context.options.older)
    if context.player is not None:
        return _play(context.player, streaming=payload.streaming)
    if app.closed == "unpublished":
        raise invalid("Workflow not published")
    if app.is_flow and context.options.newest:
        _check_version(app, payload.workflow_id)
    if app.is_agent and not payload.streaming:
        raise invalid("Agent Chat App does not support blocking mode")
    if context.runs.full:
        raise ApiError(429, "too_many_requests", "Too many requests. Please try again later.")
    if app.at_once and context.runs.count(app.name) >= app.at_once:
        # Dify gives 400 here, not the 429 of its documents.
        reason = f"The current maximum concurrent requests allowed for {app.id} is {app.at_once}."
        raise invalid(f"Too many requests. Please try again later. {reason}")
    with context.runs.reserve(app.name):
        run_apart = app.is_flow and context.options.newest
        try:
            inputs, files = await _question(context, app, payload)
        except ApiError as problem:
            if not (run_apart and payload.streaming) or problem.status != 400:
                raise
            return _never_began(context, app, problem.message)
        message = str(uuid.uuid4())
        try:
            run = await _begin(context, app, payload, message, inputs, files)
            task = context.runs.start(run)
        except BaseException:
            # Nothing answers what may be written down already, or is about to be.
            context.store.give_up(message)
            raise
    if run.events is not None:
        return EventStream(run.events, context.options.ping_interval, run.disconnected, workflow=run_apart)
    try:
        # A blocking client that goes away takes nothing along either.
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled():
            raise internal_error(INTERRUPTED) from None
        raise
    return _blocking_answer(run)


def _check_version(app: App, workflow_id: str | None) -> None:
    """An app has one version here.

    Raises:
        ApiError: another one is asked for.
    """
    if workflow_id is None:
        return
    if not is_uuid(workflow_id):
        raise ApiError(400, "bad_request", f"Invalid workflow_id format: '{workflow_id}'.")
    if workflow_id.lower() != workflow_of(app):
        raise not_found(f"Workflow not found with id: {workflow_id}")


async def _question(
    context: Context, app: App, payload: ChatRequest
) -> tuple[dict[str, Any], list[tuple[Row, Row]]]:
    """Inputs and files of a question that fits its app.

    Raises:
        ApiError: it does not; 404, where there is no such conversation.
    """
    if not payload.query.strip():
        raise invalid("query is required")
    stored = await _stored_inputs(context, app, payload)
    if stored is None or not context.options.older:
        inputs = await _file_inputs(context, app, payload.user, check_inputs(app.form, payload.inputs))
    else:
        inputs = stored
    return inputs, await _files(context, app, payload)


def _never_began(context: Context, app: App, reason: str) -> ASGIApp:
    """The stream of a chatflow's question that does not fit: it has begun when that is found out."""
    events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    key = str(uuid.uuid4())
    for event in unstarted(app, reason, task=key, run=key):
        events.put_nowait(event)
    return EventStream(events, context.options.ping_interval, lambda: None, workflow=True)


async def _stored_inputs(context: Context, app: App, payload: ChatRequest) -> dict[str, Any] | None:
    """Inputs with which a conversation began: Dify 0.15 takes no others on a later turn.

    Raises:
        ApiError: 404; there is no such conversation.
    """
    if payload.conversation_id is None:
        return None
    user = await context.store.known_user(app.name, payload.user)
    try:
        row = await Conversations(context.store).get(app.name, user, payload.conversation_id)
    except NotFound:
        raise not_found("Conversation Not Exists.") from None
    inputs: dict[str, Any] = json.loads(row["inputs"])
    return inputs


async def _begin(
    context: Context,
    app: App,
    payload: ChatRequest,
    message: str,
    inputs: dict[str, Any],
    files: list[tuple[Row, Row]],
) -> Run:
    store, run_apart = context.store, app.is_flow and context.options.newest
    # Who goes on with a conversation is known; who begins one is made.
    find_user = store.end_user if payload.conversation_id is None else store.known_user
    user = await find_user(app.name, payload.user)
    history: list[Row] = []
    try:
        if payload.conversation_id is not None:
            stored = Conversations(store)
            history, _ = await stored.messages(app.name, user, payload.conversation_id, first_id=None, limit=HISTORY)
        conversation = await store.begin(
            app=app.name,
            user=user,
            conversation=payload.conversation_id,
            message=message,
            query=payload.query,
            name=UNNAMED if context.options.older else payload.query[:255],
            inputs=inputs,
            introduction=app.introduction(inputs),
            files=[reference for reference, _ in files],
            variables=[variable.row(app.name) for variable in app.variables],
        )
        variables = await Variables(store).of(app.name, user, conversation["id"]) if app.variables else []
    except NotFound:
        raise not_found("Conversation Not Exists.") from None
    annotations = Annotations(store)
    annotation = await annotations.match(app.name, payload.query)
    if annotation is not None:
        await annotations.hit(annotation["id"], message)
    sign_url = context.signer.url
    file_variables = [
        {**as_input(reference, row, sign_url), "url": reference.get("url") or sign_url(row["id"])}
        for reference, row in files
    ]
    uploads = [
        Upload(row["name"], row["extension"], row["mime_type"], row["size"], context.directory.files / row["id"])
        for _, row in files
    ]
    return Run(
        app=app,
        store=store,
        user=payload.user,
        end_user=user,
        conversation=conversation,
        message_id=message,
        query=payload.query,
        inputs=inputs,
        history=history,
        uploads=uploads,
        files=file_variables,
        variables={row["name"]: row["value"] for row in variables},
        pace=context.options.pace,
        allow=context.options.allow,
        annotation=annotation,
        # The sound of a chatflow's answer would come behind the end of its run, where nobody reads.
        speech=None if run_apart else context.speech,
        kept=run_apart,
        title_pause=TITLE_PAUSE * context.options.pace if context.options.newest else 0.0,
        auto_name=payload.auto_generate_name,
        events=asyncio.Queue() if payload.streaming else None,
        pauses=context.pauses if context.options.newest else None,
        listeners=context.runs.listeners,
    )


async def _files(context: Context, app: App, payload: ChatRequest) -> list[tuple[Row, Row]]:
    """Files of a question, each with its upload. An app that takes none does not look at them.

    Raises:
        ApiError: one of them is unknown or of a kind that the app does not take.
    """
    if app.files is None:
        return []
    return await checked_files(context, app, payload.user, app.files, payload.files)


async def checked_files(
    context: Context, app: App, user: str, rules: FileRules, files: list[dict[str, Any]]
) -> list[tuple[Row, Row]]:
    """Files that a request names, each with its upload. Raises: ApiError, for what the rules do not take."""
    if len(files) > rules.limit:
        raise invalid(f"Number of files exceeds the maximum limit {rules.limit}")
    result: list[tuple[Row, Row]] = []
    for file in files:
        method, kind = file.get("transfer_method"), file.get("type")
        if method not in ("local_file", "remote_url"):
            raise invalid(f"No matching enum found for value '{method}'")
        if method not in rules.methods:
            raise invalid(f"{method} is not allowed by this app")
        if method == "remote_url":
            row = await _remote(context, app, user, file.get("url"))
        else:
            row = await _uploaded(context, app, file.get("upload_file_id"))
        name = row["name"]
        fits = not rules.extensions or name.lower().endswith(rules.extensions)
        if (kind not in rules.types and kind != "custom") or not fits:
            raise invalid(f"File validation failed for file: {name}")
        reference = {"upload_file_id": row["id"], "type": str(kind), "transfer_method": method}
        if method == "remote_url":
            reference["url"] = file["url"]
        result.append((reference, row))
    return result


async def _file_inputs(context: Context, app: App, user: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs with their files looked up, each in the form in which Dify keeps it.

    Raises:
        ApiError: a file is unknown or of a kind that its control does not take.
    """
    result = dict(inputs)
    for control in app.form:
        value = inputs[control.variable]
        if control.kind in FILE_CONTROLS and value:
            files = value if isinstance(value, list) else [value]
            rows = await checked_files(context, app, user, control.file_rules, files)
            stored = [as_input(reference, row, context.signer.url) for reference, row in rows]
            result[control.variable] = stored if control.kind == "file-list" else stored[0]
    return result


async def _uploaded(context: Context, app: App, key: object) -> Row:
    if not key:
        raise invalid("Invalid upload file id")
    if not isinstance(key, str) or not is_uuid(key):
        raise invalid("Invalid upload file id format")
    try:
        return await Uploads(context.store).find(key.lower(), app.name)
    except NotFound:
        raise invalid("Invalid upload file") from None


async def _remote(context: Context, app: App, user: str, url: object) -> Row:
    """Fetch a file, keep it as an upload, and give its row. Only what the server's allow-list has."""
    if not url or not isinstance(url, str):
        raise invalid("Invalid file url")
    limit = FILE_LIMITS["file_size_limit"] * MEGABYTE
    try:
        response = await fetch(url, allow=context.options.allow, limit=limit)
    except (Refused, FetchFailed) as error:
        raise invalid(f"Invalid file url: {error}") from None
    if response.status != 200:
        raise invalid(f"Invalid file url: it answered {response.status}")
    name = unquote(urlsplit(response.url).path).rpartition("/")[2][:200] or "file"
    dotted = name.rpartition(".")
    return await Uploads(context.store).add(
        context.directory.files / str(uuid.uuid4()),
        lambda target: target.write(response.body),
        app=app.name,
        session=user,
        name=name,
        extension=dotted[2].lower() if dotted[0] else "",
        mime_type=media_type(response.headers.get("content-type")) or "application/octet-stream",
        size=len(response.body),
    )


def _play(player: Player, *, streaming: bool) -> Response | ASGIApp:
    """A recorded answer in place of a real one. Its own pings are among what is played."""
    if not streaming:
        return blocking_reply(player.blocking_answer())
    playing = player.start()
    return EventStream(playing.events, _NO_PINGS, playing.stop)


def _blocking_answer(run: Run) -> Response:
    if run.error is not None:
        raise ApiError(run.error.status, run.error.code, run.error.message)
    return blocking_reply(run.blocking_answer())


async def stop(request: Request) -> Response:
    """POST /chat-messages/{task_id}/stop. Says success whatever there was to stop, as Dify does."""
    app, context = app_of(request), context_of(request)
    user = user_of(await json_body(request))
    task_id = request.path_params["task_id"]
    anyone = app.is_flow and context.options.newest
    context.runs.stop(task_id, app.name, None if anyone else user)
    if context.player is not None:
        context.player.stop(task_id)
    return reply({"result": "success"})
