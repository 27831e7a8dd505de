"""`%dify history`: the logs of conversations into a variable, and what to do with them."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from ..app.entry_points import suggestion
from ..app.modes import takes
from ..errors import InputError
from ..i18n import t
from ..printable import MESSAGE, one_line
from .state import AppSession

if TYPE_CHECKING:
    from ..frames.history import History

DEFAULT_NAME = "history"
"""The variable, where none is named."""
OPTIONS = ("--since", "--until", "--users")
FLAG = "--details"


class HistoryArguments(msgspec.Struct, frozen=True):
    """The arguments of a `%dify history` line."""

    name: str = DEFAULT_NAME
    named: bool = False
    """Whether the variable was named, so that what it holds may be replaced."""
    since: str | None = None
    until: str | None = None
    users: tuple[str, ...] | None = None
    """None: the app session's user. Empty: everyone who can be found."""
    details: bool = False
    """Whether inputs and outputs of a workflow app's runs are fetched too."""

    @property
    def is_default(self) -> bool:
        """Whether the line has no option."""
        return self == HistoryArguments(self.name, self.named)


def parse_history_line(args: list[str]) -> HistoryArguments:
    """What stands behind `%dify history`.

    >>> parse_history_line(["logs", "--users", "anna,ben"]).users
    ('anna', 'ben')

    Raises:
        InputError: it cannot be read.
    """
    values: dict[str, Any] = {}
    words = list(args)
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if option in OPTIONS:
            field = option[2:]
            if field in values:
                _refuse("magic.history.twice", option=option)
            if not equals:
                value = words.pop(0) if words else ""
            if not value or value.startswith("--"):
                _refuse("magic.history.no_value", option=option)
            values[field] = _users(value) if field == "users" else value
        elif word == FLAG:
            values["details"] = True
        elif word.startswith("-"):
            _refuse(
                "magic.history.unknown",
                option=word,
                suggestion=suggestion(word, [*OPTIONS, FLAG]),
                known=", ".join([*OPTIONS, FLAG]),
            )
        elif "name" in values:
            _refuse("magic.history.two_names", first=values["name"], second=word)
        elif not word.isidentifier() or keyword.iskeyword(word):
            _refuse("magic.history.name", name=word)
        else:
            values |= {"name": word, "named": True}
    return HistoryArguments(**values)


def _users(value: str) -> tuple[str, ...]:
    return () if value == "all" else tuple(name for name in value.split(",") if name)


def history(args: list[str], app_session: AppSession, namespace: Mapping[str, Any]) -> tuple[str, History, str]:
    """Fetch what the line asks for, or bring the variable's history up to date.

    Returns:
        The variable's name, what it is to hold, and the text to print.

    Raises:
        InputError: the line cannot be read, or the variable holds something else.
        DifyError: the server refused it.
    """
    arguments = parse_history_line(args)
    existing = namespace.get(arguments.name)
    if not _is_history(existing):
        if existing is not None and not arguments.named:
            _refuse("magic.history.held", name=arguments.name, type=type(existing).__name__)
        existing = None
    client = app_session.client
    # Both are awaitable too; here, where a cell waits, `now` does so and obeys Interrupt.
    collecting: Any
    if existing is not None and arguments.is_default and existing.facts.server == client.base_url:
        collecting = client.update(existing)
    else:
        users: Any = arguments.users
        if users == ():
            users = app_session.session.call(client.find_users())
        collecting = client.history(users, since=arguments.since, until=arguments.until, details=arguments.details)
    result: History = collecting.now()
    return arguments.name, result, summary(result, arguments.name)


def summary(history: History, name: str) -> str:
    """What is in it, what is not, and what can be done with it."""
    of_runs = takes(history.facts.app_mode).lists == "runs"
    rows = history.workflow_runs if of_runs else history.messages
    times = rows["created_at"].dropna()
    if of_runs:
        head = t("magic.history.fetched_runs", name=name, runs=f"{len(rows):,}", users=rows["user"].nunique())
    else:
        head = t(
            "magic.history.fetched",
            name=name,
            messages=f"{len(rows):,}",
            conversations=f"{len(history.conversations):,}",
            users=len(history.users),
        )
    lines = [head]
    if len(times):
        lines.append(t("magic.history.span", first=f"{times.min():%Y-%m-%d}", last=f"{times.max():%Y-%m-%d}"))
    lines += [one_line(note, MESSAGE) for note in history.notes]
    if history.failures:
        lines.append(t("magic.history.failures", count=len(history.failures), name=name))
    again = "%dify history" if name == DEFAULT_NAME else f"%dify history {name}"
    if of_runs or takes(history.facts.app_mode).conversations:
        lines.append(t("magic.history.next_runs" if of_runs else "magic.history.next", name=name, again=again))
    return "\n".join(lines)


def _is_history(value: object) -> bool:
    """Whether it is a `History`, without importing pandas for the question."""
    return any(kind.__module__ == "dify_notebook.frames.history" for kind in type(value).__mro__)


def _refuse(key: str, /, **values: object) -> NoReturn:
    raise InputError(t(key, **values), code="magic_line", hint=t("magic.history.hint"))
