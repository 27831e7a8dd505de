"""What a fetch of a history asks for, and what an earlier one has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ..config import check_user
from ..errors import InputError
from ..i18n import t
from ..net.client import AsyncDify
from ..net.limiter import MAX_FETCHING, check_connections
from ..wire.models import Conversation
from .facts import Facts
from .texts import as_microseconds
from .times import time_range

MARGIN = timedelta(minutes=10)
"""How far the clocks of this machine and the server may differ, and how long an answer may take to be stored:
what was used so shortly before a fetch is fetched again by the next."""
KnownRuns = dict[str, tuple[int | None, str | None]]
"""Run id -> when it began (microseconds), its status."""
RUNNING = timedelta(days=1)
"""How long a run of a workflow app is taken to be running."""


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch; `users` by how each was found, as in `Facts`."""

    users: dict[str, str]
    conversations: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    concurrency: int = 8
    details: bool = False
    """Whether inputs and outputs of a workflow app's runs are asked for."""

    def spans(self, time: datetime | None) -> bool:
        """Whether that time lies from `since` on and before `until`; one that is not known does."""
        return time is None or not ((self.since and time < self.since) or (self.until and time >= self.until))

    @property
    def of_everyone(self) -> bool:
        """Whether runs of all users are wanted: those who were not given by name were found, not chosen."""
        return "given" not in self.users.values()


def history_request(
    dify: AsyncDify,
    users: Mapping[str, str] | Sequence[str] | str | None,
    conversations: Sequence[str] | str | None,
    since: Any,
    until: Any,
    concurrency: int,
    details: bool = False,
) -> HistoryRequest:
    """The validated arguments of `dify.history()`.

    Raises:
        InputError: one of them cannot be meant.
    """
    if users is None:
        named = {dify.user: "client"}
    elif isinstance(users, Mapping):
        named = {check_user(name): origin for name, origin in users.items()}
    else:
        named = {check_user(name): "given" for name in ([users] if isinstance(users, str) else users)}
    if not named:
        raise InputError(t("frames.no_users"), code="users")
    if isinstance(conversations, str):
        conversations = [conversations]
    begin, end = time_range(since, until)
    return HistoryRequest(
        users=named,
        conversations=None if conversations is None else tuple(dict.fromkeys(conversations)),
        since=begin and begin.replace(microsecond=0),  # the server tells whole seconds
        until=end,
        concurrency=check_connections(concurrency, MAX_FETCHING),
        details=details,
    )


class PreviousFetch(msgspec.Struct):
    """What an earlier fetch has: nothing of it is fetched again unless it changed."""

    conversations: dict[str, tuple[int | None, str, str]]
    """Id -> when it was last used (microseconds), its name, its user."""
    facts: Facts
    failed: frozenset[str | None] = frozenset()
    """Conversations that could not be read to their end."""
    paused: frozenset[str] = frozenset()
    """Conversations with a paused message: a run that goes on and ends is no new use of them."""
    runs: KnownRuns = {}
    """Runs of a workflow app."""

    @property
    def unfinished(self) -> list[str]:
        """The runs that may have gone on since, and those that could not be read.

        Dify 1.12 tells of most runs that were stopped that they are running, for ever: a run is given a day.
        """
        fetched = as_microseconds(self.facts.fetched_at) or 0
        oldest = fetched - RUNNING // timedelta(microseconds=1)
        return [
            id
            for id, (began, status) in self.runs.items()
            if id in self.failed or status == "paused" or (status == "running" and (began or 0) >= oldest)
        ]

    def is_unchanged(self, conversation: Conversation) -> bool:
        """Whether that conversation is as it was."""
        if conversation.id not in self.conversations or conversation.id in self.failed | self.paused:
            return False
        updated_at, name, _ = self.conversations[conversation.id]
        now = as_microseconds(conversation.updated_at)
        fetched = self.facts.fetched_at
        if fetched is None or conversation.updated_at is None or conversation.updated_at >= fetched - MARGIN:
            return False
        return now == updated_at and conversation.name == name

    def oldest_paused(self, user: str) -> int | None:
        """When the user's conversation with a paused message that was used least lately was used (microseconds).

        None where the user has none.
        """
        known = (self.conversations[id] for id in self.paused if id in self.conversations)
        return min((time or 0 for time, _, owner in known if owner in (user, "")), default=None)
