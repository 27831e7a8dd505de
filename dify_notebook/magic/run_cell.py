"""Runs a question in its cell: shows the answer until it ends, and obeys Interrupt meanwhile."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import msgspec

from ..errors import DifyError
from ..turn.state import Turn

MIN_INTERVAL = 1 / 30
"""Seconds between two updates of the view, at least."""
REST_FACTOR = 3.0
"""An update of the view is followed by a pause of this many times what it took."""
STOP_TIMEOUT = 4.0
"""Seconds that a stop may take after an Interrupt; the run itself gives up after 3."""
POLL_INTERVAL = 0.2
"""Longest wait in seconds, for systems where a wait is deaf to Interrupt."""


class View(Protocol):
    """What this needs of `live.View`."""

    def show(self) -> None: ...
    def update(self, turn: Turn, now: float) -> None: ...
    def due(self, now: float) -> float: ...
    def finish(self, turn: Turn) -> None: ...


class Run(Protocol):
    """What this needs of `session.Run`."""

    @property
    def error(self) -> DifyError | None: ...
    @property
    def turn(self) -> Turn: ...
    @property
    def done(self) -> bool: ...
    @property
    def now(self) -> float: ...
    def wait(self, timeout: float | None = None) -> bool: ...
    def result(self, timeout: float | None = None) -> Turn: ...
    def stop(self) -> Any: ...


def run_cell(
    start: Callable[[], Run],
    open_view: Callable[[Run], View] | None,
    on_end: Callable[[Turn], object] = lambda turn: None,
) -> tuple[Run, Turn, bool]:
    """Start a run and wait until it ends; the run, its turn, and whether an Interrupt ended it.

    The first Interrupt stops the run and waits for the end of the stream, so that the partial
    answer is complete; a second one leaves at once. Nothing is raised for either, and the
    view is finished in every case.

    Args:
        start: sends the question.
        open_view: makes the view, not shown yet; None shows nothing.
        on_end: is given the turn when it has ended, before it is shown: what may go wrong then costs nobody the answer.

    Raises:
        DifyError: `start` refused the question.
    """
    run: Run | None = None
    view: View | None = None
    interrupted = False
    try:
        with defer_interrupt():
            run = start()
            view = open_view(run) if open_view else None
            if view is not None:
                view.show()
        show_until(run, view, None)
    except KeyboardInterrupt:
        if run is None:
            raise
        interrupted = True
        with suppress(KeyboardInterrupt):
            run.stop()
            show_until(run, view, time.monotonic() + STOP_TIMEOUT)
    except Exception:
        if run is not None:
            run.stop()  # nobody would see the answer that is still coming
        raise
    turn = run.turn
    if turn.status == "running":  # left before the stream ended
        turn = msgspec.structs.replace(turn, status="stopped", end="stopped", stop_confirmed=False)
    try:
        with defer_interrupt():
            on_end(turn)
            if view is not None:
                view.finish(turn)
    except KeyboardInterrupt:
        interrupted = True
    return run, turn, interrupted


@contextmanager
def defer_interrupt() -> Iterator[None]:
    """Hold an Interrupt back until the block is done, and raise it then.

    Half a view is worse than one that comes a moment later: it would show nothing, or for ever
    that the answer is still coming.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals, and so Interrupts, reach the main thread only
        return
    received: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received:
        raise KeyboardInterrupt


def show_until(run: Run, view: View | None, deadline: float | None) -> None:
    """Show what comes until the run ends or the clock reaches the deadline; on any thread."""
    while not run.done and (deadline is None or time.monotonic() < deadline):
        if view is None:
            _pause(run, POLL_INTERVAL)
            continue
        run.wait(min(view.due(run.now), POLL_INTERVAL))
        started = time.monotonic()
        view.update(run.turn, run.now)
        cost = time.monotonic() - started
        _pause(run, max(MIN_INTERVAL, REST_FACTOR * cost))


def _pause(run: Run, seconds: float) -> None:
    """Rest, but not beyond the end of the run."""
    with suppress(TimeoutError):
        run.result(seconds)
