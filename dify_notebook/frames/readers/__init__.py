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

    roots = [expand(path) for path in paths]
    if not roots:
        raise InputError(t("history.export.nothing"), code="export")
    if encoding is not None and not is_encoding(encoding):
        raise InputError(t("history.export.no_encoding", encoding=repr(encoding)[:60]), code="export")
    budget = Budget(LIMIT if limit is None else limit)
    builder, validator = HistoryBuilder(app, budget), Validator(budget)
    complete = True
    failures: list[Failure] = []
    # By name, so that it does not matter in which order they were given.
    for path in sorted((file for root in roots for file in list_files(root)), key=lambda path: (path.name, path)):
        builder.begin_file()
        if is_history(path):
            saved_facts, saved = read_history(path, budget)
            complete, failures = complete and saved_facts.complete, [*failures, *saved_facts.failures]
            for table, frame in saved:
                builder.add_frame(f"history.{table.name}", table, frame)
        else:
            _take(path, builder, validator, budget, encoding)
    tables = builder.build()
    if not builder.kinds:
        raise InputError(t("history.export.no_rows", path=", ".join(map(str, roots))), code="export")
    notes = [t("history.export.from", files=", ".join(path.name for path in roots)), *validator.notes(), *builder.notes]
    if builder.kinds["feedback_export"] and not builder.kinds["messages"]:
        notes.append(t("history.export.feedback_only"))
    if builder.made_ids:
        notes.append(t("history.export.made_ids"))
    if not builder.users:
        notes.append(t("history.export.no_users"))
    facts = Facts(
        users=dict.fromkeys(builder.users, "export"),
        app=app,
        notes=tuple(notes),
        complete=complete,
        failures=tuple(failures),
    )
    return History(tables, facts)


def _take(path: Path, builder: HistoryBuilder, validator: Validator, budget: Budget, encoding: str | None) -> None:
    """The rows of a file. Raises: InputError, ConfigError: see `History.from_export`."""
    from .formats import read_rows
    from .parquet import is_parquet, read_file
    from .saved_tables import unpivoted

    if not is_parquet(path):
        for table, location, record in read_rows(path, budget, encoding):
            for row in unpivoted(record):
                _row(table, location, row, builder, validator)
        return
    for source, part in read_file(path, budget):
        if isinstance(source, str):
            _row(None, source, part, builder, validator)
        else:
            builder.add_frame(f"history.{source.name}", source, part)


def _row(table: str | None, location: str, row: dict[str, Any], builder: HistoryBuilder, validator: Validator) -> None:
    from .layouts import row_layout

    kind = row_layout(table, row, location)
    result = None if kind is None else validator.row(kind, location, row)
    if result is not None:
        builder.add_row(result[0], location, result[1])
