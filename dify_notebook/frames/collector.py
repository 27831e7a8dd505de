"""Fetches a history: lists each user's conversations and reads many of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ..app.modes import takes
from ..errors import DifyError, EndlessList
from ..i18n import t
from ..net.client import AsyncDify
from ..net.limiter import gather_bounded
from ..net.lists import message_pages
from ..net.pages import paging_warnings
from ..wire.calls import list_message_rows
from ..wire.models import Conversation, StoredMessage
from .facts import Facts, Failure, NotWritten
from .item_rows import Batch, annotation_rows, conversation_rows, feedback_rows, message_batches, variable_rows
from .progress import Progress
from .request import HistoryRequest, PreviousFetch
from .run_collector import RunCollector
from .tapes import Tapes
from .texts import as_microseconds
from .turn_rows import usage_values
from .usage import COLUMNS, with_known

PAGE = 100
"""Items of a page: the server's maximum."""
BUFFERED_PAGES = 20
"""Pages of one conversation that are held before they are written; only then is their order lost."""
SLACK = timedelta(hours=1)
"""Listing goes on so far before `since`: a conversation is stamped a little before its last message."""
_QUEUE_SIZE = 5_000


class Sink(Protocol):
    """Where a fetch writes its batches."""

    async def add(self, table: str, batch: Batch) -> None:
        """Add a batch to a table."""

    async def finish(self) -> None:
        """All is there."""


class Collector:
    """One fetch of a history: lists the conversations of each user, and reads many of them at once into the sink.

    Args:
        previous: what an earlier fetch has; None fetches everything.
    """

    def __init__(
        self, dify: AsyncDify, request: HistoryRequest, sink: Sink, previous: PreviousFetch | None = None
    ) -> None:
        self._dify = dify
        self._request = request
        self._sink = sink
        self._previous = previous
        self._queue: asyncio.Queue[tuple[str, Conversation] | None] = asyncio.Queue(_QUEUE_SIZE)
        self._variables: bool | None = None
        """Whether the app has conversation variables; None before that is known."""
        self._owners = {id: user for id, (_, _, user) in previous.conversations.items()} if previous else {}
        """Conversation -> user, of those that are there."""
        self._queued: set[str] = set()
        self._missing = set(request.conversations or ())
        self._rated: list[dict[str, Any]] = []
        self._ratings: Batch | None = None
        self.has_annotations = False
        """Whether the server listed its annotations."""
        self._notes: dict[str, None] = {}
        self._failures: list[Failure] = []
        self._unlisted: list[DifyError] = []
        self._tapes = Tapes()
        self._app: str | None = None
        self._mode: str | None = None
        self._cancelled = False
        self.started_at: datetime | None = None
        self.ended = False
        """Whether it has ended, well or not."""
        self._begun: set[str] = set()
        self._complete: set[str] = set()
        self.progress = Progress()

    @property
    def replaced(self) -> set[str]:
        """Conversations whose rows of an earlier fetch go: those that were read to their end, and those that are new.

        What was there and could not be read to its end stays as it was.
        """
        return self._complete | (self._begun - (self._previous.conversations.keys() if self._previous else set()))

    @property
    def has_ratings(self) -> bool:
        """Whether the server listed its ratings."""
        return self._ratings is not None

    async def run(self) -> None:
        """Fetch everything. Cancelled, it keeps what is there.

        Raises:
            DifyError: not one user's conversations could be listed.
        """
        self.started_at = datetime.now(UTC)
        problem: BaseException | None = None
        try:
            async with self._dify.at_most(self._request.concurrency):
                await self._prepare()
                async with asyncio.TaskGroup() as group:
                    for task in self._tasks():
                        group.create_task(task)
            await self._finish_ratings()
        except asyncio.CancelledError:
            self._cancelled = True
            await self._finish_ratings()
            raise
        except BaseExceptionGroup as several:
            problem = several
            while isinstance(problem, BaseExceptionGroup):
                problem = problem.exceptions[0]
        finally:
            self.ended = True
        if problem is not None:
            raise problem
        if self._unlisted and len(self._unlisted) >= len(self._request.users):
            raise self._unlisted[0]
        await self._sink.finish()

    def facts(self) -> Facts:
        """The facts of what has come so far."""
        request = self._request
        notes = dict(self._notes)
        lists = takes(self._mode).lists
        if lists == "runs":
            notes[t("frames.runs_of_everyone" if request.of_everyone else "frames.runs_of_users")] = None
        elif lists is None:
            notes[t("frames.completion_app")] = None
        elif request.conversations is None:
            if set(request.users.values()) == {"client"}:
                notes[t("frames.only_client", user=next(iter(request.users)))] = None
            else:
                notes[t("frames.only_users", count=len(request.users))] = None
        if self._cancelled:
            notes[t("frames.cancelled", count=self.progress.conversations)] = None
        return Facts(
            users=dict(request.users),
            server=self._dify.base_url,
            app=self._app,
            since=request.since,
            until=request.until,
            conversations=request.conversations,
            fetched_at=self.started_at,
            complete=self._is_complete(),
            notes=tuple(notes),
            failures=tuple(self._failures),
            details=request.details,
            app_mode=self._mode,
        )

    def _is_complete(self) -> bool:
        return not self._failures and not self._cancelled and self.progress.all_listed

    def note(self, sentence: str) -> None:
        """Something that whoever has the history should know."""
        self._notes[sentence] = None

    def unlisted(self, problem: DifyError) -> None:
        """Nothing of a user's, or of the app, could be listed: where nothing at all can, that is what is raised."""
        self._unlisted.append(problem)

    def fail(self, what: str, problem: DifyError, *, id: str | None = None, user: str | None = None) -> None:
        """Something could not be fetched; the rest goes on."""
        self._failures.append(Failure(what=what, id=id, user=user, error=str(problem)))
        self.progress.failures = len(self._failures)

    # -- the app ------------------------------------------------------------

    async def _prepare(self) -> None:
        try:
            info = self._dify.app_info or await self._dify.app.info()
        except DifyError:
            return  # what is really wrong, the next call says better
        self._app = info.name or None
        if info.mode:
            self._variables = takes(info.mode).variables
        try:
            self._mode = info.mode or await self._dify.app.mode()
        except DifyError:
            return  # likewise

    def _tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What is fetched side by side, by what the app is."""
        lists = takes(self._mode).lists
        if lists == "runs":
            return [RunCollector(self._dify, self._request, self._sink, self._previous, self).run()]
        if lists is None:  # its messages cannot be listed, its ratings can
            self.progress.all_listed = True
            return [self._fetch_app()]
        return [self._list_all(), self._fetch_app(), *(self._worker() for _ in range(self._request.concurrency))]

    async def _fetch_app(self) -> None:
        """Ratings and annotations, which belong to no user."""
        ratings = await self._app_list("feedbacks", self._dify.app.feedbacks().to_list())
        if ratings is not None:
            self._ratings = feedback_rows(ratings)
        annotations = await self._app_list("annotations", self._dify.annotations.list().to_list())
        self.has_annotations = annotations is not None
        if annotations:
            await self._sink.add("annotations", annotation_rows(annotations))

    async def _app_list(self, what: str, fetch: Awaitable[list[Any]]) -> list[Any] | None:
        try:
            return await fetch
        except EndlessList as problem:
            self.fail(what, problem)
            return list(problem.items)
        except DifyError as problem:
            if problem.status in (404, 405) or problem.code == "not_json":  # an older Dify
                self._notes[t(f"frames.no_{what}")] = None
            else:
                self.fail(what, problem)
            return None

    # -- conversations ---------------------------------------------------------------------

    async def _list_all(self) -> None:
        await gather_bounded(self._list, self._request.users, concurrency=self._request.concurrency)
        for id in sorted(self._missing):
            reason = t("frames.no_conversation", id=id)
            self._failures.append(Failure(what="conversation", id=id, user=None, error=reason))
        self.progress.failures = len(self._failures)
        self.progress.all_listed = True
        for _ in range(self._request.concurrency):
            await self._queue.put(None)

    async def _list(self, user: str) -> None:
        with paging_warnings() as warnings:
            await self._list_of(user)
        for warning in warnings:
            self._notes[f"{user}: {warning}"] = None

    async def _list_of(self, user: str) -> None:
        previous, since, only = self._previous, self._request.since, self._request.conversations
        any_page, oldest = False, previous.oldest_paused(user) if previous else None
        try:
            async with aclosing(self._dify.conversations.list(user=user, page_size=PAGE).pages()) as pages:
                async for page in pages:
                    any_page, changed = True, 0
                    for conversation in page:
                        if since and conversation.updated_at and conversation.updated_at < since - SLACK:
                            return
                        self._missing.discard(conversation.id)
                        if previous and previous.is_unchanged(conversation):
                            continue
                        changed += 1
                        if conversation.id in self._queued or not self._is_wanted(conversation):
                            continue
                        self._queued.add(conversation.id)
                        self._owners[conversation.id] = user
                        self.progress.listed += 1
                        await self._queue.put((user, conversation))
                    if only is not None and not self._missing:
                        return
                    if previous and previous.facts.complete and page and not changed and _is_before(page[-1], oldest):
                        return  # sorted by the last use: behind what did not change nothing did
        except DifyError as problem:
            if not any_page:
                self._unlisted.append(problem)
            self.fail("conversations", problem, user=user)

    def _is_wanted(self, conversation: Conversation) -> bool:
        only, until = self._request.conversations, self._request.until
        if only is not None and conversation.id not in only:
            return False
        return not (until and conversation.created_at and conversation.created_at >= until)

    async def _worker(self) -> None:
        while (item := await self._queue.get()) is not None:
            await self._conversation(*item)

    async def _conversation(self, user: str, conversation: Conversation) -> None:
        self._begun.add(conversation.id)
        buffered: list[list[StoredMessage]] = []
        count = 0
        with paging_warnings() as warnings:
            try:
                listed = message_pages(self._dify, conversation.id, user=user, page_size=PAGE, call=list_message_rows)
                async with aclosing(listed.pages()) as log:
                    async for page in log:
                        messages, is_last = self._select(page)
                        buffered.append(messages)
                        count += len(messages)
                        if len(buffered) >= BUFFERED_PAGES:
                            await self._messages(user, conversation.id, buffered)
                            buffered = []
                        if is_last:
                            break
                if self._variables is not False:
                    await self._variables_of(user, conversation.id)
                complete = True
            except NotWritten:
                raise  # no fault of this conversation
            except DifyError as problem:
                self.fail("conversation", problem, id=conversation.id, user=user)
                complete = False
            if any(buffered):
                await self._messages(user, conversation.id, buffered)
        for warning in warnings:
            self._notes[f"{conversation.id}: {warning}"] = None
        since, until = self._request.since, self._request.until
        if count or not (since or until) or self._request.spans(conversation.created_at):
            await self._sink.add("conversations", conversation_rows([conversation], user=user))
        if complete:
            self._complete.add(conversation.id)
        self.progress.conversations += 1

    def _select(self, page: list[StoredMessage]) -> tuple[list[StoredMessage], bool]:
        """The messages between since and until, and whether the rest of the conversation is older."""
        since, until = self._request.since, self._request.until
        if not since and not until:
            return page, False
        last = page[-1].created_at if page else None
        return [item for item in page if self._request.spans(item.created_at)], bool(since and last and last < since)

    async def _messages(self, user: str, id: str, pages: list[list[StoredMessage]]) -> None:
        """Write pages to the sink, oldest message first."""
        items = [item for page in reversed(pages) for item in reversed(page)]
        for table, batch in message_batches(items, user=user).items():
            batch["conversation_id"] = [id] * len(batch["message_id"])
            if table == "messages":
                await self._add_usage(batch)
                self._keep_ratings(batch)
                self.progress.messages += len(items)
            await self._sink.add(table, batch)

    async def _variables_of(self, user: str, id: str) -> None:
        try:
            variables = await self._dify.conversations.variables(id, user=user).to_list()
        except EndlessList as problem:
            await self._sink.add("variables", variable_rows(list(problem.items), conversation_id=id, user=user))
            raise
        except DifyError as problem:
            if self._variables is not True and problem.status == 404 and problem.code == "not_json":
                self._variables = False  # Dify 0.15 has no such route; others may have asked meanwhile
                return
            raise
        if variables:
            await self._sink.add("variables", variable_rows(variables, conversation_id=id, user=user))

    # -- usage and ratings ------------------------------------------------------------

    async def _add_usage(self, batch: Batch) -> None:
        """What the server does not tell of tokens, prices and latency, from the tapes on this machine."""
        rows = [row for row, id in enumerate(batch["message_id"]) if id in self._tapes]
        if not rows:
            return
        for row in rows:
            usage = await asyncio.to_thread(self._tapes.usage, batch["message_id"][row])
            if usage is None:
                continue
            reported = {name: batch[name][row] for name in COLUMNS if name in batch}
            known = with_known(reported, {**usage_values(usage), "usage_from": "run"})
            for name in COLUMNS:
                batch.setdefault(name, [None] * len(batch["message_id"]))[row] = known[name]

    def _keep_ratings(self, batch: Batch) -> None:
        for row, rating in enumerate(batch.get("rating", ())):
            if rating:
                self._rated.append({name: batch[name][row] for name in _RATED})

    async def _finish_ratings(self) -> None:
        """The app's ratings of these conversations; of those that it does not list, what the messages say."""
        listing = self._ratings or feedback_rows([])
        every = takes(self._mode).lists is None  # whose conversations are the server's own
        rows = [row for row, id in enumerate(listing["conversation_id"]) if every or id in self._owners]
        skipped = len(listing["message_id"]) - len(rows)
        if skipped:
            self._notes[t("frames.other_ratings", count=skipped)] = None
        batch: Batch = {name: [values[row] for row in rows] for name, values in listing.items()}
        batch["user"] = [
            self._owners.get(id) or None if source == "user" else None
            for id, source in zip(batch["conversation_id"], batch["from_source"], strict=True)
        ]
        listed_ids = set(batch["message_id"])
        unlisted = [rated for rated in self._rated if rated["message_id"] not in listed_ids]
        for name, values in batch.items():
            values += [rated.get(name, "user" if name == "from_source" else None) for rated in unlisted]
        if batch["message_id"]:
            await self._sink.add("feedbacks", batch)


def _is_before(conversation: Conversation, time: int | None) -> bool:
    """Whether it was last used before that time, in microseconds; or there is none."""
    return time is None or (as_microseconds(conversation.updated_at) or 0) < time


_RATED = ("message_id", "conversation_id", "user", "rating")
