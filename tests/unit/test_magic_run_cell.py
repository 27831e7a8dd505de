"""The loop that shows a running answer: it ends with the run, and obeys Interrupt at once."""

from __future__ import annotations

import signal
import threading
from functools import partial
from typing import Any

import msgspec
import pytest

from dify_notebook.errors import DifyError, InputError
from dify_notebook.magic import run_cell as running
from dify_notebook.turn.state import Turn


class FakeRun:
    """A run that the test moves on; counts what the loop asks of it."""

    def __init__(self) -> None:
        self.turn = Turn(query="q", status="running", answer="a")
        self.now = 0.0
        self.stops = 0
        self.error: DifyError | None = None
        self._ended = threading.Event()

    @property
    def done(self) -> bool:
        return self._ended.is_set()

    def end(self, status: str) -> None:
        self.turn = msgspec.structs.replace(self.turn, status=status)
        self._ended.set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._ended.wait(timeout)

    def result(self, timeout: float | None = None) -> Turn:
        if not self._ended.wait(timeout):
            raise TimeoutError
        return self.turn

    def stop(self) -> None:
        self.stops += 1


class FakeView:
    """Records what it is given; `at_update` is called first, with the number of the update."""

    def __init__(self, at_update: Any) -> None:
        self.shown = 0
        self.updates: list[Turn] = []
        self.finished: list[Turn] = []
        self._at_update = at_update

    def show(self) -> None:
        self.shown += 1

    def due(self, now: float) -> float:
        return 0.0

    def update(self, turn: Turn, now: float) -> None:
        self.updates.append(turn)
        self._at_update(len(self.updates))

    def finish(self, turn: Turn) -> None:
        self.finished.append(turn)


def ask(run: FakeRun, view: FakeView | None) -> tuple[Turn, bool]:
    started, turn, interrupted = running.run_cell(lambda: run, None if view is None else lambda _: view)
    assert started is run
    return turn, interrupted


def test_shows_until_the_end() -> None:
    run = FakeRun()
    view = FakeView(lambda n: run.end("succeeded") if n == 3 else None)
    turn, interrupted = ask(run, view)
    assert (turn.status, interrupted, run.stops) == ("succeeded", False, 0)
    assert len(view.updates) == 3
    assert view.finished == [turn]


def test_without_a_view_it_waits_only() -> None:
    run = FakeRun()
    threading.Timer(0.05, run.end, ["succeeded"]).start()
    assert ask(run, None)[0].status == "succeeded"


def test_interrupt_stops_and_waits_for_the_end() -> None:
    run = FakeRun()

    def at(n: int) -> None:
        if n == 2:
            raise KeyboardInterrupt
        if n == 4:
            run.end("stopped")

    view = FakeView(at)
    turn, interrupted = ask(run, view)
    assert (turn.status, interrupted, run.stops) == ("stopped", True, 1)
    assert len(view.updates) == 4, "the end of the stream is shown too"
    assert view.finished == [turn]


def test_second_interrupt_leaves_at_once() -> None:
    run = FakeRun()

    def at(n: int) -> None:
        if n >= 2:
            raise KeyboardInterrupt

    view = FakeView(at)
    turn, interrupted = ask(run, view)
    assert interrupted
    assert (turn.status, turn.end, turn.stop_confirmed, turn.answer) == ("stopped", "stopped", False, "a")
    assert view.finished == [turn]


def test_a_stop_that_is_not_heard_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.magic.run_cell.STOP_TIMEOUT", 0.1)
    run = FakeRun()

    def at(n: int) -> None:
        if n == 1:
            raise KeyboardInterrupt

    turn, interrupted = ask(run, FakeView(at))
    assert (turn.status, interrupted) == ("stopped", True)


def test_interrupt_while_showing_or_finishing_waits_until_that_is_done() -> None:
    """Half a view would show nothing, or for ever that the answer is still coming."""
    for method in ("show", "finish"):
        run = FakeRun()
        view = FakeView(lambda n: None)
        whole: list[str] = []
        plain = getattr(view, method)

        def slowly(*given: Any, whole: list[str] = whole, plain: Any = plain) -> None:
            signal.raise_signal(signal.SIGINT)
            whole.append("whole")
            plain(*given)

        setattr(view, method, slowly)
        run.stop = partial(run.end, "stopped")  # type: ignore[method-assign]  # this run ends when it is stopped
        if method == "finish":
            run.end("succeeded")
        before = signal.getsignal(signal.SIGINT)
        turn, interrupted = ask(run, view)
        assert interrupted
        assert whole == ["whole"]
        assert (view.shown, view.finished) == (1, [turn])
        assert signal.getsignal(signal.SIGINT) is before


def test_a_view_that_breaks_stops_the_run() -> None:
    run = FakeRun()

    def broken(n: int) -> None:
        raise ValueError("cannot draw")

    with pytest.raises(ValueError, match="cannot draw"):
        ask(run, FakeView(broken))
    assert run.stops == 1


def test_the_turn_is_kept_before_it_is_shown() -> None:
    run = FakeRun()
    run.end("succeeded")
    kept: list[Turn] = []

    class Breaking(FakeView):
        def finish(self, turn: Turn) -> None:
            raise ValueError(f"{len(kept)} kept")

    with pytest.raises(ValueError, match="1 kept"):
        running.run_cell(lambda: run, lambda _: Breaking(lambda n: None), kept.append)


def test_refused_question_opens_no_view() -> None:
    def refuse() -> Any:
        raise InputError("no")

    def never(run: Any) -> Any:
        raise AssertionError

    with pytest.raises(InputError):
        running.run_cell(refuse, never)


def test_a_fast_source_is_not_drawn_for_each_token() -> None:
    """Changes come all the time; snapshots are taken at frame rate."""
    run = FakeRun()
    run.wait = lambda timeout=None: True  # type: ignore[method-assign]  # this run always has something new
    threading.Timer(0.3, run.end, ["succeeded"]).start()
    view = FakeView(lambda n: None)
    ask(run, view)
    assert 1 <= len(view.updates) <= 12
