"""One output of a cell: shown once, replaced as often as needed, wherever it went."""

from __future__ import annotations

import sys
import uuid
from typing import Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython
from IPython.display import display, update_display

from ..console import fitting

WIDGET = "application/vnd.jupyter.widget-view+json"


def captured() -> bool:
    """Whether `%%capture` or its like collects what is displayed now.

    It keeps each update as an output of its own, so there only the last form should go.
    """
    shell = get_ipython()
    return shell is not None and isinstance(shell.display_pub, CapturingDisplayPublisher)


def output_widget() -> Any:
    """The `ipywidgets.Output` that takes what is displayed now (`with out:`, `interact`, a dashboard), or None.

    It takes new outputs, and no updates of them (ipywidgets issue 1844).
    """
    home, registry = (sys.modules.get(f"ipywidgets.widgets.{name}") for name in ("widget_output", "widget"))
    shell: Any = get_ipython()
    if home is None or registry is None or not hasattr(shell, "get_parent"):
        return None
    asked = ((shell.get_parent() or {}).get("header") or {}).get("msg_id")
    for one in list(registry._instances.values()) if asked else ():
        if issubclass(type(one), home.Output) and one.msg_id == asked:
            return one
    return None


class Output:
    """A mime bundle in a cell, found again by its display id."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._holder: Any = None
        self._last: dict[str, Any] = {}
        self.shown = False

    def show(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Add the output to the running cell."""
        self.shown = True
        self._holder, self._last = output_widget(), bundle
        more = {"metadata": metadata} if metadata else {}
        display(_for_here(bundle), raw=True, display_id=self._id, **more)

    def replace(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Put this in place of what was shown, in whichever cell that is."""
        more = {"metadata": metadata} if metadata else {}
        update_display(_for_here(bundle), raw=True, display_id=self._id, **more)
        if self._holder is not None:
            self._replace_inside(bundle)

    def _replace_inside(self, bundle: dict[str, Any]) -> None:
        """The same in the `ipywidgets.Output` that holds it, as far as the frontend has said what that holds."""
        held, last = self._holder.outputs, self._last.get("text/html")
        after = tuple(
            {**one, "data": bundle} if one.get("data", {}).get("text/html", "") == last else one for one in held
        )
        if after != held:
            self._holder.outputs, self._last = after, bundle

    def end(self, bundle: dict[str, Any]) -> None:
        """Leave this."""
        self.replace(bundle)


class Standin:
    """The same within an `ipywidgets.Output`: a widget stands in until the end, and nothing is left of it then."""

    def __init__(self) -> None:
        self._widget: Any = None

    def show(self, bundle: dict[str, Any]) -> None:
        """Begin, in the output that is being filled."""
        from ipywidgets import HTML

        self._widget = HTML(bundle["text/html"])
        mime = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        display({"text/plain": "", WIDGET: mime}, raw=True)

    def replace(self, bundle: dict[str, Any]) -> None:
        """Show this instead."""
        self._widget.value = bundle["text/html"]

    def end(self, bundle: dict[str, Any]) -> None:
        """Leave this, as an output of its own."""
        display(bundle, raw=True)
        self._widget.value = ""


def _for_here(bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle as it may be displayed: a terminal's IPython prints the text as it is."""
    if "text/plain" not in bundle or hasattr(get_ipython(), "kernel"):
        return bundle
    return bundle | {"text/plain": fitting(bundle["text/plain"], sys.stdout)}
