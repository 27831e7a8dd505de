"""One output of a cell: shown once, replaced as often as needed, wherever it went."""

from __future__ import annotations

import uuid
from typing import Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython
from IPython.display import display, update_display


def captured() -> bool:
    """Whether `%%capture` or its like collects what is displayed now.

    It keeps each update as an output of its own, so there only the last form should go.
    """
    shell = get_ipython()
    return shell is not None and isinstance(shell.display_pub, CapturingDisplayPublisher)


class Output:
    """A mime bundle in a cell, found again by its display id."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self.shown = False

    def show(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Add the output to the running cell."""
        self.shown = True
        more = {"metadata": metadata} if metadata else {}
        display(bundle, raw=True, display_id=self._id, **more)

    def replace(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Put this in place of what was shown, in whichever cell that is."""
        more = {"metadata": metadata} if metadata else {}
        update_display(bundle, raw=True, display_id=self._id, **more)
