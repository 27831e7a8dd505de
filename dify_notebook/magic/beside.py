"""A cell that asks several times, side by side: the sweep that it makes, what it would send, and running it.

Each question is asked in a conversation of its own, by the sweep's own user; the notebook's conversations stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import DifyError, InputError
from ..i18n import t
from ..printable import one_line
from . import cell as cells
from .beside_line import name_and_version
from .beside_rows import LABEL, Asked, ask_with
from .parse import Arguments
from .run_cell import MIN_INTERVAL, POLL_INTERVAL, REST_FACTOR, STOP_TIMEOUT, defer_interrupt
from .state import AppSession, State

if TYPE_CHECKING:
    from ..app.known import KnownApp
    from ..sweep.asking.engine import Ended
    from ..sweep.case import Case
    from ..sweep.records import Outcome
    from ..sweep.running import Running
    from ..sweep.sweep import Sweep
    from ..views.answer_table import Table
    from ..views.columns import Page

LIVE = 24
"""Answers that a cell shows in columns while they come; of more it shows how far it is, and a table at the end."""
AT_ONCE = 8
"""Questions to one server at once where there is a table."""


class App(NamedTuple):
    """One of the apps of the line."""

    session: AppSession
    workflow_id: str | None
    known: KnownApp


class Beside(NamedTuple):
    """What a cell asks several times, complete. Nothing of it was sent; the apps' forms may have been fetched."""

    sweep: Sweep
    apps: dict[str, App]
    """Those that can be asked, by the names on the line."""
    failed: dict[str, DifyError]
    """What kept the others from telling of themselves."""
    names: list[str]
    """All, in the line's order."""
    asked: Asked
    budget: str | None
    table: bool
    """Whether its answers are shown as a table."""

    @property
    def shared(self) -> dict[str, Any]:
        """The inputs of the first question that every app takes."""
        return {name: value for name, value in self.asked.first_inputs.items() if not self.only(name)}

    def only(self, name: str) -> list[str]:
        """The apps that take this input, where not all do."""
        taken = [app for app, each in self.apps.items() if not each.known.whole or name in each.known.controls]
        return taken if len(taken) < len(self.apps) else []

    def alone(self, app: str) -> dict[str, Any]:
        """The inputs of the first question that this app takes, and not every other does."""
        return {name: value for name, value in self.asked.first_inputs.items() if app in self.only(name)}


def build(arguments: Arguments, body: str, state: State, namespace: dict[str, Any]) -> Beside:
    """The sweep of a cell. Nothing of it has been sent.

    Raises:
        DifyError: something does not fit, and why.
    """
    from ..sweep.budget import parse_budget
    from ..sweep.sweep import Sweep

    if arguments.budget is not None:
        parse_budget(arguments.budget)
    apps, failed, names = _apps(arguments, state, namespace)
    if not apps:
        raise next(iter(failed.values()))
    asked = ask_with(arguments, body, namespace, {name: app.known for name, app in apps.items()})
    count = len(asked.over) * len(apps) * (arguments.repeats or 1)
    table = arguments.over is not None or count > LIVE
    sweep = Sweep(
        {name: (app.session.client, app.workflow_id) if app.workflow_id else app.session.client
         for name, app in apps.items()},
        over=asked.over,
        query=asked.query,
        inputs=asked.inputs,
        files=asked.files,
        id=LABEL,
        repeats=arguments.repeats or 1,
        user=arguments.user,
        timeout=arguments.timeout,
        concurrency=AT_ONCE if table else LIVE,
    )  # fmt: skip
    return Beside(sweep, apps, failed, names, asked, arguments.budget, table)


def _apps(
    arguments: Arguments, state: State, namespace: dict[str, Any]
) -> tuple[dict[str, App], dict[str, DifyError], list[str]]:
    """The apps of the line, what keeps others of them from being asked, and all their names."""
    apps: dict[str, App] = {}
    failed: dict[str, DifyError] = {}
    names: list[str] = []
    chosen = state.last_app_session
    problem: InputError
    for text in arguments.apps or (None,):
        name, version = (None, arguments.workflow_id) if text is None else name_and_version(text) or (text, None)
        try:
            session = state.app_session(name, None, namespace)
        except InputError as raised:
            if len(arguments.apps) < 2:
                raise
            problem = raised
        else:
            label = text or (session.label if version is None else f"{session.label}@{version}")
            names.append(label)
            try:
                apps[label] = App(session, version, session.session.call(session.session.learn()))
            except DifyError as raised:
                failed[label] = raised
            continue
        raise InputError(problem.message, code=problem.code, hint=t("magic.beside.names"))
    if len(names) > 1:  # what Tab offers, and what follows, is of the app that was there
        state.last_app_session = chosen
    return apps, failed, names


def describe(beside: Beside) -> dict[str, Any]:
    """For `--dry-run`: how much would be asked, and exactly what first of each app, but the key.

    Raises:
        DifyError: an app cannot be asked so.
    """
    sweep = beside.sweep
    cases = sweep.cases
    description: dict[str, Any] = {
        "questions": len({case.question for case in cases}),
        "cases": len(cases),
        "user": sweep.user,
    }
    if beside.budget is not None:
        from ..sweep.budget import parse_budget

        description["budget"] = str(parse_budget(beside.budget))
    first: dict[str, Any] = {}
    for case in sorted(cases, key=lambda case: (list(beside.apps).index(case.variant.target), case.repeat)):
        if case.variant.target not in first:
            first[case.variant.target] = _first(case, beside)
    failed = {name: {"error": one_line(problem.message, 400)} for name, problem in beside.failed.items()}
    return {**description, "first": {**first, **failed}}


def _first(case: Case, beside: Beside) -> dict[str, Any]:
    app, message = beside.apps[case.variant.target], case.messages[0]
    request = cells.Request(
        query=message.query,
        inputs=message.inputs,
        files=list(message.files),
        conversation_id=None,
        workflow_id=app.workflow_id,
    )
    own = AppSession(app.session.client.as_user(beside.sweep.user), case.variant.target)
    description = cells.describe_request(request, own, None)
    if "auto_generate_name" in description["json"]:  # a sweep's conversations get no names
        description["json"]["auto_generate_name"] = False
    return description


class View(Protocol):
    """What this needs of `live.open_columns`."""

    def show(self) -> None: ...
    def update(self, page: Page, now: float) -> None: ...
    def due(self, now: float) -> float: ...
    def finish(self, page: Page | Table) -> None: ...


class Shown(Protocol):
    """What this needs of `beside_view.Watched`."""

    done: int
    succeeded: int
    failure: Outcome | None

    def note(self, case: Case, outcome: Outcome) -> None: ...
    def look(self, running: Running) -> None: ...
    def page(self) -> Page: ...
    def end(self, running: Running | None, ended: Ended | None) -> Page | Table: ...


def run(
    beside: Beside,
    watched: Shown,
    open_view: Callable[[Callable[[], object]], View] | None,
    on_end: Callable[[], object],
) -> tuple[Ended | None, bool]:
    """Ask everything and show it; how it ended (None where an Interrupt did not leave time), and whether one came.

    The first Interrupt begins nothing more and stops what runs on the servers too; what came is shown and kept.

    Args:
        open_view: makes the view, not shown yet, of what its Stop button calls; None shows nothing.
        on_end: called when all has ended, before it is shown.

    Raises:
        DifyError: what concerns every question: a budget that cannot be kept, no server, a key that is refused.
    """
    running: Running | None = None
    view: View | None = None
    started, interrupted = time.monotonic(), False
    ended: Ended | None = None
    try:
        with defer_interrupt():
            running = beside.sweep.start(budget=beside.budget, on_outcome=watched.note)
            if open_view is not None:
                view = open_view(running.stop)
                view.show()
        _show(running, watched, view, started)
    except KeyboardInterrupt:
        if running is None:
            raise
        interrupted = True
        with suppress(KeyboardInterrupt):
            running.abandon()
            running.wait(STOP_TIMEOUT)
    except Exception:
        if running is not None:
            running.abandon()  # nobody would see what is still coming
        raise
    try:
        with defer_interrupt():
            try:
                if running.done:
                    ended = running.result()
            finally:
                on_end()
                if view is not None:
                    view.finish(watched.end(running, ended))
    except KeyboardInterrupt:
        interrupted = True
    return ended, interrupted


def _show(running: Running, watched: Shown, view: View | None, started: float) -> None:
    """Show what comes until the run has ended."""
    while not running.done:
        watched.look(running)
        if view is None:
            running.wait(POLL_INTERVAL)
            continue
        running.wait(min(view.due(time.monotonic() - started), POLL_INTERVAL))
        before = time.monotonic()
        watched.look(running)
        view.update(watched.page(), before - started)
        running.wait(max(MIN_INTERVAL, REST_FACTOR * (time.monotonic() - before)))
    watched.look(running)


def check(watched: Shown, asked: int, ended: Ended | None) -> None:
    """Raise where nothing came of it all; not where somebody stopped it.

    Raises:
        InputError: the budget left nothing to ask.
        DifyError: every question failed.
    """
    if watched.succeeded or ended is None or ended.reason == "stopped":
        return
    failure = watched.failure
    if failure is None:
        why = one_line(ended.refused, 600) or t("magic.beside.budget")
        raise InputError(why, code="budget" if ended.reason == "budget" else "sweep")
    problem = failure.error or next((answer.error for answer in failure.answers if answer.error), None) or "?"
    counts = {"count": f"{watched.done:,}", "of": f"{asked:,}"}
    message = t("magic.beside.all_failed", **counts, problem=one_line(problem, 400))
    raise DifyError(message, code=failure.error_code or "sweep", hint=t("magic.beside.failed_hint"))
