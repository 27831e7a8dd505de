"""The apps that a sweep asks: found by name as cells find them, and what makes each of them the one that it is."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec

from ...address import is_loopback
from ...app.entry_points import suggestion
from ...config import resolve
from ...errors import APIError, InputError
from ...i18n import t
from ...net.app_cache import learn
from ...net.client import AsyncDify
from ...net.sync_base import Client
from ...printable import one_line
from ...profiles import RESERVED, profiles
from ..case import Target
from .identity import canonical, digest

AT = "@"
"""Between an app's name and the published version that is asked."""
_COST = 1 << 14
"""Of one try to guess a key out of an identity: about 50 ms and 16 MB."""
_TRANSIENT = 500


async def targets(apps: Any, *, salt: str, user: str) -> dict[str, Target]:
    """The apps by the names that the user has for them, each a client of the sweep's own user.

    Args:
        apps: a client; a name as after `%%dify` (`guide`, a profile; `support@<workflow id>` for a published version);
            a list of names; or a dict from a name to a client, a name, or a pair of a client and a workflow id.
        salt: of the sweep, for what is kept of keys.
        user: who asks.

    Raises:
        InputError: something is no app, two are the same one, or a version is named of an app that has none.
        ConfigError: a profile has no key, or the file of profiles cannot be read.
        DifyError: a server cannot be reached, or refuses the key.
    """
    found: dict[str, Target] = {}
    by_identity: dict[str, str] = {}
    for name, client, workflow_id in [await asyncio.to_thread(_app, *named) for named in _named(apps)]:
        own = client.as_user(user)
        if workflow_id is not None:
            await _check_version(own, name)
        identity = await asyncio.to_thread(app_identity, own, workflow_id, salt)
        same = by_identity.setdefault(identity, name)
        if same != name:
            _refuse("sweep.apps.same", one=one_line(same), other=one_line(name))
        found[name] = Target(name=name, client=own, workflow_id=workflow_id, identity=identity)
    return found


def app_identity(client: AsyncDify, workflow_id: str | None, salt: str) -> str:
    """A hash of the server, the app's key and the version that is pinned. It takes about 50 ms on purpose.

    Of loopback addresses the port does not count, of the embedded server's own apps their names alone: both servers
    are the same ones after a restart.
    """
    settings = client.settings
    version = (workflow_id or "").encode()
    if settings.source == "local":
        return digest("app", b"local", (settings.app or "").encode(), version)
    address = urlsplit(settings.base_url)
    place = "loopback" if is_loopback(address.hostname) else address.netloc.lower()
    key = hashlib.scrypt(
        settings.api_key.reveal().encode(), salt=b"dify_notebook " + salt.encode(), n=_COST, r=8, p=1, dklen=32
    )
    return digest("app", address.scheme.encode(), place.encode(), address.path.encode(), key, version)


async def fingerprint(client: AsyncDify) -> str:
    """A hash of what the server tells of the app at this moment: its form and settings, name, description, tools.

    What this server or this key cannot be asked counts as untold.

    Raises:
        DifyError: the server cannot be reached, is too busy, or refuses the key.
    """
    answers = await asyncio.gather(
        client.app.parameters(), client.app.info(), client.app.meta(), return_exceptions=True
    )
    parts = []
    for answer in answers:
        if isinstance(answer, BaseException):
            if not _is_untold(answer):
                raise answer
            parts.append(b"untold")
        else:
            parts.append(canonical(msgspec.to_builtins(answer)))
    return digest("fingerprint", *parts)


def _is_untold(problem: BaseException) -> bool:
    status = problem.status if isinstance(problem, APIError) else None
    return status is not None and status < _TRANSIENT and status not in (401, 403, 408, 425, 429)


async def _check_version(client: AsyncDify, name: str) -> None:
    app = await learn(client, "mode")
    if not app.takes.versions:
        _refuse("sweep.apps.no_versions", name=one_line(name), mode=one_line(app.mode or "?"))


def _named(apps: Any) -> Iterator[tuple[str, Any]]:
    """(name, what it stands for) of all that was given."""
    if isinstance(apps, Mapping):
        named = list(apps.items())
    elif isinstance(apps, str):
        named = [(apps, apps)]
    elif isinstance(apps, list | tuple):
        for name in apps:
            if not isinstance(name, str):
                _refuse("sweep.apps.no_name", type=type(name).__name__)
        named = [(name, name) for name in apps]
    else:
        client = _client(apps)
        named = [(client.settings.app or client.settings.profile or "app", client)]
    if not named:
        _refuse("sweep.apps.none")
    names: set[str] = set()
    for name, app in named:
        if not isinstance(name, str) or not name.strip():
            _refuse("sweep.apps.no_name", type=type(name).__name__)
        if name in names:
            _refuse("sweep.apps.twice", name=one_line(name))
        names.add(name)
        yield name, app


def _app(name: str, app: Any) -> tuple[str, AsyncDify, str | None]:
    workflow_id: Any = None
    if isinstance(app, str):
        app, at, version = app.partition(AT)
        client = _by_name(app)
        workflow_id = version.strip() if at else None
    elif isinstance(app, Sequence) and len(app) == 2:
        client, workflow_id = _client(app[0]), app[1]
    else:
        client = _client(app)
    if workflow_id is not None and (not isinstance(workflow_id, str) or not workflow_id.strip()):
        _refuse("sweep.apps.no_version", name=one_line(name))
    return name, client, workflow_id


def _by_name(name: str) -> AsyncDify:
    if name in RESERVED:
        return AsyncDify.local("guide" if name == "local" else name)
    known = profiles()
    if name not in known:
        names = [*known, *RESERVED]
        _refuse("sweep.apps.unknown", name=one_line(name), suggestion=suggestion(name, names), known=", ".join(names))
    settings = resolve(profile=name)
    assert settings is not None  # a profile gives settings or raises
    return AsyncDify.from_settings(settings)


def _client(app: Any) -> AsyncDify:
    client = app.as_async if isinstance(app, Client) else app
    if not isinstance(client, AsyncDify):
        _refuse("sweep.apps.no_client", type=type(app).__name__)
    return client


def _refuse(key: str, /, **values: object) -> NoReturn:
    raise InputError(t(key, **values), code="apps", hint=t("magic.value.hint"))
