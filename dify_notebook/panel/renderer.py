"""The drawing loop of one panel: from the state to numbered messages, on a thread of its own."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from ..i18n import Language
from ..live.channel import INTERVAL
from ..session import Run
from ..turn.state import Turn
from . import messages as m
from . import presenter
from .app import PanelApp, app_value, sound_mime
from .channel import TurnChannel
from .controller import Controller
from .form_states import FormStates
from .state import Item, PanelState
from .store import problem_of

MINUTE = 60.0
"""How often what depends on the clock (`14:05`, `yesterday`) is looked at anew."""

_ALL_SENT = -1
"""All of an answer's speech was sent."""

Send = Callable[[m.Numbered, list[bytes]], None]
"""Sends a message with its buffers; any thread may call it."""


class _Source(NamedTuple):
    """What a turn's meta was made of."""

    item: Item
    app: PanelApp | None
    lang: Language

    def same(self, item: Item, app: PanelApp | None, lang: Language) -> bool:
        return self.item is item and self.app is app and self.lang == lang


class Renderer:
    """Brings one panel's browser to the controller's state, and keeps it there.

    It holds what the browser has and sends what differs, at most 25 times a second.
    """

    def __init__(
        self,
        controller: Controller,
        send: Send,
        *,
        lang: Language,
        height: int,
        saved_class: str = "",
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`saved_class` is the HTML class of the saved conversation, `clock` tells what drawing costs, in seconds."""
        self.controller = controller
        self.lang: Language = lang
        self._height = height
        self._saved_rule = ""
        if saved_class:
            self._saved_rule = f".{saved_class},.jp-OutputArea-child:has(.{saved_class}){{display:none}}"
        self._send = send
        self._wall_clock = wall_clock
        self._clock = clock
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._rounds = 0
        self._round_ended = threading.Condition()
        self._hellos: deque[tuple[int, Language | None]] = deque()
        self._replies: deque[tuple[m.Reply, list[bytes]]] = deque()
        self._views = 0
        self._channels: dict[str, TurnChannel] = {}
        self._items: tuple[Item, ...] | None = None
        """What the browser has; None when that is nothing."""
        self._forms = FormStates()
        self._metas: dict[str, tuple[_Source, m.TurnMeta]] = {}
        """By key: what it was made of, and what was sent."""
        self._parts: dict[str, Any] = {}
        self._sounds = {item.key: _ALL_SENT for item in controller.state.items if item.turn is not None}
        """By key: pieces of speech that were sent. What had ended before the panel was there is asked for."""
        self._watched: weakref.WeakSet[Run] = weakref.WeakSet()
        self._after_round: Callable[[PanelState], object] | None = None
        self._stop_watching = controller.watch(self._wake)
        self._thread = threading.Thread(target=self._loop, name="dify_notebook panel", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def close(self) -> None:
        """Draw no more; waits for the drawing that goes on."""
        self._closed.set()
        self._wake.set()
        self._stop_watching()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5)

    @property
    def closed(self) -> bool:
        """Whether it draws no more."""
        return self._closed.is_set()

    def settle(self, seconds: float = 5.0) -> bool:
        """Wait until all that has changed so far is drawn; False when the time passed."""
        with self._round_ended:
            wanted = self._rounds + 2  # the round that goes on may have begun before the change
            self._wake.set()
            while self._rounds < wanted and not self.closed:
                if not self._round_ended.wait(seconds):
                    return False
                self._wake.set()
        return True

    def after_drawing(self, callback: Callable[[PanelState], object]) -> None:
        """Call back on the drawing thread after each round, with the state that was drawn."""
        self._after_round = callback

    def hello(self, command: int, lang: Language | None) -> None:
        """A browser has nothing, or not everything: the whole picture is sent, then the command is replied to."""
        self._hellos.append((command, lang))
        self._wake.set()

    def reply(self, message: m.Reply, buffers: list[bytes]) -> None:
        """Send the end of a command behind what the command changed."""
        self._replies.append((message, buffers))
        self._wake.set()

    # -- the loop

    def _loop(self) -> None:
        wait: float | None = 0.0
        while not self._closed.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            if self._closed.is_set():
                return
            started = time.monotonic()
            try:
                wait = self.round()
            except Exception as error:
                # A mistake in here must not leave the panel without a word, nor end its thread.
                self._parts.pop("status", None)  # the next round that goes well takes this away
                self._send(m.SetStatus(value=m.Status(None, False, False, problem_of(error))), [])
                wait = MINUTE
            with self._round_ended:
                self._rounds += 1
                self._round_ended.notify_all()
            self._closed.wait(max(0.0, INTERVAL - (time.monotonic() - started)))

    def round(self) -> float:
        """Send what differs; gives the seconds until something is due by itself."""
        replies = [self._replies.popleft() for _ in range(len(self._replies))]
        hellos = len(self._hellos)
        for _ in range(hellos):
            command, lang = self._hellos.popleft()
            replies.append((m.Reply(id=command, ok=True), []))
            if lang is not None and lang != self.lang:
                self.lang = lang
                self._channels.clear()
        state = self.controller.state
        try:
            if hellos:
                self._reset()
                words = presenter.texts(self.lang)
                self._send(m.Texts(lang=self.lang, texts=words, height=self._height, kept=self._saved_rule), [])
            steps = (self._send_older, self._send_state, self._send_turns)
            due = min(step(state, self.lang) for step in steps)
        finally:
            for message, buffers in replies:
                self._send(message, buffers)
        if self._after_round is not None:
            self._after_round(state)
        return due

    def _reset(self) -> None:
        """Whoever asks has nothing: everything goes again, drawings as they are."""
        self._parts.clear()
        self._metas.clear()
        self._forms.clear()
        self._items = None

    def _send_state(self, state: PanelState, lang: Language) -> float:
        now = self._wall_clock()
        minute = int(now.timestamp() // MINUTE)
        if state.app is not None:
            key = (state.app, self.controller.client, lang)
            if self._parts.get("app") != key:
                self._parts["app"] = key
                self._send(m.SetApp(value=app_value(state.app, self.controller.client, lang)), [])
        parts: tuple[tuple[str, type[Any], Any], ...] = (
            ("conversation", m.SetConversation, presenter.conversation(state, lang, now)),
            ("conversations", m.SetConversations, self._conversations(state, lang, now, minute)),
            ("variables", m.SetVariables, presenter.variables(state)),
            ("queue", m.SetQueue, presenter.queue(state, lang)),
            ("status", m.SetStatus, presenter.status(state)),
        )
        for name, kind, value in parts:
            if name not in self._parts or self._parts[name] != value:
                self._parts[name] = value
                self._send(kind(value=value), [])
        return MINUTE

    def _conversations(self, state: PanelState, lang: Language, now: datetime, minute: int) -> m.Conversations:
        """The list, made anew when it or the minute has changed."""
        on_list = None if state.offers.conversations else (state.items, state.shown)
        key = (state.listing, state.conversation_id, on_list, lang, minute)
        cached = self._parts.get("listing")
        if cached is None or cached[0] != key:
            value = presenter.conversations(state, lang, now, self.controller.client.user)
            cached = self._parts["listing"] = (key, value)
        made: m.Conversations = cached[1]
        return made

    def _send_older(self, state: PanelState, lang: Language) -> float:
        """What came above what the browser has.

        The turns follow their blocks, and the news that they are loaded follows the turns: what grows once it stands
        above the reader moves what they read, and who is told too early asks again.
        """
        older = _count_above(self._items, state.on_show)
        if not older:
            return MINUTE
        fresh = state.on_show[:older]
        metas = [self._meta(item, state, lang) for item in fresh]
        due = min(self._send_blocks(item, again=True) for item in fresh)
        self._send(m.Turns(items=metas, where="older"), [])
        self._items = (*fresh, *(self._items or ()))
        return due

    def _send_turns(self, state: PanelState, lang: Language) -> float:
        old, new = self._items, state.on_show
        keys = {item.key for item in new}
        for key in [key for key in self._channels if key not in keys]:
            del self._channels[key]
            self._metas.pop(key, None)
        fresh: tuple[Item, ...] = ()
        if _count_above(old, new) is None:
            self._send(m.Turns(items=[self._meta(item, state, lang) for item in new], where="all"), [])
            fresh = new
        self._items = new
        due = MINUTE
        sent = {item.key for item in fresh}
        for item in fresh:
            due = min(due, self._send_blocks(item, again=True))
        for item in new:
            if item.key in sent:
                continue
            due = min(due, self._send_turn(item, state, lang))
        return due

    def _send_turn(self, item: Item, state: PanelState, lang: Language) -> float:
        """An item that the browser has, or that comes at the end."""
        known = self._metas.get(item.key)
        if known is not None and item.run is None and known[0].same(item, state.app, lang):
            return MINUTE
        before = known[1] if known else None
        value = self._meta(item, state, lang)
        if value != before:
            self._send(m.PutTurn(item=value), [])
        return self._send_blocks(item, again=False)

    def _meta(self, item: Item, state: PanelState, lang: Language) -> m.TurnMeta:
        turn, channel = self._now(item), self._channel(item, state, lang)
        now = self._wall_clock()
        forms = self._forms.of(item, turn, lang, now)
        value = presenter.meta(item, turn, channel.view, state, lang, now, forms)
        self._metas[item.key] = (_Source(item, state.app, lang), value)
        return value

    def _now(self, item: Item) -> Turn:
        if item.run is not None and item.run not in self._watched:
            self._watched.add(item.run)
            item.run.watch(self._wake)
        return item.now

    def _channel(self, item: Item, state: PanelState, lang: Language) -> TurnChannel:
        channel = self._channels.get(item.key)
        if channel is None or channel.attempt != item.attempt:
            self._views += 1
            if channel is not None:
                self._sounds.pop(item.key, None)
            elif item.earlier:
                self._sounds.setdefault(item.key, _ALL_SENT)
            icons = state.app.tool_icons if state.app else None
            channel = TurnChannel(self._views, lang, icons, attempt=item.attempt, clock=self._clock)
            self._channels[item.key] = channel
        return channel

    def _send_blocks(self, item: Item, *, again: bool) -> float:
        """The blocks of an item; `again` sends the whole where nothing else is sent."""
        channel, turn = self._channels[item.key], self._now(item)
        now = item.run.now if item.run is not None else 0.0
        if item.run is None and turn.timing is not None and turn.timing.total is not None:
            now = turn.timing.total
        messages = channel.update(turn, now)
        if again:
            whole = channel.whole()
            messages = [whole] if whole is not None else messages
        for message in messages:
            self._send(m.PatchView(patch=message), [])
        self._send_speech(item, turn)
        return channel.due(now) if turn.status == "running" else MINUTE

    def _send_speech(self, item: Item, turn: Turn) -> None:
        """Speech that comes with an answer, as it comes and once."""
        sent = self._sounds.get(item.key, 0)
        if turn.audio is None or sent == _ALL_SENT:
            return
        chunks = turn.audio.chunks[sent:]
        last = turn.audio.complete or turn.status != "running"
        if not (chunks or last):
            return
        data = msgspec.structs.replace(turn.audio, chunks=chunks).data
        self._sounds[item.key] = _ALL_SENT if last else len(turn.audio.chunks)
        self._send(m.Sound(key=item.key, mime=sound_mime(data), last=last), [data])


def _count_above(old: tuple[Item, ...] | None, new: tuple[Item, ...]) -> int | None:
    """How many items came before those that the browser has; None where it has to begin anew."""
    if not old:
        return None if old is None or new else 0
    keys, had = [item.key for item in new], [item.key for item in old]
    if had[0] not in keys:
        return None
    start = keys.index(had[0])
    return start if keys[start : start + len(had)] == had else None
