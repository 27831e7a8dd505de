"""One answer as one panel draws it: its blocks, and the messages that bring the browser to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from ..i18n import Language
from ..live.channel import Channel
from ..live.protocol import Packed, Patch
from ..turn.state import Turn
from ..views import Block, TurnView
from ..views.html import escape
from ..views.parts import sign
from .history import without_user_files
from .picture import running_word

TICK = 0.5
"""Seconds between two drawings when nothing came: the seconds shown go on."""


class Drawn:
    """A turn on its channel. Called on one thread; `whole` on any.

    The blocks are those of the magic without what the panel shows elsewhere: the header's names, and
    the footer once the answer has ended.
    """

    def __init__(
        self,
        view: int,
        lang: Language,
        icons: Mapping[str, str] | None = None,
        *,
        take: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.view = view
        self.take = take
        self.channel = Channel(view)
        self._lang = lang
        self._icons = icons
        self._clock = clock
        self._drawing: TurnView | None = None
        self._turn: Turn | None = None
        self._now = 0.0
        self._waiting = False

    @property
    def turn(self) -> Turn | None:
        """What was drawn last."""
        return self._turn

    def update(self, turn: Turn, now: float) -> list[Patch | Packed]:
        """The messages that are due for this state; cheap to call often. What has ended never waits.

        Args:
            now: seconds since the question was sent.
        """
        running = turn.status == "running"
        changed = turn is not self._turn
        if not running and not changed:
            return []
        if running and (self.channel.wait(now) > 0 or not (changed or self._idle(now) <= 0)):
            self._waiting = self._waiting or changed
            return []
        begun = self._clock()
        root = self.picture(turn, now)
        cost = self._clock() - begun
        was_running = self._turn is not None and self._turn.status == "running"
        self._turn, self._now, self._waiting = turn, now, False
        if running:
            return self.channel.offer(root, now, cost)
        self._drawing = None  # it will hardly be drawn again
        if was_running or self.channel.differ.root is None:
            return [self.channel.end(root, now)]
        return self.channel.offer(root, now, cost)

    def due(self, now: float) -> float:
        """Seconds until `update` would give something, if nothing else comes."""
        wait = self.channel.wait(now)
        return wait if self._waiting else max(wait, self._idle(now))

    def picture(self, turn: Turn, now: float) -> Block:
        """The blocks of the answer."""
        drawing = self._drawing = self._drawing or TurnView(self._lang, self._icons)
        shown = without_user_files(turn)
        if shown.suggested or shown.feedback:  # the panel has its own places for these
            shown = msgspec.structs.replace(shown, suggested=None, feedback=None)
        root = drawing.blocks(shown, now)
        slots = tuple(self._slot(slot, turn, now) for slot in root.children)
        return Block(root.key, root.tag, root.attrs, "", slots)

    def _slot(self, slot: Block, turn: Turn, now: float) -> Block:
        if slot.key == "header":
            word = running_word(turn, self._lang, now)
            wait = (Block("wait", "span", {"class": "dn-wait"}, sign("running") + escape(word)),) if word else ()
            return Block("header", "div", {"class": "dn-slot dn-head" if word else "dn-slot"}, "", wait)
        if slot.key == "footer" and turn.status != "running":
            return Block("footer", "div", {"class": "dn-slot"})
        return slot

    def whole(self) -> Patch | Packed | None:
        """The picture as it is, valid on anything; None when nothing was drawn yet."""
        return None if self.channel.differ.root is None else self.channel.whole()

    def _idle(self, now: float) -> float:
        mend = self.channel.wait_mend(now)
        tick = self._now + TICK - now
        return tick if mend is None else min(tick, mend)
