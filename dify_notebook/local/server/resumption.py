"""Lets runs go on that waited for a person: when a form was submitted, when one expires, and when the server starts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from functools import partial

from ...logs import logger
from ..api_error import ApiError
from ..engine.pausing import Resumption
from ..engine.run import Run, Upload
from ..store.conversations import Conversations
from ..store.paused import Ready
from ..store.store import Row
from ..store.variables import Variables
from ..tokens import Meter
from .asking import HISTORY
from .attached import keep_file
from .context import Context

log = logger("dify_notebook.local")

AGAIN = 5.0
"""Seconds until the next look after one that failed."""
LONGEST_WAIT = 3600.0
"""Seconds between two looks at the clock: a machine may have slept."""


async def go_on(context: Context) -> None:
    """Start the runs of which a form was answered or has expired; when this returns they are running."""
    async with context.runs.resuming:
        for ready in await context.pauses.take_ready():
            try:
                run = await _run(context, ready)
                if run is not None:
                    context.runs.start(run)
            except Exception as problem:
                context.store.give_up(ready.message)
                context.runs.listeners.end(ready.message)
                if not isinstance(problem, ApiError):  # that is the server's end
                    log.error("a run that waited could not go on", exc_info=problem)


async def watch(context: Context) -> None:
    """Look whenever a run begins to wait, and when the next form expires. Ends with the server."""
    while True:
        context.runs.paused.clear()
        try:
            expires_at = await context.pauses.expire()
            await go_on(context)
        except Exception as problem:  # the database may be locked or damaged; forms that come later still have a time
            log.error("runs that wait could not be looked at", exc_info=problem)
            expires_at = time.time() + AGAIN
        seconds = LONGEST_WAIT if expires_at is None else max(0.0, expires_at - time.time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.runs.paused.wait(), min(seconds, LONGEST_WAIT))


async def _run(context: Context, ready: Ready) -> Run | None:
    """A run that goes on where that one waited; None where its conversation was deleted or its app is not served."""
    state, store = ready.state, context.store
    question = await context.pauses.question(ready.message)
    if question is None:
        return None
    app = context.apps.get(question["app"])
    if app is None:
        raise LookupError(f"the app {question['app']} is not served any more")
    user = state["end_user"]
    conversation = {name: question[name] for name in question.keys() - {"query", "asked", "answer", "asked_at"}}
    history: list[Row] = []
    if app.holds_conversations:
        history, _ = await Conversations(store).messages(
            app.name, user, question["id"], first_id=ready.message, limit=HISTORY
        )
    variables = await Variables(store).of(app.name, user, question["id"]) if app.variables else []
    prompt, completion, latency = state["meter"]
    return Run(
        app=app,
        store=store,
        user=state["user"],
        end_user=user,
        conversation=None if app.is_workflow else conversation,
        message_id=ready.message,
        query=question["query"],
        inputs=json.loads(question["asked"]),
        history=history,
        uploads=[
            Upload(name, extension, mime_type, size, context.directory.files / key, key)
            for name, extension, mime_type, size, key in state["uploads"]
        ],
        variables={row["name"]: row["value"] for row in variables},
        pace=context.options.pace,
        auto_name=False,  # it has its name since it waited
        events=None,
        speech=context.speech,
        allow=context.options.allow,
        files=state["files"],
        task_id=state["task_id"],
        created_at=state["created_at"],
        meter=Meter(prompt, completion, latency=latency),
        resources=state["resources"],
        reasoning=state["reasoning"],
        pauses=context.pauses,
        listeners=context.runs.listeners,
        resumption=Resumption(state, ready.answers),
        persisted=question["answer"],
        spent=state["spent"],
        first_token=state["first_token"],
        keep_file=partial(keep_file, context, app, state["user"], ready.message),
    )
