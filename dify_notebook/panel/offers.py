"""What a panel offers for each mode of an app, by what such apps take: the browser is told it as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..app.modes import TAKES, UNKNOWN, Takes
from . import messages as m


def _offers(takes: Takes) -> m.Offers:
    chats = takes.conversations
    return m.Offers(
        asks="question" if chats else "run",
        history=takes.lists or "here",
        conversations=chats,
        suggestions=chats,
        annotations=chats,
        variables=takes.variables,
    )


CHATTING: Final = _offers(UNKNOWN)
"""As long as nothing is known of the app."""
OFFERS: Final[Mapping[str, m.Offers]] = {mode: _offers(takes) for mode, takes in TAKES.items()}
