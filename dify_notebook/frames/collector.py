"""Fetches a history: lists each user's conversations and reads many of them at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ..errors import DifyError, EndlessList
from ..i18n import t
from ..net.client import AsyncDify
from ..net.limiter import gather_bounded
from ..net.lists import message_pages
from ..net.pages import paging_warnings
from ..wire.calls import list_message_rows
from ..wire.kinds import CHATFLOW
from ..wire.models import Conversation, StoredMessage
from .facts import Facts, Failure, NotWritten
from .item_rows import Batch, annotation_rows, conversation_rows, feedback_rows, message_batches, variable_rows
from .request import HistoryRequest, PreviousFetch
from .tapes import Tapes
from .turn_rows import usage_values

#: Items of a page: the most that the server gives.
PAGE = 100
#: Pages of one conversation that are held before they are handed on; only then is their order lost.
BUFFERED_PAGES = 20
#: Listing goes on so far behind `since`: a conversation is stamped a little before its last message.
SLACK = timedelta(hours=1)
_QUEUE_SIZE = 5_000


class Sink(Protocol):
    """Where blocks go."""

    async def add(self, table: str, block: Batch) -> None:
        """Take a block."""

    async def finish(self, facts: Facts) -> None:
        """All is there."""


class Progress:
    """How far it is."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.listed = 0
        """Conversations to read, so far."""
        self.all_listed = False
        self.conversations = 0
        """Conversations read."""
        self.messages = 0
        self.failures = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.begun


class Collector:
    """One fetch of a history.

    Args:
        known: what an earlier fetch has; None fetches everything.
    """

    def __init__(self, dify: AsyncDify, asked: HistoryRequest, sink: Sink, known: PreviousFetch | None = None) -> None:
        self._dify = dify
        self._asked = asked
        self._sink = sink
        self._known = known
        self._queue: asyncio.Queue[tuple[str, Conversation] | None] = asyncio.Queue(_QUEUE_SIZE)
        self._variables: bool | None = None
        """Whether the app has conversation variables; None before that is known."""
        self._owners = {id: user for id, (_, _, user) in known.conversations.items()} if known else {}
        """Conversation -> user, of those that are there."""
        self._queued: set[str] = set()
        self._missing = set(asked.conversations or ())
        self._rated: list[dict[str, Any]] = []
        self._ratings: Batch | None = None
        self.has_annotations = False
        """Whether the server listed its annotations."""
        self._notes: dict[str, None] = {}
        self._failures: list[Failure] = []
        self._unlisted: list[DifyError] = []
        self._tapes = Tapes()
        self._app: str | None = None
        self._cancelled = False
        self.begun_at: datetime | None = None
        self.over = False
        """Whether it has ended, well or not."""
        self._touched: set[str] = set()
        self._whole_ones: set[str] = set()
        self.progress = Progress()

    @property
    def replaced(self) -> set[str]:
        """Conversations whose rows of an earlier fetch go: those that are whole now, and those that were not there.

        What was there and could not be read to its end stays as it was.
        """
        return self._whole_ones | (self._touched - (self._known.conversations.keys() if self._known else set()))

    @property
    def has_ratings(self) -> bool:
        """Whether the server listed its ratings."""
        return self._ratings is not None

    async def run(self) -> None:
        """Fetch everything. Cancelled, it keeps what is there.

        Raises:
            DifyError: not one user's conversations could be listed.
        """
        self.begun_at = datetime.now(UTC)
        problem: BaseException | None = None
        try:
            async with self._dify.at_most(self._asked.concurrency):
                await self._prepare()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._list_all())
                    group.create_task(self._of_the_app())
                    for _ in range(self._asked.concurrency):
                        group.create_task(self._work())
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
            self.over = True
        if problem is not None:
            raise problem
        if len(self._unlisted) == len(self._asked.users):
            raise self._unlisted[0]
        await self._sink.finish(self.facts())

    def facts(self) -> Facts:
        """What has come so far is of this."""
        asked = self._asked
        notes = dict(self._notes)
        if asked.conversations is None:
            if set(asked.users.values()) == {"client"}:
                notes[t("frames.only_client", user=next(iter(asked.users)))] = None
            else:
                notes[t("frames.only_users", count=len(asked.users))] = None
        if self._cancelled:
            notes[t("frames.cancelled", count=self.progress.conversations)] = None
        return Facts(
            users=dict(asked.users),
            server=self._dify.base_url,
            app=self._app,
            since=asked.since,
            until=asked.until,
            conversations=asked.conversations,
            fetched_at=self.begun_at,
            complete=self._whole(),
            notes=tuple(notes),
            failures=tuple(self._failures),
        )

    def _whole(self) -> bool:
        return not self._failures and not self._cancelled and self.progress.all_listed

    def _fail(self, what: str, problem: DifyError, *, id: str | None = None, user: str | None = None) -> None:
        self._failures.append(Failure(what=what, id=id, user=user, error=str(problem)))
        self.progress.failures = len(self._failures)

    # -- what it is all about ------------------------------------------------------------

    async def _prepare(self) -> None:
        try:
            info = self._dify.app_info or await self._dify.app.info()
        except DifyError:
            return  # what is really wrong, the next call says better
        self._app = info.name or None
        if info.mode:
            self._variables = info.mode == CHATFLOW

    async def _of_the_app(self) -> None:
        """Ratings and annotations, which belong to no user."""
        ratings = await self._list_of_app("feedbacks", self._dify.app.feedbacks().to_list())
        if ratings is not None:
            self._ratings = feedback_rows(ratings)
        annotations = await self._list_of_app("annotations", self._dify.annotations.list().to_list())
        self.has_annotations = annotations is not None
        if annotations:
            await self._sink.add("annotations", annotation_rows(annotations))

    async def _list_of_app(self, what: str, fetch: Awaitable[list[Any]]) -> list[Any] | None:
        try:
            return await fetch
        except EndlessList as problem:
            self._fail(what, problem)
            return list(problem.items)
        except DifyError as problem:
            if problem.status in (404, 405) or problem.code == "not_json":  # an older Dify
                self._notes[t(f"frames.no_{what}")] = None
            else:
                self._fail(what, problem)
            return None

    # -- conversations ---------------------------------------------------------------------

    async def _list_all(self) -> None:
        await gather_bounded(self._list, self._asked.users, concurrency=self._asked.concurrency)
        for id in sorted(self._missing):
            told = t("frames.no_conversation", id=id)
            self._failures.append(Failure(what="conversation", id=id, user=None, error=told))
        self.progress.failures = len(self._failures)
        self.progress.all_listed = True
        for _ in range(self._asked.concurrency):
            await self._queue.put(None)

    async def _list(self, user: str) -> None:
        with paging_warnings() as told:
            await self._list_of(user)
        for warning in told:
            self._notes[f"{user}: {warning}"] = None

    async def _list_of(self, user: str) -> None:
        known, since, only = self._known, self._asked.since, self._asked.conversations
        came = False
        try:
            async with aclosing(self._dify.conversations.list(user=user, page_size=PAGE).pages()) as pages:
                async for page in pages:
                    came, news = True, 0
                    for found in page:
                        if since and found.updated_at and found.updated_at < since - SLACK:
                            return
                        self._missing.discard(found.id)
                        if known and known.unchanged(found):
                            continue
                        news += 1
                        if found.id in self._queued or not self._is_wanted(found):
                            continue
                        self._queued.add(found.id)
                        self._owners[found.id] = user
                        self.progress.listed += 1
                        await self._queue.put((user, found))
                    if only is not None and not self._missing:
                        return
                    if known and known.facts.complete and page and not news:
                        return  # sorted by the last use: behind what did not change nothing did
        except DifyError as problem:
            if not came:
                self._unlisted.append(problem)
            self._fail("conversations", problem, user=user)

    def _is_wanted(self, found: Conversation) -> bool:
        only, until = self._asked.conversations, self._asked.until
        if only is not None and found.id not in only:
            return False
        return not (until and found.created_at and found.created_at >= until)

    async def _work(self) -> None:
        while (item := await self._queue.get()) is not None:
            await self._conversation(*item)

    async def _conversation(self, user: str, found: Conversation) -> None:
        self._touched.add(found.id)
        held: list[list[StoredMessage]] = []
        count = pages = 0
        with paging_warnings() as told:
            try:
                listed = message_pages(self._dify, found.id, user=user, page_size=PAGE, call=list_message_rows)
                async with aclosing(listed.pages()) as log:
                    async for page in log:
                        kept, ended = self._within(page)
                        held.append(kept)
                        count += len(kept)
                        pages += 1
                        if len(held) >= BUFFERED_PAGES:
                            await self._messages(user, found.id, held)
                            held = []
                        if ended:
                            break
                if self._variables is not False:
                    await self._variables_of(user, found.id)
                whole = True
            except NotWritten:
                raise  # no fault of this conversation
            except DifyError as problem:
                self._fail("conversation", problem, id=found.id, user=user)
                whole = False
            if any(held):
                await self._messages(user, found.id, held)
        for warning in told:
            self._notes[f"{found.id}: {warning}"] = None
        since, until = self._asked.since, self._asked.until
        if count or not (since or until) or self._inside(found.created_at):
            await self._sink.add("conversations", conversation_rows([found], user=user))
        if whole:
            self._whole_ones.add(found.id)
        self.progress.conversations += 1

    def _inside(self, time: datetime | None) -> bool:
        since, until = self._asked.since, self._asked.until
        return time is None or not ((since and time < since) or (until and time >= until))

    def _within(self, page: list[StoredMessage]) -> tuple[list[StoredMessage], bool]:
        """Those of the time that was asked for, and whether the rest of the conversation is older."""
        since, until = self._asked.since, self._asked.until
        if not since and not until:
            return page, False
        last = page[-1].created_at if page else None
        return [item for item in page if self._inside(item.created_at)], bool(since and last and last < since)

    async def _messages(self, user: str, id: str, held: list[list[StoredMessage]]) -> None:
        """Hand pages on, oldest first."""
        items = [item for page in reversed(held) for item in reversed(page)]
        for table, block in message_batches(items, user=user).items():
            block["conversation_id"] = [id] * len(block["message_id"])
            if table == "messages":
                await self._add_usage(block)
                self._keep_ratings(block)
                self.progress.messages += len(items)
            await self._sink.add(table, block)

    async def _variables_of(self, user: str, id: str) -> None:
        try:
            found = await self._dify.conversations.variables(id, user=user).to_list()
        except EndlessList as problem:
            await self._sink.add("variables", variable_rows(list(problem.items), conversation_id=id, user=user))
            raise
        except DifyError as problem:
            if self._variables is not True and problem.status == 404 and problem.code == "not_json":
                self._variables = False  # Dify 0.15 has no such route; others may have asked meanwhile
                return
            raise
        if found:
            await self._sink.add("variables", variable_rows(found, conversation_id=id, user=user))

    # -- what other places know ------------------------------------------------------------

    async def _add_usage(self, block: Batch) -> None:
        """Tokens, prices and latency of what was asked on this machine."""
        here = [place for place, id in enumerate(block["message_id"]) if id in self._tapes]
        if not here:
            return
        for place in here:
            usage = await asyncio.to_thread(self._tapes.usage, block["message_id"][place])
            if usage is None:
                continue
            for name, value in {**usage_values(usage), "usage_from": "run"}.items():
                block.setdefault(name, [None] * len(block["message_id"]))[place] = value

    def _keep_ratings(self, block: Batch) -> None:
        for place, rating in enumerate(block.get("rating", ())):
            if rating:
                self._rated.append({name: block[name][place] for name in _RATED})

    async def _finish_ratings(self) -> None:
        """The app's ratings of these conversations; of those that it does not list, what the messages say."""
        told = self._ratings or feedback_rows([])
        mine = [place for place, id in enumerate(told["conversation_id"]) if id in self._owners]
        others = len(told["message_id"]) - len(mine)
        if others:
            self._notes[t("frames.other_ratings", count=others)] = None
        block: Batch = {name: [values[place] for place in mine] for name, values in told.items()}
        block["user"] = [
            self._owners[id] or None if source == "user" else None
            for id, source in zip(block["conversation_id"], block["from_source"], strict=True)
        ]
        listed = set(block["message_id"])
        rest = [row for row in self._rated if row["message_id"] not in listed]
        for name, values in block.items():
            values += [row.get(name, "user" if name == "from_source" else None) for row in rest]
        if block["message_id"]:
            await self._sink.add("feedbacks", block)


_RATED = ("message_id", "conversation_id", "user", "rating")
