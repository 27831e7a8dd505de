"""The turns of a conversation as the server keeps them, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from ..app import stored_files
from ..net.client import AsyncDify
from ..printable import one_line
from ..turn.state import Turn
from ..turn.stored import turn_from_stored
from ..wire.models import StoredMessage
from . import messages as m
from .state import Item

PAGE = 20
"""Turns that are loaded at once."""


class MessageReader:
    """Reads a conversation backwards. Used on the portal's loop only."""

    def __init__(self, client: AsyncDify, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self._messages: AsyncIterator[StoredMessage] = client.messages.list(conversation_id, page_size=PAGE).__aiter__()
        self._lookahead: StoredMessage | None = None
        """One more than was given, to know whether there are more."""
        self._exhausted = False

    async def more(self, known: frozenset[str], count: int = PAGE) -> tuple[list[StoredMessage], bool]:
        """The next older messages, oldest first, without those already known; and whether there are more.

        Raises:
            DifyError: the server refused.
        """
        messages: list[StoredMessage] = []
        while not self._exhausted and (self._lookahead is None or len(messages) < count):
            if self._lookahead is not None:
                messages.append(self._lookahead)
                self._lookahead = None
            self._lookahead = await self._next(known)
        if self._exhausted and self._lookahead is None:
            return messages[::-1], False
        return messages[::-1], True

    async def _next(self, known: frozenset[str]) -> StoredMessage | None:
        async for message in self._messages:
            if message.id not in known:
                return message
        self._exhausted = True
        return None


def item_of(message: StoredMessage, key: str, client: AsyncDify, app: str | None) -> Item:
    """A stored message as an item of the transcript."""
    turn = turn_from_stored(message, user=client.user, server=client.base_url, app=app)
    user_files = [(index, file) for index, file in enumerate(turn.files or ()) if file.belongs_to == "user"]
    return Item(
        key=key,
        query=message.query,
        turn=turn,
        inputs={name: value for name, value in (message.inputs or {}).items() if value is not None},
        files=tuple(reference for _, file in user_files if (reference := stored_files.reference(file))),
        attachments=tuple(
            m.Attachment(str(index), one_line(file.name or "", 200) or "file", file.type or "custom", file.size, None)
            for index, file in user_files
        ),
        asked_at=turn.created_at,
    )


def without_user_files(turn: Turn) -> Turn:
    """The turn as its answer is drawn: what the question brought is shown beside the question."""
    if not any(file.belongs_to == "user" for file in turn.files or ()):
        return turn
    return msgspec.structs.replace(turn, files=tuple(file for file in turn.files or () if file.belongs_to != "user"))
