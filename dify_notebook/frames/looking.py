"""What people do with a history besides counting: plots, finding messages, reading a conversation."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..console import displayed
from ..errors import InputError
from ..i18n import t
from ..printable import one_line
from ..turn.state import Citation, Turn, Usage
from ..turn.stored import turn_of
from ..wire.models import StoredMessage

if TYPE_CHECKING:
    import pandas as pd

    from .history import History
    from .plots import HistoryPlots

EXCERPT = 60
"""Signs before and after what was found."""
FOUND = ("message_id", "conversation_id", "user", "created_at", "rating", "found_in", "excerpt", "query", "answer")
"""Columns of what `search` gives."""


class Looking:
    """Mixin of `History`: what it looks like and says. Everything comes out of its tables."""

    __slots__ = ()

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
        `dataset_retriever_resources`; of what the console and the API answer; and the console's export of feedback.
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
    def plot(self: History) -> HistoryPlots:  # type: ignore[misc]  # the one class that has this mixin
        """Charts (extra `plot`): `history.plot.activity()`, `.tokens()`, `.cost()`, `.latency()`, `.ratings()`,
        `.tools()`."""
        from .plots import HistoryPlots

        return HistoryPlots(self)

    def search(self: History, text: str, *, user: str | None = None) -> pd.DataFrame:  # type: ignore[misc]  # as above
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
        return _search(self, text, user)

    def conversation(self: History, id: str) -> Transcript:  # type: ignore[misc]  # as above
        """A conversation to be read: shown in a notebook as questions and answers, with what is known of each.

        Args:
            id: its id, or so much of its beginning that no other has it.

        Raises:
            InputError: there is none, or several begin so.
        """
        return _conversation(self, id)


class Transcript:
    """A conversation out of a history: its turns in order, shown as html, markdown or text."""

    def __init__(self, id: str, name: str, user: str | None, turns: tuple[Turn, ...]) -> None:
        self.id = id
        self.name = name
        self.user = user
        self.turns = turns
        """One for each message, oldest first, with what the history knows of it."""

    @property
    def about(self) -> str:
        """Whose it is, when it was, and its id, in one line."""
        times = [turn.created_at for turn in self.turns if turn.created_at is not None]
        spans = [f"{times[0]:%Y-%m-%d %H:%M %Z}"] if times else []
        return " \u00b7 ".join([*([self.user] if self.user else []), *spans, self.id])

    @property
    def title(self) -> str:
        """Its name, or its first question where it has none."""
        return self.name or next((turn.query for turn in self.turns if turn.query), None) or self.id

    def markdown(self) -> str:
        """The conversation as markdown."""
        return self._repr_mimebundle_()["text/markdown"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from ..views.transcript import bundle

        return displayed(bundle(self.turns, self.title, self.about))

    def __str__(self) -> str:
        return self._repr_mimebundle_()["text/plain"]

    def __repr__(self) -> str:
        return f"<Transcript {one_line(self.id)} {one_line(self.title, 40)!r}, {len(self.turns)} messages>"

    def __len__(self) -> int:
        return len(self.turns)


# -- finding -----------------------------------------------------------------------------


def folded(text: str) -> str:
    """A text without what does not matter when something is looked for: case, and forms of the same sign.

    >>> folded("ＡＰＩ Straße")
    'api strasse'
    """
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def _search(history: History, text: str, user: str | None) -> pd.DataFrame:
    import pandas as pd

    wanted = folded(text).strip() if isinstance(text, str) else ""
    if not wanted:
        raise InputError(t("history.search.nothing"), code="search")
    messages = history.messages
    if user is not None:
        messages = messages[messages["user"] == user]
    comments = history.feedbacks
    comments = comments[comments["content"].notna()]
    said = comments.groupby("message_id")["content"].agg("\n".join) if len(comments) else pd.Series(dtype="string")
    columns = {
        "query": messages["query"],
        "answer": messages["answer"],
        "feedback": messages["message_id"].map(said).astype("string"),
    }
    places: dict[int, list[str]] = {}
    excerpts: dict[int, str] = {}
    for name, column in columns.items():
        for at, value in enumerate(column.array):
            if value is pd.NA or wanted not in (low := folded(value)):
                continue
            places.setdefault(at, []).append(name)
            excerpts.setdefault(at, _excerpt(value, low, wanted))
    order = sorted(places)
    found = messages.iloc[order].assign(
        found_in=pd.array([", ".join(places[at]) for at in order], dtype="string"),
        excerpt=pd.array([excerpts[at] for at in order], dtype="string"),
    )
    return found[list(FOUND)].sort_values("created_at", ascending=False, kind="stable", ignore_index=True)


def _excerpt(value: str, low: str, wanted: str) -> str:
    """One line around the place; where folding changed lengths, the place is only near."""
    at = low.index(wanted)
    start, end = max(0, at - EXCERPT), at + len(wanted) + EXCERPT
    inside = " ".join(value[start:end].split())
    return ("…" if start else "") + inside + ("…" if end < len(value) else "")


# -- reading ---------------------------------------------------------------------------------


def _conversation(history: History, id: str) -> Transcript:
    ids = history.messages["conversation_id"]
    known = history.conversations
    every = dict.fromkeys([*known["conversation_id"], *ids.dropna()])
    matches = [id] if id in every else [one for one in every if id and one.startswith(id)]
    if len(matches) != 1:
        key = "history.conversation.several" if matches else "history.conversation.none"
        raise InputError(t(key, id=id, count=len(matches), all=f"{len(every):,}"), code="transcript")
    (key,) = matches
    messages = history.messages[ids == key].sort_values("created_at", kind="stable")
    own = known[known["conversation_id"] == key]
    name = str(own["name"].iloc[0]) if len(own) and own["name"].notna().iloc[0] else ""
    users = [user for user in [*own["user"], *messages["user"]] if isinstance(user, str)]
    return Transcript(key, name, users[0] if users else None, turns_of(history, messages))


def turns_of(history: History, messages: pd.DataFrame) -> tuple[Turn, ...]:
    """Rows of `messages` as turns, with their thoughts, citations and files."""
    keys = set(messages["message_id"])
    thoughts, citations, files = (_grouped(getattr(history, name), keys) for name in ("thoughts", "citations", "files"))
    found = []
    for row in _rows(messages):
        key = row["message_id"]
        message = StoredMessage(
            id=key,
            conversation_id=row["conversation_id"],
            query=row["query"],
            answer=row["answer"] or "",
            status=row["status"],
            error=row["error"],
            feedback={"rating": row["rating"]},
            agent_thoughts=_thoughts(thoughts[key]) if key in thoughts else None,
            retriever_resources=_citations(citations[key]) if key in citations else None,
            message_files=_files(files[key]) if key in files else None,
            created_at=None if row["created_at"] is None else row["created_at"].to_pydatetime(),
        )
        told = {"answer": message.answer, "reasoning": row["reasoning"] or "", "usage": _usage(row)}
        found.append(msgspec.structs.replace(turn_of(message, user=row["user"]), **told))
    return tuple(found)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with None for what is missing."""
    whole = table.astype("object").where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in whole.to_dict("records")]


def _grouped(table: pd.DataFrame, keys: set[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(table[table["message_id"].isin(keys)]):
        found.setdefault(row["message_id"], []).append(row)
    return found


def _thoughts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the server tells them: a thought that called several tools has several rows and is one."""
    first = {row["thought_id"]: row for row in reversed(rows)}
    ordered = sorted(first.values(), key=lambda row: (row["position"] is None, row["position"] or 0))
    return [
        {
            "id": row["thought_id"],
            "position": row["position"],
            "thought": row["thought"],
            "tool": row["tools_raw"],
            "tool_input": row["input_raw"],
            "observation": row["output_raw"],
            "tool_labels": {row["tool"]: row["tool_label"]} if row["tool"] and row["tool_label"] else None,
        }
        for row in ordered
    ]


def _citations(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a citation has fields for: the rest of a row is of the table."""
    return [{name: row[name] for name in Citation.__struct_fields__ if name in row} for row in rows]


def _files(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the server tells them, without addresses: what signed them is gone."""
    return [{**row, "id": row["file_id"], "filename": row["name"], "url": None} for row in rows]


def _usage(row: dict[str, Any]) -> Usage | None:
    from decimal import Decimal

    found = {name: row[name] for name in Usage.__struct_fields__}
    if all(value is None for value in found.values()):
        return None
    for name in ("prompt_price", "completion_price", "total_price"):
        if found[name] is not None:
            # Prices of Dify have seven decimals; a float holds them exactly enough to be written back.
            found[name] = Decimal(repr(found[name])).quantize(Decimal("0.0000001"))
    return Usage(**found)
