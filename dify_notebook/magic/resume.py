"""`%dify resume`: which run is meant, of this kernel or of an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from ..errors import InputError, TapeError
from ..i18n import t
from ..tape import Tape, run_store
from ..tape.reading import read_tape
from ..turn.state import CUT, Turn
from .state import AppSession

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
    app_session: AppSession, text: str | None, namespace: Mapping[str, Any], others: Iterable[AppSession] = ()
) -> Resumption | None:
    """The run that is meant; None where there is none to go on with.

    Args:
        app_session: of the app in force.
        others: of the other apps that were asked in this kernel: a run that is named goes on where it was asked.
        text: a variable that holds a turn, or the id of a run; None is the last one that paused or was lost.

    Raises:
        InputError: the text means neither.
    """
    if text is None:
        turn = next((turn for turn in _turns(app_session) if can_go_on(turn)), None)
        return None if turn is None else Resumption(app_session, turn)
    value = namespace.get(text)
    if isinstance(value, Turn):
        if not value.workflow_run_id:
            raise InputError(t("magic.resume.no_run", name=text), code="run")
        return Resumption(_asked_by(value.workflow_run_id, app_session, others), value, text)
    if _RUN_ID.fullmatch(text):
        asked_by = _asked_by(text, app_session, others)
        return Resumption(asked_by, asked_by.session.turns.of_run(text) or text)
    raise InputError(t("magic.resume.unknown", text=text), code="run")


def _asked_by(run: str, app_session: AppSession, others: Iterable[AppSession]) -> AppSession:
    """Which app the run is of; the one in force where it was asked in no cell of this kernel."""
    had = (one for one in (app_session, *others) if one.session.turns.of_run(run) is not None)
    return next(had, app_session)


def _turns(app_session: AppSession) -> Iterator[Turn]:
    """The turns of this app that may be gone on with, the newest first: those of this kernel, then the kept ones."""
    seen: set[str] = set()
    turns = app_session.session.turns
    for index in range(len(turns) - 1, -1, -1):
        try:
            turn = turns[index]
        except TapeError:  # it is no more than a reference to a record that is gone
            continue
        seen.add(turn.message_id or "")
        yield turn
    app_session.session.call(app_session.session.learn())
    for path in sorted(run_store().paths()[-STORED:], key=_written, reverse=True):
        try:
            header, _ = read_tape(path)
            if header.message_id in seen or not _is_of(header, app_session):
                continue
            seen.add(header.message_id or "")
            if header.status in ("paused", "incomplete"):
                yield msgspec.structs.replace(Tape.at(path).replay(), source="stream")
        except (OSError, TapeError):  # pruned meanwhile, or damaged
            continue


def _written(path: Path) -> int:
    """When a record was written: its name tells that by the second, in which a run may pause and end."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_of(header: Any, app_session: AppSession) -> bool:
    """Whether a record is of this app, asked by this user."""
    settings, info = app_session.settings, app_session.client.app_info
    if header.user != settings.user:
        return False
    names = {settings.app, app_session.label, info.name if info else None}
    if settings.source == "local":  # whose port is another in each process
        host = urlsplit(header.server or "").hostname
        return host in ("127.0.0.1", "localhost") and header.app in names
    return header.server == settings.base_url and (header.app is None or header.app in names)
