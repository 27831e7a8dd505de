"""A turn shown live in a notebook: drawn here, patched in the browser, left behind as plain output."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import console, views
from ..i18n import Language, current_language, t
from ..turn.state import Turn
from . import outputs
from .channel import Channel
from .fallback import OnSubmit
from .protocol import Close, FromKernel, Labels, Open, Submit
from .spoken import status_key
from .throttle import Throttle
from .view_forms import ViewForms

if TYPE_CHECKING:
    from .widget import LiveWidget

_numbers = itertools.count(1)


class LiveView:
    """One turn on the kernel's live widget, until `finish` replaces it by the saved form.

    `on_stop` is called when the reader presses Stop, on any thread, perhaps twice; it
    must return at once. `blocking` says that the kernel works on this cell alone until
    the end, so that the browser may interrupt it when it does not hear the stop.
    `on_submit` is called when the reader answers a form of the turn that was left paused (`fallback.OnSubmit`).

    Apart from that all is called from one thread, with `now` in seconds since the
    question was sent.
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
        self.number = next(_numbers)
        self.lang: Language = lang or current_language()
        names = ("stop", "stopping", "queued", "interrupt", "confirm")
        labels = Labels(**{name: t(f"live.{name}", self.lang) for name in names})
        self._opening = Open(self.number, blocking, labels)
        self.channel = Channel(self.number, self._opening)
        self._on_stop = on_stop
        self._forms = ViewForms(self.number, self.lang, on_submit, self._send)
        self._turn_view = views.TurnView(lang=self.lang)
        self._throttle = Throttle(self.channel, clock)
        self._widget: LiveWidget | None = None
        self._output: outputs.CellOutput | None = None
        self._final: Turn | None = None
        """The turn that ended, or that waits, whose saved form is left behind."""
        self._announced: str | None = None
        self._unreachable = False
        self._earlier = 0.0
        """Seconds of the turns that were shown in this place before this one."""

    def show(self) -> None:
        """Begin: announce the view to the browser, then put the widget into the cell."""
        self._widget = self._current_widget()
        self._widget.open_view(self)
        self._widget.send_message(self._opening)
        self._output = outputs.CellOutput()
        self._output.show(self._placeholder())

    def update(self, turn: Turn, now: float) -> None:
        """Show this state if it is time to; cheap to call often. A turn that ended never waits."""
        at = self._earlier + now
        drawing = self._throttle.draw(turn, at, lambda turn, at: self._turn_view.blocks(turn, at - self._earlier))
        if drawing is not None:
            root, cost = drawing
            for message in self.channel.offer(root, at, cost, self._announcement(turn)):
                self._send(message)

    def due(self, now: float) -> float:
        """Seconds until `update` would send something, if nothing else comes."""
        return self._throttle.due(self._earlier + now)

    def next_turn(self) -> None:
        """Another turn comes in this place: its seconds begin at 0, and those of the view go on."""
        self._earlier = self._throttle.now

    def finish(self, turn: Turn) -> None:
        """End: the whole picture once more, then the saved form in place of the widget.

        Where the turn waits for a person, the browser fills the form into its place there. (An output that kept the
        widget would say "model not found" in a notebook that is opened again, whatever else it holds.)
        """
        if self._widget is None or self._output is None:
            raise RuntimeError("finish() came before show()")
        latest = self._throttle.now - self._earlier
        now = turn.timing.total if turn.timing and turn.timing.total is not None else latest
        try:
            blocks = self._turn_view.blocks(turn, now=now)
            self._send(self.channel.end(blocks, self._earlier + now, self._announcement(turn)))
        except Exception as problem:  # what is left in its place matters more
            console.complain("the end of an answer cannot be drawn", problem)
        self._final = turn
        self._output.replace(views.bundle(turn, lang=self.lang))
        if self._forms.ask(turn):
            self._widget.keep_waiting(self)
            self._send(self._forms.message())
        else:
            self._send(Close(self.number))
            self._widget.close_view(self)

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

    def _current_widget(self) -> LiveWidget:
        from .widget import LiveWidget

        return LiveWidget.current()

    def _placeholder(self) -> dict[str, object]:
        """What stands in the cell meanwhile: a frontend without widgets shows the text, and later what replaces it."""
        widget = self._widget or self._current_widget()
        return {"text/plain": t("live.streaming", self.lang), outputs.WIDGET: widget.mime}

    def form_submitted(self, submit: Submit) -> None:
        """The reader pressed a button of a form."""
        self._forms.submit(submit)

    def stop_requested(self) -> None:
        """The reader pressed Stop."""
        if self._on_stop is not None:
            self._on_stop()

    def snapshot(self) -> list[FromKernel]:
        """For a browser that knows nothing of this view, or missed too much of it."""
        running = self._final is None
        if not running and self._forms.waiting:  # its output shows the picture
            return [self._forms.message()]
        messages: list[FromKernel] = [self._opening if self.channel.differ.root is None else self.channel.whole()]
        if not running:
            return [*messages, Close(self.number)]
        return [*messages, self._forms.message()] if self._forms.waiting else messages

    def resend_end(self) -> None:
        """For a browser that missed the end. Where it cannot replace the output (its page was
        loaded again, and knows the output no more), the picture itself is made whole."""
        if self._output is not None and self._final is not None:
            self._output.replace(views.bundle(self._final, lang=self.lang))
        for message in self.snapshot():
            self._send(message)

    def _send(self, message: FromKernel) -> None:
        if self._widget is None or self._unreachable:
            return
        try:
            self._widget.send_message(message)
        except Exception as problem:  # the comm is broken; the output itself is replaced in the end all the same
            self._unreachable = True
            console.complain("the live view cannot be reached", problem)

    def _announcement(self, turn: Turn) -> str | None:
        """What a screen reader should say now: the status, once each time it changes."""
        asks = turn.status == "paused" and any(form.status == "waiting" for form in turn.forms)
        key = "live.say.asking" if asks else status_key(turn)
        if key == self._announced:
            return None
        self._announced = key
        return t(key, self.lang)
