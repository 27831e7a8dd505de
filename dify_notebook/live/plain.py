"""Where no widget can run: text as it comes in a terminal, HTML now and then, or only the end."""

from __future__ import annotations

from typing import Generic

from .. import console, views
from ..i18n import Language, current_language
from ..turn.state import Turn
from .fallback import NEVER
from .outputs import CellOutput, Placeholder
from .state import S, State

HTML_EVERY = 0.5
"""Seconds between two forms of an output that is sent whole, at least."""
HTML_BYTES = 30_000
"""Bytes a second that such an output may take on average."""
TEXT_EVERY = 0.05


class RateLimited:
    """Rests after each output; what ended never waits."""

    _next_output = 0.0
    """When the next output may come, in seconds since the question was sent."""

    def due(self, now: float) -> float:
        """Seconds until `update` would show something."""
        return max(0.0, self._next_output - now)

    def next_turn(self) -> None:
        """Another turn comes in this place: its seconds begin at 0."""
        self._next_output = 0.0

    def _early(self, state: State, now: float) -> bool:
        return state.status == "running" and now < self._next_output


class TextView(RateLimited):
    """Prints what is new; for a terminal."""

    def __init__(self, lang: Language | None = None) -> None:
        self._lang = lang or current_language()
        self._stream = views.TextStream(self._lang)

    def show(self) -> None:
        """Nothing to show before something came."""

    def update(self, turn: Turn, now: float) -> None:
        """Print what came since the last call, at most 20 times a second."""
        if not self._early(turn, now):
            self._next_output = now + TEXT_EVERY
            self._print(self._stream.feed(turn, now))

    def finish(self, turn: Turn) -> None:
        """Print the rest."""
        self._print(self._stream.end(turn))

    def go_on(self, blocking: bool = False) -> None:
        """What is new is printed where the terminal is now."""
        self._next_output = 0.0
        self._print(self._stream.go_on())

    def renew(self, turn: Turn) -> None:
        """What was printed stays."""

    def _print(self, text: str) -> None:
        if not text:
            return
        try:
            console.write(text)
        except Exception:
            self._stream = views.TextStream(self._lang)  # a part is lost: what comes later begins anew
            raise


class HtmlOutput(RateLimited, Generic[S]):
    """Replaces the output by the whole as HTML, at most twice a second and within a byte budget."""

    def __init__(self, lang: Language | None = None, output: CellOutput | Placeholder | None = None) -> None:
        self.lang: Language = lang or current_language()
        self._output = output or CellOutput()
        self._state: S | None = None

    def _first(self) -> dict[str, str]:
        """What is shown before anything came."""
        raise NotImplementedError

    def _passing(self, state: S) -> dict[str, str]:
        """What is shown of a state that may be replaced."""
        raise NotImplementedError

    def _saved(self, state: S) -> dict[str, str]:
        """What is left behind."""
        raise NotImplementedError

    def show(self) -> None:
        """Show that it begins, to be replaced."""
        self._output.show(self._first())

    def update(self, state: S, now: float) -> None:
        """Show this state if it is new and time to."""
        if state is self._state or self._early(state, now):
            return
        self._state = state
        bundle = self._passing(state)
        size = sum(len(text.encode()) for text in bundle.values())
        self._next_output = now + max(HTML_EVERY, size / HTML_BYTES)
        self._output.replace(bundle)

    def finish(self, state: S) -> None:
        """Leave the saved form."""
        self._output.end(self._saved(state))

    def go_on(self, blocking: bool = False) -> None:
        """The output is replaced again."""
        self._next_output = 0.0

    def renew(self, state: S) -> None:
        """The saved form again."""
        self.finish(state)


class HtmlView(HtmlOutput[Turn]):
    """A turn as HTML that is replaced."""

    def _first(self) -> dict[str, str]:
        return self._passing(Turn())

    def _passing(self, state: Turn) -> dict[str, str]:
        return {"text/html": views.html(state, lang=self.lang), "text/plain": views.text(state, lang=self.lang)}

    def _saved(self, state: Turn) -> dict[str, str]:
        return views.bundle(state, lang=self.lang)


class EndOutput(Generic[S]):
    """Shows nothing before the end, and then one output: for captured cells."""

    def __init__(self, lang: Language | None = None) -> None:
        self.lang: Language = lang or current_language()
        self._output = CellOutput()

    def _saved(self, state: S) -> dict[str, str]:
        """What is left behind."""
        raise NotImplementedError

    def show(self) -> None:
        """Nothing yet."""

    def update(self, state: S, now: float) -> None:
        """Nothing yet."""

    def due(self, now: float) -> float:
        """Never."""
        return NEVER

    def next_turn(self) -> None:
        """Nothing before the end."""

    def finish(self, state: S) -> None:
        """Show the saved form; of a run that went on, in place of the one before."""
        bundle = self._saved(state)
        if self._output.shown:
            self._output.replace(bundle)
        else:
            self._output.show(bundle)

    def go_on(self, blocking: bool = False) -> None:
        """Nothing before the next end."""

    def renew(self, state: S) -> None:
        """The saved form again."""
        self.finish(state)


class EndView(EndOutput[Turn]):
    """The saved form of a turn, at its end."""

    def _saved(self, state: Turn) -> dict[str, str]:
        return views.bundle(state, lang=self.lang)
