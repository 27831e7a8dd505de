"""All that the panels of one session show, as one frozen value; what changes makes another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ..app.origin import Value
from ..session import Run
from ..turn.state import Turn
from ..wire.models import Conversation, ConversationVariable
from . import messages as m
from .app import PanelApp
from .offers import CHATTING


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A question of the conversation on show, and its answer as far as it has come."""

    key: str
    attempt: int = 0
    """How often it was asked again in its place."""
    query: str
    run: Run | None = None
    """While it is being answered."""
    turn: Turn | None = None
    """When it has ended."""
    inputs: Mapping[str, Any] = {}
    files: tuple[Any, ...] = ()
    """What the question named as files, to be named again."""
    attachments: tuple[m.Attachment, ...] = ()
    comment: str | None = None
    """What was said with the rating, here."""
    annotated: bool = False
    asked_at: datetime | None = None
    earlier: bool = False
    """Whether it had ended before it came here, so that nothing of it is to be played."""
    submitting: tuple[str, ...] = ()
    """Ids of its forms that are on their way to the server."""
    refused: Mapping[str, str] = {}
    """By a form's id: why it was refused last, in the reader's words."""

    @property
    def now(self) -> Turn:
        """The turn as it is at this moment."""
        if self.turn is not None:
            return self.turn
        assert self.run is not None
        return self.run.turn

    @property
    def given(self) -> Mapping[str, Any]:
        """What it was asked with: here, else as its turn tells it; {} where neither is known."""
        return self.inputs or (self.turn and self.turn.inputs) or {}

    @property
    def plain_inputs(self) -> dict[str, Any]:
        """Its inputs that a form can show again: files cannot be."""
        return {name: value for name, value in self.given.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) or (isinstance(value, dict) and "upload_file_id" not in value)


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the list, as the server's log or the head of a tape tells it."""

    id: str
    """Of the run; of a completion that of its message, or of its tape."""
    status: str = ""
    created_at: datetime | None = None
    seconds: float | None = None
    tokens: int | None = None
    user: str | None = None
    """Who ran it, where that is known."""
    title: str = ""


class QueuedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question behind the running one."""

    id: str
    query: str
    inputs: Mapping[str, Any]
    files: tuple[Any, ...]
    attachments: tuple[m.Attachment, ...]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The list of conversations, or of runs, as far as it was read."""

    items: tuple[Conversation, ...] = ()
    runs: tuple[PastRun, ...] = ()
    """Those of the server's log, or of this machine's tapes."""
    more: bool = False
    loading: bool = False
    search: str = ""
    hidden: tuple[Conversation, ...] = ()
    """Those that are about to be deleted, the last one last."""


class PanelState(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to see."""

    app: PanelApp | None = None
    """None until the server has answered."""
    problem: m.Problem | None = None
    """What went wrong last, until something goes well."""
    conversation_id: str | None = None
    name: str = ""
    """Of the conversation; "" while it has none."""
    inputs: Mapping[str, Value] = {}
    """What the form shows: sent from here, or given by the server."""
    loading: bool = False
    older: bool = False
    items: tuple[Item, ...] = ()
    """Oldest first."""
    shown: str | None = None
    """The key of the run on show; None for the last."""
    queue: tuple[QueuedQuestion, ...] = ()
    stopping: bool = False
    listing: Listing = Listing()
    variables: tuple[ConversationVariable, ...] | None = None
    offer: Conversation | None = None
    """The last conversation, offered while this one is new."""

    @property
    def running(self) -> Item | None:
        """What is being answered; the last where there are several."""
        return next((item for item in reversed(self.items) if item.run is not None), None)

    @property
    def offers(self) -> m.Offers:
        """What is offered for the app; until that is known, what is for one that chats."""
        return self.app.offers if self.app is not None else CHATTING

    @property
    def current(self) -> Item | None:
        """The run on show; of a conversation its last item."""
        return (self.find(self.shown) if self.shown else None) or (self.items[-1] if self.items else None)

    @property
    def on_show(self) -> tuple[Item, ...]:
        """What a browser shows: the whole of a conversation, and of runs one."""
        if self.offers.conversations:
            return self.items
        current = self.current
        return () if current is None else (current,)

    def find(self, key: str) -> Item | None:
        """The item of that key."""
        return next((item for item in self.items if item.key == key), None)
