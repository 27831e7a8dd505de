"""Fetches the runs of a workflow app: its log page by page, and of each run what is asked for."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from ..errors import DifyError, NotFoundError
from ..i18n import t
from ..net.client import AsyncDify
from ..net.limiter import gather_bounded
from ..wire import models
from .facts import NotWritten
from .item_rows import Batch
from .progress import Progress
from .request import MARGIN, HistoryRequest, PreviousFetch
from .run_rows import detail_rows, run_rows, run_user

if TYPE_CHECKING:
    from .collector import Sink

PAGE = 100
"""Lines of a page: the server's maximum."""
SLACK = timedelta(hours=1)
"""A run may be logged so long after it began (Dify 0.15 logs it at its end)."""


class Fetch(Protocol):
    """The fetch that this is a part of; see `Collector`."""

    progress: Progress

    def note(self, sentence: str) -> None: ...

    def fail(self, what: str, problem: DifyError, *, id: str | None = None, user: str | None = None) -> None: ...

    def unlisted(self, problem: DifyError) -> None: ...


class RunCollector:
    """Lists the runs of a workflow app into a sink, the newest first; with details each is asked for by itself."""

    def __init__(
        self, dify: AsyncDify, request: HistoryRequest, sink: Sink, previous: PreviousFetch | None, fetch: Fetch
    ) -> None:
        self._dify = dify
        self._request = request
        self._sink = sink
        self._previous = previous
        self._fetch = fetch
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Fetch them. What fails is told to the fetch."""
        users: list[str | None] = [None] if self._request.of_everyone else [*self._request.users]
        for user in users:
            if not await self._list(user):
                break  # Dify 0.15 gave those of all users
        self._fetch.progress.all_listed = True
        if self._previous is not None:
            await self._reread([id for id in self._previous.unfinished if id not in self._seen])

    async def _list(self, user: str | None) -> bool:
        """Read the log of one user, or of all. Returns: whether the server told those of that user alone."""
        filtered, any_page = True, False
        since, until = self._request.since, self._request.until
        knows = not self._dify._cache.app.old  # Dify 0.15 has no such filters; what it gives is chosen from here
        pages = self._dify.workflows.logs(
            # The log is a little later than the run that it tells of.
            created_at__after=_iso(since - timedelta(seconds=1)) if since and knows else None,
            created_at__before=_iso(until + SLACK) if until and knows else None,
            created_by_end_user_session_id=user if knows else None,
            page_size=PAGE,
        )
        try:
            async with aclosing(pages.pages()) as listed:
                async for page in listed:
                    any_page = True
                    filtered = filtered and all(run_user(log) == user for log in page)
                    fresh = [log for log in page if self._is_wanted(log)]
                    await self._add(fresh)
                    if self._is_last(page, fresh):
                        break
        except NotWritten:
            raise  # no fault of the list
        except DifyError as problem:
            if not any_page:
                self._fetch.unlisted(problem)
            self._fetch.fail("runs", problem, user=user)
        return filtered

    def _is_wanted(self, log: models.WorkflowLog) -> bool:
        run, request = log.workflow_run, self._request
        if run is None or not run.id or run.id in self._seen:
            return False
        if not request.of_everyone and run_user(log) not in request.users:
            return False
        if not request.spans(run.created_at or log.created_at):
            return False
        known = self._previous.runs.get(run.id) if self._previous is not None else None
        return known is None or known[1] != run.status or run.id in self._previous.failed  # type: ignore[union-attr]

    def _is_last(self, page: list[models.WorkflowLog], fresh: list[models.WorkflowLog]) -> bool:
        """Whether what comes behind that page is older than what is wanted, or known."""
        last = page[-1].created_at if page else None
        if last is None:
            return False
        if self._request.since is not None and last < self._request.since:
            return True
        facts = self._previous.facts if self._previous is not None else None
        if facts is None or fresh or not facts.complete or facts.fetched_at is None:
            return False
        return last < facts.fetched_at - MARGIN

    async def _add(self, logs: list[models.WorkflowLog]) -> None:
        ids = [log.workflow_run.id for log in logs if log.workflow_run is not None and log.workflow_run.id]
        self._seen.update(ids)
        self._fetch.progress.listed += len(ids)
        step = self._at_once if self._request.details else PAGE
        for start in range(0, len(logs), step):
            some = logs[start : start + step]
            details = await self._details(ids[start : start + step]) if self._request.details else {}
            await self._write(run_rows(some, details))

    @property
    def _at_once(self) -> int:
        """Runs whose inputs and outputs are held before they are written."""
        return self._request.concurrency

    async def _details(self, ids: list[str]) -> dict[str, models.WorkflowRun]:
        """What the server tells of each of these runs; one that is gone meanwhile is a note."""
        found = await gather_bounded(self._one, ids, concurrency=self._request.concurrency)
        return {run.id: run for run in found if run is not None and run.id}

    async def _one(self, id: str) -> models.WorkflowRun | None:
        try:
            return await self._dify.workflows.get(id)
        except NotFoundError:
            self._fetch.note(t("frames.run_gone", id=id))
        except DifyError as problem:
            self._fetch.fail("run", problem, id=id)
        return None

    async def _reread(self, ids: list[str]) -> None:
        """Runs that were not over when they were fetched: one by one, since the log has them far behind."""
        for start in range(0, len(ids), self._at_once):
            runs = await self._details(ids[start : start + self._at_once])
            await self._write(detail_rows(list(runs.values()), details=self._request.details))

    async def _write(self, batch: Batch) -> None:
        if batch:
            await self._sink.add("workflow_runs", batch)
            self._fetch.progress.runs += len(batch["workflow_run_id"])


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
