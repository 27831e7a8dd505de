"""What a screen reader is told of a turn: the key of its sentence."""

from __future__ import annotations

from ..turn.state import Turn
from ..views.facts import is_run


def status_key(turn: Turn) -> str:
    """Where it stands, of an answer or of a run: `live.say.…`, `live.run.…`."""
    about = "live.run" if is_run(turn) else "live.say"
    if turn.status != "running":
        return f"{about}.{turn.status}"
    return f"{about}.answering" if turn.answer else f"{about}.waiting"
