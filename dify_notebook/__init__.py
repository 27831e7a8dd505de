"""Dify apps in a notebook.

%load_ext dify_notebook     then `%%dify` cells; `%dify help` says more
Dify, AsyncDify             the client, plain and async;  Bounds: how much it takes
ChatPanel                   a conversation with an app, in the notebook
Turn                        one question and all that came back
Sweep                       many questions to several apps, kept and compared;  dify.map(df) asks every row of a table
History, frames             logs of conversations, and everything else, as pandas tables
local.serve()               the embedded server
run(coro)                   a coroutine from a synchronous cell
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import frames, local
    from .aio import run
    from .errors import DifyError
    from .frames.history import History
    from .net.bounds import Bounds
    from .net.client import AsyncDify
    from .net.sync import Dify
    from .panel.widget import ChatPanel
    from .session import Session
    from .sweep.sweep import Sweep
    from .tape import Tape
    from .turn.state import Turn

__all__ = [
    "AsyncDify",
    "Bounds",
    "ChatPanel",
    "Dify",
    "DifyError",
    "History",
    "Session",
    "Sweep",
    "Tape",
    "Turn",
    "__version__",
    "frames",
    "last",
    "load_ipython_extension",
    "local",
    "run",
    "unload_ipython_extension",
]

last: Turn | None = globals().get("last")  # `%reload_ext` executes this file again
"""The turn of the last `%%dify` cell."""

_HOMES = {
    "AsyncDify": "net.client",
    "Bounds": "net.bounds",
    "ChatPanel": "panel.widget",
    "Dify": "net.sync",
    "DifyError": "errors",
    "History": "frames.history",
    "Session": "session",
    "Sweep": "sweep.sweep",
    "Tape": "tape",
    "Turn": "turn.state",
    "run": "aio",
}


def __getattr__(name: str) -> Any:
    # Imported when first touched, so that `import dify_notebook` costs next to nothing.
    from importlib import import_module

    if name in ("frames", "local"):
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext dify_notebook`."""
    from .magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext dify_notebook`."""
    from .magic import unload

    unload(shell)
