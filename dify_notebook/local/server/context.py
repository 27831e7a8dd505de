"""What every route of a server has at hand, and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ...wire.kinds import COMPLETION
from ..api_error import ApiError
from ..engine.app import App
from ..engine.runs import Runs
from ..engine.speech import Speech
from ..faults import FaultPlan
from ..options import Options
from ..simulate.playback import Player
from ..store.directory import Directory, Keys
from ..store.paused import PausedRuns
from ..store.store import Store
from .signing import Signer

UNAVAILABLE = "App unavailable, please check your app configurations."
WRONG_APP = "Please check if your app mode matches the right API route."
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}


@dataclass(frozen=True)
class Context:
    """One server's own things."""

    directory: Directory
    keys: Keys
    store: Store
    runs: Runs
    signer: Signer
    apps: dict[str, App]
    options: Options
    faults: FaultPlan
    player: Player | None
    speech: Speech | None
    pauses: PausedRuns
    """Runs that wait for a person."""
    nonce: str
    """Known to this server and to who may read its directory; see `server.answers`."""

    def stop(self, task_id: str, app: str | None, user: str | None) -> None:
        """Stop what answers with this task, if anything does. Args: app, user: whose it must be; None for anyone's."""
        self.runs.stop(task_id, app, user)
        if self.player is not None:
            self.player.stop(task_id)

    def app_for(self, authorization: str) -> App | None:
        """The app whose key an Authorization header carries; None where there is none, or none of ours."""
        scheme, _, key = authorization.partition(" ")
        name = self.keys.app_of(key.strip()) if scheme.lower() == "bearer" else None
        return None if name is None else self.apps.get(name)


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def signer_of(request: Request) -> Signer:
    """What signs links for who asks: by the name under which this server was reached, which the guard let through."""
    return context_of(request).signer.for_origin(f"{request.url.scheme}://{request.url.netloc}")


def app_of(request: Request) -> App:
    """The app whose key the request carries.

    Raises:
        ApiError: 401; there is none, or none of ours.
    """
    header = request.headers.get("authorization", "")
    scheme, space, _ = header.partition(" ")
    if not space:
        raise _unauthorized("Authorization header must be provided and start with 'Bearer'")
    if scheme.lower() != "bearer":
        raise _unauthorized("Authorization scheme must be 'Bearer'")
    app = context_of(request).app_for(header)
    if app is None:
        raise _unauthorized("Access token is invalid")
    if app.closed == "disabled":
        raise ApiError(403, "forbidden", "The app's API service has been disabled.")
    return app


def chat_app_of(request: Request) -> App:
    """The app, which holds conversations. Raises: ApiError, 401; 400 for another one."""
    app = app_of(request)
    if not app.holds_conversations:
        raise ApiError(400, "not_chat_app", WRONG_APP)
    return app


def workflow_app_of(request: Request) -> App:
    """The app, which is a workflow app. Raises: ApiError, 401; 400 for another one."""
    app = app_of(request)
    if not app.is_workflow:
        raise ApiError(400, "not_workflow_app", WRONG_APP)
    return app


def completion_app_of(request: Request) -> App:
    """The app, which is a completion app. Raises: ApiError, 401; 400 for another one."""
    app = app_of(request)
    if app.mode != COMPLETION:
        raise ApiError(400, "app_unavailable", UNAVAILABLE)
    return app


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, "unauthorized", message, _CHALLENGE)
