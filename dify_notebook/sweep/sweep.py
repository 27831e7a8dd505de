"""`Sweep`: many questions to one or several apps, kept so that nothing is paid for twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..config import check_user
from ..console import displayed
from ..errors import InputError
from ..i18n import t
from ..net.portal import portal
from ..printable import MESSAGE, one_line
from . import arguments
from .cases.design import Design, Script, read_used
from .cases.rows import as_it_is, table
from .job import Job, Request
from .records import Outcome
from .running import Running
from .store.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from ..turn.state import Turn
    from .budget import Limit
    from .case import Case
    from .forgetting import Forgetting
    from .tables.plan import Plan
    from .tables.summary import Summary


class Sweep:
    """Many questions to one or several apps: every question to every variant, as often as it is repeated.

    from dify_notebook import Dify, Sweep

    rows = [{"ticket": 1, "question": "Where is my parcel?"}, {"ticket": 2, "question": "I want my money back."}]
    sweep = Sweep({"guide": Dify.local("guide")}, over=rows, query="{{ question }}", id="ticket", repeats=3)
    sweep.plan()
    sweep.run(budget="20 calls")
    sweep.results[["label", "repeat", "answer"]]

    A case is a question for a variant (an app, a prompt and the inputs that are varied) for the n-th time. Each is
    asked in a conversation of its own, under a user of the sweep's own; your notebook's conversations stay as they
    are. What a case comes to is written down with its tape before the next begins, in `store`. Whoever runs the same
    sweep again is answered from there, and only what is missing or failed is asked. A case is known by what is sent:
    the app with its server, key and version, the question, the inputs, the bytes of files, and the repeat. The order
    of rows and columns, the names of apps and columns that are not sent do not matter, and equal rows are one case.

    All variants of a question are asked before the next question begins, in an order that `seed` decides, so that
    whatever ends a run early leaves variants that can be compared.

    Nothing is sent before `plan`, `run` or a table is asked for. These block, also with an `AsyncDify`, and so
    they cannot be called inside of a coroutine that a client's own loop runs.

    Args:
        apps: a client (`Dify`, `AsyncDify`), a name (a profile's, an app of the embedded server, `support@ID` for the
            published version of that id), a list of names, or a dict from your own names to any of these or to
            (client, workflow id).
        over: a DataFrame of pandas or polars, or a list of dicts, a question for each row; None is one question.
            What becomes of it after this changes nothing.
        query: a text with `{{ column }}` or `{{ row.column }}`; a list of texts is a script of several turns in one
            conversation; a dict names several prompts, each a variant. None for apps that take inputs alone.
        inputs: by name. A list varies: each of its values is a variant of its own. The name of a column is that
            column, a text with braces is filled from the row, every other value is itself. An input that only some
            of the apps have goes to those; one that no app has is refused.
        files: as for `chat.send`, or the name of a column of `Path`, bytes and references. A text in a table is never
            a path, a `Path` is.
        id: the column that names the rows in tables; None is the DataFrame's index.
        cluster: the column that says which rows belong together, such as several questions about one document.
        repeats: how often each is asked, 1 to 1,000.
        store: a directory, which is made; one that is there is gone on with. None keeps all in memory, for as long
            as this object lives.
        user: under which user it is asked, 1 to 255 characters; None is `sweep-` and the store's id. It is no part
            of what a case is.
        seed: of the order, a whole number.
        concurrency: cases at once, for each server, 1 to 128. It begins with few, and halves while the server says
            that there are too many.
        timeout: seconds that one turn may take; None waits as long as the client does.

    Raises:
        InputError: an argument cannot be meant, a template or an input names no column, or the store is of no use.
        ConfigError: another account owns the store.
    """

    def __init__(
        self,
        apps: Any,
        over: Any = None,
        query: Script | Mapping[str, Script] | None = None,
        inputs: Mapping[str, Any] | None = None,
        files: Any = None,
        id: str | None = None,
        cluster: str | None = None,
        repeats: int = 1,
        store: str | os.PathLike[str] | None = None,
        user: str | None = None,
        seed: int = 0,
        concurrency: int = 8,
        timeout: float | None = None,
    ) -> None:
        if apps is None or (isinstance(apps, Mapping | Sequence) and not apps):
            raise InputError(t("sweep.arguments.no_app"), code="apps")
        over = as_it_is(over)
        design = Design(
            query=query,
            inputs=inputs,
            files=files,
            over=over,
            id=id,
            cluster=cluster,
            repeats=arguments.whole_number("repeats", repeats, 1, arguments.MOST_REPEATS),
            seed=arguments.whole_number("seed", seed, 0),
        )
        at_once = arguments.whole_number("concurrency", concurrency, 1, arguments.MOST_AT_ONCE)
        seconds = arguments.seconds("timeout", timeout)
        if user is not None:
            check_user(user)
        read_used(design, table(over))
        self._job = Job(apps, design, Store.open(store), user=user, concurrency=at_once, timeout=seconds)
        self._budget: Limit | None = None

    # -- asking --------------------------------------------------------------------------

    def plan(self, budget: Any = None) -> Plan:
        """What there is to ask, how much of it is answered, and what the rest will cost by the answers so far.

        Asks each app for its form, and nothing else; costs nothing. Before anything was answered the estimates are
        missing: `run(limit=10)` makes some.

        Args:
            budget: as for `run`; None is the last one.

        Raises:
            InputError: a row, an input or a file does not fit an app's form; named by row and column.
            DifyError: an app cannot be reached, or refuses its key.
        """
        from .cases.grid import distinct
        from .tables.plan import plan

        return plan(distinct(self._cases()), self._read_store(), self._limit(budget))

    def run(
        self,
        limit: int | None = None,
        budget: Any = None,
        again: str | Iterable[str] | None = (),
        progress: bool | None = None,
    ) -> Sweep:
        """Ask what was never asked, and what failed; the rest is answered from the store. Blocks until it has ended.

        A case that fails raises nothing: it is a row of `results` with its reason. What may have been asked, and is
        not known to have ended (the machine went down, say), is `unknown` and is not asked again unless told so.

        An Interrupt begins nothing more, stops what is running on the server too (4 seconds at most), and is raised;
        everything that came is kept, and another `run` goes on.

        Args:
            limit: cases at most in this run, whole questions as long as they fit: a pilot.
            budget: for the whole sweep, with everything that was ever asked in this store: "2 USD" (any currency that
                the apps report), "50000 tokens", "100 calls", or a number of calls. A call is one turn. What is under
                way is reserved for; an answer that costs more than those before it may pass it by that much. None is
                the last one of this object, at first none.
            again: "unknown" asks those again too, which may pay for them twice; None leaves failed ones, too.
            progress: a line that says how far it is; None shows it where somebody looks: in a terminal and a notebook.

        Returns:
            This sweep; in a notebook it shows its summary.

        Raises:
            InputError: it runs already, here or in another process; an app reports nothing in the unit of the budget,
                or a row does not fit an app's form.
            DifyError: what concerns every case: no server, a key that is refused, a disk that is full.
        """
        self._run(self._request(limit, budget, again), progress)
        return self

    def extend(
        self, repeats: int, limit: int | None = None, budget: Any = None, progress: bool | None = None
    ) -> Sweep:
        """Repeat every question more often, and ask the new ones alone.

        Args:
            repeats: how often in all, more than before.
            limit, budget, progress: as for `run`.

        Raises:
            InputError: that is not more often, or as for `run`.
            DifyError: as for `run`.
        """
        before = self._job.design.repeats
        repeats = arguments.whole_number("repeats", repeats, 1, arguments.MOST_REPEATS)
        if repeats <= before:
            raise InputError(t("sweep.arguments.fewer", repeats=repeats, before=before), code="repeats")
        self._run(self._request(limit, budget, (), repeats), progress)
        return self

    def start(
        self,
        limit: int | None = None,
        budget: Any = None,
        again: str | Iterable[str] | None = (),
        on_outcome: Callable[[Case, Outcome], None] | None = None,
    ) -> Running:
        """Begin a `run` and come back at once, for whoever shows it while it runs.

        Args:
            limit, budget, again: as for `run`.
            on_outcome: called with each case that ended, on the thread that asks: it must not block.

        Returns:
            The run: `wait(seconds)`, `running` (the cases that are being asked, with their streams), `stop()`,
            `result()`.
        """
        return Running(self._job, self._request(limit, budget, again), on_outcome)

    def stop(self) -> None:
        """End a run from another thread: begin nothing more, and stop what is running. Returns at once."""
        portal().submit(self._job.stop())

    def forget(self) -> Forgetting:
        """Delete the sweep's conversations on the server; the store keeps what was answered.

        With the sweep's own user all of this user's conversations go, and so those of cases that are `unknown`. Runs
        of workflow and completion apps cannot be deleted by Dify's API.

        Returns:
            How many are gone, and what could not be deleted and why.

        Raises:
            DifyError: an app cannot be reached. What was deleted until then is noted down.
        """
        from .forgetting import forget

        return portal().call(forget(self._job, time.time()))

    # -- what came -------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """12 hexadecimal digits that the store keeps."""
        return self._job.store.id

    @property
    def user(self) -> str:
        """Under whom it is asked."""
        return self._job.user

    @property
    def store(self) -> Store:
        """Where everything is written down."""
        return self._job.store

    @property
    def cases(self) -> Sequence[Case]:
        """All cases, in the order in which they are asked. Asks each app for its form once."""
        return self._cases()

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """How each case ended that did, by its id: the last try, with all that was reported and exact prices."""
        known = self._read_store().outcomes
        return {case.id: known[case.id] for case in self._cases() if case.id in known}

    @property
    def results(self) -> pd.DataFrame:
        """One row for each turn of each case, those that were not asked included: `case`, `turn`, `label`, `app`, the
        inputs that are varied, `repeat`, `state`, `answer`, `outputs`, tokens, `price` with `currency`, `seconds`,
        `excluded` and more. The columns are described in
        `dify_notebook.sweep.tables.results.RESULTS`."""
        from .tables.results import results

        cases, store = self._cases(), self._read_store()
        return results(cases, store, self._excluded())

    @property
    def nodes(self) -> pd.DataFrame:
        """One row for each run of a node, from the tapes; joins `results` by `case` and `message_id`."""
        from .tables.results import nodes

        return nodes(self._cases(), self._read_store())

    @property
    def thoughts(self) -> pd.DataFrame:
        """One row for each step of an agent, from the tapes; joins `results` by `case` and `message_id`."""
        from .tables.results import thoughts

        return thoughts(self._cases(), self._read_store())

    @property
    def rates(self) -> pd.DataFrame:
        """For each variant how many succeeded (`yes`) and failed (`no`), `of` how many, the `rate`, the bounds `low`
        and `high` that missing ones leave, and `excluded`: cases whose questions cannot be compared, not counted."""
        from .tables.rates import rates, succeeded

        cases, store = self._cases(), self._read_store()
        return rates(cases, succeeded(cases, store), self._excluded())

    def turn(self, case: Case | str, turn: int = 1) -> Turn:
        """A turn with all that came, as if it had been asked in a cell: from its tape.

        Args:
            case: a case, its id (the column `case`), or so much of its beginning that no other has it.
            turn: from 1, for scripts of several.

        Raises:
            InputError: there is no such case, several begin so, or it was not asked so far.
            TapeGone: its tape is kept nowhere any more.
        """
        store = self._read_store()
        id = self._id_of(case)
        number = arguments.whole_number("turn", turn, 1)
        outcome = store.outcomes.get(id)
        count = len(outcome.answers) if outcome is not None else 0
        if outcome is None or number > count:
            key = "sweep.turn.never" if not count else "sweep.turn.fewer"
            raise InputError(t(key, case=id, count=count, turn=number), code="turn")
        return store.turn(outcome.answers[number - 1])

    def __repr__(self) -> str:
        from .tables.summary import counted

        where = "" if self._job.store.path is None else f" {self._job.store.path}"
        return one_line(f"<Sweep{where}: {counted(self._job.cases, self._job.store)}>", MESSAGE)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from .tables.summary_view import bundle

        return displayed(bundle(self._summary()))

    # -- within ----------------------------------------------------------------------------

    def _cases(self) -> Sequence[Case]:
        made = self._job.cases
        return made if made is not None else portal().call(self._job.prepare())

    def _read_store(self) -> Store:
        """The store with what another process has added."""
        self._job.store.refresh()
        return self._job.store

    def _excluded(self) -> Mapping[str, str]:
        """Questions that cannot be compared, with the reason."""
        from .tables.contamination import contaminated

        return contaminated(self._cases(), self._job.store, self._job.targets)

    def _limit(self, budget: Any) -> Limit | None:
        from .budget import parse_budget

        return self._budget if budget is None else parse_budget(budget)

    def _request(
        self, limit: int | None, budget: Any, again: str | Iterable[str] | None, repeats: int | None = None
    ) -> Request:
        number = None if limit is None else arguments.whole_number("limit", limit, 1)
        states = arguments.states_again(again)
        self._budget = self._limit(budget)
        return Request(limit=number, budget=self._budget, again=states, repeats=repeats)

    def _run(self, request: Request, progress: bool | None) -> None:
        Running(self._job, request).watched(progress)

    def _summary(self) -> Summary:
        from .tables.summary import summary

        return summary(self._job.cases, self._read_store(), self._job.targets, self._budget)

    def _id_of(self, case: Case | str) -> str:
        id = getattr(case, "id", case)
        ids = [each.id for each in self._cases() if isinstance(id, str) and id and each.id.startswith(id)]
        if id in ids:
            return id
        if len(ids) != 1:
            key = "sweep.turn.several" if ids else "sweep.turn.unknown"
            raise InputError(t(key, case=one_line(str(id), 80), count=len(ids)), code="case")
        return ids[0]
