"""A believable past for an embedded server: months of conversations of many users, made from one number.

Questions, answers, citations, tool calls and node runs are those of the built-in apps of this version. Who
asks when, how long it takes, how it ends and what people think of it is by chance, with something to find
in it. The same seed gives the same history.
"""

from __future__ import annotations

import os
import random
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ....errors import DifyError
from ....i18n import t
from ...store.registry import store_of
from .answers import Answers
from .crowd import Calendar
from .rows import Writer
from .runs import SeededRuns
from .write import Busy, annotate, check_free, insert, users, write_files

UNTIL = date(2026, 10, 1)
"""The first day after the history, unless another is given: the same everywhere, as the rest of it."""
_LIMIT = 200_000
"""Conversations at most."""


class SeedError(DifyError):
    """No history can be made there or in that form."""


@dataclass(frozen=True)
class Seeded:
    """What a seeding wrote."""

    conversations: int
    messages: int
    feedbacks: int
    users: tuple[str, ...]
    """Those who asked something, as a client names them in `user=`; most conversations first."""
    since: datetime
    """When the first conversation began."""
    until: datetime
    """When the last one ended."""
    runs: int = 0
    """Runs of the workflow app beside them."""

    def __str__(self) -> str:
        return t(
            "local.seed.done",
            conversations=f"{self.conversations:,}",
            messages=f"{self.messages:,}",
            runs=f"{self.runs:,}",
            users=len(self.users),
            since=f"{self.since:%Y-%m-%d}",
            until=f"{self.until:%Y-%m-%d}",
        )


def fill(
    data_dir: str | os.PathLike[str] | None,
    *,
    conversations: int,
    seed: int,
    until: date | str | None,
    days: int,
) -> Seeded:
    """See `dify_notebook.local.seed`."""
    calendar = _calendar(conversations, until, days)
    chance = random.Random(f"dify_notebook {seed}")
    begin = int(datetime.combine(calendar.since, datetime.min.time(), UTC).timestamp())
    launch = int(datetime.combine(calendar.launch, datetime.min.time(), UTC).timestamp())
    with store_of(data_dir) as (directory, store):

        def begun(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
            check_free(db, calendar)
            return users(db, chance, begin)

        def job(db: sqlite3.Connection) -> None:
            check_free(db, calendar)
            insert(db, rows)
            runs.insert(db)
            annotate(db, chance, launch + 10 * 86_400)
            # Before the commit, so that no row is there without its file.
            write_files(directory.files, {**rows.uploads, **runs.uploads})

        try:
            people = store.writer.submit(begun).result()
            # Outside the store's thread: a server that runs on it goes on answering meanwhile.
            with Answers(datetime.combine(calendar.launch, datetime.min.time(), UTC)) as answers:
                rows = Writer(chance, calendar, answers, people).write(conversations)
            runs = SeededRuns(seed, calendar, conversations)
            store.writer.submit(job).result()
        except Busy as error:
            raise SeedError(
                t("local.seed.busy", path=directory.root, found=f"{error.first_message:%Y-%m-%d}", until=calendar.until)
            ) from None
        except sqlite3.Error as error:
            raise SeedError(t("local.seed.failed", path=directory.root, reason=error)) from error
        names = store.writer.submit(_sessions).result()
    return Seeded(
        conversations=len(rows.conversations),
        messages=len(rows.messages),
        feedbacks=len(rows.feedbacks),
        users=names,
        since=datetime.fromtimestamp(rows.messages[0][7], UTC),
        until=datetime.fromtimestamp(max(row[8] for row in rows.messages), UTC),
        runs=runs.number,
    )


def _sessions(db: sqlite3.Connection) -> tuple[str, ...]:
    rows = db.execute(
        "SELECT u.session FROM conversations c JOIN end_users u ON u.id = c.end_user WHERE c.alone = 0"
        " GROUP BY u.session ORDER BY COUNT(*) DESC, u.session"
    )
    return tuple(str(row[0]) for row in rows)


def _calendar(conversations: int, until: date | str | None, days: int) -> Calendar:
    if isinstance(conversations, bool) or not isinstance(conversations, int) or not 1 <= conversations <= _LIMIT:
        raise SeedError(t("local.seed.conversations", most=f"{_LIMIT:,}", given=conversations))
    if isinstance(days, bool) or not isinstance(days, int) or not 14 <= days <= 3660:
        raise SeedError(t("local.seed.days", given=days))
    try:
        end = date.fromisoformat(until) if isinstance(until, str) else until or UNTIL
    except ValueError:
        raise SeedError(t("local.seed.until", given=until)) from None
    if isinstance(end, datetime):
        end = end.date()
    if end > datetime.now(UTC).date():
        raise SeedError(t("local.seed.future", given=end))
    return Calendar(end - timedelta(days=days), days)
