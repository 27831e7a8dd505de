"""Completion apps: their text is one of the inputs. Nothing lists what they said."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ...responses import reply
from ..asking import answer
from ..context import completion_app_of, context_of
from ..payloads import json_body, user_of
from ..questions import completion_request


async def send(request: Request) -> Response | ASGIApp:
    """POST /completion-messages."""
    app, older = completion_app_of(request), context_of(request).options.older
    return await answer(request, app, completion_request(await json_body(request), older=older))


async def stop(request: Request) -> Response:
    """POST /completion-messages/{task_id}/stop. Says success whatever there was to stop, as Dify does."""
    app = completion_app_of(request)
    context_of(request).stop(request.path_params["task_id"], app.name, user_of(await json_body(request)))
    return reply({"result": "success"})
