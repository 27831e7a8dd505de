"""Several answers shown while they come: beside each other in a browser, one after another in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import console
from ..i18n import Language, current_language, t
from ..views import answer_table, columns
from ..views.answer_table import Table
from ..views.block import Block
from ..views.columns import Page
from ..views.columns_page import ColumnsView
from ..views.columns_saved import bundle, html
from ..views.columns_stream import ColumnsStream
from ..views.html import escape
from ..views.words import Words
from .plain import TEXT_EVERY, EndOutput, HtmlOutput, RateLimited
from .widget_output import WidgetOutput

Answers = Page | Table
"""What such a view shows: a page while answers come, at the end that or a table."""

QUARTERS = 4
"""How often a screen reader hears how far the answers of a table are."""


class LiveColumns(WidgetOutput[Answers]):
    """Answers beside each other on the kernel's live widget, until `finish` replaces it by the saved form."""

    def __init__(
        self,
        lang: Language | None = None,
        on_stop: Callable[[], object] | None = None,
        blocking: bool = True,
        *,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        super().__init__(lang, on_stop, blocking, clock)
        self._view = ColumnsView(self.lang)
        self._words = Words(self.lang)
        self._said: dict[str, str] = {}
        self._progress = 0

    def _blocks(self, state: Answers, now: float) -> Block:
        return answer_table.block(state, self._words) if isinstance(state, Table) else self._view.blocks(state, now)

    def _bundle(self, state: Answers) -> dict[str, str]:
        return bundle(state, self.lang)

    def _streaming(self) -> str:
        return t("live.columns.streaming", self.lang)

    def _announcement(self, state: Answers) -> str | None:
        """The status of each answer, once each time it changes; of a table's answers how many have come."""
        if isinstance(state, Table):
            return t("live.columns.ended", self.lang)
        if state.done is not None:
            return self._quarter(state)
        new = []
        for row in columns.laid_out(state, self._words):
            for mark, entry in zip(row.letters, row.entries, strict=True):
                title = columns.title(entry, mark, False)
                key, status = f"{row.heading} {title}", columns.status_text(entry, self._words)
                if entry.status != "waiting" and self._said.get(key) != status:
                    self._said[key] = status
                    new.append(t("live.columns.say", self.lang, title=title, status=status))
        return " ".join(new) or None

    def _quarter(self, page: Page) -> str | None:
        done, asked = columns.counts(page)
        quarter = QUARTERS * done // max(1, asked)
        if quarter <= self._progress:
            return None
        self._progress = quarter
        return columns.progress(page, self._words)

    def go_on(self, blocking: bool = False) -> None:
        """Nothing of it goes on."""

    def renew(self, state: Answers) -> None:
        """The saved form again."""
        self._final = state
        self.resend_end()


class HtmlColumns(HtmlOutput[Answers]):
    """Answers beside each other as HTML that is replaced."""

    def _first(self) -> dict[str, str]:
        text = t("live.columns.streaming", self.lang)
        return {"text/html": escape(text), "text/plain": text}

    def _passing(self, state: Answers) -> dict[str, str]:
        if isinstance(state, Table):
            return bundle(state, self.lang)
        return {"text/html": html(state, self.lang), "text/plain": columns.progress(state, Words(self.lang))}

    def _saved(self, state: Answers) -> dict[str, str]:
        return bundle(state, self.lang)


class EndColumns(EndOutput[Answers]):
    """The saved form, at the end."""

    def _saved(self, state: Answers) -> dict[str, str]:
        return bundle(state, self.lang)


class TextColumns(RateLimited):
    """Prints what is new; for a terminal."""

    def __init__(self, lang: Language | None = None) -> None:
        self._stream = ColumnsStream(lang or current_language())

    def show(self) -> None:
        """Nothing to show before something came."""

    def update(self, state: Answers, now: float) -> None:
        """Print what came since the last call, at most 20 times a second."""
        if isinstance(state, Page) and not self._early(state, now):
            self._next_output = now + TEXT_EVERY
            self._print(self._stream.feed(state))

    def finish(self, state: Answers) -> None:
        """Print the rest."""
        self._print(self._stream.end(state))

    def go_on(self, blocking: bool = False) -> None:
        """Nothing of it goes on."""

    def renew(self, state: Any) -> None:
        """What was printed stays."""

    def _print(self, text: str) -> None:
        if text:
            console.write(text)
