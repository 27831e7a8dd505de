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
    module, registry = (sys.modules.get(f"ipywidgets.widgets.{name}") for name in ("widget_output", "widget"))
    shell: Any = get_ipython()
    if module is None or registry is None or not hasattr(shell, "get_parent"):
        return None
    parent_id = ((shell.get_parent() or {}).get("header") or {}).get("msg_id")
    for widget in list(registry._instances.values()) if parent_id else ():
        if issubclass(type(widget), module.Output) and widget.msg_id == parent_id:
            return widget
    return None


class CellOutput:
    """A mime bundle in a cell, found again by its display id."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._output_widget: Any = None
        self._last: dict[str, Any] = {}
        self.shown = False

    def show(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Add the output to the running cell."""
        self.shown = True
        self._output_widget, self._last = output_widget(), bundle
        more = {"metadata": metadata} if metadata else {}
        display(_printable(bundle), raw=True, display_id=self._id, **more)

    def replace(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Put this in place of what was shown, in whichever cell that is."""
        more = {"metadata": metadata} if metadata else {}
        update_display(_printable(bundle), raw=True, display_id=self._id, **more)
        if self._output_widget is not None:
            self._replace_inside(bundle)

    def _replace_inside(self, bundle: dict[str, Any]) -> None:
        """The same in the `ipywidgets.Output` that holds it, as far as the frontend has said what that holds."""
        outputs, last = self._output_widget.outputs, self._last.get("text/html")
        after = tuple(
            {**output, "data": bundle} if output.get("data", {}).get("text/html", "") == last else output
            for output in outputs
        )
        if after != outputs:
            self._output_widget.outputs, self._last = after, bundle

    def end(self, bundle: dict[str, Any]) -> None:
        """Leave this."""
        self.replace(bundle)


class Placeholder:
    """The same within an `ipywidgets.Output`: a widget stands in until the end, which is an output of its own."""

    def __init__(self) -> None:
        self._widget: Any = None
        self._end = CellOutput()

    def show(self, bundle: dict[str, Any]) -> None:
        """Begin, in the output that is being filled."""
        from ipywidgets import HTML

        self._widget = HTML(bundle["text/html"])
        mime = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        display({"text/plain": "", WIDGET: mime}, raw=True)

    def replace(self, bundle: dict[str, Any]) -> None:
        """Show this instead; of a run that goes on after its end was shown, in place of that."""
        if self._end.shown:
            self._end.replace(bundle)
        else:
            self._widget.value = bundle["text/html"]

    def end(self, bundle: dict[str, Any]) -> None:
        """Leave this, and nothing of the widget."""
        if self._end.shown:
            self._end.end(bundle)
        else:
            self._end.show(bundle)
            self._widget.value = ""


def _printable(bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle as it may be displayed: a terminal's IPython prints the text as it is."""
    if "text/plain" not in bundle or hasattr(get_ipython(), "kernel"):
        return bundle
    return bundle | {"text/plain": fitting(bundle["text/plain"], sys.stdout)}
