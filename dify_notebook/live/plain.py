"""Where no widget can run: text as it comes in a terminal, HTML now and then, or only the end."""

from __future__ import annotations

from .. import console, views
from ..i18n import Language, current_language
from ..turn.state import Turn
from .fallback import NEVER
from .outputs import CellOutput, Placeholder

HTML_EVERY = 0.5
"""Seconds between two forms of an output that is sent whole, at least."""
HTML_BYTES = 30_000
"""Bytes a second that such an output may take on average."""
TEXT_EVERY = 0.05


class _RateLimited:
    """Rests after each output; a turn that ended never waits."""

    _next_output = 0.0
    """When the next output may come, in seconds since the question was sent."""

    def due(self, now: float) -> float:
        """Seconds until `update` would show something."""
        return max(0.0, self._next_output - now)

    def next_turn(self) -> None:
        """Another turn comes in this place: its seconds begin at 0."""
        self._next_output = 0.0

    def _early(self, turn: Turn, now: float) -> bool:
        return turn.status == "running" and now < self._next_output


class TextView(_RateLimited):
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


class HtmlView(_RateLimited):
    """Replaces the output by the whole as HTML, at most twice a second and within a byte budget."""

    def __init__(self, lang: Language | None = None, output: CellOutput | Placeholder | None = None) -> None:
        self.lang: Language = lang or current_language()
        self._output = output or CellOutput()
        self._turn: Turn | None = None

    def show(self) -> None:
        """Show an empty turn, to be replaced."""
        self._output.show(self._bundle(Turn()))

    def update(self, turn: Turn, now: float) -> None:
        """Show this state if it is new and time to."""
        if turn is self._turn or self._early(turn, now):
            return
        self._turn = turn
        bundle = self._bundle(turn)
        size = sum(len(text.encode()) for text in bundle.values())
        self._next_output = now + max(HTML_EVERY, size / HTML_BYTES)
        self._output.replace(bundle)

    def finish(self, turn: Turn) -> None:
        """Leave the saved form."""
        self._output.end(views.bundle(turn, lang=self.lang))

    def go_on(self, blocking: bool = False) -> None:
        """The output is replaced again."""
        self._next_output = 0.0

    def renew(self, turn: Turn) -> None:
        """The saved form again."""
        self.finish(turn)

    def _bundle(self, turn: Turn) -> dict[str, str]:
        html, text = views.html(turn, lang=self.lang), views.text(turn, lang=self.lang)
        return {"text/html": html, "text/plain": text}


class EndView:
    """Shows nothing before the end, and then one output: for captured cells."""

    def __init__(self, lang: Language | None = None) -> None:
        self.lang: Language = lang or current_language()
        self._output = CellOutput()

    def show(self) -> None:
        """Nothing yet."""

    def update(self, turn: Turn, now: float) -> None:
        """Nothing yet."""

    def due(self, now: float) -> float:
        """Never."""
        return NEVER

    def next_turn(self) -> None:
        """Nothing before the end."""

    def finish(self, turn: Turn) -> None:
        """Show the saved form; of a run that went on, in place of the one before."""
        bundle = views.bundle(turn, lang=self.lang)
        if self._output.shown:
            self._output.replace(bundle)
        else:
            self._output.show(bundle)

    def go_on(self, blocking: bool = False) -> None:
        """Nothing before the next end."""

    def renew(self, turn: Turn) -> None:
        """The saved form again."""
        self.finish(turn)
