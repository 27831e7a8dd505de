"""What people have from elsewhere than the API, as a `History`: exports of Dify's console, dumps of its database.

    History.from_export("messages.csv", "conversations.csv", "end_users.csv")
    History.from_export("dump.sql.gz", app="0f0c…")
    History.from_export("exports/")

Columns that a source cannot know are missing, in the same schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...errors import InputError
from ...i18n import t
from ...paths import expand

if TYPE_CHECKING:
    from ..history import History

__all__ = ["read_export"]


def read_export(
    paths: Iterable[str | os.PathLike[str]], *, app: str | None = None, limit: int | None = None
) -> History:
    """See `History.from_export`."""
    from ..facts import Facts
    from ..history import History
    from .gather import Gatherer
    from .layouts import kind_of
    from .opened import LIMIT, Budget
    from .sources import files, rows

    given = [expand(path) for path in paths]
    if not given:
        raise InputError(t("history.export.nothing"), code="export")
    budget = Budget(LIMIT if limit is None else limit)
    gatherer = Gatherer(app, budget)
    for path in (one for some in given for one in files(some)):
        for table, place, row in rows(path, budget):
            kind = kind_of(table, row, place)
            if kind is not None:
                gatherer.take(kind, place, row)
    tables = gatherer.frames()
    if not gatherer.kinds:
        raise InputError(t("history.export.no_rows", path=", ".join(map(str, given))), code="export")
    notes = [t("history.export.from", files=", ".join(path.name for path in given)), *gatherer.notes]
    if gatherer.kinds["feedback_export"] and not gatherer.kinds["messages"]:
        notes.append(t("history.export.feedback_only"))
    if gatherer.kinds["log_export"]:
        notes.append(t("history.export.made_ids"))
    if not gatherer.users:
        notes.append(t("history.export.no_users"))
    facts = Facts(users=dict.fromkeys(gatherer.users, "export"), app=app, notes=tuple(notes))
    return History(tables, facts)
