"""Puts the tapes of a session's runs into the store; those that are not stored stay in memory for a while."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..errors import TapeGone
from ..i18n import t
from ..turn.state import Turn
from .store import RunStore, not_kept, run_store

if TYPE_CHECKING:
    from . import Tape

#: Tapes of runs that are not stored: how many of the newest are held in memory, and how many bytes of them.
UNSTORED, UNSTORED_BYTES = 50, 64_000_000


class TapeKeeper:
    """Where the tapes of a session go.

    Args:
        store: None means this user's store.
    """

    def __init__(self, store: RunStore | None = None) -> None:
        self._store = store
        self._unstored: deque[Tape] = deque()
        self._lock = threading.Lock()

    @property
    def store(self) -> RunStore:
        """Where they are kept."""
        return self._store or run_store()

    def spool(self) -> Path | None:
        """Where a long tape may lie while it is written."""
        return self.store.spool()

    def keep(self, tape: Tape, turn: Turn) -> None:
        """Store the tape and read it from there from now on; where it is not stored, it stays in memory for a while."""
        path = store = None
        try:
            if not tape.entries:
                return
            complete(tape, turn)
            store = self._store or run_store()
            path = store.add(tape, turn.message_id or turn.workflow_run_id or "run")
        except TapeGone:  # it failed while the answer came, and that was said
            return
        except Exception as problem:  # whatever a disk or a clock does: the answer is there
            not_kept(problem, store.directory if store else None)
        if path is not None:
            tape.stored(path)
            return
        with self._lock:
            self._unstored.append(tape)
            size = sum(tape_.entries.size for tape_ in self._unstored)
            while len(self._unstored) > UNSTORED or (size > UNSTORED_BYTES and len(self._unstored) > 1):
                oldest = self._unstored.popleft()
                size -= oldest.entries.size
                oldest.forget(t("tape.not_stored", count=UNSTORED))


def complete(tape: Tape, turn: Turn) -> None:
    """Write into a tape's header what was not known of its run before it ended."""
    tape.header = msgspec.structs.replace(
        tape.header,
        message_id=turn.message_id,
        workflow_run_id=turn.workflow_run_id,
        app=turn.app,
        app_mode=turn.app_mode,
        status=turn.status,
    )
