"""The state of a session's panels, who watches it, and work that goes on beside it."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from ..app.known import Fitted
from ..errors import DifyError, InputError
from ..i18n import t
from ..logs import logger
from ..net.client import AsyncDify
from ..net.portal import portal
from ..printable import one_line
from ..session import Session
from ..turn.state import Turn
from . import messages as m
from .state import Item, PanelState, QueuedQuestion

if TYPE_CHECKING:
    from .readers import Reader

T = TypeVar("T")
log = logger()
replace = msgspec.structs.replace


def problem_of(error: BaseException) -> m.Problem:
    """An error in the reader's words; what is not ours is logged, and only said to have happened.

    Its traceback is logged at DEBUG: where nobody set up logging, Python prints what is worse into a cell.
    """
    if isinstance(error, DifyError):
        return m.Problem(error.message, error.hint or None)
    log.error("the chat panel failed: %s", type(error).__name__)
    log.debug("the chat panel failed", exc_info=error)
    return m.Problem(t("panel.broken", kind=type(error).__name__), t("panel.broken.hint"))


class Listener(NamedTuple):
    """Somebody's function that is called with each turn that has ended."""

    call: Callable[[Turn], object]
    context: contextvars.Context
    """Of the cell that gave it: there stands what it prints."""

    def notify(self, turn: Turn) -> m.Problem | None:
        """Call it; gives what went wrong in it. The line of it is logged, its traceback at DEBUG."""
        try:
            self.context.copy().run(self.call, turn)
        except Exception as error:  # somebody's code; the conversation goes on
            name = one_line(getattr(self.call, "__name__", type(self.call).__name__), 80)
            what = one_line(traceback.format_exception_only(error)[-1], 300)
            inside = error.__traceback__.tb_next if error.__traceback__ else None
            place = t("panel.callback.line", line=inside.tb_lineno) if inside else ""
            problem = m.Problem(t("panel.callback", name=name, place=place, what=what), t("panel.callback.hint"))
            self.context.copy().run(log.error, "%s", problem.message)
            log.debug("a callback of on_turn failed", exc_info=error)
            return problem
        return None


class PanelStore:
    """What there is to see is `state`, a frozen value that is replaced as a whole, so any thread may read
    it; who wants to know of changes gives an event."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.state = PanelState(conversation_id=session.conversation_id)
        self.uploaded: dict[str, tuple[Any, m.Attachment]] = {}
        """By upload id: what a question names, and what is shown."""
        self.reader: Reader | None = None
        """The list as far as it was read."""
        self._lock = threading.RLock()
        self._watchers: tuple[threading.Event, ...] = ()
        self._listeners: tuple[Listener, ...] = ()
        self._numbers = itertools.count(1)
        self._futures: set[Future[Any]] = set()

    @property
    def client(self) -> AsyncDify:
        """The session's client."""
        return self.session.client

    async def refresh_client(self) -> None:
        """The embedded server may have moved: another process serves it when the first has ended."""
        client = self.client
        if client.settings.source == "local":
            current = await asyncio.to_thread(AsyncDify.local, client.settings.app or "guide", client.user)
            if current.settings != client.settings:
                self.session.client = current

    def set_state(self, **parts: Any) -> None:
        """Replace parts of the state, and wake who watches."""
        self.update_state(lambda state: replace(state, **parts))

    def update_state(self, change: Callable[[PanelState], PanelState]) -> None:
        """Replace the state by what is made of it, and wake who watches."""
        with self._lock:
            self.state = change(self.state)
        for event in self._watchers:
            event.set()

    def watch(self, event: threading.Event) -> Callable[[], None]:
        """Set that event with each change of the state; what is returned ends it."""
        with self._lock:
            self._watchers += (event,)

        def end() -> None:
            with self._lock:
                self._watchers = tuple(watcher for watcher in self._watchers if watcher is not event)

        return end

    def put_item(self, item: Item) -> None:
        """Put the item in the place of the one with its key, where that is still on show."""

        def replaced(state: PanelState) -> PanelState:
            return replace(state, items=tuple(item if other.key == item.key else other for other in state.items))

        self.update_state(replaced)

    def on_turn(self, callback: Callable[[Turn], object]) -> Callable[[], None]:
        """Call back with each turn that ends; what is returned ends it."""
        listener = Listener(callback, contextvars.copy_context())
        with self._lock:
            self._listeners += (listener,)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return end

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run it on the portal; what it raises, and nobody waits for, is shown."""

        async def reported() -> T:
            try:
                return await work
            except Exception as error:
                self.set_state(problem=problem_of(error))
                raise

        future = portal().submit(reported())
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def _report_dropped(self, fitted: Fitted) -> None:
        """Say which inputs of the server's it would not take back."""
        if fitted.dropped:
            controls = self.session.app.controls
            labels = (str(controls.get(name, {}).get("label") or name) for name in fitted.dropped)
            names = ", ".join(one_line(label, 80) for label in labels)
            self.set_state(problem=m.Problem(t("panel.input.dropped", names=names)))

    def item_with(self, turn: Turn) -> Item:
        """A turn that the session had as an item."""
        key, inputs = self.new_key(), turn.inputs or {}
        return Item(key=key, query=turn.query or "", turn=turn, inputs=inputs, asked_at=turn.created_at)

    def _queued(
        self, query: str, inputs: Mapping[str, Any], files: Sequence[Any], attachments: Sequence[m.Attachment]
    ) -> QueuedQuestion:
        return QueuedQuestion(
            id=f"q{next(self._numbers)}", query=query, inputs=inputs, files=tuple(files), attachments=tuple(attachments)
        )

    def new_key(self) -> str:
        """A key for another item."""
        return f"t{next(self._numbers)}"

    def item(self, key: str) -> Item:
        """The item of that key.

        Raises:
            InputError: it is not on show any more.
        """
        item = self.state.find(key)
        if item is None:
            raise InputError(t("panel.no_turn"), code="turn")
        return item

    def upload(self, id: str) -> tuple[Any, m.Attachment]:
        """What was uploaded under that id.

        Raises:
            InputError: nothing was.
        """
        upload = self.uploaded.get(id)
        if upload is None:
            raise InputError(t("panel.no_upload"), code="file")
        return upload
