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
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...i18n import t
from ...paths import expand

if TYPE_CHECKING:
    from ..history import History
    from .builder import HistoryBuilder
    from .text_files import Budget
    from .validator import Validator

__all__ = ["read_export"]


def read_export(
    paths: Iterable[str | os.PathLike[str]],
    *,
    app: str | None = None,
    limit: int | None = None,
    encoding: str | None = None,
) -> History:
    """See `History.from_export`."""
    from ..facts import Facts, Failure
    from ..history import History
    from .builder import HistoryBuilder
    from .encodings import is_encoding
    from .formats import list_files
    from .parquet import is_history, read_history
    from .text_files import LIMIT, Budget
    from .validator import Validator

    given = [expand(path) for path in paths]
    if not given:
        raise InputError(t("history.export.nothing"), code="export")
    if encoding is not None and not is_encoding(encoding):
        raise InputError(t("history.export.no_encoding", encoding=repr(encoding)[:60]), code="export")
    budget = Budget(LIMIT if limit is None else limit)
    gatherer, checked = HistoryBuilder(app, budget), Validator(budget)
    whole = True
    failures: list[Failure] = []
    # By name, so that it does not matter in which order they were given.
    for path in sorted((one for some in given for one in list_files(some)), key=lambda path: (path.name, path)):
        gatherer.begin()
        if is_history(path):
            told, kept = read_history(path, budget)
            whole, failures = whole and told.complete, [*failures, *told.failures]
            for table, frame in kept:
                gatherer.take_frame(f"history.{table.name}", table, frame)
        else:
            _take(path, gatherer, checked, budget, encoding)
    tables = gatherer.frames()
    if not gatherer.kinds:
        raise InputError(t("history.export.no_rows", path=", ".join(map(str, given))), code="export")
    notes = [t("history.export.from", files=", ".join(path.name for path in given)), *checked.notes(), *gatherer.notes]
    if gatherer.kinds["feedback_export"] and not gatherer.kinds["messages"]:
        notes.append(t("history.export.feedback_only"))
    if gatherer.made_ids:
        notes.append(t("history.export.made_ids"))
    if not gatherer.users:
        notes.append(t("history.export.no_users"))
    facts = Facts(
        users=dict.fromkeys(gatherer.users, "export"),
        app=app,
        notes=tuple(notes),
        complete=whole,
        failures=tuple(failures),
    )
    return History(tables, facts)


def _take(path: Path, gatherer: HistoryBuilder, checked: Validator, budget: Budget, encoding: str | None) -> None:
    """The rows of a file. Raises: InputError, ConfigError: see `History.from_export`."""
    from .formats import read_rows
    from .parquet import is_parquet, read_file
    from .saved_tables import unpivoted

    if not is_parquet(path):
        for table, place, told in read_rows(path, budget, encoding):
            for row in unpivoted(told):
                _row(table, place, row, gatherer, checked)
        return
    for one, part in read_file(path, budget):
        if isinstance(one, str):
            _row(None, one, part, gatherer, checked)
        else:
            gatherer.take_frame(f"history.{one.name}", one, part)


def _row(table: str | None, place: str, row: dict[str, Any], gatherer: HistoryBuilder, checked: Validator) -> None:
    from .layouts import row_layout

    kind = row_layout(table, row, place)
    found = None if kind is None else checked.row(kind, place, row)
    if found is not None:
        gatherer.take(found[0], place, found[1])
