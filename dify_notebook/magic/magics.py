"""The magics themselves: what IPython calls, and where results go."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..console import complain, fitting, say
from ..errors import DifyError, raise_for_turn
from ..i18n import t
from ..live import check_environment, choose_mode, close, open_columns
from ..printable import TEXT, one_line, shown, visible
from ..profiles import profiles
from ..redact import has_key, redact
from ..session import Run, SessionLink
from ..turn.state import Placing, Turn
from ..views import facts
from ..views.forms import LAST
from . import cell as cells
from .asking import Asking
from .cell_source import CellSources
from .cell_view import CellView
from .complete import Candidates, Matcher, candidates_from
from .failure import interrupt, keyboard_interrupt, without_traceback
from .held import Origin
from .help import help_text
from .line import recording_notice, run_line
from .parse import Arguments, parse_line
from .replay import Replay
from .resume import Resumption
from .run_cell import run_cell
from .scope import calling_frame, visible_namespace
from .state import AppSession, State

NAMES = 20
"""Inputs that a line names; a table may have more columns."""
DRY_RUN = 1_000_000
"""Characters of a dry run that are shown; a question may have 200,000, its inputs more."""


@magics_class
class DifyMagics(Magics):
    """`%%dify` and `%dify` in one shell, with what they remember."""

    shell: Any

    def __init__(self, shell: Any, state: State | None = None) -> None:
        super().__init__(shell)
        self.state = state or State()
        self._matcher = Matcher(self._candidates)
        self._cell_sources = CellSources(shell, "dify")

    def register(self) -> None:
        """Put the magics and the completion into the shell."""
        # IPython shows the docstring for `%%dify?`, so it is written in the user's language.
        type(self).dify.__doc__ = fitting(help_text(), sys.stdout)
        self.shell.register_magics(self)
        self.shell.Completer.custom_matchers.append(self._matcher)
        self._cell_sources.register()
        if note := recording_notice():
            say(shown(note, TEXT))

    def unregister(self) -> None:
        """Take them out again, and the live view's widget with them."""
        manager = self.shell.magics_manager
        for kind in ("line", "cell"):
            if getattr(manager.magics[kind].get("dify"), "__self__", None) is self:
                del manager.magics[kind]["dify"]
        if manager.registry.get(type(self).__name__) is self:
            del manager.registry[type(self).__name__]
        matchers = self.shell.Completer.custom_matchers
        if self._matcher in matchers:
            matchers.remove(self._matcher)
        self._cell_sources.unregister()
        while self.state.paused:
            self.state.paused.pop().close()
        close()

    @no_var_expand
    @line_cell_magic
    def dify(self, line: str, cell: str | None = None) -> None:
        # The docstring is written when the magics are registered: see `register`.
        problem: BaseException
        namespace = visible_namespace(calling_frame(sys._getframe()), self._notebook())
        try:
            own = cell is not None and self._cell_sources.is_own(line, cell)
            if cell is not None:
                line, cell = self._cell_sources.as_typed(line, cell)
            self._warn_of_key(line, cell or "")
            if cell is None:
                text = run_line(line, self.state, namespace)
                results, self.state.results = self.state.results, {}
                self.shell.push(results)
                resumption, self.state.resumption = self.state.resumption, None
                if resumption is not None:
                    self._resume(resumption)
                else:
                    say(shown(text, TEXT))
            else:
                self._ask(line, cell, namespace, own)
            return
        except DifyError as error:
            problem = without_traceback(error)
        except KeyboardInterrupt as error:
            problem = error if hasattr(error, "_render_traceback_") else keyboard_interrupt(sent=False)
        raise problem  # here, where nothing hangs on it: a friendly line and no traceback

    def _ask(self, line: str, body: str, namespace: dict[str, Any], own: bool = False) -> None:
        """Ask what the cell says.

        Args:
            own: whether the running cell is this one, and not code that calls the magic.
        """
        check_environment()
        arguments = parse_line(line)
        if arguments.beside:
            self._ask_beside(arguments, body, namespace)
            return
        app_session = self.state.app_session(arguments.profile, arguments.user, namespace)
        cell_id = self._cell_id()
        origin: Origin = "no_id" if cell_id is None else "cell" if own else "called"
        cell = cells.cell_key(line, body, cell_id if own else None, terminal=not hasattr(self.shell, "kernel"))
        request = cells.build_request(arguments, body, app_session, self.state, namespace, cell, origin)
        if request.dropped:
            say(t("magic.input.dropped", names=_listed(request.dropped)), "stderr")
        if request.left_out and not arguments.quiet:
            say(t("magic.input.left_out", names=_listed(request.left_out)), "stderr")
        if arguments.dry_run:
            described = cells.describe_request(request, app_session, arguments.timeout)
            steps = cells.describe_steps(request, app_session, arguments.timeout)
            shown_whole = json.dumps([*steps, described] if steps else described, ensure_ascii=False, indent=2)
            say(visible(redact(shown_whole), DRY_RUN))
            return
        asking = Asking(app_session, request, cell, cells.upload_inputs(request, app_session), arguments)
        asking.placing = self._placing(request, by_itself=not arguments.again)
        try:
            self._run(app_session, asking.start, asking.keep, arguments.out, quiet=arguments.quiet)
        finally:
            if asking.interrupted_at is not None:
                text = t("magic.held.stopped_at", n=asking.interrupted_at, of=len(request.steps) + 1)
                say(text, "stderr")

    def _placing(self, request: cells.Request, *, by_itself: bool) -> Placing | None:
        """What the header says of where the cell asks. The first conversation that begins by itself says more."""
        decision = request.decision
        if request.steps:
            return Placing("replayed")
        if decision.action == "append" and decision.why:
            return Placing(decision.why)
        if decision.action not in ("begin_again", "replay"):
            return None
        first = by_itself and not self.state.beginning_announced
        self.state.beginning_announced |= first
        return Placing("began_again", first=first)

    def _ask_beside(self, arguments: Arguments, body: str, namespace: dict[str, Any]) -> None:
        """Ask several times, each in a conversation of its own, and show the answers side by side."""
        from . import beside
        from .beside_view import Watched

        cell = beside.build(arguments, body, self.state, namespace)
        if cell.asked.left_out and not arguments.quiet:
            say(t("magic.input.left_out", names=_listed(cell.asked.left_out)), "stderr")
        if arguments.dry_run:
            say(visible(redact(json.dumps(beside.describe(cell), ensure_ascii=False, indent=2)), DRY_RUN))
            return
        watched = Watched(cell)

        def open_view(stop: Callable[[], object]) -> beside.View:
            return open_columns(on_stop=stop)

        ended, was_interrupted = beside.run(
            cell, watched, None if arguments.quiet else open_view, lambda: self._bind_value(cell.sweep, arguments.out)
        )
        if was_interrupted:
            raise interrupt("magic.beside.interrupted")
        beside.check(watched, len(cell.sweep.cases), ended)

    def _resume(self, found: Resumption) -> None:
        """Show a run that paused or was lost in this cell, and go on with it."""
        check_environment()
        session = found.app_session.session
        if choose_mode() == "text":  # which stands where the terminal is: it is printed once
            run = found.run if isinstance(found.run, str) else found.run.workflow_run_id
            for view in self.state.paused:
                view.hide(run)

        def start() -> Run:
            return session.resume(found.run, keep=True, awaited=True)

        self._run(found.app_session, start, lambda turn: None, found.name)

    def _run(
        self,
        app_session: AppSession,
        start: Callable[[], Run | Replay],
        keep: Callable[[Turn], object],
        out: str | None,
        *,
        quiet: bool = False,
    ) -> None:
        """Show a run until it ends or waits for a person, and give its turn its names."""
        view = CellView(app_session.session, lambda before, after: self._rename(before, after, out))

        def end(turn: Turn) -> None:
            keep(turn)
            self._bind(turn, None if facts.is_asked_again(turn) else out)
            view.ended(turn)
            if turn.status == "paused":
                self.state.keep_paused(view)

        try:
            run, turn, was_interrupted = run_cell(lambda: view.started(start()), None if quiet else view.open, end)
        finally:
            view.settle()
        if was_interrupted:
            raise keyboard_interrupt(sent=True)
        view.wait_elsewhere()
        if run.error is not None:
            raise run.error
        raise_for_turn(turn)

    def _bind(self, turn: Turn, out: str | None) -> None:
        """Give the turn its names: NAME, `dify_notebook.last`, `_` and `Out[n]`. Displays nothing."""
        import dify_notebook

        dify_notebook.last = turn
        _tell_forms(turn, out or LAST)
        self._bind_value(turn, out)
        for view in self.state.paused:
            view.renew(self._holds)

    def _bind_value(self, value: object, out: str | None) -> None:
        """What a cell gave gets its names: NAME, `_` and `Out[n]`."""
        if out is not None:
            self.shell.push({out: value})
        try:
            self.shell.displayhook.update_user_ns(value)
        except Exception as problem:  # somebody's `_oh`: it has its other names
            complain("Out and _ could not be set", problem)

    def _rename(self, before: Turn, after: Turn, out: str | None) -> None:
        """The names that still hold the turn that was paused hold what came of it."""
        import dify_notebook

        name = ""
        if dify_notebook.last is before:
            dify_notebook.last = after
            name = LAST
        if out is not None and self.shell.user_ns.get(out) is before:
            self.shell.push({out: after})
            name = out
        _tell_forms(after, name)

    def _holds(self, name: str, turn: Turn) -> bool:
        """Whether what has that name is the turn, or another of its run."""
        import dify_notebook

        held = dify_notebook.last if name == LAST else self.shell.user_ns.get(name)
        return isinstance(held, Turn) and held.workflow_run_id == turn.workflow_run_id

    def _notebook(self) -> dict[str, Any]:
        """The variables of the notebook, or of where `IPython.embed()` stands."""
        inner: dict[str, Any] = self.shell.user_ns
        outer = self.shell.user_global_ns
        return inner if inner is outer else {**outer, **inner}

    def _cell_id(self) -> str | None:
        """The running cell's id, where the frontend sends one (JupyterLab and Notebook 7 do)."""
        parent = self.shell.get_parent() if hasattr(self.shell, "get_parent") else {}
        cell_id = (parent or {}).get("metadata", {}).get("cellId")
        return cell_id if isinstance(cell_id, str) else None

    def _warn_of_key(self, line: str, body: str) -> None:
        if has_key(line) or has_key(body):
            say(t("magic.key_in_cell", number=self.shell.displayhook.prompt_count), "stderr")

    def _candidates(self) -> Candidates:
        app_session: AppSession | None = self.state.last_app_session
        try:
            stored = list(profiles())
        except DifyError:  # the file is damaged: Tab is no place to say so
            stored = []
        if app_session is None:
            return candidates_from(self._notebook(), (), (), stored)
        controls = app_session.session.app.controls.values()
        return candidates_from(self._notebook(), list(app_session.conversations), controls, stored)


def _listed(names: tuple[str, ...]) -> str:
    more = t("magic.input.more", count=len(names) - NAMES) if len(names) > NAMES else ""
    return ", ".join(one_line(name, 80) for name in names[:NAMES]) + more


def _tell_forms(turn: Turn, variable: str) -> None:
    """Let the forms of the turn know what holds it, for the line that says how they are answered."""
    for form in turn.forms:
        if isinstance(form.link, SessionLink):
            form.link.variable = variable
