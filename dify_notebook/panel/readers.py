"""What a list at the side is read of: conversations and runs that the server keeps, and the tapes of this machine.

Each reader is used on the portal's loop only, and reads from the newest on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from ..errors import TapeError
from ..tape import Header, RunStore, read_tape
from ..wire.models import Conversation, WorkflowLog
from .state import PastRun

if TYPE_CHECKING:
    from ..net.client import AsyncDify
    from .store import PanelStore

PAGE = 30
"""Conversations, or runs, that are listed at once."""
REQUEST_SIZE = PAGE + 1
"""Conversations of one request: with one more than is listed it is known whether there are more."""
SEARCH_LIMIT = 500
"""Conversations that a search looks through at once."""
SEARCH_REQUEST_SIZE = 100
"""Conversations of one request of a search."""
TAPES = 2_000
"""Tapes of one page whose heads are read at most."""


class Reader(Protocol):
    """A list, read page by page."""

    part: Literal["items", "runs"]
    """The field of `Listing` that it fills."""
    search: str

    async def more(self) -> tuple[list[Any], bool]:
        """The next that fit, `PAGE` at most; and whether there may be more.

        Raises:
            DifyError: the server refused.
        """


class ConversationReader:
    """The list of conversations, read from the newest on. Used on the portal's loop only."""

    part: Literal["items", "runs"] = "items"

    def __init__(self, store: PanelStore, search: str) -> None:
        client = store.client
        self.search = search
        """Only those whose names hold it; the server knows no search."""
        self._items = client.conversations.list(page_size=SEARCH_REQUEST_SIZE if search else REQUEST_SIZE).__aiter__()
        self._lookahead: Conversation | None = None
        """One more than was given, to know whether there are more."""

    async def more(self) -> tuple[list[Conversation], bool]:
        """The next that fit, `PAGE` at most and among the next `SEARCH_LIMIT`; and whether there may be more.

        Raises:
            DifyError: the server refused.
        """
        found = [self._lookahead] if self._lookahead is not None else []
        wanted = self.search.casefold()
        self._lookahead = None
        looked = 0
        async for conversation in self._items:
            looked += 1
            if wanted in conversation.name.casefold():
                if len(found) >= PAGE:
                    self._lookahead = conversation
                    return found, True
                found.append(conversation)
            if wanted and looked >= SEARCH_LIMIT:
                return found, True
        return found, False


class RunReader:
    """The log of a workflow app: runs by every user; the server searches in inputs, outputs and users."""

    part: Literal["items", "runs"] = "runs"

    def __init__(self, store: PanelStore, search: str) -> None:
        self.search = search
        self._logs = store.client.workflows.logs(keyword=search or None, page_size=PAGE).__aiter__()
        self._lookahead: PastRun | None = None
        """One more than was given, to know whether there are more."""

    async def more(self) -> tuple[list[PastRun], bool]:
        """See `Reader`."""
        found = [self._lookahead] if self._lookahead is not None else []
        self._lookahead = None
        async for line in self._logs:
            run = _of_log(line)
            if run is None:
                continue
            if len(found) >= PAGE:
                self._lookahead = run
                return found, True
            found.append(run)
        return found, False


def _of_log(line: WorkflowLog) -> PastRun | None:
    """A line of the log; None where it names no run, so that nothing could be opened."""
    run = line.workflow_run
    if run is None or not run.id:
        return None
    by = line.created_by_end_user or line.created_by_account or {}
    user = by.get("session_id") or by.get("name") or by.get("email")
    return PastRun(
        id=run.id,
        status=run.status or "",
        created_at=run.created_at or line.created_at,
        seconds=run.elapsed_time,
        tokens=run.total_tokens,
        user=user if isinstance(user, str) else None,
    )


class TapeReader:
    """The tapes of this app and user on this machine: the server lists none of a completion app's answers."""

    part: Literal["items", "runs"] = "runs"

    def __init__(self, store: PanelStore, search: str) -> None:
        self.search = search
        self._store = store
        self._paths: Iterator[Path] | None = None
        self._lookahead: PastRun | None = None

    async def more(self) -> tuple[list[PastRun], bool]:
        """See `Reader`; tapes tell no inputs, so that a search finds none of them."""
        return ([], False) if self.search else await asyncio.to_thread(self._more)

    def _more(self) -> tuple[list[PastRun], bool]:
        if self._paths is None:
            self._paths = reversed(self._store.session.store.paths())
        found = [self._lookahead] if self._lookahead is not None else []
        self._lookahead = None
        for looked, path in enumerate(self._paths):
            run = self._of_tape(path)
            if run is not None and len(found) >= PAGE:
                self._lookahead = run
                return found, True
            found += [run] if run is not None else []
            if looked >= TAPES:
                return found, True
        return found, False

    def _of_tape(self, path: Path) -> PastRun | None:
        try:
            header, _ = read_tape(path)
        except (OSError, TapeError):  # pruned meanwhile, or damaged
            return None
        if not self._is_own(header):
            return None
        try:
            when = datetime.fromisoformat(header.created_at)
        except ValueError:
            when = None
        return PastRun(id=header.message_id or RunStore.name(path), status=header.status or "", created_at=when)

    def _is_own(self, header: Header) -> bool:
        """Whether a tape is of this app and user, and of an app that is run."""
        client, app = self._store.client, self._store.state.app
        names = {client.settings.app, app.name if app is not None else None}
        mode = app.mode if app is not None else None
        if header.user != client.user or header.app not in names or header.app_mode != mode:
            return False
        return is_server_of(client, header.server)


def is_server_of(client: AsyncDify, server: str | None) -> bool:
    """Whether a tape's server is that client's; the embedded server's port changes."""
    if client.settings.source != "local":
        return server == client.base_url
    return urlsplit(server or "").hostname in ("127.0.0.1", "localhost")


READERS: Final[Mapping[str, Callable[[PanelStore, str], Reader]]] = {
    "conversations": ConversationReader,
    "runs": RunReader,
    "here": TapeReader,
}
"""By what a list at the side has (`Offers.history`)."""
