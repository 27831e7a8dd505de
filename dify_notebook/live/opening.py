"""Which view fits the place where the code runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal, Protocol

from ..i18n import Language
from ..turn.state import Turn

Mode = Literal["widget", "html", "text", "off"]
MODES: tuple[Mode, ...] = ("widget", "html", "text", "off")


class View(Protocol):
    """A turn shown while it runs; all methods are called from one thread.

    view.show()
    while not run.done:
        run.wait(view.due(run.now))
        view.update(run.turn, run.now)
    view.finish(run.result())
    """

    def show(self) -> None:
        """Begin, in the cell that runs now."""
        ...

    def update(self, turn: Turn, now: float) -> None:
        """Show this state when it is time to; `now` in seconds since sent."""
        ...

    def due(self, now: float) -> float:
        """Seconds until there is something to do although nothing comes."""
        ...

    def finish(self, turn: Turn) -> None:
        """Leave behind what stays."""
        ...


def choose() -> Mode:
    """The best that works here: `DIFY_NOTEBOOK_LIVE`, else what the surroundings allow.

    Raises:
        ValueError: `DIFY_NOTEBOOK_LIVE` is none of widget, html, text and off.
    """
    wish = os.environ.get("DIFY_NOTEBOOK_LIVE", "").strip().lower()
    if wish:
        for mode in MODES:
            if wish == mode:
                return mode
        raise ValueError(f"DIFY_NOTEBOOK_LIVE is {wish!r}; it may be {', '.join(MODES)}")
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return "text"
    from .outputs import captured

    if captured():
        return "off"
    return "widget" if find_spec("anywidget") else "html"


def open_view(
    lang: Language | None = None,
    on_stop: Callable[[], object] | None = None,
    mode: Mode | None = None,
    *,
    blocking: bool = True,
) -> View:
    """A view of the kind that fits here, not yet shown.

    `on_stop` and `blocking` as in `LiveView`; only the widget has a Stop button.

    Raises:
        ValueError: `DIFY_NOTEBOOK_LIVE` names no mode.
    """
    mode = mode or choose()
    if mode == "widget":
        from .view import LiveView

        return LiveView(lang, on_stop, blocking)
    from .plain import EndView, HtmlView, TextView

    plain: dict[Mode, Callable[[Language | None], View]] = {
        "html": HtmlView,
        "text": TextView,
        "off": EndView,
    }
    return plain[mode](lang)
