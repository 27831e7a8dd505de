"""`%%dify` and `%dify`: questions to a Dify app from a notebook cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .state import State

_states: WeakKeyDictionary[Any, State] = WeakKeyDictionary()
"""What the magics of a shell remember; `%reload_ext` and loading again go on with it."""


def load(shell: Any) -> None:
    """Put the magics and their completion into an IPython shell; once more changes nothing."""
    from .magics import DifyMagics
    from .state import State

    unload(shell)
    DifyMagics(shell, _states.setdefault(shell, State())).register()


def unload(shell: Any) -> None:
    """Take out of the shell whatever `load` put in; clients and turns of the user stay as they are.

    What the magics remember (app, conversation, mode) is there again when they are loaded again.
    """
    from .magics import DifyMagics

    magics = shell.magics_manager.registry.get(DifyMagics.__name__)
    if magics is not None:
        magics.unregister()
