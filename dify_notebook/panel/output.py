"""Where a panel is shown: the live widget, and beside it the conversation that the notebook keeps.

Measured: an output with a widget is empty in nbconvert's html where widget state was saved, and a notebook
of one's own that is opened again says "model not found" there, whatever else the output holds; and an output
that is replaced draws its widget anew and loses what is being typed. So a panel has two outputs. The first
is the widget. The second is the saved conversation, html, markdown and text without a widget, brought up to
date when an answer has ended; the browser half hides it as long as it shows the panel itself.
Where nobody watches (nbclient, papermill, nbconvert --execute: they answer no questions either) no widget
is made, and only the conversation is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from ..console import complain, say
from ..i18n import Language, t
from ..live import mode_from_environment
from ..live.outputs import WIDGET, CellOutput
from ..views.html import element, escape
from .controller import Controller
from .saved import Transcript
from .state import PanelState

if TYPE_CHECKING:
    from .widget import ChatPanel


def watched() -> bool:
    """Whether a browser is likely to show widgets here. `DIFY_NOTEBOOK_LIVE=widget` says yes, its other values no.

    Raises:
        ConfigError: it holds something else.
    """
    if (mode := mode_from_environment()) is not None:
        return mode == "widget"
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):  # it executes as nbclient does, and shows
        return True
    return bool(getattr(kernel, "_allow_stdin", True))


class PanelOutput:
    """The outputs of one panel."""

    def __init__(
        self, panel: ChatPanel, controller: Controller, language: Callable[[], Language], saved_class: str
    ) -> None:
        self._panel = panel
        self._controller = controller
        self._language = language
        self._outputs: list[tuple[CellOutput | None, CellOutput]] = []
        """For each cell that shows it: the widget where there is one, and the saved conversation."""
        self._transcript = Transcript(saved_class)
        self._saved_from: object = None
        """What the saved form was last made of."""

    @property
    def shown(self) -> bool:
        """Whether it stands in a cell."""
        return bool(self._outputs)

    def show(self) -> None:
        """Put the panel into the running cell."""
        shell, lang, state = get_ipython(), self._language(), self._controller.state
        saved = self._transcript.bundle(state, lang)
        if shell is None or not hasattr(shell, "kernel"):
            say(saved["text/plain"])
            return
        widget_output: CellOutput | None = None
        if watched():
            try:
                self._panel.open()
                data, metadata = self._panel.view()
                widget_output = CellOutput()
                widget_output.show({WIDGET: data[WIDGET], **_placeholder(lang)}, metadata)
            except Exception as problem:  # a frontend without widgets: the conversation is shown all the same
                widget_output = None
                complain("the panel's widget could not be shown", problem)
        saved_output = CellOutput()
        saved_output.show(saved)
        self._outputs.append((widget_output, saved_output))
        self._saved_from = self._fingerprint(state, lang)

    def update(self, state: PanelState) -> None:
        """The panel has drawn this state. When an answer has ended, the saved form follows."""
        if not self._outputs or state.running is not None or state.loading:
            return
        lang = self._language()
        fingerprint = self._fingerprint(state, lang)
        if fingerprint == self._saved_from:
            return
        self._saved_from = fingerprint
        bundle = self._transcript.bundle(state, lang)
        for _, saved_output in self._outputs:
            saved_output.replace(bundle)

    def close(self, state: PanelState) -> None:
        """Leave the conversation alone."""
        lang = self._language()
        bundle = self._transcript.bundle(state, lang) if self._outputs else {}
        for widget_output, saved_output in self._outputs:
            if widget_output is not None:
                widget_output.replace(_placeholder(lang))
            saved_output.replace(bundle)
        self._outputs.clear()

    def _fingerprint(self, state: PanelState, lang: Language) -> object:
        app = state.app.name if state.app else ""
        return (tuple(id(item.turn) for item in state.items), state.older, state.name, app, lang)


def _placeholder(lang: Language) -> dict[str, str]:
    """What stands where the widget was, when there is none any more."""
    text = t("panel.saved.line", lang)
    return {"text/html": element("span", {"style": "opacity:.75;font-size:12px"}, escape(text)), "text/plain": text}
