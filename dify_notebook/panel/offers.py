"""What a panel offers for each mode of an app: the one table of it, which the browser is told as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ..wire.kinds import CHAT_MODES, CHATFLOW, COMPLETION, WORKFLOW, AppMode
from . import messages as m

CHATTING: Final = m.Offers(
    asks="question", history="conversations", conversations=True, suggestions=True, annotations=True, variables=False
)
_RUNNING: Final = m.Offers(
    asks="run", history="runs", conversations=False, suggestions=False, annotations=False, variables=False
)
OFFERS: Final[Mapping[AppMode, m.Offers]] = {
    **dict.fromkeys(CHAT_MODES, CHATTING),
    CHATFLOW: msgspec.structs.replace(CHATTING, variables=True),
    WORKFLOW: _RUNNING,
    COMPLETION: msgspec.structs.replace(_RUNNING, history="here"),
}
