"""The list of conversations or of runs: reading, searching, naming and deleting them; and what follows a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from ..errors import DifyError, InputError, NotFoundError
from ..i18n import t
from ..turn.state import WELL, Turn
from ..wire.models import Conversation
from . import readers
from .state import Item, Listing, PanelState
from .store import PanelStore, log, problem_of, replace

UNDO_SECONDS = 6.0
"""How long a deletion can be taken back."""
NAME_SECONDS = 2.5
"""A server gives a new conversation its name up to 2 s after the answer's end."""
OFFER_AGE = timedelta(hours=12)
"""How old the last conversation may be that a new panel offers to go on with."""


def update_listing(store: PanelStore, change: Callable[[Listing], Listing]) -> None:
    """Replace the list by what is made of it."""
    store.update_state(lambda state: replace(state, listing=change(state.listing)))


async def list_conversations(store: PanelStore, search: str, *, more: bool) -> None:
    """Read the list from the top, or go on where it ends.

    Raises:
        DifyError: the server refused.
    """
    search = search.strip()
    reader = store.reader if more else None
    if reader is None or reader.search != search:
        reader = store.reader = readers.READERS[store.state.offers.history](store, search)
        more = False
    elif store.state.listing.loading:  # it goes on already
        return
    update_listing(store, lambda listing: replace(listing, loading=True, search=search))
    try:
        found, has_more = await reader.more()
    except BaseException:
        if store.reader is reader:
            store.reader = None  # a list that broke off is read from the top again
            update_listing(store, lambda listing: replace(listing, loading=False))
        raise
    if store.reader is not reader:  # another list was begun meanwhile
        return

    def longer(listing: Listing) -> Listing:
        before = getattr(listing, reader.part) if more else ()
        known = {item.id for item in (*before, *listing.hidden)}
        items = (*before, *(item for item in found if item.id not in known))
        return replace(listing, **{reader.part: items}, more=has_more, loading=False)

    update_listing(store, longer)
    if store.state.offers.conversations and not (more or search):
        store.update_state(lambda state: _with_name_and_offer(state, found))


def _with_name_and_offer(state: PanelState, newest_first: list[Conversation]) -> PanelState:
    """The name of the conversation on show, and the offer to go on with the last one."""
    current = next((item for item in newest_first if item.id == state.conversation_id), None)
    if current is not None:
        return replace(state, name=current.name)
    newest = newest_first[0] if newest_first else None
    when = (newest.updated_at or newest.created_at) if newest else None
    fresh = when is not None and datetime.now(UTC) - when < OFFER_AGE
    offered = newest if fresh and state.conversation_id is None and not state.items else None
    return replace(state, offer=offered)


async def rename(store: PanelStore, id: str, name: str | None) -> None:
    """Give a conversation another name; None lets the server find one.

    Raises:
        InputError: the name is blank.
        DifyError: the server refused.
    """
    if name is not None and not name.strip():
        raise InputError(t("panel.no_name"), code="name")
    conversation = await store.client.conversations.rename(id, name, auto_generate=name is None)
    new_name = conversation.name or name or ""

    def renamed(state: PanelState) -> PanelState:
        items = tuple(replace(item, name=new_name) if item.id == id else item for item in state.listing.items)
        current = new_name if state.conversation_id == id else state.name
        return replace(state, name=current, listing=replace(state.listing, items=items))

    store.update_state(renamed)


class Deletions:
    """Conversations that are deleted in a while unless somebody takes it back."""

    def __init__(self, store: PanelStore, seconds: float = UNDO_SECONDS) -> None:
        self._store = store
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
        listing = self._store.state.listing
        conversation = next((item for item in listing.items if item.id == id), None)
        if conversation is None:
            raise InputError(t("panel.no_conversation"), code="conversation")
        index = listing.items.index(conversation)
        decided = self._waiting[id] = asyncio.Event()
        update_listing(self._store, lambda current: replace(
            current,
            items=tuple(item for item in current.items if item.id != id),
            hidden=(*current.hidden, conversation),
        ))  # fmt: skip
        self._store.start(self._delete_later(id, conversation, index, decided))

    async def _delete_later(self, id: str, conversation: Conversation, index: int, decided: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await decided.wait()
        except TimeoutError:
            pass  # the time is over: now it is done
        if self._waiting.pop(id, None) is None:
            self._restore(conversation, index)
            return
        try:
            await self._store.client.conversations.delete(id)
        except NotFoundError:
            pass  # it is gone, which is what was wanted
        except DifyError:
            self._restore(conversation, index)
            raise
        update_listing(self._store, lambda current: replace(
            current, hidden=tuple(item for item in current.hidden if item.id != id)
        ))  # fmt: skip

    def _restore(self, conversation: Conversation, index: int) -> None:
        update_listing(self._store, lambda current: replace(
            current,
            items=(*current.items[:index], conversation, *current.items[index:]),
            hidden=tuple(item for item in current.hidden if item.id != conversation.id),
        ))  # fmt: skip

    def undo(self, id: str) -> None:
        """Take it back.

        Raises:
            InputError: it is too late.
        """
        decided = self._waiting.pop(id, None)
        if decided is None:
            raise InputError(t("panel.too_late"), code="conversation")
        decided.set()

    def flush(self) -> None:
        """Delete now what waits for it: nobody is there any more to take it back. Any thread may call it."""

        async def now() -> None:
            for event in self._waiting.values():
                event.set()

        if self._waiting:
            self._store.start(now())


async def load_variables(store: PanelStore) -> None:
    """Read the conversation's variables.

    Raises:
        DifyError: the server refused.
    """
    state = store.state
    if state.app is None or not state.app.has_variables or state.conversation_id is None:
        store.set_state(variables=() if state.app and state.app.has_variables else None)
        return
    variables = await store.client.conversations.variables(state.conversation_id).to_list()
    if store.state.conversation_id == state.conversation_id:
        store.set_state(variables=tuple(variables))


async def after_turn(store: PanelStore, turn: Turn) -> None:
    """What is to be asked when an answer has ended: next questions, the list, the variables."""
    item = next((item for item in store.state.items if item.turn is turn), None)
    work: list[Any] = []
    if item is not None and _suggests(store, turn):
        work.append(_suggest(store, item, turn))
    if turn.conversation_id:
        work.append(_refresh(store, turn))
    if store.state.variables is not None:
        work.append(load_variables(store))
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, DifyError):
            log.info("after a turn: %s", outcome.code or type(outcome).__name__)
        elif isinstance(outcome, BaseException):
            store.set_state(problem=problem_of(outcome))


def _suggests(store: PanelStore, turn: Turn) -> bool:
    app = store.state.app
    setting = app.parameters.suggested_questions_after_answer if app else None
    ended = turn.status in WELL
    offered = store.state.offers.suggestions and ended and turn.message_id
    return bool(offered and turn.suggested is None and (setting or {}).get("enabled"))


async def _suggest(store: PanelStore, item: Item, turn: Turn) -> None:
    questions = await store.client.messages.suggested(turn.message_id or "")
    current = store.state.find(item.key)
    if current is not None and current.turn is not None and current.turn.message_id == turn.message_id:
        suggested = replace(current.turn, suggested=tuple(questions))
        store.session.replace(suggested)
        store.put_item(replace(current, turn=suggested))


async def _refresh(store: PanelStore, turn: Turn) -> None:
    """Bring the list up to date; its first names come a little later."""
    for wait in (0.0, NAME_SECONDS):
        await asyncio.sleep(wait)
        newest = await store.client.conversations.list(page_size=readers.PAGE).to_list(limit=readers.PAGE)
        if not store.state.listing.search:
            update_listing(store, partial(_with_newest, newest=newest))
        store.update_state(partial(_with_name_and_offer, newest_first=newest))
        name = next((item.name for item in newest if item.id == turn.conversation_id), "")
        if turn.turn_number != 1 or name not in ("", "New conversation", turn.query):
            return


def _with_newest(listing: Listing, newest: list[Conversation]) -> Listing:
    hidden = {item.id for item in listing.hidden}
    ids = hidden | {item.id for item in newest}
    shown = (item for item in newest if item.id not in hidden)
    return replace(listing, items=(*shown, *(item for item in listing.items if item.id not in ids)))
