"""Runs in words: what each is called, and the lines of the list that they make. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..i18n import Language, t
from ..printable import one_line
from ..turn.state import MessageFile
from ..views.words import Words, number
from . import messages as m
from .runs import ids_of
from .state import Item, PanelState, PastRun
from .when import when

TITLE = 80
"""Characters of a run's title at most."""
LOOKED_AT = 1_000
"""Characters of a value that a title is made of at most."""
VALUES = 10_000
"""Values of a run's outputs that are looked through for files at most."""
_ENDLESS = datetime.max.replace(tzinfo=UTC)


def title(item: Item, lang: Language, now: datetime) -> str:
    """What an item is called: its question, else the texts of its inputs, else when it was asked."""
    if item.query:
        return one_line(item.query, TITLE)
    given = item.inputs or item.now.inputs or {}
    return run_title(given, lang) or t("panel.run.of", lang, when=when(item.asked_at or item.now.created_at, now, lang))


def run_title(given: Mapping[str, Any], lang: Language) -> str:
    """The inputs of a run in one line; "" where they say nothing."""
    parts: list[str] = []
    left = TITLE
    for value in given.values():
        text = _text(value)
        if text and left > 0:
            parts.append(one_line(text, max(left, 8)))
            left -= len(parts[-1])
    return " · ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:LOOKED_AT].strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list | tuple):
        return next((text for each in value[:3] if (text := _text(each))), "")
    name = value.get("filename") if isinstance(value, Mapping) else getattr(value, "name", None)
    return name if isinstance(name, str) else ""


def lines(state: PanelState, user: str, lang: Language, now: datetime) -> list[m.Listed]:
    """The list of runs, the newest first: those that are here, and those of the server or of tapes."""
    current, search = state.current, state.listing.search.casefold()
    own: list[tuple[datetime, m.Listed]] = []
    known: set[str] = set()
    listed = {run.id: run for run in state.listing.runs}
    for item in state.items:
        ids = ids_of(item)
        line = next((listed[id] for id in ids if id in listed), None)
        known |= ids
        name = title(item, lang, now)
        if search and line is None and search not in name.casefold() and search not in item.now.answer.casefold():
            continue
        shown = _of_item(item, line, name, item is current, user, lang, now)
        own.append((item.asked_at or item.now.created_at or _ENDLESS, shown))
    others = (run for run in state.listing.runs if run.id not in known)
    past = [(run.created_at or _ENDLESS, _of_run(run, user, lang, now)) for run in others]
    return [line for _, line in sorted([*reversed(own), *past], key=lambda each: each[0], reverse=True)]


def _of_item(
    item: Item, line: PastRun | None, name: str, current: bool, user: str, lang: Language, now: datetime
) -> m.Listed:
    turn = item.now
    seconds = turn.timing.total if turn.timing is not None else None
    if seconds is None and turn.workflow is not None:
        seconds = turn.workflow.elapsed
    ended = item.run is None
    tokens = turn.usage.total_tokens if ended and turn.usage is not None else None
    by = (line.user if line is not None else None) or turn.user
    return m.Listed(
        id=item.key,
        name=name,
        when=when(item.asked_at or turn.created_at, now, lang),
        current=current,
        status=turn.status if ended else "running",
        facts=_facts(seconds if ended else None, tokens, by, user, lang),
    )


def _of_run(run: PastRun, user: str, lang: Language, now: datetime) -> m.Listed:
    moment = when(run.created_at, now, lang)
    return m.Listed(
        id=run.id,
        name=t("panel.run.of", lang, when=moment) if moment else t("panel.run", lang),
        when="",
        current=False,
        status=one_line(run.status.replace("-", "_"), 40),
        facts=_facts(run.seconds, run.tokens, run.user, user, lang),
    )


def _facts(seconds: float | None, tokens: int | None, by: str | None, user: str, lang: Language) -> str:
    words = Words(lang)
    parts = [words.seconds(seconds)] if seconds else []
    parts += [words("tokens", n=number(tokens))] if tokens else []
    parts += [one_line(by, 40)] if by and by != user else []
    return " · ".join(parts)


def files_of(files: Sequence[MessageFile], outputs: Any) -> list[MessageFile]:
    """The files of an answer, and those among the outputs of its run that are not named beside them."""
    found = list(files)
    known = {file.id or file.url for file in found}
    for file in _within(outputs):
        if (file.id or file.url) not in known:
            known.add(file.id or file.url)
            found.append(file)
    return found


def _within(value: Any) -> Iterable[MessageFile]:
    waiting = deque([value])
    for _ in range(VALUES):
        if not waiting:
            return
        each = waiting.popleft()
        if isinstance(each, MessageFile):
            yield each
        elif isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
