"""The drawing loop of one panel: from the scene to numbered messages, on a thread of its own."""

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
from .channel import TurnChannel
from .controller import Controller
from .facts import Facts, app_value, sound_mime
from .state import Item, PanelState
from .store import problem_of

MINUTE = 60.0
"""How often what depends on the clock (`14:05`, `yesterday`) is looked at anew."""

_SPOKEN = -1
"""All of an answer's speech was sent."""

Send = Callable[[m.Numbered, list[bytes]], None]
"""Sends a message with its buffers; any thread may call it."""


class _Source(NamedTuple):
    """What a turn's meta was made of."""

    item: Item
    facts: Facts | None
    lang: Language

    def same(self, item: Item, facts: Facts | None, lang: Language) -> bool:
        return self.item is item and self.facts is facts and self.lang == lang


class Renderer:
    """Brings one panel's browser to the desk's scene, and keeps it there.

    It holds what the browser has and sends what differs, at most 25 times a second.
    """

    def __init__(
        self,
        desk: Controller,
        send: Send,
        *,
        lang: Language,
        height: int,
        kept: str = "",
        moment: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`kept` is the class of the saved conversation, `moment` tells the time of day, `clock` what drawing costs."""
        self.desk = desk
        self.lang: Language = lang
        self._height = height
        self._kept = f".{kept},.jp-OutputArea-child:has(.{kept}){{display:none}}" if kept else ""
        self._send = send
        self._moment = moment
        self._clock = clock
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._rounds = 0
        self._round_ended = threading.Condition()
        self._hellos: deque[tuple[int, Language | None]] = deque()
        self._replies: deque[tuple[m.Reply, list[bytes]]] = deque()
        self._views = 0
        self._drawn: dict[str, TurnChannel] = {}
        self._items: tuple[Item, ...] | None = None
        """What the browser has; None when that is nothing."""
        self._metas: dict[str, tuple[_Source, m.TurnMeta]] = {}
        """By key: what it was made of, and what was sent."""
        self._parts: dict[str, Any] = {}
        self._sounds = {item.key: _SPOKEN for item in desk.scene.items if item.turn is not None}
        """By key: pieces of speech that were sent. What had ended before the panel was there is asked for."""
        self._watched: weakref.WeakSet[Run] = weakref.WeakSet()
        self._drew: Callable[[PanelState], object] | None = None
        self._stop_watching = desk.watch(self._wake)
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
        """Call back on the drawing thread after each round, with the scene that was drawn."""
        self._drew = callback

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
            begun = time.monotonic()
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
            self._closed.wait(max(0.0, INTERVAL - (time.monotonic() - begun)))

    def round(self) -> float:
        """Send what differs; gives the seconds until something is due by itself."""
        replies = [self._replies.popleft() for _ in range(len(self._replies))]
        asked = len(self._hellos)
        for _ in range(asked):
            command, lang = self._hellos.popleft()
            replies.append((m.Reply(id=command, ok=True), []))
            if lang is not None and lang != self.lang:
                self.lang = lang
                self._drawn.clear()
        scene = self.desk.scene
        try:
            if asked:
                self._forget()
                words = presenter.texts(self.lang)
                self._send(m.Texts(lang=self.lang, texts=words, height=self._height, kept=self._kept), [])
            due = min(self._older(scene, self.lang), self._states(scene, self.lang), self._turns(scene, self.lang))
        finally:
            for message, buffers in replies:
                self._send(message, buffers)
        if self._drew is not None:
            self._drew(scene)
        return due

    def _forget(self) -> None:
        """Whoever asks has nothing: everything goes again, drawings as they are."""
        self._parts.clear()
        self._metas.clear()
        self._items = None

    def _states(self, scene: PanelState, lang: Language) -> float:
        now = self._moment()
        minute = int(now.timestamp() // MINUTE)
        if scene.facts is not None:
            key = (scene.facts, self.desk.client, lang)
            if self._parts.get("app") != key:
                self._parts["app"] = key
                self._send(m.SetApp(value=app_value(scene.facts, self.desk.client, lang)), [])
        told: tuple[tuple[str, type[Any], Any], ...] = (
            ("conversation", m.SetConversation, presenter.conversation(scene, lang, now)),
            ("conversations", m.SetConversations, self._listed(scene, lang, now, minute)),
            ("variables", m.SetVariables, presenter.variables(scene)),
            ("queue", m.SetQueue, [m.Queued(one.id, one.query) for one in scene.queue]),
            ("status", m.SetStatus, presenter.status(scene)),
        )
        for name, kind, value in told:
            if name not in self._parts or self._parts[name] != value:
                self._parts[name] = value
                self._send(kind(value=value), [])
        return MINUTE

    def _listed(self, scene: PanelState, lang: Language, now: datetime, minute: int) -> m.Conversations:
        """The list, made anew when it or the minute has changed."""
        key = (scene.listing, scene.conversation_id, lang, minute)
        held = self._parts.get("listing")
        if held is None or held[0] != key:
            held = self._parts["listing"] = (key, presenter.conversations(scene, lang, now))
        value: m.Conversations = held[1]
        return value

    def _older(self, scene: PanelState, lang: Language) -> float:
        """What came above what the browser has.

        The turns follow their blocks, and the news that they are loaded follows the turns: what grows once it stands
        above the reader moves what they read, and who is told too early asks again.
        """
        older = _above(self._items, scene.items)
        if not older:
            return MINUTE
        fresh = scene.items[:older]
        metas = [self._meta(item, scene, lang) for item in fresh]
        due = min(self._draw(item, again=True) for item in fresh)
        self._send(m.Turns(items=metas, where="older"), [])
        self._items = (*fresh, *(self._items or ()))
        return due

    def _turns(self, scene: PanelState, lang: Language) -> float:
        old, new = self._items, scene.items
        kept = {item.key for item in new}
        for key in [key for key in self._drawn if key not in kept]:
            del self._drawn[key]
            self._metas.pop(key, None)
        fresh: tuple[Item, ...] = ()
        if _above(old, new) is None:
            self._send(m.Turns(items=[self._meta(item, scene, lang) for item in new], where="all"), [])
            fresh = new
        self._items = new
        due = MINUTE
        sent = {item.key for item in fresh}
        for item in fresh:
            due = min(due, self._draw(item, again=True))
        for item in new:
            if item.key in sent:
                continue
            due = min(due, self._show(item, scene, lang))
        return due

    def _show(self, item: Item, scene: PanelState, lang: Language) -> float:
        """An item that the browser has, or that comes at the end."""
        known = self._metas.get(item.key)
        if known is not None and item.run is None and known[0].same(item, scene.facts, lang):
            return MINUTE
        before = known[1] if known else None
        value = self._meta(item, scene, lang)
        if value != before:
            self._send(m.PutTurn(item=value), [])
        return self._draw(item, again=False)

    def _meta(self, item: Item, scene: PanelState, lang: Language) -> m.TurnMeta:
        turn, drawn = self._now(item), self._drawing(item, scene, lang)
        value = presenter.meta(item, turn, drawn.view, scene, lang, self._moment())
        self._metas[item.key] = (_Source(item, scene.facts, lang), value)
        return value

    def _now(self, item: Item) -> Turn:
        if item.run is not None and item.run not in self._watched:
            self._watched.add(item.run)
            item.run.watch(self._wake)
        return item.now

    def _drawing(self, item: Item, scene: PanelState, lang: Language) -> TurnChannel:
        drawn = self._drawn.get(item.key)
        if drawn is None or drawn.take != item.take:
            self._views += 1
            icons = scene.facts.tool_icons if scene.facts else None
            drawn = self._drawn[item.key] = TurnChannel(self._views, lang, icons, take=item.take, clock=self._clock)
            self._sounds.pop(item.key, None)
        return drawn

    def _draw(self, item: Item, *, again: bool) -> float:
        """The blocks of an item; `again` sends the whole where nothing else is sent."""
        drawn, turn = self._drawn[item.key], self._now(item)
        now = item.run.now if item.run is not None else 0.0
        if item.run is None and turn.timing is not None and turn.timing.total is not None:
            now = turn.timing.total
        messages = drawn.update(turn, now)
        if again:
            whole = drawn.whole()
            messages = [whole] if whole is not None else messages
        for message in messages:
            self._send(m.PatchView(patch=message), [])
        self._speak(item, turn)
        return drawn.due(now) if turn.status == "running" else MINUTE

    def _speak(self, item: Item, turn: Turn) -> None:
        """Speech that comes with an answer, as it comes and once."""
        heard = self._sounds.get(item.key, 0)
        if turn.audio is None or heard == _SPOKEN:
            return
        chunks = turn.audio.chunks[heard:]
        last = turn.audio.complete or turn.status != "running"
        if not (chunks or last):
            return
        data = msgspec.structs.replace(turn.audio, chunks=chunks).data
        self._sounds[item.key] = _SPOKEN if last else len(turn.audio.chunks)
        self._send(m.Sound(key=item.key, mime=sound_mime(data), last=last), [data])


def _above(old: tuple[Item, ...] | None, new: tuple[Item, ...]) -> int | None:
    """How many items came before those that the browser has; None where it has to begin anew."""
    if not old:
        return None if old is None or new else 0
    keys, wanted = [item.key for item in new], [item.key for item in old]
    if wanted[0] not in keys:
        return None
    at = keys.index(wanted[0])
    return at if keys[at : at + len(wanted)] == wanted else None
