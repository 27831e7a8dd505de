"""`dify.history()`, `dify.update()` and `dify.find_users()`, awaited and plain."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DifyError, EndlessList, InputError
from ..i18n import t
from ..net.client import AsyncDify
from ..net.limiter import gather_bounded
from ..net.portal import portal
from ..net.thread import CLEANUP_SECONDS, wait
from ..paths import expand
from ..printable import MESSAGE, TEXT, one_line, shown
from .collector import Collector
from .dataframes import to_list
from .history import History
from .memory import MemorySink, merge_fetches
from .progress_bar import SECONDS, ProgressBar
from .request import HistoryRequest, KnownRuns, PreviousFetch, history_request
from .tapes import users_of_runs
from .texts import as_microseconds

if TYPE_CHECKING:
    from .parquet import Writer


class Collecting:
    """A fetch of a history: `await` it for a `History`. Whatever happens, `.history` is what has come so far.

    Args:
        so_far: makes the history of what has come.
        writer: what writes it into a directory, if it is; closed at the end.
    """

    def __init__(
        self,
        collector: Collector,
        so_far: Callable[[], History],
        progress: bool | None,
        writer: Writer | None = None,
    ) -> None:
        self._collector = collector
        self._so_far = so_far
        self._shown = progress
        self._writer = writer

    def __repr__(self) -> str:
        done = self._collector.progress
        if done.runs:
            return f"<Collecting {done.runs:,} runs>"
        return f"<Collecting {done.conversations:,} conversations, {done.messages:,} messages>"

    @property
    def history(self) -> History:
        """What has come so far as a `History`; after an interruption too."""
        return self._so_far()

    def __await__(self) -> Generator[Any, None, History]:
        return self._run().__await__()

    async def _run(self) -> History:
        meter = ProgressBar(self._collector.progress, self._shown)

        async def tell() -> None:
            while True:
                await asyncio.sleep(SECONDS)
                meter.show()

        reporter = asyncio.create_task(tell())
        try:
            await self._collector.run()
        except asyncio.CancelledError:
            if self._writer is not None:
                self._so_far()  # what came is written now: who awaited this may have no name for it
            raise
        except BaseException as problem:
            self._failed(problem)
            raise
        finally:
            reporter.cancel()
            meter.end()
        return self._so_far()

    def _failed(self, problem: BaseException) -> None:
        if self._writer is not None:
            self._writer.abort(problem)

    def now(self) -> History:
        """Fetch on the portal's thread and wait. An Interrupt ends it, and what has come is given back."""
        meter = ProgressBar(self._collector.progress, self._shown)
        over = threading.Event()

        async def run() -> None:
            try:
                await self._collector.run()
            finally:
                over.set()

        future = portal().submit(run())
        try:
            while True:
                try:
                    wait(future, SECONDS)
                    break
                except TimeoutError:
                    if future.done():  # its own
                        raise
                    meter.show()  # from this thread: it is this cell's output
        except KeyboardInterrupt:
            future.cancel()
            over.wait(CLEANUP_SECONDS)
        except BaseException as problem:
            self._failed(problem)
            raise
        finally:
            meter.end()
        return self._so_far()


def history(
    dify: AsyncDify,
    users: Mapping[str, str] | Sequence[str] | str | None = None,
    conversations: Sequence[str] | str | None = None,
    since: Any = None,
    until: Any = None,
    concurrency: int = 8,
    *,
    details: bool = False,
    to: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> Collecting:
    """See `AsyncDify.history`."""
    request = history_request(dify, users, conversations, since, until, concurrency, details)
    if to is None:
        return _in_memory(dify, request, None, progress)
    from .parquet import Writer

    writer = Writer(expand(to, argument="to"))
    collector = Collector(dify, request, writer)
    writer.begin(collector.facts())
    return _to_directory(writer, collector, writer.flush, progress)


def update(
    dify: AsyncDify,
    history: History | str | os.PathLike[str],
    concurrency: int = 8,
    *,
    progress: bool | None = None,
) -> Collecting:
    """See `AsyncDify.update`."""
    before = history if isinstance(history, History) else History.read(history)
    facts = before.facts
    if facts.server is not None and facts.server != dify.base_url:
        raise InputError(t("frames.other_server", server=facts.server, mine=dify.base_url), code="history")
    request = history_request(
        dify, facts.users, facts.conversations, facts.since, facts.until, concurrency, facts.details
    )
    if before.directory is None:
        return _in_memory(dify, request, before, progress)
    from .parquet import Writer

    writer = Writer(before.directory)
    writer.begin_update()
    try:
        kept = writer.directory
        previous = previous_fetch(kept.table("conversations"), before, kept.paused(), kept.run_statuses())
    except BaseException:
        writer.close()
        raise
    collector = Collector(dify, request, writer, previous)

    def apply_update() -> None:
        writer.apply_update(
            collector.replaced, has_ratings=collector.has_ratings, has_annotations=collector.has_annotations
        )

    return _to_directory(writer, collector, apply_update, progress)


def _to_directory(
    writer: Writer, collector: Collector, finish: Callable[[], None], progress: bool | None
) -> Collecting:
    """A fetch that is written; `finish` is called once, when all has come that will."""
    ended: list[None] = []

    def so_far() -> History:
        if collector.ended and not ended:
            ended.append(None)
            try:
                finish()
                writer.write_facts(collector.facts())
            finally:
                writer.close()
        return History.read(writer.path)

    return Collecting(collector, so_far, progress, writer)


def _in_memory(dify: AsyncDify, request: HistoryRequest, before: History | None, progress: bool | None) -> Collecting:
    sink = MemorySink()
    previous = None
    if before is not None:
        runs = known_runs(before.workflow_runs)
        previous = previous_fetch(before.conversations, before, paused_in(before.messages), runs)
    collector = Collector(dify, request, sink, previous)

    def so_far() -> History:
        tables = sink.tables()
        if before is not None:
            tables = merge_fetches(
                before.tables,
                tables,
                collector.replaced,
                has_ratings=collector.has_ratings,
                has_annotations=collector.has_annotations,
            )
        return History(tables, collector.facts())

    return Collecting(collector, so_far, progress)


def known_runs(runs: Any) -> KnownRuns:
    """The runs of a workflow app in that table: id -> when it began (microseconds), its status."""
    columns = (to_list(runs[name]) for name in ("workflow_run_id", "created_at", "status"))
    return {id: (began, status) for id, began, status in zip(*columns, strict=True)}


def paused_in(messages: Any) -> frozenset[str]:
    """The conversations in which a message is paused."""
    return frozenset(messages["conversation_id"][(messages["status"] == "paused").to_numpy("bool")].dropna())


def previous_fetch(conversations: Any, before: History, paused: frozenset[str], runs: KnownRuns) -> PreviousFetch:
    """What need not be fetched again. A conversation that is there twice was being written: it is left out.

    Args:
        paused: conversations in which a message is paused.
        runs: those of a workflow app.
    """
    unique = conversations[~conversations["conversation_id"].duplicated(keep=False)]
    return PreviousFetch(
        {
            id: (None if time is None else as_microseconds(time), name, user)
            for id, time, name, user in zip(
                unique["conversation_id"],
                unique["updated_at"].astype(object).where(unique["updated_at"].notna(), None),
                unique["name"],
                unique["user"].astype(object).where(unique["user"].notna(), ""),
                strict=True,
            )
        },
        before.facts,
        frozenset(failure.id for failure in before.facts.failures),
        paused,
        runs,
    )


class Users(dict[str, str]):
    """User -> where it was found: client, runs or feedbacks. `.notes`, sentences, say who cannot be found."""

    def __init__(self, users: Mapping[str, str], notes: Sequence[str]) -> None:
        super().__init__(users)
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        notes = (one_line(note, MESSAGE) for note in self.notes)
        return "\n".join([shown(f"Users({dict(self)!r})", TEXT), *notes])


async def find_users(dify: AsyncDify) -> Users:
    """See `AsyncDify.find_users`."""
    users = {dify.user: "client"}
    for name in users_of_runs(dify.base_url):
        users.setdefault(name, "runs")
    notes = [t("frames.users_found_by")]
    unnamed: list[DifyError] = []

    async def name_of(id: str) -> str | None:
        try:
            user = await dify.end_users.get(id)
        except DifyError as problem:
            unnamed.append(problem)
            return None
        return user.session_id

    try:
        ratings = await dify.app.feedbacks().to_list()
    except DifyError as problem:
        notes.append(t("frames.no_feedbacks") if problem.status == 404 else str(problem))
        ratings = list(problem.items) if isinstance(problem, EndlessList) else []
    ids = list(dict.fromkeys(item.from_end_user_id for item in ratings if item.from_end_user_id))
    first = [await name_of(ids[0])] if ids else []
    # A server without the route says so once.
    rest = [] if unnamed and unnamed[0].status == 404 else await gather_bounded(name_of, ids[1:])
    named = [name for name in [*first, *rest] if name]
    for name in named:
        users.setdefault(name, "feedbacks")
    unnamed_count = len(ids) - len(named)
    if unnamed_count:
        notes.append(t("frames.unnamed_users", count=unnamed_count))
    return Users(users, notes)
