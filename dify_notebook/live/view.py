"""A turn shown live in a notebook, with the forms that it may wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import views
from ..i18n import Language, t
from ..turn.state import Turn
from ..views.block import Block
from .fallback import OnSubmit
from .protocol import FromKernel, Open, Submit
from .spoken import status_key
from .view_forms import ViewForms
from .widget_output import WidgetOutput

if TYPE_CHECKING:
    from .widget import LiveWidget


class LiveView(WidgetOutput[Turn]):
    """One turn on the kernel's live widget, until `finish` replaces it by the saved form.

    `on_stop` and `blocking` as in `WidgetOutput`. `on_submit` is called when the reader answers a form of the turn
    that was left paused (`fallback.OnSubmit`).
    """

    def __init__(
        self,
        lang: Language | None = None,
        on_stop: Callable[[], object] | None = None,
        blocking: bool = True,
        *,
        clock: Callable[[], float] = time.thread_time,
        on_submit: OnSubmit | None = None,
    ) -> None:
        super().__init__(lang, on_stop, blocking, clock)
        self._forms = ViewForms(self.number, self.lang, on_submit, self._send)
        self._turn_view = views.TurnView(lang=self.lang)
        self._announced: str | None = None

    def _blocks(self, state: Turn, now: float) -> Block:
        return self._turn_view.blocks(state, now)

    def _bundle(self, state: Turn) -> dict[str, str]:
        return views.bundle(state, lang=self.lang)

    def _streaming(self) -> str:
        return t("live.streaming", self.lang)

    def _ended_at(self, state: Turn) -> float:
        return state.timing.total if state.timing and state.timing.total is not None else super()._ended_at(state)

    def _close(self, widget: LiveWidget) -> None:
        """Where the turn waits for a person, the browser fills the form into its place in the saved form."""
        if self._final is not None and self._forms.ask(self._final):
            widget.keep_waiting(self)
            self._send(self._forms.message())
        else:
            super()._close(widget)

    def go_on(self, blocking: bool = False) -> None:
        """The run of the paused turn goes on: the widget stands in place of its saved form again."""
        if self._widget is None or self._output is None:
            raise RuntimeError("go_on() came before show()")
        self._final, self._unreachable = None, False
        self._forms.go_on()
        self._opening = self.channel.opening = Open(self.number, blocking, self._opening.labels)
        self._widget = self._current_widget()
        self._widget.open_view(self)
        for message in self.snapshot():
            self._send(message)
        self._output.replace(self._placeholder())

    def renew(self, turn: Turn) -> None:
        """The saved form again, and the forms in it."""
        self._final = turn
        self.resend_end()

    def form_submitted(self, submit: Submit) -> None:
        """The reader pressed a button of a form."""
        self._forms.submit(submit)

    def snapshot(self) -> list[FromKernel]:
        """For a browser that knows nothing of this view, or missed too much of it."""
        running = self._final is None
        if not running and self._forms.waiting:  # its output shows the picture
            return [self._forms.message()]
        messages = super().snapshot()
        return [*messages, self._forms.message()] if running and self._forms.waiting else messages

    def _announcement(self, state: Turn) -> str | None:
        """The status, once each time it changes."""
        asks = state.status == "paused" and any(form.status == "waiting" for form in state.forms)
        key = "live.say.asking" if asks else status_key(state)
        if key == self._announced:
            return None
        self._announced = key
        return t(key, self.lang)
