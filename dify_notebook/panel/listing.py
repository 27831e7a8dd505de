"""The list of conversations: reading, searching, naming and deleting them; and what follows a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import DifyError, InputError, NotFoundError
from ..i18n import t
from ..net.client import AsyncDify
from ..turn.state import WELL, Turn
from ..wire.models import Conversation
from .state import Item, Listing, PanelState
from .store import Store, log, problem_of, replace

PAGE = 30
"""Conversations that are listed at once."""
ASKED = PAGE + 1
"""Conversations of one request: with one more than is listed it is known whether there are more."""
SEARCHED = 500
"""Conversations that a search looks through at once."""
SEARCHED_PAGE = 100
"""Conversations of one request of a search."""
UNDO_SECONDS = 6.0
"""How long a deletion can be taken back."""
NAME_SECONDS = 2.5
"""A server gives a new conversation its name up to 2 s after the answer's end."""
OFFERED = timedelta(hours=12)
"""How old the last conversation may be that a new panel offers to go on with."""


def relist(board: Store, change: Callable[[Listing], Listing]) -> None:
    """Replace the list by what is made of it."""
    board.alter(lambda scene: replace(scene, listing=change(scene.listing)))


class Reading:
    """The list of conversations, read from the newest on. Used on the portal's loop only."""

    def __init__(self, client: AsyncDify, search: str) -> None:
        self.search = search
        """Only those whose names hold it; the server knows no search."""
        self._items = client.conversations.list(page_size=SEARCHED_PAGE if search else ASKED).__aiter__()
        self._held: Conversation | None = None
        """One more than was given, to know whether there are more."""

    async def more(self) -> tuple[list[Conversation], bool]:
        """The next that fit, `PAGE` at most and among the next `SEARCHED`; and whether there may be more.

        Raises:
            DifyError: the server refused.
        """
        found = [self._held] if self._held is not None else []
        wanted = self.search.casefold()
        self._held = None
        looked = 0
        async for one in self._items:
            looked += 1
            if wanted in one.name.casefold():
                if len(found) >= PAGE:
                    self._held = one
                    return found, True
                found.append(one)
            if wanted and looked >= SEARCHED:
                return found, True
        return found, False


async def list_conversations(board: Store, search: str, *, more: bool) -> None:
    """Read the list from the top, or go on where it ends.

    Raises:
        DifyError: the server refused.
    """
    search = search.strip()
    reading = board.reading if more else None
    if reading is None or reading.search != search:
        reading = board.reading = Reading(board.client, search)
        more = False
    elif board.scene.listing.loading:  # it goes on already
        return
    relist(board, lambda listing: replace(listing, loading=True, search=search))
    try:
        found, beyond = await reading.more()
    except BaseException:
        if board.reading is reading:
            board.reading = None  # a list that broke off is read from the top again
            relist(board, lambda listing: replace(listing, loading=False))
        raise
    if board.reading is not reading:  # another list was begun meanwhile
        return

    def longer(listing: Listing) -> Listing:
        before = listing.items if more else ()
        known = {one.id for one in (*before, *listing.hidden)}
        items = (*before, *(one for one in found if one.id not in known))
        return replace(listing, items=items, more=beyond, loading=False)

    relist(board, longer)
    if not (more or search):
        board.alter(lambda scene: _told(scene, found))


def _told(scene: PanelState, found: list[Conversation]) -> PanelState:
    """The name of the conversation on show, and the offer to go on with the last one."""
    current = next((one for one in found if one.id == scene.conversation_id), None)
    if current is not None:
        return replace(scene, name=current.name)
    newest = found[0] if found else None
    when = (newest.updated_at or newest.created_at) if newest else None
    fresh = when is not None and datetime.now(UTC) - when < OFFERED
    offered = newest if fresh and scene.conversation_id is None and not scene.items else None
    return replace(scene, offer=offered)


async def rename(board: Store, id: str, name: str | None) -> None:
    """Give a conversation another name; None lets the server find one.

    Raises:
        InputError: the name is blank.
        DifyError: the server refused.
    """
    if name is not None and not name.strip():
        raise InputError(t("panel.no_name"), code="name")
    found = await board.client.conversations.rename(id, name, auto_generate=name is None)
    new = found.name or name or ""

    def renamed(scene: PanelState) -> PanelState:
        items = tuple(replace(one, name=new) if one.id == id else one for one in scene.listing.items)
        current = new if scene.conversation_id == id else scene.name
        return replace(scene, name=current, listing=replace(scene.listing, items=items))

    board.alter(renamed)


class Deletions:
    """Conversations that are deleted in a while unless somebody takes it back."""

    def __init__(self, board: Store, seconds: float = UNDO_SECONDS) -> None:
        self._board = board
        self._seconds = seconds
        self._waiting: dict[str, asyncio.Event] = {}

    async def delete(self, id: str) -> None:
        """Hide the conversation now, delete it after the time for an undo.

        Raises:
            InputError: it is not in the list.
            DifyError: the server refused; it is in the list again.
        """
        if id in self._waiting:
            return
        listing = self._board.scene.listing
        found = next((one for one in listing.items if one.id == id), None)
        if found is None:
            raise InputError(t("panel.no_conversation"), code="conversation")
        place = listing.items.index(found)
        hurry = self._waiting[id] = asyncio.Event()
        relist(self._board, lambda now: replace(
            now, items=tuple(one for one in now.items if one.id != id), hidden=(*now.hidden, found)
        ))  # fmt: skip
        self._board.start(self._after_a_while(id, found, place, hurry))

    async def _after_a_while(self, id: str, found: Conversation, place: int, hurry: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await hurry.wait()
        except TimeoutError:
            pass  # the time is over: now it is done
        if self._waiting.pop(id, None) is None:
            self._back(found, place)
            return
        try:
            await self._board.client.conversations.delete(id)
        except NotFoundError:
            pass  # it is gone, which is what was wanted
        except DifyError:
            self._back(found, place)
            raise
        relist(self._board, lambda now: replace(now, hidden=tuple(one for one in now.hidden if one.id != id)))

    def _back(self, found: Conversation, place: int) -> None:
        relist(self._board, lambda now: replace(
            now,
            items=(*now.items[:place], found, *now.items[place:]),
            hidden=tuple(one for one in now.hidden if one.id != found.id),
        ))  # fmt: skip

    def undo(self, id: str) -> None:
        """Take it back.

        Raises:
            InputError: it is too late.
        """
        hurry = self._waiting.pop(id, None)
        if hurry is None:
            raise InputError(t("panel.too_late"), code="conversation")
        hurry.set()

    def hurry(self) -> None:
        """Delete now what waits for it: nobody is there any more to take it back. Any thread may call it."""

        async def now() -> None:
            for event in self._waiting.values():
                event.set()

        if self._waiting:
            self._board.start(now())


async def load_variables(board: Store) -> None:
    """Read the conversation's variables.

    Raises:
        DifyError: the server refused.
    """
    scene = board.scene
    if scene.facts is None or not scene.facts.has_variables or scene.conversation_id is None:
        board.change(variables=() if scene.facts and scene.facts.has_variables else None)
        return
    found = await board.client.conversations.variables(scene.conversation_id).to_list()
    if board.scene.conversation_id == scene.conversation_id:
        board.change(variables=tuple(found))


async def after_turn(board: Store, turn: Turn) -> None:
    """What is to be asked when an answer has ended: next questions, the list, the variables."""
    item = next((one for one in board.scene.items if one.turn is turn), None)
    work: list[Any] = []
    if item is not None and _suggests(board, turn):
        work.append(_suggest(board, item, turn))
    if turn.conversation_id:
        work.append(_refresh(board, turn))
    if board.scene.variables is not None:
        work.append(load_variables(board))
    for failed in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(failed, DifyError):
            log.info("after a turn: %s", failed.code or type(failed).__name__)
        elif isinstance(failed, BaseException):
            board.change(problem=problem_of(failed))


def _suggests(board: Store, turn: Turn) -> bool:
    facts = board.scene.facts
    told = facts.parameters.suggested_questions_after_answer if facts else None
    ended = turn.status in WELL
    return bool(ended and turn.message_id and turn.suggested is None and (told or {}).get("enabled"))


async def _suggest(board: Store, item: Item, turn: Turn) -> None:
    told = await board.client.messages.suggested(turn.message_id or "")
    now = board.scene.find(item.key)
    if now is not None and now.turn is not None and now.turn.message_id == turn.message_id:
        better = replace(now.turn, suggested=tuple(told))
        board.session.replace(better)
        board.put(replace(now, turn=better))


async def _refresh(board: Store, turn: Turn) -> None:
    """Bring the list up to date; its first names come a little later."""
    for wait in (0.0, NAME_SECONDS):
        await asyncio.sleep(wait)
        newest = await board.client.conversations.list(page_size=PAGE).to_list(limit=PAGE)
        if not board.scene.listing.search:
            relist(board, lambda listing, newest=newest: _with_newest(listing, newest))  # type: ignore[misc]
        board.alter(lambda scene, newest=newest: _told(scene, newest))  # type: ignore[misc]
        name = next((one.name for one in newest if one.id == turn.conversation_id), "")
        if turn.turn_number != 1 or name not in ("", "New conversation", turn.query):
            return


def _with_newest(listing: Listing, newest: list[Conversation]) -> Listing:
    hidden = {one.id for one in listing.hidden}
    ids = hidden | {one.id for one in newest}
    shown = (one for one in newest if one.id not in hidden)
    return replace(listing, items=(*shown, *(one for one in listing.items if one.id not in ids)))
