"""One loop on one thread, for everything that is not awaited.

The synchronous client, the magics and the panel share it. It starts when it is
first needed, and again in a forked child. A blocked notebook cell does not block it,
and it does not block the kernel.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .thread import Portal

_portal: Portal | None = None
_lock = threading.Lock()


def portal() -> Portal:
    """The portal of this process."""
    global _portal, _lock
    running = _portal
    if running is not None and running.alive:
        return running
    from .thread import Portal

    with _lock:
        if _portal is None or not _portal.alive:
            _portal = Portal()
        return _portal


def on_portal() -> bool:
    """Whether the caller runs on the portal's thread; none is started for the asking."""
    return _portal is not None and _portal.inside


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
