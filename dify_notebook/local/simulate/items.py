"""What is on its way to a client before it is encoded, and what may change it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...wire.sse import Frame

Event = dict[str, Any]


class Written(NamedTuple):
    """A frame that is sent as it stands, and the event in it: one that is written in another way than ours."""

    frame: Frame
    event: Event | None
    """None for a ping, and for what cannot be read as an event."""


Item = Event | Written | None
"""None is the end of the stream."""
Change = Callable[[Item], Iterable[Item]]
"""Gives what is sent in place of an item; what comes behind a None is not sent."""
