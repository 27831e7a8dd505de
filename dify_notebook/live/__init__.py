"""A turn shown while it runs: in a notebook's browser, in a terminal, or only at its end."""

from __future__ import annotations

from .fallback import OnSubmit, View
from .modes import Mode, check_environment, choose_mode, mode_from_environment, open_columns, open_view

__all__ = [
    "Mode", "OnSubmit", "View", "check_environment", "choose_mode", "close", "mode_from_environment",
    "open_columns", "open_view",
]  # fmt: skip


def close() -> None:
    """Close the kernel's live widget, if there is one: nothing of it stays in the browser."""
    import sys

    if widget := sys.modules.get(f"{__name__}.widget"):
        widget.LiveWidget.shutdown()
