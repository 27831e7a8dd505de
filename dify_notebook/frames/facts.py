"""What a history is of, and how whole it is."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ..errors import DifyError
from ..printable import BoundedRepr


class NotWritten(DifyError):
    """The disk takes no more of a history: what was written is there, nothing else can be fetched into it."""


class Failure(BoundedRepr, msgspec.Struct, frozen=True):
    """One thing that could not be fetched; the rest is there."""

    what: str
    """conversation, conversations (a user's list), run, runs (a list of them), feedbacks or annotations."""
    id: str | None
    """The conversation's or run's, where it is one."""
    user: str | None
    """Whose conversation, or whose list, where it is one."""
    error: str
    """What went wrong, in words."""


class Facts(BoundedRepr, msgspec.Struct, frozen=True, kw_only=True):
    """What a history is of, and how whole it is. Written beside the tables on a disk."""

    users: dict[str, str] = {}
    """Whose conversations, and how each user was found: client, given, runs, feedbacks or export."""
    server: str | None = None
    """Base URL that was asked; None for an export."""
    app: str | None = None
    """The app's name, as the server tells it; of an export the id that was asked for."""
    since: datetime | None = None
    """Aware; messages from then on were asked for."""
    until: datetime | None = None
    """Aware; messages before then were asked for."""
    conversations: tuple[str, ...] | None = None
    """Those alone, where some were asked for."""
    fetched_at: datetime | None = None
    """When the fetch began, in UTC; None for an export."""
    complete: bool = True
    """Whether everything that was asked for is there: no failures, not cancelled."""
    notes: tuple[str, ...] = ()
    """What cannot be found this way, and what else is worth knowing, in words."""
    failures: tuple[Failure, ...] = ()
    details: bool = False
    """Whether inputs and outputs of the runs of a workflow app were asked for."""
    app_mode: str | None = None
    """What the app is (chat, workflow, completion and so on), where known."""
