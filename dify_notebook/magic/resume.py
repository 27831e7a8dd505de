"""`%dify resume`: which run is meant, of this kernel or of an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from ..errors import InputError, TapeError
from ..i18n import t
from ..printable import one_line
from ..tape import Tape, run_store
from ..tape.reading import read_tape
from ..turn.state import CUT, Turn
from .state import AppSession, State

STORED = 500
"""How many of the newest records of this machine are looked at."""
_RUN_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Resumption(NamedTuple):
    """What `%dify resume` goes on with."""

    app_session: AppSession
    run: Turn | str
    name: str | None = None
    """The variable that holds the turn."""


def can_go_on(turn: Turn) -> bool:
    """Whether the run of that turn waits for a person, or was lost before its end."""
    lost = turn.status == "incomplete" and turn.end in CUT
    return (turn.status == "paused" or lost) and bool(turn.workflow_run_id)


def find(
    app_session: AppSession, text: str | None, namespace: Mapping[str, Any], state: State | None = None
) -> Resumption | None:
    """The run that is meant; None where there is none to go on with.

    Args:
        app_session: the chosen one. A run that another one asked for in this kernel is gone on with there.
        text: a variable that holds a turn, or the id of a run; None is the last one that paused or was lost.
        state: knows the others.

    Raises:
        InputError: the text means neither, or a turn of another server.
    """
    if text is None:
        turn = next((turn for turn in _turns(app_session) if can_go_on(turn)), None)
        return None if turn is None else Resumption(app_session, turn)
    value = namespace.get(text)
    run = value.workflow_run_id if isinstance(value, Turn) else text if _RUN_ID.fullmatch(text) else None
    if run is None:
        key = "magic.resume.no_run" if isinstance(value, Turn) else "magic.resume.unknown"
        raise InputError(t(key, name=text, text=text), code="run")
    for candidate in (app_session, *(state.app_sessions.values() if state else ())):
        known = candidate.session.turns.of_run(run)
        if known is not None:
            return Resumption(candidate, *((value, text) if isinstance(value, Turn) else (known,)))
    if not isinstance(value, Turn):
        return Resumption(app_session, run)
    if state is not None and value.user and value.user != app_session.settings.user:
        app_session = state.app_session(None, value.user, namespace)
    app_session.session.call(app_session.session.learn())
    if value.server is not None and not _is_at(value, app_session):
        # What its forms are answered with is for that server alone.
        where = one_line(", ".join(part for part in (value.app, value.server) if part))
        raise InputError(t("magic.resume.elsewhere", name=text, where=where), code="run")
    return Resumption(app_session, value, text)


def _turns(app_session: AppSession) -> Iterator[Turn]:
    """The turns of this app that may be gone on with, the newest first: those of this kernel, then the kept ones."""
    seen: set[str] = set()
    turns = app_session.session.turns
    for index in range(len(turns) - 1, -1, -1):
        try:
            turn = turns[index]
        except TapeError:  # it is no more than a reference to a record that is gone
            continue
        seen.add(_identity(turn))
        yield turn
    app_session.session.call(app_session.session.learn())
    for path in sorted(run_store().paths()[-STORED:], key=_written, reverse=True):
        try:
            header, _ = read_tape(path)
            if _identity(header) in seen or not _is_of(header, app_session):
                continue
            seen.add(_identity(header))
            if header.status in ("paused", "incomplete"):
                yield msgspec.structs.replace(Tape.at(path).replay(), source="stream")
        except (OSError, TapeError):  # pruned meanwhile, or damaged
            continue


def _identity(record: Any) -> str:
    """What a turn and its record have in common: a message, or in a workflow app the run."""
    return record.message_id or record.workflow_run_id or ""


def _written(path: Path) -> int:
    """When a record was written: its name tells that by the second, in which a run may pause and end."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_of(header: Any, app_session: AppSession) -> bool:
    """Whether a record is of this app, asked by this user."""
    named = header.app is None or header.app in _names(app_session)
    return header.user == app_session.settings.user and _is_at(header, app_session) and named


def _is_at(record: Any, app_session: AppSession) -> bool:
    """Whether a record or a turn is of this server. The embedded one's port is another in each process."""
    settings = app_session.settings
    if settings.source != "local":
        return bool(record.server == settings.base_url)
    return urlsplit(record.server or "").hostname in ("127.0.0.1", "localhost") and record.app in _names(app_session)


def _names(app_session: AppSession) -> set[str | None]:
    info = app_session.client.app_info
    return {app_session.settings.app, app_session.label, info.name if info else None}
