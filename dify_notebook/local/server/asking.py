"""A question on its way from the request to the run that answers it, for apps of all modes."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ..api_error import ApiError, internal_error, invalid, not_found
from ..engine.app import App, fixed_id
from ..engine.forms import as_input, check_inputs
from ..engine.run import Run
from ..engine.runs import TITLE_PAUSE
from ..engine.unstarted import unstarted, workflow_of
from ..responses import blocking_reply
from ..simulate.playback import Player
from ..store.annotations import Annotations
from ..store.conversations import Conversations
from ..store.store import INTERRUPTED, NotFound, Row
from ..store.variables import Variables
from .attached import input_files, keep_file, question_files, upload_of
from .context import Context, context_of, signer_of
from .event_stream import EventStream
from .payloads import is_uuid
from .questions import Question

_NO_PINGS = 86_400.0
UNNAMED = "New conversation"
"""What the older version calls one until its name is generated."""
HISTORY = 20
"""Earlier messages that an app sees."""


async def answer(request: Request, app: App, question: Question) -> Response | ASGIApp:
    """The response to a question: a stream, or all of it at the end."""
    context = replace(context_of(request), signer=signer_of(request))
    if context.player is not None:
        return _play(context.player, streaming=question.streaming)
    if app.closed == "unpublished":
        raise invalid("Workflow not published")
    if app.is_flow:
        _check_version(app, question.workflow_id)
    if app.is_agent and not question.streaming:
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
            inputs, uploads, files = await _fitting(context, app, question)
        except ApiError as problem:
            if not (run_apart and question.streaming) or problem.status != 400:
                raise
            return _never_began(context, app, problem.message)
        message = str(uuid.uuid4())
        try:
            run = await _begin(context, app, question, message, inputs, uploads, files)
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
    if run.error is not None and not app.is_workflow:  # of a run the answer says how it failed
        raise ApiError(run.error.status, run.error.code, run.error.message)
    return blocking_reply(run.blocking_answer())


def _check_version(app: App, workflow_id: str | None) -> None:
    """An app has one version here, and the draft that it was made of.

    Raises:
        ApiError: another one is asked for.
    """
    if workflow_id is None:
        return
    if not is_uuid(workflow_id):
        raise ApiError(400, "bad_request", f"Invalid workflow_id format: '{workflow_id}'.")
    if workflow_id.lower() == draft_of(app):
        raise ApiError(
            400,
            "bad_request",
            f"Cannot use draft workflow version. Workflow ID: {workflow_id}. "
            "Please use a published workflow version or leave workflow_id empty.",
        )
    if workflow_id.lower() != workflow_of(app):
        raise not_found(f"Workflow not found with id: {workflow_id}")


def draft_of(app: App) -> str:
    """Id of the draft of an app's workflow."""
    return fixed_id("draft", app.name)


async def _fitting(
    context: Context, app: App, question: Question
) -> tuple[dict[str, Any], list[Row], list[tuple[Row, Row]]]:
    """Inputs, the uploads among these, and files of a question that fits its app.

    Raises:
        ApiError: it does not; 404, where there is no such conversation.
    """
    if app.holds_conversations and not question.query.strip():
        raise invalid("query is required")
    stored = await _stored_inputs(context, app, question)
    uploads: list[Row] = []
    if stored is None or not context.options.older:
        inputs, uploads = await input_files(context, app, question.user, check_inputs(app.form, question.inputs))
    else:
        inputs = stored
    return inputs, uploads, await question_files(context, app, question)


def _never_began(context: Context, app: App, reason: str) -> ASGIApp:
    """The stream of a workflow's question that does not fit: it has begun when that is found out."""
    events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    key = str(uuid.uuid4())
    for event in unstarted(app, reason, task=key, run=key):
        events.put_nowait(event)
    return EventStream(events, context.options.ping_interval, lambda: None, workflow=True)


async def _stored_inputs(context: Context, app: App, question: Question) -> dict[str, Any] | None:
    """Inputs with which a conversation began: Dify 0.15 takes no others on a later turn.

    Raises:
        ApiError: 404; there is no such conversation.
    """
    if question.conversation_id is None:
        return None
    user = await context.store.known_user(app.name, question.user)
    try:
        row = await Conversations(context.store).get(app.name, user, question.conversation_id)
    except NotFound:
        raise not_found("Conversation Not Exists.") from None
    inputs: dict[str, Any] = json.loads(row["inputs"])
    return inputs


async def _begin(
    context: Context,
    app: App,
    question: Question,
    message: str,
    inputs: dict[str, Any],
    uploads: list[Row],
    files: list[tuple[Row, Row]],
) -> Run:
    store, options = context.store, context.options
    run_apart = app.is_flow and options.newest
    # Who goes on with a conversation is known; who begins one is made.
    find_user = store.end_user if question.conversation_id is None else store.known_user
    user = await find_user(app.name, question.user)
    history: list[Row] = []
    try:
        if question.conversation_id is not None:
            stored = Conversations(store)
            history, _ = await stored.messages(app.name, user, question.conversation_id, first_id=None, limit=HISTORY)
        conversation = await store.begin(
            app=app.name,
            user=user,
            conversation=question.conversation_id,
            message=message,
            query=question.query,
            name=UNNAMED if options.older else question.query[:255],
            inputs=inputs,
            introduction=app.introduction(inputs),
            # Files of a workflow app's runs are those of no message.
            files=[] if app.is_workflow else [reference for reference, _ in files],
            variables=[variable.row(app.name) for variable in app.variables],
            alone=not app.holds_conversations,
            uploads=[row["id"] for row in (*(row for _, row in files), *uploads)],
        )
        variables = await Variables(store).of(app.name, user, conversation["id"]) if app.variables else []
    except NotFound:
        raise not_found("Conversation Not Exists.") from None
    annotation = None
    if app.holds_conversations:
        annotations = Annotations(store)
        annotation = await annotations.match(app.name, question.query)
        if annotation is not None:
            await annotations.hit(annotation["id"], message)
    sign_url = context.signer.url
    file_variables = [
        {**as_input(reference, row, sign_url), "url": reference.get("url") or sign_url(row["id"])}
        for reference, row in files
    ]
    return Run(
        app=app,
        store=store,
        user=question.user,
        end_user=user,
        conversation=None if app.is_workflow else conversation,
        message_id=message,
        query=question.query,
        inputs=inputs,
        history=history,
        uploads=[upload_of(context, row) for row in (*(row for _, row in files), *uploads)],
        files=file_variables,
        variables={row["name"]: row["value"] for row in variables},
        pace=options.pace,
        allow=options.allow,
        annotation=annotation,
        # The sound of a workflow's answer would come behind the end of its run, where nobody reads.
        speech=None if run_apart else context.speech,
        kept=run_apart or (app.is_workflow and not options.older),
        title_pause=TITLE_PAUSE * options.pace if app.holds_conversations and options.newest else 0.0,
        auto_name=question.auto_generate_name,
        events=asyncio.Queue() if question.streaming else None,
        pauses=context.pauses if options.newest else None,
        listeners=context.runs.listeners,
        keep_file=partial(keep_file, context, app, question.user, message),
    )


def _play(player: Player, *, streaming: bool) -> Response | ASGIApp:
    """A recorded answer in place of a real one. Its own pings are among what is played."""
    if not streaming:
        return blocking_reply(player.blocking_answer())
    playing = player.start()
    return EventStream(playing.events, _NO_PINGS, playing.stop)
