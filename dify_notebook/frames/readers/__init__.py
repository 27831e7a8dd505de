"""What people have from elsewhere than the API, as a `History`: exports of Dify's console, dumps of its database.

    History.from_export("messages.csv", "conversations.csv", "end_users.csv")
    History.from_export("dump.sql.gz", app="0f0c…")
    History.from_export("exports/")

Columns that a source cannot know are missing, in the same schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError
from ...i18n import t

if TYPE_CHECKING:
    from ..history import History

__all__ = ["read_export"]


def read_export(
    paths: Iterable[str | os.PathLike[str]],
    *,
    app: str | None = None,
    limit: int | None = None,
    encoding: str | None = None,
) -> History:
    """See `History.from_export`."""
    from ..facts import Facts
    from ..history import History
    from .cells import Checked
    from .encodings import is_encoding
    from .gather import Gatherer
    from .layouts import kind_of
    from .opened import LIMIT, Budget
    from .sources import files, rows

    given = [Path(path).expanduser() for path in paths]
    if not given:
        raise InputError(t("history.export.nothing"), code="export")
    if encoding is not None and not is_encoding(encoding):
        raise InputError(t("history.export.no_encoding", encoding=repr(encoding)[:60]), code="export")
    budget = Budget(LIMIT if limit is None else limit)
    gatherer, checked = Gatherer(app, budget), Checked(budget)
    for path in (one for some in given for one in files(some)):
        for table, place, row in rows(path, budget, encoding):
            kind = kind_of(table, row, place)
            found = None if kind is None else checked.row(kind, place, row)
            if found is not None:
                gatherer.take(found[0], place, found[1])
    tables = gatherer.frames()
    if not gatherer.kinds:
        raise InputError(t("history.export.no_rows", path=", ".join(map(str, given))), code="export")
    notes = [t("history.export.from", files=", ".join(path.name for path in given)), *checked.notes(), *gatherer.notes]
    if gatherer.kinds["feedback_export"] and not gatherer.kinds["messages"]:
        notes.append(t("history.export.feedback_only"))
    if gatherer.kinds["log_export"]:
        notes.append(t("history.export.made_ids"))
    if not gatherer.users:
        notes.append(t("history.export.no_users"))
    facts = Facts(users=dict.fromkeys(gatherer.users, "export"), app=app, notes=tuple(notes))
    return History(tables, facts)
