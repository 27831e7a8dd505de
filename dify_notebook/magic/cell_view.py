"""What a cell shows of its run and calls by names, also after its end: a run that paused goes on in the same place."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..console import complain
from ..errors import DifyError
from ..i18n import t
from ..live import View, open_view
from ..net.forms import refused
from ..net.portal import portal
from ..printable import one_line
from ..session import Run, Session, SessionLink
from ..turn.state import Turn, Warning_
from .replay import Replay
from .run_cell import show_until


class CellView:
    """The view of one cell, which lives on while its turn is paused.

    Args:
        session: whose runs it shows.
        rename: called as `rename(before, after)` when a turn has come in the place of another: the names that held
            the one hold the other.
    """

    def __init__(self, session: Session, rename: Callable[[Turn, Turn], object]) -> None:
        self._session, self._rename = session, rename
        self._view: View | None = None
        self._run: Run | Replay | None = None
        self._own: Run | Replay | None = None
        """The run of the cell itself; `_run` is the one that is shown now."""
        self._turn: Turn | None = None
        self._lock = threading.Lock()
        self._next: deque[tuple[Run, threading.Event]] = deque()
        self._seen: list[Run] = []
        self._thread: threading.Thread | None = None
        self._settled = threading.Event()
        self._unsubscribe: Callable[[], None] | None = None

    # -- while the cell runs: what `run_cell` needs

    def started(self, run: Run | Replay) -> Run | Replay:
        """The run that the cell waits for."""
        self._own = self._run = run
        if isinstance(run, Replay):
            run.on_next = self._next_turn
        return run

    def _next_turn(self) -> None:
        if self._view is not None:
            self._view.next_turn()

    def open(self, run: Any) -> View:
        """A view, not shown yet."""
        self._view = open_view(on_stop=self.stop, on_submit=self.submit)
        return self._view

    def ended(self, turn: Turn) -> None:
        """The cell's run has ended. Where it waits for a person, the cell shows it on when it goes on."""
        self._turn = turn
        if turn.status != "paused" or not turn.workflow_run_id:
            return
        with self._lock:
            self._unsubscribe = self._session.subscribe(self._on_run)
        if self._run is not None and self._run.next is not None:  # it goes on already
            self._on_run(self._run.next, False)

    def settle(self) -> None:
        """The cell shows the end of its run: from now on another thread may."""
        self._settled.set()

    def hide(self, workflow_run_id: str | None) -> None:
        """Another place shows that run from now on; the names are renewed all the same."""
        if self._turn is not None and self._turn.workflow_run_id == workflow_run_id:
            self._view = None

    def renew(self, holds: Callable[[str, Turn], bool]) -> None:
        """Names may hold other turns by now: a line to be copied must not answer the form of another run.

        Args:
            holds: whether that name holds a turn of the same run.
        """
        turn = self._turn
        if turn is None or turn.status != "paused" or self._thread is not None:
            return
        links = {form.link for form in turn.forms if isinstance(form.link, SessionLink)}
        lost = [link for link in links if link.variable and not holds(link.variable, turn)]
        for link in lost:
            link.variable = ""
        if lost and self._view is not None:
            self._view.renew(turn)

    def wait_elsewhere(self) -> None:
        """Wait until other cells show the end of the run too: what they display belongs to the cell that runs."""
        if self._own is not None:
            self._own.wait_shown()

    @property
    def closed(self) -> bool:
        """Whether no run is shown here any more."""
        return self._unsubscribe is None

    def close(self) -> None:
        """Nothing is shown here any more."""
        with self._lock:
            unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()

    # -- what a reader does, on any thread

    def stop(self) -> object:
        """Stop what runs here."""
        run = self._run
        if run is None or (not isinstance(run, Replay) and run.done):
            return None
        return run.stop()

    def submit(self, form_id: str, action: str, inputs: Mapping[str, Any]) -> concurrent.futures.Future[str]:
        """Answer a form of the turn (`live.OnSubmit`)."""
        return portal().submit(self._submit(form_id, action, inputs))

    async def _submit(self, form_id: str, action: str, inputs: Mapping[str, Any]) -> str:
        turn = self._turn
        form = next((form for form in turn.forms if form.id == form_id), None) if turn else None
        if form is None:
            return t("forms.refused.unknown")
        try:
            await asyncio.wrap_future(self._session.submit(form, action=action, inputs=inputs, turn=turn))
        except DifyError as problem:
            return refused(problem)
        except Exception as problem:
            complain("a form could not be submitted", problem)
            return one_line(f"{type(problem).__name__}: {problem}", 400)
        return ""

    # -- afterwards

    def _on_run(self, run: Run, ended: bool) -> None:
        """A run of the session begins; where it goes on with this cell's turn, it is shown here."""
        turn = self._turn
        if ended or turn is None or run.resumes is None or run.resumes.workflow_run_id != turn.workflow_run_id:
            return
        with self._lock:
            if run in self._seen:
                return
            self._seen.append(run)
            self._next.append((run, run.show()))
            if self._thread is None:
                # A bare thread: what it displays belongs to the cell that runs meanwhile, and so is kept by nbclient.
                self._thread = threading.Thread(target=self._go_on, name="dify_notebook cell", daemon=True)
                self._thread.start()

    def _go_on(self) -> None:
        self._settled.wait()
        while True:
            with self._lock:
                if not self._next:
                    self._thread = None
                    return
                run, shown = self._next.popleft()
            try:
                self._show(run)
            except Exception as problem:  # nobody waits for this thread
                complain("a run that went on could not be shown", problem)
            finally:
                shown.set()

    def _show(self, run: Run) -> None:
        view, self._run = self._view, run
        if view is not None:
            view.go_on(run.awaited)
        show_until(run, view, None)
        before, turn = self._turn, run.turn
        self._turn = turn
        if before is not None:
            self._rename(before, turn)
        if view is not None:
            view.finish(turn if run.error is None else _with_problem(turn, run.error))
        if turn.status != "paused":
            self.close()


def _with_problem(turn: Turn, problem: DifyError) -> Turn:
    """The turn as it is shown where its run could not be read on."""
    warning = Warning_(code="not_resumed", message=problem.message)
    return msgspec.structs.replace(turn, warnings=(*turn.warnings, warning))
