"""The process that serves: its port and its data directory, what guards it, and the routes of Dify's Service API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..store.directory import LocalServerError
    from .process import LocalServer
    from .server import Server

__all__ = ["LocalServer", "LocalServerError", "Server"]


def __getattr__(name: str) -> Any:
    # The routes below import this package for their neighbours; the process imports them all.
    if name in __all__:
        from . import process

        return getattr(process, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
