"""What an app and the server say about themselves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...api_error import ApiError
from ...engine.app import fixed_id
from ...responses import reply
from ...store import serializers
from ...store.annotations import Annotations
from ...store.conversations import Conversations
from ...store.store import NotFound
from ..challenge import proof
from ..context import UNAVAILABLE, app_of, context_of
from ..payloads import query_integer


async def info(request: Request) -> Response:
    """GET /info."""
    return reply(app_of(request).info())


async def parameters(request: Request) -> Response:
    """GET /parameters."""
    app = app_of(request)
    if app.closed == "unpublished":
        raise ApiError(400, "app_unavailable", UNAVAILABLE)
    answer = app.parameters()
    settings = await Annotations(context_of(request).store).settings(app.name)
    if settings is not None:
        answer["annotation_reply"] = {
            "id": settings["id"],
            "enabled": True,
            "score_threshold": settings["score_threshold"],
            "embedding_model": {
                "embedding_provider_name": settings["provider"],
                "embedding_model_name": settings["model"],
            },
        }
    return reply(answer)


async def meta(request: Request) -> Response:
    """GET /meta."""
    icons = app_of(request).icons
    return reply({"tool_icons": {tool: {"background": "#E6F0FF", "content": icon} for tool, icon in icons.items()}})


async def site(request: Request) -> Response:
    """GET /site."""
    return reply(app_of(request).site())


async def end_user(request: Request) -> Response:
    """GET /end-users/{end_user}."""
    app = app_of(request)
    try:
        row = await context_of(request).store.end_user_by_id(app.name, str(request.path_params["end_user"]))
    except NotFound:
        raise ApiError(404, "end_user_not_found", "End user not found.") from None
    return reply(serializers.end_user(row, app.id, fixed_id("tenant")))


async def feedbacks(request: Request) -> Response:
    """GET /app/feedbacks: what all users of the app thought of its answers."""
    app = app_of(request)
    page = query_integer(request, "page", "FeedbackListQuery", default=1)
    limit = query_integer(request, "limit", "FeedbackListQuery", default=20, maximum=101)
    rows = await Conversations(context_of(request).store).feedbacks(app.name, page=page, limit=limit)
    return reply({"data": [serializers.feedback(row, app.id) for row in rows]})


async def root(request: Request) -> Response:
    """GET /: what this is. With `challenge`, a proof that this server knows its directory's nonce.

    The proof lets `ensure()` see that the address in server.json still belongs to that server
    and not to a stranger who got the port later; the nonce itself is never sent.
    """
    answer: dict[str, object] = {
        "server": "dify_notebook.local",
        "about": "The embedded Dify-compatible server of dify_notebook. Its API is below /v1.",
        "apps": sorted(context_of(request).apps),
    }
    challenge = request.query_params.get("challenge")
    if challenge:
        answer["proof"] = proof(context_of(request).nonce, challenge)
    return reply(answer)
