"""The routes of the embedded server, as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from ... import redact
from ...logs import logger
from ..api_error import ApiError, internal_error
from ..responses import error_reply, html_not_found
from ..simulate.dialect import DialectMiddleware
from ..simulate.faults import Dropped, FaultMiddleware
from ..store.damage import damaged_store, is_damage
from .context import Context, context_of
from .guard import Guard
from .resumption import watch
from .routes import about, annotated, audio, chat, completion, files, history, human, workflows

log = logger("dify_notebook.local")


def application(context: Context) -> Starlette:
    """An application over a context; its lifespan ends the runs, the server closes the store."""
    conversation = "/conversations/{conversation:uuid}"
    v1 = [
        Route("/chat-messages", chat.ask, methods=["POST"]),
        Route("/chat-messages/{task_id}/stop", chat.stop, methods=["POST"]),
        Route("/files/upload", files.upload, methods=["POST"]),
        Route("/files/{file:uuid}/preview", files.preview, methods=["GET"]),
        Route("/messages", history.messages, methods=["GET"]),
        Route("/messages/{message:uuid}/suggested", history.suggested, methods=["GET"]),
        Route("/messages/{message:uuid}/feedbacks", history.feedback, methods=["POST"]),
        Route("/conversations", history.conversations, methods=["GET"]),
        Route(conversation, history.delete, methods=["DELETE"]),
        Route(f"{conversation}/name", history.rename, methods=["POST"]),
        Route(f"{conversation}/variables", history.variables, methods=["GET"]),
        Route(f"{conversation}/variables/{{variable:uuid}}", history.set_variable, methods=["PUT"]),
        Route("/audio-to-text", audio.to_text, methods=["POST"]),
        Route("/text-to-audio", audio.from_text, methods=["POST"]),
        Route("/end-users/{end_user:uuid}", about.end_user, methods=["GET"]),
        Route("/app/feedbacks", about.feedbacks, methods=["GET"]),
        Route("/apps/annotations", annotated.page, methods=["GET"]),
        Route("/apps/annotations", annotated.create, methods=["POST"]),
        Route("/apps/annotations/{annotation:uuid}", annotated.update, methods=["PUT"]),
        Route("/apps/annotations/{annotation:uuid}", annotated.delete, methods=["DELETE"]),
        Route("/apps/annotation-reply/{action}", annotated.switch, methods=["POST"]),
        Route("/apps/annotation-reply/{action}/status/{job:uuid}", annotated.status, methods=["GET"]),
        Route("/info", about.info, methods=["GET"]),
        Route("/parameters", about.parameters, methods=["GET"]),
        Route("/meta", about.meta, methods=["GET"]),
        Route("/site", about.site, methods=["GET"]),
        Route("/form/human_input/{token}", human.form, methods=["GET"]),
        Route("/form/human_input/{token}", human.submit, methods=["POST"]),
        Route("/workflow/{run}/events", human.events, methods=["GET"]),
        Route("/completion-messages", completion.send, methods=["POST"]),
        Route("/completion-messages/{task_id}/stop", completion.stop, methods=["POST"]),
        Route("/workflows/run", workflows.run, methods=["POST"]),
        Route("/workflows/{workflow}/run", workflows.run, methods=["POST"]),
        Route("/workflows/run/{run}", workflows.detail, methods=["GET"]),
        Route("/workflows/logs", workflows.logs, methods=["GET"]),
        Route("/workflows/tasks/{task_id}/stop", workflows.stop, methods=["POST"]),
    ]
    routes = [
        Route("/", about.root, methods=["GET"]),
        Route("/files/{file:uuid}/file-preview", files.signed, methods=["GET"]),
        Mount("/v1", app=Router(v1, redirect_slashes=False)),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        waiting = asyncio.ensure_future(watch(context))
        yield
        waiting.cancel()
        await asyncio.wait({waiting})
        await context.runs.close()

    options = context.options
    middleware = [
        Middleware(FaultMiddleware, plan=context.faults, ping_interval=options.ping_interval),
        Middleware(Guard, host=options.host),
    ]
    if options.cors:
        exposed = ["X-Version", "X-Env"]
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=options.cors,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=exposed,
            )
        )
    if not options.newest:
        played = context.player is not None
        middleware.append(Middleware(DialectMiddleware, app_of=context.app_for, version=options.dialect, played=played))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=middleware,
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_error,
            ClientDisconnect: _gone,
            sqlite3.DatabaseError: _crash,
            Exception: _crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.context = context
    return app


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_reply(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return html_not_found()
    if error.status_code == 405:
        message = "The method is not allowed for the requested URL."
        return error_reply(ApiError(405, "method_not_allowed", message, dict(error.headers or {})))
    return error_reply(ApiError(error.status_code, "bad_request", str(error.detail)))


async def _gone(request: Request, error: Exception) -> Response:
    """Who hung up in the middle of a body hears nothing; that is no failure of the server."""
    log.debug("%s %s: the client went away", request.method, redact.redact(request.url.path))
    return error_reply(ApiError(400, "bad_request", "The request was cut off."))


async def _crash(request: Request, error: Exception) -> Response:
    problem = internal_error()
    if is_damage(error):
        log.error(damaged_store(context_of(request).store.path, error))
        problem = internal_error("The database of this server is damaged; its log names the file and says what to do.")
    elif not isinstance(error, Dropped):  # that was asked for
        log.error("%s %s failed", request.method, redact.redact(request.url.path), exc_info=error)
    return error_reply(problem)
