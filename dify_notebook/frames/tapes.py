"""The tapes in this machine's store as a table, and as turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..errors import InputError, TapeError
from ..i18n import t
from ..logs import logger
from ..tape import Header, RunStore, Tape, read_tape, run_store
from ..turn.convert import as_usage
from ..turn.state import Turn, Usage
from ..wire.decoder import decode
from ..wire.events import MessageEnd
from .item_rows import Batch, batch_of
from .texts import as_microseconds, clean
from .times import time_range

if TYPE_CHECKING:
    import pandas as pd

log = logger()
_END = ".tape.gz"


def run_rows(
    since: Any = None,
    until: Any = None,
    store: RunStore | None = None,
) -> Batch:
    """The table `runs`: of each tape its first lines are read. What is no tape is logged and left out."""
    begin, end = map(as_microseconds, time_range(since, until))
    rows: list[dict[str, Any]] = []
    for path in (store or run_store()).paths():
        try:
            head, first, size = *_read_head(path), path.stat().st_size
        except FileNotFoundError:
            continue  # another kernel swept it meanwhile
        except (OSError, TapeError) as problem:
            log.warning("%s is no tape: %s", path.name, problem)
            continue
        when = as_microseconds(head.created_at)
        if begin is not None and (when is None or when < begin):
            continue
        if end is not None and (when is None or when >= end):
            continue
        rows.append(
            {
                "run_id": run_id(path),
                "message_id": head.message_id or first.message_id,
                "conversation_id": head.conversation_id or first.conversation_id,
                "user": head.user,
                "created_at": when,
                "status": head.status,
                "server": head.server,
                "app": head.app,
                "size": size,
                "query": clean(head.query),
                "workflow_run_id": head.workflow_run_id or first.workflow_run_id,
            }
        )
    rows.sort(key=lambda row: row["created_at"] or 0)  # their names tell whole seconds, and of the end
    return batch_of(rows)


def users_of_runs(server: str, store: RunStore | None = None) -> list[str]:
    """The users who asked that server from this machine, as the headers of tapes name them."""
    users: dict[str, None] = {}
    for path in (store or run_store()).paths():
        try:
            head, _ = read_tape(path)
        except (OSError, TapeError) as problem:
            log.warning("%s is no tape: %s", path.name, problem)
            continue
        if head.server == server and head.user:
            users[head.user] = None
    return list(users)


def run_id(path: Path) -> str:
    """The name of a tape."""
    return path.name.removesuffix(_END)


class _Ids(NamedTuple):
    """What a run is known by."""

    message_id: str | None = None
    conversation_id: str | None = None
    workflow_run_id: str | None = None


def _read_head(path: Path) -> tuple[Header, _Ids]:
    """The header, and the ids of the first event that has any."""
    head, entries = read_tape(path)
    for at, frame in entries:
        event = decode(frame, at)
        ids = _Ids(*(getattr(event, name, None) for name in _Ids._fields))
        if any(ids):
            return head, ids
    return head, _Ids()


def replay(runs: pd.DataFrame | Iterable[str] | None = None, store: RunStore | None = None) -> Iterator[Turn]:
    """The turns of tapes, one after the other."""
    tapes = store or run_store()
    paths = {run_id(path): path for path in tapes.paths()}
    if runs is None:
        run_ids = list(paths)
    else:
        named: Any = runs["run_id"] if hasattr(runs, "columns") else runs  # type: ignore[index]
        run_ids = [str(name) for name in named]
    missing = [name for name in run_ids if name not in paths]
    if missing:
        raise InputError(t("frames.no_run", run=missing[0], count=len(missing)), code="run_id")
    return (_turn(paths[name]) for name in run_ids)


def _turn(path: Path) -> Turn:
    tape = Tape.load(path)
    turn: Turn = tape.replay()
    if turn.message_id is None and tape.header.message_id:
        turn = msgspec.structs.replace(turn, message_id=tape.header.message_id)
    return turn


class Tapes:
    """The tapes of the local store by message_id; each is read when it is needed."""

    def __init__(self, store: RunStore | None = None) -> None:
        self._paths = {path.name[16:].removesuffix(_END): path for path in (store or run_store()).paths()}

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._paths

    def usage(self, message_id: str) -> Usage | None:
        """Tokens and prices of that message; None where its tape has none, or cannot be read."""
        path = self._paths[message_id]
        try:
            result = None
            for at, (name, data) in read_tape(path)[1]:
                if data is not None and b"message_end" in data:
                    event = decode((name, data), at)
                    usage = (event.metadata or {}).get("usage") if isinstance(event, MessageEnd) else None
                    result = usage if isinstance(usage, dict) else result
            return None if result is None else as_usage(result)
        except (OSError, TapeError) as problem:
            log.warning("%s is no tape: %s", path.name, problem)
        return None
