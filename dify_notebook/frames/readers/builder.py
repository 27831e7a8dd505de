"""Builds the tables of a history out of rows of exports, with the same schema as a fetch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ...errors import InputError
from ...i18n import t
from ...turn.convert import as_usage
from ...turn.state import Usage
from ...turn.stored import STORED_USAGE
from ...wire import models
from .. import dataframes, item_rows, merging, ratings, texts, turn_rows
from ..schema import SCHEMA, Table
from . import duplicates, end_users, feedbacks, forms, saved_tables, workflow_runs
from .duplicates import MESSAGES
from .layouts import LocatedRow, Row, as_bool, parse_integer, parse_json, parse_number, parse_object
from .text_files import Budget

BuiltMessage = tuple[models.StoredMessage, str | None, dict[str, Any]]
"""A message, its user, and its tokens, prices and times."""
Rank = tuple[int | None, int]
"""When a row was last changed (microseconds since 1970), and its source rank."""


CHUNK_ROWS = 5_000
"""Messages that are held as objects at a time."""
_IGNORED_COLUMNS = ("message", "override_model_configs", "message_unit_price", "answer_unit_price", "graph")
"""Columns that no table of a history has; `message` is the whole prompt with all turns before it, `graph` the whole
workflow."""
_CHILDREN = ("message_agent_thoughts", "message_files", "dataset_retriever_resources")
"""Tables of what belongs to messages."""
_SAVED, _SERVER, _DERIVED = 2, 3, -1
"""Source ranks, for rows of equal times: of a saved table, of a server's, and derived from others."""


class HistoryBuilder:
    """Takes rows one by one, in any order of tables; `build()` returns the tables.

    Args:
        app: whose rows are taken; None for those of any.
        budget: counts the rows that are held.
    """

    def __init__(self, app: str | None, budget: Budget) -> None:
        self._app = app
        self._budget = budget
        self._apps: Counter[str] = Counter()
        self.rows: dict[str, list[LocatedRow]] = {}
        """By layout."""
        self.kinds: Counter[str] = Counter()
        self.notes: list[str] = []
        self.made_ids = False
        """Whether there are messages whose ids were made of their content."""
        self._nameless: Counter[tuple[Any, ...]] = Counter()
        self._saved: dict[str, list[merging.Part]] = {}
        self._waiting: list[LocatedRow] = []
        self._waiting_kind = ""
        self._file = 0
        self._end_users = end_users.EndUsers()
        self._forms: dict[str, list[Row]] = {}

    @property
    def users(self) -> dict[str, None]:
        """Whose conversations there are, in the order in which they came up."""
        return self._end_users.users

    # -- adding rows -----------------------------------------------------------------------------

    def begin_file(self) -> None:
        """The rows that follow are of another file."""
        self._compact()
        self._nameless.clear()
        self._file += 1

    def add_row(self, kind: str, location: str, row: Row) -> None:
        """One row of a layout. Those of other apps than the one asked for are left out.

        Raises:
            InputError: there are more than the budget allows, or a cell cannot be read.
        """
        if kind == workflow_runs.RUNS and workflow_runs.is_of_chatflow(row):
            return
        app = row.get("app_id")
        if app:
            if kind in MESSAGES or kind == workflow_runs.RUNS:
                self._apps[str(app)] += 1
            if self._app is not None and str(app) != self._app:
                return
        self.kinds[kind] += 1
        if saved_tables.table_of(kind):
            self._add_saved(kind, location, row)
            return
        for name in _IGNORED_COLUMNS:
            row.pop(name, None)
        self._budget.count_row(row, location)
        duplicates.assign_id(kind, row, self._nameless)
        self.rows.setdefault(kind, []).append((location, row))

    def add_frame(self, kind: str, table: Table, frame: pd.DataFrame) -> None:
        """Rows of a saved table."""
        self.kinds[kind] += len(frame)
        self._saved.setdefault(table.name, []).append(merging.Part(frame, _SAVED, file=self._file))

    def _add_saved(self, kind: str, location: str, row: Row) -> None:
        self._budget.count_row(row, location)
        if kind != self._waiting_kind:
            self._compact()
        self._waiting_kind = kind
        self._waiting.append((location, row))
        if len(self._waiting) >= CHUNK_ROWS:
            self._compact()

    def _compact(self) -> None:
        """Make waiting rows of a saved table a DataFrame, which takes a third of the memory."""
        table = saved_tables.table_of(self._waiting_kind)
        if table is not None and self._waiting:
            part = merging.Part(
                saved_tables.to_frame(self._waiting_kind, table, self._waiting), _SAVED, file=self._file
            )
            self._saved.setdefault(table.name, []).append(part)
        self._waiting = []

    # -- building tables --------------------------------------------------------------------------

    def build(self) -> dict[str, pd.DataFrame]:
        """The tables of the history. Rows are released meanwhile: a dump is larger than its tables.

        Raises:
            InputError: the rows are of several apps, or a cell cannot be read.
        """
        self._compact()
        self._check_app()
        self._end_users.add_table(self._of("end_users"))
        conversations = duplicates.conversations(self.rows)
        deleted = {key for key, (_, row) in conversations.items() if as_bool(row.get("is_deleted"))}
        conversations = {key: located for key, located in conversations.items() if key not in deleted}
        owners = self._end_users.owners(conversations)
        message_rows, self.made_ids = duplicates.messages(self.rows)
        tables = {"feedbacks": self._feedbacks(message_rows, owners, deleted)}
        ranks: dict[str, Rank] = {}
        for name, frame in self._message_tables(message_rows, owners, deleted, ranks).items():
            tables[name] = self._merged(name, frame, deleted, ranks if name == "messages" else {})
        tables["messages"] = ratings.with_ratings(tables["messages"], ratings.user_ratings(tables["feedbacks"]))
        tables["annotations"] = self._annotations(deleted)
        tables["variables"] = self._merged("variables", None, deleted, {})
        tables["conversations"] = self._conversations(conversations, owners, tables["messages"], deleted)
        tables["workflow_runs"] = self._runs()
        if deleted:
            self.notes.append(t("history.export.deleted", count=len(deleted)))
        for name in ("conversations", "messages", "workflow_runs"):
            self._end_users.users.update(dict.fromkeys(map(str, tables[name]["user"].dropna().unique())))
        return tables

    def _merged(
        self, name: str, frame: pd.DataFrame | None, deleted: set[str], ranks: Mapping[str, Rank]
    ) -> pd.DataFrame:
        """A table of a server's exports with those that were saved of a history.

        Args:
            ranks: of rows of the server, by their id.
        """
        table, parts = SCHEMA[name], []
        if frame is not None and len(frame):
            parts = [merging.Part(frame, _SERVER)]
            if ranks:
                ranked = [ranks[key] for key in frame[table.names[0]]]
                parts = [merging.Part(frame, [source for _, source in ranked], [time for time, _ in ranked])]
        return merging.merge(table, parts + self._saved_parts(name, deleted))

    def _saved_parts(self, name: str, deleted: set[str]) -> list[merging.Part]:
        parts = self._saved.pop(name, [])
        if deleted and "conversation_id" in SCHEMA[name].names:
            masks = [~part.frame["conversation_id"].isin(deleted).to_numpy("bool") for part in parts]
            parts = [part._replace(frame=part.frame[mask]) for part, mask in zip(parts, masks, strict=True)]
        return parts

    def _of(self, kind: str) -> list[LocatedRow]:
        return self.rows.get(kind, [])

    def _check_app(self) -> None:
        if self._app is not None and self._apps and self._app not in self._apps:
            raise InputError(t("history.export.no_app", app=self._app, apps=_listing(self._apps)), code="export")
        if self._app is None and len(self._apps) > 1:
            raise InputError(t("history.export.apps", apps=_listing(self._apps)), code="export")

    # -- messages ----------------------------------------------------------------------------------

    def _message_tables(
        self,
        message_rows: dict[str, list[LocatedRow]],
        owners: Mapping[str, str],
        deleted: set[str],
        ranks: dict[str, Rank],
    ) -> dict[str, pd.DataFrame]:
        """Messages, and what belongs to them, of a server's exports."""
        unique = duplicates.drop_duplicates([(MESSAGES[kind], message_rows[kind]) for kind in MESSAGES], "messages")
        if "messages" in self._saved:
            for kind in reversed(MESSAGES):
                for location, row in message_rows[kind]:
                    newness = (duplicates.updated_at(row, location), MESSAGES[kind])
                    ranks[str(row["id"])] = max(ranks.get(str(row["id"]), newness), newness, key=_newness)
        message_rows.clear()
        rows = [located for located in unique.values() if str(located[1].get("conversation_id") or "") not in deleted]
        hidden_ids = unique.keys() - {str(row["id"]) for _, row in rows} if deleted else set()
        self._forms = forms.by_message(self.rows, unique)
        unique.clear()
        rows.sort(key=lambda located: (str(located[1].get("conversation_id")), _moment(located[1])))
        rows.reverse()  # popped from the end, so that each is released as it is read
        parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("messages", *item_rows.PART_ROWS)}
        chunk: list[BuiltMessage] = []
        for message in self._messages(rows, owners, hidden_ids):
            chunk.append(message)
            if len(chunk) >= CHUNK_ROWS:
                _build(chunk, parts)
                chunk.clear()
        _build(chunk, parts)
        return {name: dataframes.concat(SCHEMA[name], frames, ordered=True) for name, frames in parts.items()}

    def _messages(
        self, rows: list[LocatedRow], owners: Mapping[str, str], hidden_ids: set[str]
    ) -> Iterator[BuiltMessage]:
        """Each message, by conversation and time. What belongs to others than these and `hidden_ids` is noted."""
        by_message = [*(self._by_message(kind) for kind in _CHILDREN), self._forms]
        thoughts, files, citations, asked = by_message
        while rows:
            location, row = rows.pop()
            key = str(row["id"])
            metadata = parse_object(row.get("message_metadata", row.get("metadata")), location) or {}
            conversation = str(row["conversation_id"]) if row.get("conversation_id") else None
            user = self._end_users.user_of(row) or owners.get(conversation or "")
            if user:
                self._end_users.users.setdefault(user)
            cited = citations.pop(key, None)
            fields = {
                **{name: row.get(name) for name in _MESSAGE_FIELDS},
                "id": key,
                "conversation_id": conversation,
                "status": row.get("status") or ("error" if row.get("error") else "normal"),
                "inputs": parse_object(row.get("inputs"), location),
                "agent_thoughts": duplicates.children(
                    parse_json(row.get("agent_thoughts"), location), thoughts.pop(key, ())
                ),
                "message_files": duplicates.children(
                    parse_json(row.get("message_files"), location), files.pop(key, ())
                ),
                "retriever_resources": row.get("retriever_resources") or metadata.get("retriever_resources") or cited,
                "extra_contents": row.get("extra_contents") or asked.pop(key, None),
            }
            yield _message(location, fields), user, _usage(location, row, metadata)
        if self._app is None:  # otherwise most are of other apps
            orphans = {
                name: sum(len(group) for key, group in groups.items() if key not in hidden_ids)
                for name, groups in zip((*_CHILDREN, forms.TABLE), by_message, strict=True)
            }
            if any(orphans.values()):
                listing = ", ".join(f"{name} ({count:,})" for name, count in orphans.items() if count)
                self.notes.append(t("history.export.alone", listing=listing))

    def _by_message(self, kind: str) -> dict[str, list[Row]]:
        groups: dict[str, list[Row]] = {}
        for location, row in duplicates.drop_duplicates([(0, self.rows.pop(kind, []))], kind).values():
            row = {**row, "position": parse_integer(row.get("position"), location, "position")}
            if kind == "message_agent_thoughts":
                row["tool_labels"] = parse_object(row.get("tool_labels", row.get("tool_labels_str")), location)
            groups.setdefault(str(row["message_id"]), []).append(row)
        for rows in groups.values():
            rows.sort(key=lambda row: (row["position"] is None, row["position"] or 0))
        return groups

    # -- conversations, ratings, annotations ------------------------------------------------------

    def _conversations(
        self, listed: dict[str, LocatedRow], owners: Mapping[str, str], messages: pd.DataFrame, deleted: set[str]
    ) -> pd.DataFrame:
        table = SCHEMA["conversations"]
        parts = [
            merging.Part(
                dataframes.from_columns(table, end_users.conversation_batch(listed, owners, messages)), _SERVER
            )
        ]
        parts += self._saved_parts("conversations", deleted)
        known = {key for part in parts for key in part.frame["conversation_id"]}
        derived = dataframes.from_columns(table, end_users.unlisted_conversations(messages, known))
        return merging.merge(table, [*parts, merging.Part(derived, _DERIVED)])

    def _feedbacks(
        self, message_rows: Mapping[str, list[LocatedRow]], owners: Mapping[str, str], deleted: set[str]
    ) -> pd.DataFrame:
        """Ratings of all sources."""
        versions = list(feedbacks.from_tables(self.rows, self._end_users))
        for kind in MESSAGES:
            versions += feedbacks.from_messages(message_rows[kind], self._end_users, owners)
        versions += feedbacks.from_saved_feedbacks([part.frame for part in self._saved.pop("feedbacks", [])])
        versions += feedbacks.from_saved_messages([part.frame for part in self._saved.get("messages", [])])
        rows = [row for row in ratings.merge_ratings(versions) if row["conversation_id"] not in deleted]
        table = SCHEMA["feedbacks"]
        return dataframes.concat(table, [dataframes.from_columns(table, item_rows.batch_of(rows))], ordered=True)

    def _runs(self) -> pd.DataFrame:
        """The runs of a workflow app."""
        table = SCHEMA["workflow_runs"]
        batches = workflow_runs.batches(self.rows, self._end_users.name)
        parts = [merging.Part(dataframes.from_columns(table, batch), _SERVER) for batch in batches]
        return merging.merge(table, parts + self._saved_parts("workflow_runs", set()))

    def _annotations(self, deleted: set[str]) -> pd.DataFrame:
        kinds = (("message_annotations", "content"), ("annotations", "answer"))
        sources = [
            [(location, {**row, "answer": row[answer]}) for location, row in self._of(kind)] for kind, answer in kinds
        ]
        annotations, ranks = [], {}
        for key, (location, row) in duplicates.drop_duplicates(enumerate(sources), "annotations").items():
            hits = parse_integer(row.get("hit_count"), location, "hit_count")
            data = {name: row.get(name) for name in _ANNOTATION_FIELDS} | {"id": key, "hit_count": hits}
            annotations.append(duplicates.read(models.Annotation, location, data))
            ranks[key] = (duplicates.updated_at(row, location), _SERVER)
        frame = dataframes.from_columns(SCHEMA["annotations"], item_rows.annotation_rows(annotations))
        return self._merged("annotations", frame, deleted, ranks)


_USAGE_COLUMNS = (*Usage.__struct_fields__, "usage_from", "model")
_ANNOTATION_FIELDS = frozenset(models.Annotation.__struct_fields__) - {"extra"}
_MESSAGE_FIELDS = frozenset(models.StoredMessage.__struct_fields__) - {"extra", "feedback", *STORED_USAGE.values()}
"""Columns of exports with the names of the API; for ratings see `feedbacks`, for tokens and prices `_usage`."""


def _usage(location: str, row: Row, metadata: dict[str, Any]) -> dict[str, Any]:
    """Tokens, prices and times: from the columns of the table, and what those lack from the metadata."""
    raw_usage = metadata.get("usage")
    usage = turn_rows.usage_values(as_usage(raw_usage)) if isinstance(raw_usage, dict) else {}
    prompt, answer = (parse_integer(row.get(name), location, name) for name in ("message_tokens", "answer_tokens"))
    if prompt is not None:
        usage["prompt_tokens"] = prompt
    if answer is not None:
        usage["completion_tokens"] = answer
    if row.get("total_tokens"):  # of a saved table without ids
        usage["total_tokens"] = parse_integer(row["total_tokens"], location, "total_tokens")
    if usage.get("total_tokens") is None and prompt is not None and answer is not None:
        usage["total_tokens"] = prompt + answer
    for column, name in (("provider_response_latency", "latency"), ("total_price", "total_price")):
        value = parse_number(row.get(column), location, column)
        if value is not None:
            usage[name] = value
    usage["currency"] = texts.as_word(row.get("currency")) or usage.get("currency")
    if usage.get("currency") is None and not usage.get("total_price"):
        usage["total_price"] = None
    if any(value is not None for value in usage.values()):
        usage["usage_from"] = "export"
    usage["model"] = texts.as_word(row.get("model_id"))
    return usage


def _message(location: str, fields: dict[str, Any]) -> models.StoredMessage:
    for name in ("agent_thoughts", "message_files", "retriever_resources", "extra_contents"):
        value = parse_json(fields[name], location)
        fields[name] = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else None
    message: models.StoredMessage = duplicates.read(models.StoredMessage, location, fields)
    return message


def _moment(row: Row) -> int:
    return texts.as_microseconds(row.get("created_at")) or 0


def _build(messages: Sequence[BuiltMessage], parts: dict[str, list[pd.DataFrame]]) -> None:
    """Add these messages, and what belongs to them, to the tables."""
    items = [item for item, _, _ in messages]
    users = {item.id: user for item, user, _ in messages}
    for name, batch in item_rows.message_batches(items).items():
        if name == "messages":
            batch |= {column: [usage.get(column) for _, _, usage in messages] for column in _USAGE_COLUMNS}
        batch["user"] = [users.get(key) for key in batch["message_id"]]
        parts[name].append(dataframes.from_columns(SCHEMA[name], batch))


def _newness(rank: Rank) -> tuple[bool, int, int]:
    return rank[0] is not None, rank[0] or 0, rank[1]


def _listing(apps: Counter[str]) -> str:
    return ", ".join(f"{app} ({count:,})" for app, count in apps.most_common(10))
