"""Asking and stopping."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ...responses import reply
from ..asking import answer
from ..context import chat_app_of, context_of
from ..payloads import json_body, user_of
from ..questions import chat_request


async def ask(request: Request) -> Response | ASGIApp:
    """POST /chat-messages."""
    app = chat_app_of(request)
    return await answer(request, app, chat_request(await json_body(request), older=context_of(request).options.older))


async def stop(request: Request) -> Response:
    """POST /chat-messages/{task_id}/stop. Says success whatever there was to stop, as Dify does."""
    app, context = chat_app_of(request), context_of(request)
    user = user_of(await json_body(request))
    task_id = request.path_params["task_id"]
    anyone = app.is_flow and context.options.newest
    context.stop(task_id, app.name, None if anyone else user)
    return reply({"result": "success"})
