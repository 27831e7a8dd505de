"""`%%dify` and `%dify`: questions to a Dify app from a notebook cell."""

from __future__ import annotations

from typing import Any


def load(shell: Any) -> None:
    """Put the magics and their completion into an IPython shell; once more changes nothing."""
    from .magics import DifyMagics

    unload(shell)
    DifyMagics(shell).register()


def unload(shell: Any) -> None:
    """Take out of the shell whatever `load` put in; clients and turns of the user stay as they are."""
    from .magics import DifyMagics

    found = shell.magics_manager.registry.get(DifyMagics.__name__)
    if found is not None:
        found.unregister()
