"""What an app and the server say about themselves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import app_of, context_of
from ..proof import proof
from ..replies import ApiError, reply


async def info(request: Request) -> Response:
    """GET /info."""
    return reply(app_of(request).info())


async def parameters(request: Request) -> Response:
    """GET /parameters."""
    return reply(app_of(request).parameters())


async def meta(request: Request) -> Response:
    """GET /meta."""
    app_of(request)
    return reply({"tool_icons": {}})


async def site(request: Request) -> Response:
    """GET /site."""
    return reply(app_of(request).site())


async def wrong_mode(request: Request) -> Response:
    """The routes of completion and workflow apps, of which there are none here."""
    app_of(request)
    if request.url.path.startswith("/v1/workflows"):
        message = "Please check if your app mode matches the right API route."
        raise ApiError(400, "not_workflow_app", message)
    raise ApiError(400, "app_unavailable", "App unavailable, please check your app configurations.")


async def root(request: Request) -> Response:
    """GET /: what this is. With `challenge`, a proof that this server knows its directory's nonce.

    The proof lets `ensure()` see that the address in server.json still belongs to that server
    and not to a stranger who got the port later; the nonce itself is never sent.
    """
    told: dict[str, object] = {
        "server": "dify_notebook.local",
        "about": "The embedded Dify-compatible server of dify_notebook. Its API is below /v1.",
        "apps": sorted(context_of(request).apps),
    }
    challenge = request.query_params.get("challenge")
    if challenge:
        told["proof"] = proof(context_of(request).nonce, challenge)
    return reply(told)
