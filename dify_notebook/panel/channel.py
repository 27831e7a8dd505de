"""One answer as one panel draws it: its blocks, and the messages that bring the browser to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from ..i18n import Language
from ..live.channel import Channel
from ..live.protocol import Packed, Patch
from ..live.throttle import Throttle
from ..turn.state import Turn
from ..views import Block, TurnView
from ..views.html import escape
from ..views.parts import status_symbol
from .history import without_user_files
from .presenter import waiting_text


class TurnChannel:
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
        attempt: int = 0,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.view = view
        self.attempt = attempt
        self.channel = Channel(view)
        self._throttle: Throttle[Turn] = Throttle(self.channel, clock)
        self._lang = lang
        self._icons = icons
        self._turn_view: TurnView | None = None

    @property
    def turn(self) -> Turn | None:
        """What was drawn last."""
        return self._throttle.turn

    def update(self, turn: Turn, now: float) -> list[Patch | Packed]:
        """The messages that are due for this state; cheap to call often. What has ended never waits.

        Args:
            now: seconds since the question was sent.
        """
        last = self.turn
        drawing = self._throttle.draw(turn, now, self.blocks)
        if drawing is None:
            return []
        root, cost = drawing
        if turn.status != "running":
            self._turn_view = None  # it will hardly be drawn again
            if self.channel.differ.root is None or (last is not None and last.status == "running"):
                return [self.channel.end(root, now)]
        return self.channel.offer(root, now, cost)

    def due(self, now: float) -> float:
        """Seconds until `update` would give something, if nothing else comes."""
        return self._throttle.due(now)

    def blocks(self, turn: Turn, now: float) -> Block:
        """The blocks of the answer."""
        turn_view = self._turn_view = self._turn_view or TurnView(self._lang, self._icons)
        shown = without_user_files(turn)
        if shown.suggested or shown.feedback:  # the panel has its own places for these
            shown = msgspec.structs.replace(shown, suggested=None, feedback=None)
        root = turn_view.blocks(shown, now)
        slots = tuple(self._slot(slot, turn, now) for slot in root.children)
        return Block(root.key, root.tag, root.attrs, "", slots)

    def _slot(self, slot: Block, turn: Turn, now: float) -> Block:
        if slot.key == "header":
            text = waiting_text(turn, self._lang, now)
            html = status_symbol("running") + escape(text)
            waiting = (Block("wait", "span", {"class": "dn-wait"}, html),) if text else ()
            return Block("header", "div", {"class": "dn-slot dn-head" if text else "dn-slot"}, "", waiting)
        if slot.key == "footer" and turn.status != "running":
            return Block("footer", "div", {"class": "dn-slot"})
        return slot

    def whole(self) -> Patch | Packed | None:
        """The picture as it is, valid on anything; None when nothing was drawn yet."""
        return None if self.channel.differ.root is None else self.channel.whole()
