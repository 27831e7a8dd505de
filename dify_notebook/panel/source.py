"""Which session a panel shows."""

from __future__ import annotations

from ..config import resolve
from ..errors import InputError
from ..i18n import t
from ..net.client import AsyncDify
from ..net.sync import Dify
from ..session import Session


def session_of(dify: Dify | AsyncDify | Session | None, session: Session | None) -> Session:
    """The session that is meant.

    Raises:
        InputError: two are given, or something else.
    """
    if session is not None and dify is not None:
        raise InputError(t("panel.two_clients"), code="dify")
    source = session if session is not None else dify
    if isinstance(source, Session):
        return source
    if isinstance(source, Dify | AsyncDify):
        return Session(source)
    if source is not None:
        raise InputError(t("panel.no_client", type=type(source).__name__), code="dify")
    settings = resolve()
    return Session(AsyncDify.local("guide") if settings is None else AsyncDify.from_settings(settings))
