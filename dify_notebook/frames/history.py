"""`History`: the logs of an app's conversations as tables. Data only; the client fetches them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..i18n import t
from ..paths import expand
from ..printable import MESSAGE, TEXT, one_line, shown
from .facts import Facts, Failure
from .looking import Looking
from .schema import HISTORY, SCHEMA

if TYPE_CHECKING:
    import pandas as pd


class History(Looking):
    """The logs of an app's conversations: eight tables that join by `message_id` and `conversation_id`.

    history = dify.history(since="2026-01-01")
    history.messages.merge(history.conversations, on="conversation_id")

    Args:
        tables: frames by the table's name; those that are not given are empty.
        facts: what it is of.
        load: gives a table when it is first looked at, instead of `tables`.
        directory: where it lies as Parquet, if it does.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame] | None = None,
        facts: Facts | None = None,
        *,
        load: Callable[[str], pd.DataFrame] | None = None,
        directory: Path | None = None,
    ) -> None:
        from . import build

        self._tables: dict[str, pd.DataFrame] = {
            name: build.conform(SCHEMA[name], table) for name, table in (tables or {}).items()
        }
        self._load = load
        self.facts = facts or Facts()
        self.directory = directory

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables by its name.

        Raises:
            KeyError: a history has no such table.
        """
        from . import empty

        if name not in {table.name for table in HISTORY}:
            raise KeyError(name)
        if name not in self._tables:
            self._tables[name] = self._load(name) if self._load else empty(name)
        return self._tables[name]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name."""
        return {table.name: self.table(table.name) for table in HISTORY}

    @property
    def conversations(self) -> pd.DataFrame:
        """One row for each conversation, the last used first."""
        return self.table("conversations")

    @property
    def messages(self) -> pd.DataFrame:
        """One row for each question with its answer; within a conversation the oldest first."""
        return self.table("messages")

    @property
    def thoughts(self) -> pd.DataFrame:
        """One row for each tool call of an agent."""
        return self.table("thoughts")

    @property
    def citations(self) -> pd.DataFrame:
        """One row for each passage that an answer rests on."""
        return self.table("citations")

    @property
    def files(self) -> pd.DataFrame:
        """One row for each file of a message."""
        return self.table("files")

    @property
    def variables(self) -> pd.DataFrame:
        """One row for each conversation variable."""
        return self.table("variables")

    @property
    def feedbacks(self) -> pd.DataFrame:
        """One row for each rating."""
        return self.table("feedbacks")

    @property
    def annotations(self) -> pd.DataFrame:
        """One row for each annotation of the app."""
        return self.table("annotations")

    @property
    def users(self) -> dict[str, str]:
        """Whose conversations these are, and how each user was found."""
        return dict(self.facts.users)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be fetched."""
        return self.facts.failures

    @property
    def notes(self) -> tuple[str, ...]:
        """What cannot be found this way, in words."""
        return self.facts.notes

    def to_parquet(self, directory: str | os.PathLike[str]) -> Path:
        """Write everything as partitioned Parquet; `History.read` reads it back.

        Raises:
            InputError: something else, or a history, is there already.
            ConfigError: pyarrow (extra `parquet`) is missing.
            DifyError: the disk refuses it; then nothing of it is left there.
        """
        from .parquet import Directory

        path = expand(directory, argument="directory")
        target = Directory(path)
        target.begin(self.facts)
        try:
            target.save(self.tables)
            target.write_facts(self.facts)
        except BaseException as problem:
            target.take_back(problem)
            raise
        target.end()
        return path

    @classmethod
    def read(cls, directory: str | os.PathLike[str], *, limit: int | None = None) -> History:
        """A history that was written as Parquet; a table is read when it is first looked at.

        Args:
            directory: where it lies.
            limit: bytes that a table may have in memory, 16,000,000,000 unless given; looking at one that has more
                raises an InputError.

        Raises:
            InputError: there is none, or it is damaged. A table that is damaged says so when it is looked at.
            ConfigError: pyarrow (extra `parquet`) is missing.
        """
        from .parquet import Directory

        held = Directory(expand(directory, argument="directory"), limit)
        return cls(facts=held.facts(), load=held.table, directory=held.path)

    def __repr__(self) -> str:
        """Rows of each table, then what is missing, in words."""
        if self.directory is not None:
            what = f"<History in {self.directory}>"
        else:
            counts = ", ".join(f"{name} {len(table):,}" for name, table in self.tables.items())
            what = f"<History {counts}>"
        failed = (t("frames.failed", count=len(self.failures)),) if self.failures else ()
        notes = (one_line(note, MESSAGE) for note in self.notes)
        return shown("\n".join([one_line(what, MESSAGE), *notes, *failed]), TEXT)
