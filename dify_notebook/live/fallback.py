"""A view that cannot fail: what cannot be drawn is drawn more plainly, and what came is never lost over it."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol

from .. import console
from ..i18n import Language, current_language, t
from ..printable import shown
from ..turn.state import Turn
from .state import S, Shown

NEVER = 3600.0
"""Seconds until something is due where nothing is: nobody waits so long, and every timer can."""


OnSubmit = Callable[[str, str, Mapping[str, Any]], "concurrent.futures.Future[str]"]
"""Called as `on_submit(form_id, action, inputs)` when the reader answers a form of the paused turn that is shown; on
any thread, perhaps twice, and returns at once.

Its future gives "" once the server has taken the answer (`go_on` comes, perhaps earlier than that), else what is wrong
in the words of the reader: then the form still waits, with all that was typed. It never raises, and is never cancelled.
"""


class StateView(Protocol[Shown]):
    """Something shown while it runs, a turn or several; its methods are called from one thread at a time.

    view.show()
    while not run.done:
        run.wait(view.due(run.now))
        view.update(run.turn, run.now)
    view.finish(run.result())

    A turn that is paused when it is finished may go on later, perhaps never, on another thread: then
    `view.go_on()` comes, and the loop again, any number of times.
    """

    def show(self) -> None:
        """Begin, in the cell that runs now."""
        ...

    def update(self, turn: Shown, now: float) -> None:
        """Show this state when it is time to; `now` in seconds since sent."""
        ...

    def due(self, now: float) -> float:
        """Seconds until there is something to do although nothing comes."""
        ...

    def next_turn(self) -> None:
        """Another turn comes in this place before any has ended in it: its seconds begin at 0."""
        ...

    def finish(self, turn: Shown) -> None:
        """Leave behind what stays. Of a turn that is paused this is its form, for as long as it waits."""
        ...

    def go_on(self, blocking: bool = False) -> None:
        """The run of the paused turn goes on, in this place: `update` and `finish` come again.

        Args:
            blocking: whether the kernel works on a cell that waits for it, which need not be the one that shows it.
        """
        ...

    def renew(self, turn: Shown) -> None:
        """What the paused turn that was left behind says of itself has changed, and it still waits."""
        ...


class View(StateView[Turn], Protocol):
    """A turn shown while it runs."""


class FallbackView(Generic[S]):
    """Shows a turn, or several, with the first of some kinds of view that works here.

    A frontend may refuse a widget, a display publisher or a terminal may be broken. Each problem is logged, once for
    its kind. While the answer comes, a view that failed rests; at the end it is asked once more, then the plainer ones.

    Args:
        factories: make the views to begin with, the best first.
        end_factories: make those that show an ended turn, where the first could not; the best first.
    """

    def __init__(
        self,
        factories: Sequence[Callable[[], StateView[S]]],
        end_factories: Sequence[Callable[[], StateView[S]]],
        lang: Language | None = None,
    ) -> None:
        self._factories, self._end_factories = factories, end_factories
        self._lang = lang or current_language()
        self.view: StateView[S] | None = None
        """What shows it; None where nothing could."""
        self._resting = False

    def show(self) -> None:
        """Begin, in the cell that runs now."""
        for make in self._factories:
            try:
                view = make()
                view.show()
            except Exception as problem:
                self._log_failure(problem)
            else:
                self.view = view
                return

    def update(self, turn: S, now: float) -> None:
        """Show this state when it is time to; `now` in seconds since sent."""
        if self.view is None or self._resting:
            return
        try:
            self.view.update(turn, now)
        except Exception as problem:
            self._resting = True
            self._log_failure(problem)

    def due(self, now: float) -> float:
        """Seconds until there is something to do although nothing comes."""
        return NEVER if self.view is None or self._resting else self.view.due(now)

    def next_turn(self) -> None:
        """Another turn comes in this place."""
        if self.view is not None:
            self.view.next_turn()

    def finish(self, turn: S) -> None:
        """Leave behind what stays; where it cannot be shown, say where it is."""
        if self.view is not None and self._finished(self.view, turn):
            return
        for make in self._end_factories:
            view = make()
            if self._finished(view, turn, show_first=True):
                if turn.status == "paused":  # this is what goes on
                    self.view = view
                return
        if not console.say(shown(turn.answer)):
            console.say(t("live.not_shown", self._lang), "stderr")

    def go_on(self, blocking: bool = False) -> None:
        """The run of the paused turn goes on: `update` and `finish` come again."""
        self._resting = False
        if self.view is None:
            return
        try:
            self.view.go_on(blocking)
        except Exception as problem:
            self._resting = True
            self._log_failure(problem)

    def renew(self, turn: S) -> None:
        """What the paused turn that was left behind says of itself has changed."""
        if self.view is None:
            return
        try:
            self.view.renew(turn)
        except Exception as problem:
            self._log_failure(problem)

    def _finished(self, view: StateView[S], turn: S, show_first: bool = False) -> bool:
        try:
            if show_first:
                view.show()
            view.finish(turn)
        except Exception as problem:
            self._log_failure(problem)
            return False
        return True

    def _log_failure(self, problem: Exception) -> None:
        console.complain("an answer could not be shown as planned", problem)
