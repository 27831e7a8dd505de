"""`%dify conversations`: lists them with numbers, goes on with one, exports one."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..i18n import local_time, t
from ..paths import expand
from ..printable import one_line
from ..transcript import as_markdown, as_notebook
from ..turn.stored import turn_from_stored
from .state import AppSession

MAXIMUM = 50
"""How many are listed."""


def conversations(app_session: AppSession, number: int | None, export: str | None) -> str:
    """List the app's conversations, go on with one of them, or write one into a file.

    Raises:
        InputError: there is no such number, or the file exists or has another ending.
        DifyError: the server refused it.
    """
    if number is None:
        return _list(app_session)
    id = _pick(app_session, number)
    if export is not None:
        return _export(app_session, id, export)
    app_session.session.conversation_id = id
    return t("magic.conversations.continued", name=one_line(app_session.conversations[id].name or id), id=one_line(id))


def _fetch(app_session: AppSession) -> list[Any]:
    listed = app_session.fetch_conversations(MAXIMUM)
    app_session.listed = [conversation.id for conversation in listed]
    return listed


def _list(app_session: AppSession) -> str:
    listed = _fetch(app_session)
    if not listed:
        return t("magic.conversations.none", user=app_session.settings.user)
    rows = []
    for number, conversation in enumerate(listed, 1):
        time = conversation.updated_at or conversation.created_at
        date = local_time(time).strftime("%Y-%m-%d %H:%M") if time else "-"
        mark = "*" if conversation.id == app_session.session.conversation_id else " "
        rows.append(f"{mark}{number:>3}  {date:<16}  {one_line(conversation.id)}  {one_line(conversation.name, 60)}")
    more = [t("magic.conversations.more", count=MAXIMUM)] if len(listed) == MAXIMUM else []
    return "\n".join([*rows, *more, t("magic.conversations.how")])


def _pick(app_session: AppSession, number: int) -> str:
    if not app_session.listed:
        _fetch(app_session)
    if not 1 <= number <= len(app_session.listed):
        problem = t("magic.conversations.no_number", number=number, count=len(app_session.listed))
        raise InputError(problem, code="conversation")
    return app_session.listed[number - 1]


def _export(app_session: AppSession, id: str, target: str) -> str:
    path = expand(target)
    if path.suffix not in (".md", ".ipynb"):
        raise InputError(t("magic.conversations.ending", path=target), code="export")
    if path.exists():
        raise InputError(t("magic.conversations.exists", path=target), code="export")
    messages = app_session.session.call(app_session.client.messages.list(id, order="asc").to_list())
    turns = [turn_from_stored(message) for message in messages]
    title = one_line(app_session.conversations[id].name or id)
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
