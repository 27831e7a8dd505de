"""A turn shown while it runs: in a notebook's browser, in a terminal, or only at its end."""

from __future__ import annotations

from .opening import Mode, check, open_view, wish
from .safe import View

__all__ = ["Mode", "View", "check", "close", "open_view", "wish"]


def close() -> None:
    """Close the kernel's live widget, if there is one: nothing of it stays in the browser."""
    import sys

    if widget := sys.modules.get(f"{__name__}.widget"):
        widget.LiveWidget.shutdown()
