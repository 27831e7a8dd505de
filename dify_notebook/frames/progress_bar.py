"""One line that shows how far a fetch is, in a terminal and in a notebook."""

from __future__ import annotations

import sys
import time

from ..console import StatusLine
from ..console import watched as _stream
from ..i18n import t
from .progress import Progress

BAR = 20
"""Characters of the bar at most."""
SECONDS = 0.5
"""Between two lines: a saved notebook keeps each of them."""


class ProgressBar:
    """Writes the line again and again over itself; plain text, so that it needs no widget.

    Args:
        shown: None shows it where somebody looks: in a terminal and in a kernel.
    """

    def __init__(self, progress: Progress, shown: bool | None = None) -> None:
        self._progress = progress
        stream = _stream() if shown is None else (_stream() or sys.stderr if shown else None)
        self._line = StatusLine(stream, "how far a fetch is")
        self._last = 0.0

    def show(self) -> None:
        """Write the line, unless it was written a moment ago."""
        now = time.monotonic()
        if now - self._last >= SECONDS and now - self._progress.started >= SECONDS:
            self._last = now
            text = line(self._progress)
            self._line.write(bar(self._progress, self._line.room - len(text)) + text)

    def end(self) -> None:
        """Write how it went, and leave the line."""
        if self._last or self._progress.failures:
            self._line.write(line(self._progress, ended=True), end="\n")


def bar(progress: Progress, room: int) -> str:
    """How much of it is done, as a picture; nothing before that is known, or where it does not fit.

    Args:
        room: characters that it may take.
    """
    length = min(BAR, room - 3)
    if not progress.all_listed or not progress.listed or progress.runs or length < 5:
        return ""
    done = length * progress.conversations // progress.listed
    return f"[{'#' * done}{'-' * (length - done)}] "


def line(progress: Progress, *, ended: bool = False) -> str:
    """How far it is, in words."""
    seconds = max(progress.seconds, 0.001)
    values = {
        "done": f"{progress.conversations:,}",
        "all": f"{progress.listed:,}" + ("" if progress.all_listed else "+"),
        "messages": f"{progress.messages:,}",
        "rate": f"{progress.messages / seconds:,.0f}",
        "seconds": f"{seconds:,.1f}",
    }
    if progress.runs:
        values |= {"runs": f"{progress.runs:,}", "rate": f"{progress.runs / seconds:,.0f}"}
        parts = [t("frames.progress_runs_end" if ended else "frames.progress_runs", **values)]
    else:
        parts = [t("frames.progress_end" if ended else "frames.progress", **values)]
    if not ended and progress.all_listed and progress.conversations:
        rest = seconds / progress.conversations * (progress.listed - progress.conversations)
        parts.append(t("frames.progress_rest", seconds=f"{rest:,.0f}"))
    if progress.failures:
        parts.append(t("frames.progress_failures", count=progress.failures))
    return " · ".join(parts)
