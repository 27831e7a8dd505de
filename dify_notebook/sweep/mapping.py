"""`dify.map()`: every row of a table asked, and the answers as columns of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DifyError, InputError
from ..i18n import t
from ..net.client import AsyncDify
from ..printable import one_line
from . import arguments
from .budget import parse_budget
from .cases.design import Design, Script, read_used
from .cases.rows import as_it_is, table
from .job import REFUSED, Job, Request
from .outputs import Columns, Row, added, columns, dtype_of, row_of
from .progress import SECONDS, ProgressLine
from .running import Running, ending
from .store.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from .asking.engine import Ended

TEXT = "text"
"""The column that a list of texts is."""


class MapRun:
    """A map: `await` it for a DataFrame. Whatever happens, `.frame` is what has come so far."""

    def __init__(self, job: Job, request: Request, frame: pd.DataFrame, wanted: Columns, progress: bool | None) -> None:
        self._job = job
        self._request = request
        self._rows = frame
        self._wanted = wanted
        self._shown = progress
        self._ended: Ended | None = None
        self._refused = ""

    def __repr__(self) -> str:
        return f"<MapRun {len(self._rows):,} rows, {self._job.progress.asked:,} asked>"

    @property
    def frame(self) -> pd.DataFrame:
        """The table with what has come so far; after an interruption too."""
        job = self._job
        rows = [Row({}, f"not_run: {self._why()}")] * len(self._rows)
        is_run = False
        outcomes = job.store.outcomes
        for case in job.cases or ():
            is_run = job.targets[case.variant.target].client._cache.app.takes.lists == "runs"
            state = job.store.state(case.id)
            outcome = None if state in ("not_run", "unknown") else outcomes.get(case.id)
            row = row_of(state, outcome, self._wanted, is_run=is_run, not_run=self._why())
            for label in case.labels:
                rows[label] = row  # type: ignore[call-overload]  # labels are positions here
        taken = [str(name) for name in self._rows.columns]
        frame = self._rows.copy()
        for name, column in added(rows, self._wanted, taken, frame.index, is_run=is_run).items():
            frame[name] = column  # not `assign`: an output may be called `self`
        return frame

    def _why(self) -> str:
        """Why rows were not asked, in words."""
        if self._refused:
            return self._refused
        over_budget = self._ended is not None and self._ended.reason == "budget"
        return t("sweep.map.budget" if over_budget else "sweep.map.stopped")

    def _note(self, problem: DifyError) -> None:
        """What ended the run in its middle is the reason of the rows that are left; before, it is raised."""
        if isinstance(problem, InputError) or problem.code != REFUSED or not self._job.progress.succeeded:
            raise problem
        self._refused = problem.message

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        return self._run().__await__()

    async def _run(self) -> pd.DataFrame:
        line = ProgressLine(self._shown)

        async def tell() -> None:
            while True:
                await asyncio.sleep(SECONDS)
                line.show(self._job.progress)

        reporter = asyncio.create_task(tell())
        try:
            self._ended = await self._job.run(self._request)
        except DifyError as problem:
            self._note(problem)
        finally:
            reporter.cancel()
            progress = self._job.progress
            if self._ended is not None or progress.asked:
                line.end(progress, "" if self._ended is None else ending(self._ended, progress))
        return self.frame

    def now(self) -> pd.DataFrame:
        """Ask on the portal's thread and wait. An Interrupt ends it, and what has come is given back."""
        interrupted = "sweep.map.interrupted" if self._job.store.path is None else "sweep.run.interrupted"
        try:
            self._ended = Running(self._job, self._request).watched(self._shown, interrupted)
        except DifyError as problem:
            self._note(problem)
        except KeyboardInterrupt:
            if self._job.cases is None:  # nothing has come
                raise
        return self.frame


def map_rows(
    dify: AsyncDify,
    over: Any,
    query: Script | None = None,
    inputs: Mapping[str, Any] | None = None,
    outputs: str | Sequence[str] | Mapping[str, str] | None = None,
    files: Any = None,
    concurrency: int = 8,
    *,
    store: str | os.PathLike[str] | None = None,
    budget: Any = None,
    timeout: float | None = None,
    progress: bool | None = None,
) -> MapRun:
    """See `AsyncDify.map`."""
    at_once = arguments.whole_number("concurrency", concurrency, 1, arguments.MOST_AT_ONCE)
    seconds = arguments.seconds("timeout", timeout)
    limit = None if budget is None else parse_budget(budget)
    if isinstance(over, list | tuple) and over and all(isinstance(row, str) for row in over):
        over = [{TEXT: row} for row in over]
        if query is None and inputs is None:
            query = f"{{{{ {TEXT} }}}}"
    over = as_it_is(over)
    rows = table(over)
    if over is None:
        raise InputError(t("sweep.map.no_table"), code="df")
    wanted = columns(outputs, rows.columns)
    if isinstance(query, Mapping):
        raise InputError(t("sweep.map.prompts"), code="query")
    design = Design(query=query, inputs=inputs, files=files, over=numbered(over))
    layout = read_used(design, rows)
    varied = next((name for name, values in layout.varied.items() if len(values) > 1), None)
    if varied is not None:
        said, hint = t("sweep.map.varies", name=one_line(varied, 80)), t("sweep.map.varies_hint")
        raise InputError(said, code="inputs", hint=hint)
    job = Job(dify, design, Store.open(store), user=None, concurrency=at_once, timeout=seconds)
    return MapRun(job, Request(budget=limit), as_pandas(over), wanted, progress)


def numbered(over: Any) -> Any:
    """The table, its rows called by their position: an index may name several rows alike."""
    return over.set_axis(range(len(over)), axis=0) if hasattr(over, "set_axis") else over


def as_pandas(over: Any) -> pd.DataFrame:
    """The table as a DataFrame of pandas; one that is one already as it is."""
    import pandas as pd

    if isinstance(over, pd.DataFrame):
        return over
    rows = table(over)
    columns = {name: rows.cells(name) for name in rows.columns}
    return pd.DataFrame({name: pd.Series(cells, dtype=_gapped(cells)) for name, cells in columns.items()})


def _gapped(cells: Sequence[Any]) -> Any:
    """The dtype of whole numbers and booleans of which some are missing: pandas would make floats and objects of them.
    None: what pandas says."""
    kinds = {type(cell) for cell in cells}
    return dtype_of(cells) if kinds in ({int, type(None)}, {bool, type(None)}) else None
