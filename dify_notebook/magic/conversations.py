"""`%dify conversations`: lists them with numbers, goes on with one, exports one."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..i18n import t
from ..paths import expand
from ..printable import one_line
from ..transcript import as_markdown, as_notebook
from ..turn.stored import turn_of
from .state import AppSession, Conversation, told

MOST = 50
"""How many are listed."""


def conversations(seat: AppSession, number: int | None, export: str | None) -> str:
    """List the seat's conversations, go on with one of them, or write one into a file.

    Raises:
        InputError: there is no such number, or the file exists or has another ending.
        DifyError: the server refused it.
    """
    if number is None:
        return _list(seat)
    id = _pick(seat, number)
    if export is not None:
        return _export(seat, id, export)
    seat.session.conversation_id = id
    return t("magic.conversations.continued", name=one_line(seat.known[id].name or id), id=one_line(id))


def _fetch(seat: AppSession) -> list[Any]:
    found = seat.session.call(seat.client.conversations.list().to_list(limit=MOST))
    seat.listed = [one.id for one in found]
    for one in found:
        known = seat.known.setdefault(one.id, Conversation(one.id, told(one.inputs), here=False))
        known.name = one_line(one.name) or None
    return list(found)


def _list(seat: AppSession) -> str:
    found = _fetch(seat)
    if not found:
        return t("magic.conversations.none", user=seat.settings.user)
    rows = []
    for at, one in enumerate(found, 1):
        when = one.updated_at or one.created_at
        shown = when.astimezone().strftime("%Y-%m-%d %H:%M") if when else "-"
        mark = "*" if one.id == seat.session.conversation_id else " "
        rows.append(f"{mark}{at:>3}  {shown:<16}  {one_line(one.id)}  {one_line(one.name, 60)}")
    more = [t("magic.conversations.more", count=MOST)] if len(found) == MOST else []
    return "\n".join([*rows, *more, t("magic.conversations.how")])


def _pick(seat: AppSession, number: int) -> str:
    if not seat.listed:
        _fetch(seat)
    if not 1 <= number <= len(seat.listed):
        raise InputError(t("magic.conversations.no_number", number=number, count=len(seat.listed)), code="conversation")
    return seat.listed[number - 1]


def _export(seat: AppSession, id: str, target: str) -> str:
    path = expand(target)
    if path.suffix not in (".md", ".ipynb"):
        raise InputError(t("magic.conversations.ending", path=target), code="export")
    if path.exists():
        raise InputError(t("magic.conversations.exists", path=target), code="export")
    kept = seat.session.call(seat.client.messages.list(id, order="asc").to_list())
    turns = [turn_of(message) for message in kept]
    title = seat.known[id].name or id
    text = as_markdown(turns, title) if path.suffix == ".md" else as_notebook(turns, title)
    problem = ""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        problem = t("magic.conversations.exists", path=target)
    except OSError as raised:
        problem = t("magic.conversations.unwritable", path=target, problem=raised.strerror or type(raised).__name__)
    if problem:
        raise InputError(problem, code="export")
    return t("magic.conversations.exported", count=len(turns), path=target)
