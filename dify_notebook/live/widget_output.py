"""What is shown live in a cell: drawn here, patched in the browser by a widget, left behind as plain output."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic

from .. import console
from ..i18n import Language, current_language, t
from ..views.block import Block
from . import outputs
from .channel import Channel
from .protocol import Close, FromKernel, Labels, Open, Submit
from .state import S
from .throttle import Throttle

if TYPE_CHECKING:
    from .widget import LiveWidget

_numbers = itertools.count(1)


class WidgetOutput(Generic[S]):
    """States on the kernel's live widget, until `finish` replaces it by the saved form.

    `on_stop` is called when the reader presses Stop, on any thread, perhaps twice; it
    must return at once. `blocking` says that the kernel works on this cell alone until
    the end, so that the browser may interrupt it when it does not hear the stop.

    Apart from that all is called from one thread, with `now` in seconds since the
    question was sent.
    """

    def __init__(
        self,
        lang: Language | None,
        on_stop: Callable[[], object] | None,
        blocking: bool,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.number = next(_numbers)
        self.lang: Language = lang or current_language()
        names = ("stop", "stopping", "queued", "interrupt", "confirm")
        labels = Labels(**{name: t(f"live.{name}", self.lang) for name in names})
        self._opening = Open(self.number, blocking, labels)
        self.channel = Channel(self.number, self._opening)
        self._on_stop = on_stop
        self._throttle: Throttle[S] = Throttle(self.channel, clock)
        self._widget: LiveWidget | None = None
        self._output: outputs.CellOutput | None = None
        self._final: S | None = None
        """What ended, or waits, whose saved form is left behind."""
        self._unreachable = False
        self._earlier = 0.0
        """Seconds of what was shown in this place before this turn."""

    # -- how it is drawn

    def _blocks(self, state: S, now: float) -> Block:
        """What is drawn while it runs."""
        raise NotImplementedError

    def _bundle(self, state: S) -> dict[str, str]:
        """What is left behind."""
        raise NotImplementedError

    def _announcement(self, state: S) -> str | None:
        """What a screen reader should say now; called once for each state that is sent."""
        raise NotImplementedError

    def _streaming(self) -> str:
        """What stands in the cell meanwhile, for a frontend without widgets."""
        raise NotImplementedError

    # -- while it runs

    def show(self) -> None:
        """Begin: announce the view to the browser, then put the widget into the cell."""
        self._widget = self._current_widget()
        self._widget.open_view(self)
        self._widget.send_message(self._opening)
        self._output = outputs.CellOutput()
        self._output.show(self._placeholder())

    def update(self, state: S, now: float) -> None:
        """Show this state if it is time to; cheap to call often. What ended never waits."""
        at = self._earlier + now
        drawing = self._throttle.draw(state, at, lambda state, at: self._blocks(state, at - self._earlier))
        if drawing is not None:
            root, cost = drawing
            for message in self.channel.offer(root, at, cost, self._announcement(state)):
                self._send(message)

    def due(self, now: float) -> float:
        """Seconds until `update` would send something, if nothing else comes."""
        return self._throttle.due(self._earlier + now)

    def next_turn(self) -> None:
        """Another turn comes in this place: its seconds begin at 0, and those of the view go on."""
        self._earlier = self._throttle.now

    def finish(self, state: S) -> None:
        """End: the whole picture once more, then the saved form in place of the widget. (An output that kept the
        widget would say "model not found" in a notebook that is opened again, whatever else it holds.)
        """
        if self._widget is None or self._output is None:
            raise RuntimeError("finish() came before show()")
        now = self._ended_at(state)
        try:
            blocks = self._blocks(state, now)
            self._send(self.channel.end(blocks, self._earlier + now, self._announcement(state)))
        except Exception as problem:  # what is left in its place matters more
            console.complain("the end of an answer cannot be drawn", problem)
        self._final = state
        self._output.replace(self._bundle(state))
        self._close(self._widget)

    def _ended_at(self, state: S) -> float:
        """When that was, in seconds since the question was sent."""
        return self._throttle.now - self._earlier

    def _close(self, widget: LiveWidget) -> None:
        """Nothing more comes."""
        self._send(Close(self.number))
        widget.close_view(self)

    def _current_widget(self) -> LiveWidget:
        from .widget import LiveWidget

        return LiveWidget.current()

    def _placeholder(self) -> dict[str, object]:
        """What stands in the cell meanwhile: a frontend without widgets shows the text, and later what replaces it."""
        widget = self._widget or self._current_widget()
        return {"text/plain": self._streaming(), outputs.WIDGET: widget.mime}

    # -- what a browser asks for, on any thread

    def form_submitted(self, submit: Submit) -> None:
        """The reader pressed a button of a form: there is none here."""

    def stop_requested(self) -> None:
        """The reader pressed Stop."""
        if self._on_stop is not None:
            self._on_stop()

    def snapshot(self) -> list[FromKernel]:
        """For a browser that knows nothing of this view, or missed too much of it."""
        messages: list[FromKernel] = [self._opening if self.channel.differ.root is None else self.channel.whole()]
        return messages if self._final is None else [*messages, Close(self.number)]

    def resend_end(self) -> None:
        """For a browser that missed the end. Where it cannot replace the output (its page was
        loaded again, and knows the output no more), the picture itself is made whole."""
        if self._output is not None and self._final is not None:
            self._output.replace(self._bundle(self._final))
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
