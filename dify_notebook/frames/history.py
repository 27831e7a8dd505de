"""`History`: the logs of an app's conversations as tables. Data only; the client fetches them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..i18n import t
from ..paths import expand
from ..printable import MESSAGE, TEXT, one_line, shown
from .facts import Facts, Failure
from .schema import HISTORY, SCHEMA

if TYPE_CHECKING:
    import pandas as pd

    from .plots import HistoryPlots
    from .transcript import Transcript


class History:
    """The logs of an app: ten DataFrames that join by `message_id`, `conversation_id` and `workflow_run_id`.

    history = dify.history(since="2026-01-01")
    history.messages.merge(history.conversations, on="conversation_id")

    Every table has all columns of its schema in `frames.SCHEMA`, in that order and with those dtypes, and a RangeIndex.
    Ids are text, times `datetime64[us, UTC]`, durations seconds.

    Args:
        tables: DataFrames by the table's name; those that are not given are empty. Missing columns are added, others
            left out, dtypes set.
        facts: whose it is, from which server, and how complete.
        load: gives a table when it is first asked for, instead of `tables`.
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
        from . import dataframes

        self._tables: dict[str, pd.DataFrame] = {
            name: dataframes.conform(SCHEMA[name], table) for name, table in (tables or {}).items()
        }
        self._load = load
        self.facts = facts or Facts()
        self.directory = directory

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes what an earlier version pickled: its tables may lack columns."""
        from . import dataframes

        tables = {name: dataframes.conform(SCHEMA[name], table) for name, table in state["_tables"].items()}
        self.__dict__.update(state, _tables=tables)

    def table(self, name: str) -> pd.DataFrame:
        """One of the ten tables by its name; the same object each time.

        Raises:
            KeyError: a history has no such table.
            InputError: its file is damaged, or larger than the `limit` of `History.read`.
        """
        from . import empty

        if name not in {table.name for table in HISTORY}:
            raise KeyError(name)
        if name not in self._tables:
            self._tables[name] = self._load(name) if self._load else empty(name)
        return self._tables[name]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All ten tables by name; of a history in a directory, all are read."""
        return {table.name: self.table(table.name) for table in HISTORY}

    @property
    def conversations(self) -> pd.DataFrame:
        """One row for each conversation, the last used first: name, user, times, inputs. From the API, or an export."""
        return self.table("conversations")

    @property
    def messages(self) -> pd.DataFrame:
        """One row for each question with its answer, the oldest first.

        Tokens, price and latency (s) are the server's (Dify 1.16 and newer), or from this machine's tapes or an export:
        `usage_from` says which. Prices are in the row's `currency`.
        """
        return self.table("messages")

    @property
    def thoughts(self) -> pd.DataFrame:
        """One row for each tool call of an agent, and for each thought without one; joins `messages` by message_id."""
        return self.table("thoughts")

    @property
    def citations(self) -> pd.DataFrame:
        """One row for each passage that an answer rests on, with its score; joins `messages` by message_id."""
        return self.table("citations")

    @property
    def files(self) -> pd.DataFrame:
        """One row for each file of a message, with its size in bytes; its address without what signs it."""
        return self.table("files")

    @property
    def forms(self) -> pd.DataFrame:
        """One row for each form that a run asked people to answer, with what was answered (Dify 1.13 and newer)."""
        return self.table("forms")

    @property
    def variables(self) -> pd.DataFrame:
        """One row for each conversation variable of a chatflow, its value as JSON (Dify 1.x; empty for other apps)."""
        return self.table("variables")

    @property
    def feedbacks(self) -> pd.DataFrame:
        """One row for each rating, of end users and of the console. Dify 0.15 lists none: messages tell them there."""
        return self.table("feedbacks")

    @property
    def annotations(self) -> pd.DataFrame:
        """One row for each annotation of the app, which belong to no conversation."""
        return self.table("annotations")

    @property
    def workflow_runs(self) -> pd.DataFrame:
        """One row for each run of a workflow app, the oldest first: status, times, seconds, tokens, steps, user.

        Inputs and outputs are there after `dify.history(details=True)`. Runs of this machine have their nodes in tapes:
        `frames.nodes(frames.replay())` joins by workflow_run_id.
        """
        return self.table("workflow_runs")

    @property
    def users(self) -> dict[str, str]:
        """User -> how it was found: client, given, runs, feedbacks or export."""
        return dict(self.facts.users)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be fetched, each with the reason; the rest is there."""
        return self.facts.failures

    @property
    def notes(self) -> tuple[str, ...]:
        """What a history of this source cannot tell, in words."""
        return self.facts.notes

    def to_parquet(self, directory: str | os.PathLike[str]) -> Path:
        """Write everything as partitioned Parquet; `History.read` reads it back.

        Args:
            directory: a new one, or an empty one.

        Returns:
            Its path.

        Raises:
            InputError: something else, or a history, is there already.
            ConfigError: pyarrow (extra `parquet`) is missing.
            DifyError: the disk refuses it; then nothing of it is left there.
        """
        from .parquet import Writer

        path = expand(directory, argument="directory")
        writer = Writer(path)
        writer.begin(self.facts)
        try:
            writer.save(self.tables)
            writer.write_facts(self.facts)
        except BaseException as problem:
            writer.discard(problem)
            raise
        writer.close()
        return path

    @classmethod
    def read(cls, directory: str | os.PathLike[str], *, limit: int | None = None) -> History:
        """A history that was written as Parquet; a table is read when it is first asked for.

        Args:
            directory: where it lies.
            limit: bytes that a table may have in memory, 16,000,000,000 unless given; asking for one that has more
                raises an InputError.

        Raises:
            InputError: there is none, or it is damaged. A table that is damaged says so when it is asked for.
            ConfigError: pyarrow (extra `parquet`) is missing.
        """
        from .parquet import Directory

        source = Directory(expand(directory, argument="directory"), limit)
        return cls(facts=source.facts(), load=source.table, directory=source.path)

    @classmethod
    def from_export(
        cls,
        *paths: str | os.PathLike[str],
        app: str | None = None,
        limit: int | None = None,
        encoding: str | None = None,
    ) -> History:
        """A history out of what you have from elsewhere: exports of Dify's console, dumps of its database.

        Taken are CSV (with the names of its columns in the first line), JSON, JSON lines and what `pg_dump` and
        `mysqldump` write as text, each also as .gz: of the tables `messages`, `conversations`, `end_users`,
        `message_feedbacks`, `message_agent_thoughts`, `message_files`, `message_annotations`,
        `dataset_retriever_resources`, `human_input_forms`, `execution_extra_contents`, `workflow_runs` (those of
        workflow apps), `workflow_app_logs`; of what the console and the API
        answer; and the console's export of feedback.
        What is in a file is told by its columns, not by its name. The tables have the schema of every history; what a
        source cannot know is missing.

            History.from_export("messages.csv", "conversations.csv", "end_users.csv")

        Tables that were saved of a history are read back, as CSV, JSON or Parquet, and so is a directory of
        `to_parquet`. Files may overlap: each thing has one row, of those that tell of it the one with the newer
        `updated_at` counts, and what that one leaves empty the others fill; see `frames.merging`.

        Args:
            paths: files, or folders of them; those of one server together, in any order.
            app: id of the app, where there are messages of several.
            limit: bytes that are taken of all files together, 4,000,000,000 unless given: their text, unpacked, and
                about 60 for each cell that is kept, which is what it needs in memory. A line, a statement of a dump
                and a JSON document may be a sixteenth of it.
            encoding: what the files are in, a name that Python has, such as "cp1252". None takes UTF-8, UTF-16, and
                GB 18030 (GBK) where the beginning of a file leaves no doubt.

        Raises:
            InputError: a file cannot be read or is no regular file (a pipe, a device, one under /proc), there is more
                than the limit, its encoding cannot be told, its columns are those of no export that is known, a row
                has no id, a cell is no number or no time that leaves no doubt (named by file, line and column), or
                it holds several apps and none was named.
            ConfigError: a file is Parquet, and pyarrow (extra `parquet`) is missing.
        """
        from .readers import read_export

        return read_export(paths, app=app, limit=limit, encoding=encoding)

    @property
    def plot(self) -> HistoryPlots:
        """Charts (extra `plot`): `history.plot.activity()`, `.tokens()`, `.cost()`, `.latency()`, `.ratings()`,
        `.tools()`; of a workflow app `.runs()`."""
        from .plots import HistoryPlots

        return HistoryPlots(self)

    def search(self, text: str, *, user: str | None = None) -> pd.DataFrame:
        """The messages in whose question, answer or feedback a text stands, newest first.

        Case, width and accents' composition do not matter: `refund` finds `Refund`, and `ＡＰＩ` finds `api`.
        Chinese is found anywhere in a sentence.

        Args:
            text: what to look for, as it stands.
            user: in this user's messages alone.

        Returns:
            One row for each message: message_id, conversation_id, user, created_at, rating, found_in (query, answer,
            feedback, joined by ", "), excerpt (one line around it), query, answer.

        Raises:
            InputError: nothing to look for.
        """
        from .search import search

        return search(self, text, user)

    def conversation(self, id: str) -> Transcript:
        """A conversation to be read: shown in a notebook as questions and answers, with what is known of each.

        Args:
            id: its id, or so much of its beginning that no other has it.

        Raises:
            InputError: there is none, or several begin so.
        """
        from .transcript import transcript

        return transcript(self, id)

    def __repr__(self) -> str:
        """How many rows the tables have that have some, then what is missing, in words."""
        if self.directory is not None:
            what = f"<History in {self.directory}>"
        else:
            counts = ", ".join(f"{name} {len(table):,}" for name, table in self.tables.items() if len(table))
            what = f"<History {counts or 'without rows'}>"
        failed = (t("frames.failed", count=len(self.failures)),) if self.failures else ()
        notes = (one_line(note, MESSAGE) for note in self.notes)
        return shown("\n".join([one_line(what, MESSAGE), *notes, *failed]), TEXT)
