"""The bytes of an answer, over one connection or several, as frames and their events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..redact import has_form_token, without_form_tokens
from ..secret import Secret
from ..wire import events as ev
from ..wire.decoder import decode
from ..wire.sse import Frame, Splitter
from ..wire.surrogates import Surrogates
from .bounds import Bounds
from .resume import Resume

if TYPE_CHECKING:
    from ..turn.state import Turn

Framed = tuple[Frame | None, ev.Event]
"""An event with the frame that it came in; None where `Resume` made it of a part of one."""


class EventReader:
    """Takes the chunks of a body; of a connection that goes on with a run it gives only what is new.

    Args:
        bounds: `line` and `stream` hold, the latter over all connections.
        key: taken out of what a server says.
        alone: see `Resume`.
    """

    def __init__(self, bounds: Bounds, key: Secret, *, alone: bool = False) -> None:
        self._bounds = bounds
        self._key = key
        # A view does not show itself in a verbose traceback; mypy knows of no view in bytes.
        self._key_bytes: Any = memoryview(key.reveal().encode())
        self._remaining = bounds.stream
        self._resume, self._following = Resume(alone=alone), False
        self._connect()

    def _connect(self) -> None:
        self._splitter, self._surrogates = Splitter(self._bounds.line), Surrogates()
        self.buffered = 0
        """Frames of the last chunk that are not read yet."""
        self.exceeded: Literal["line", "stream"] | None = None
        """The bound that was passed: no more may be split."""

    def reconnect(self, turn: Turn) -> None:
        """Another connection begins; this is what came so far."""
        self._connect()
        self._resume.restart(turn)
        self._following = True

    def resume(self, turn: Turn, run: str, answered: Collection[str]) -> None:
        """The first connection goes on with that run, the turn's; `answered` are ids of forms that were submitted."""
        self._resume.begin(turn, run, answered)
        self._following = True

    def split(self, chunk: bytes) -> list[Frame]:
        """The frames that a chunk completes; each is for `read`, in this order.

        A list and no generator of events: what stands here and in `read` is what every token costs.
        """
        frames = self._splitter.feed(chunk)
        self.buffered = len(frames)
        self._remaining -= len(chunk)
        if self._splitter.too_long:
            self.exceeded = "line"
        elif self._remaining < 0:
            self.exceeded = "stream"
        return frames

    def read(self, frame: Frame, at: float) -> Sequence[Framed]:
        """What a frame says, decoded now: its event, or of a run that is followed what is new in it.

        Args:
            at: seconds since the question was sent.
        """
        self.buffered -= 1
        data = frame[1]
        if data is not None and self._key_bytes in data:
            frame = (frame[0], self._key.taken_out_of(data))
        event = decode(frame, at, self._surrogates)
        if data is not None and has_form_token(data):
            frame = _without_tokens(frame)
        if self._following:
            return self._new(frame, event)
        self._resume.record(event)
        return ((frame, event),)

    def _new(self, frame: Frame, event: ev.Event) -> list[Framed]:
        return [(frame if new is event else None, new) for new in self._resume.new_events(event)]

    def rest(self) -> bytes:
        """What came of a frame that is not complete."""
        return without_form_tokens(self._key.taken_out_of(self._splitter.rest()))

    def last(self, at: float) -> list[Framed]:
        """The last event where it is whole, and only the blank line behind it was lost."""
        rest = self._key.taken_out_of(self._splitter.rest())
        frames = Splitter().feed(rest + b"\n\n") if rest.startswith((b"data", b"{")) else []
        if len(frames) != 1 or isinstance(event := decode(frames[0], at, self._surrogates), ev.Unknown):
            return []
        frame = _without_tokens(frames[0])
        if self._following:
            return self._new(frame, event)
        self._resume.record(event)
        return [(frame, event)]

    @property
    def followed(self) -> Resume | None:
        """What was told of a run that is followed; None where the answer came over one connection."""
        return self._resume if self._following else None


def _without_tokens(frame: Frame) -> Frame:
    """The frame as it may be kept: forms are answered with the tokens of their events."""
    name, data = frame
    return name, None if data is None else without_form_tokens(data)
