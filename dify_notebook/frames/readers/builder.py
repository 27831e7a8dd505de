"""Rows of exports gathered into the tables of a history, with the same schema as what the API gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ...errors import InputError
from ...i18n import t
from ...turn.convert import as_usage
from ...turn.state import Usage
from ...wire import models
from .. import dataframes, item_rows, merging, ratings, texts, turn_rows
from ..schema import SCHEMA, Table
from . import duplicates, end_users, feedbacks, saved_tables
from .duplicates import MESSAGES, LocatedRow
from .formats import Row
from .layouts import as_bool, parse_integer, parse_json, parse_number, parse_object
from .text_files import Budget

BuiltMessage = tuple[models.StoredMessage, str | None, dict[str, Any]]
"""A message, its user, and its tokens, prices and times."""
Rank = tuple[int | None, int]
"""When a row was last changed, and how much it counts of equal times."""


CHUNK_ROWS = 5_000
"""Messages that are held as objects at a time."""
_IGNORED_COLUMNS = ("message", "override_model_configs", "message_unit_price", "answer_unit_price")
"""Columns that are in no table of ours; `message` is the whole prompt with all turns before it."""
_CHILDREN = ("message_agent_thoughts", "message_files", "dataset_retriever_resources")
"""Tables of what belongs to messages."""
_SAVED, _SERVER, _DERIVED = 2, 3, -1
"""How much rows count, of equal times: of a table that was saved of a history, of a server's, and made of others."""


class HistoryBuilder:
    """Takes rows one by one, in any order of tables; `frames()` gives what they come to.

    Args:
        app: whose rows are taken; None for those of any.
        budget: what the rows that are kept are counted to.
    """

    def __init__(self, app: str | None, budget: Budget) -> None:
        self._app = app
        self._budget = budget
        self._apps: Counter[str] = Counter()
        self.rows: dict[str, list[LocatedRow]] = {}
        """Layout -> place and row."""
        self.kinds: Counter[str] = Counter()
        self.notes: list[str] = []
        self.made_ids = False
        """Whether there are messages whose ids were made of what they say."""
        self._nameless: Counter[tuple[Any, ...]] = Counter()
        self._ours: dict[str, list[merging.Part]] = {}
        self._waiting: list[LocatedRow] = []
        self._waits = ""
        self._file = 0
        self._people = end_users.EndUsers()

    @property
    def users(self) -> dict[str, None]:
        """Whose conversations there are, in the order in which they came up."""
        return self._people.found

    # -- what is taken -----------------------------------------------------------------------------

    def begin(self) -> None:
        """The rows that follow are of another file."""
        self._compact()
        self._nameless.clear()
        self._file += 1

    def take(self, kind: str, place: str, row: Row) -> None:
        """One row of a layout. Those of other apps than the one asked for are left out.

        Raises:
            InputError: there are more than the budget allows, or a cell cannot be read.
        """
        app = row.get("app_id")
        if app:
            if kind in MESSAGES:
                self._apps[str(app)] += 1
            if self._app is not None and str(app) != self._app:
                return
        self.kinds[kind] += 1
        if saved_tables.table_of(kind):
            self._wait(kind, place, row)
            return
        for name in _IGNORED_COLUMNS:
            row.pop(name, None)
        self._budget.keep(row, place)
        duplicates.assign_id(kind, row, self._nameless)
        self.rows.setdefault(kind, []).append((place, row))

    def take_frame(self, kind: str, table: Table, frame: pd.DataFrame) -> None:
        """A piece of a table that was saved of a history."""
        self.kinds[kind] += len(frame)
        self._ours.setdefault(table.name, []).append(merging.Part(frame, _SAVED, file=self._file))

    def _wait(self, kind: str, place: str, row: Row) -> None:
        self._budget.keep(row, place)
        if kind != self._waits:
            self._compact()
        self._waits = kind
        self._waiting.append((place, row))
        if len(self._waiting) >= CHUNK_ROWS:
            self._compact()

    def _compact(self) -> None:
        """Rows of a table of ours become arrays, which hold a third of the memory."""
        table = saved_tables.table_of(self._waits)
        if table is not None and self._waiting:
            part = merging.Part(saved_tables.to_frame(self._waits, table, self._waiting), _SAVED, file=self._file)
            self._ours.setdefault(table.name, []).append(part)
        self._waiting = []

    # -- what it comes to --------------------------------------------------------------------------

    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables of the history. What was taken is given up meanwhile: a dump is larger than its tables.

        Raises:
            InputError: the rows are of several apps, or a cell cannot be read.
        """
        self._compact()
        self._check_app()
        self._people.learn(self._of("end_users"))
        conversations = duplicates.conversations(self.rows)
        gone = {key for key, (_, row) in conversations.items() if as_bool(row.get("is_deleted"))}
        conversations = {key: one for key, one in conversations.items() if key not in gone}
        owners = self._people.owners(conversations)
        plain, self.made_ids = duplicates.messages(self.rows)
        found = {"feedbacks": self._feedbacks(plain, owners, gone)}
        ranks: dict[str, Rank] = {}
        for name, frame in self._built(plain, owners, gone, ranks).items():
            found[name] = self._merged(name, frame, gone, ranks if name == "messages" else {})
        found["messages"] = ratings.with_ratings(found["messages"], ratings.user_ratings(found["feedbacks"]))
        found["annotations"] = self._annotations(gone)
        found["variables"] = self._merged("variables", None, gone, {})
        found["conversations"] = self._conversations(conversations, owners, found["messages"], gone)
        if gone:
            self.notes.append(t("history.export.deleted", count=len(gone)))
        for name in ("conversations", "messages"):
            self._people.found.update(dict.fromkeys(map(str, found[name]["user"].dropna().unique())))
        return found

    def _merged(self, name: str, frame: pd.DataFrame | None, gone: set[str], ranks: Mapping[str, Rank]) -> pd.DataFrame:
        """A table of a server's exports with those that were saved of a history.

        Args:
            ranks: of rows of the server, by their id.
        """
        table, parts = SCHEMA[name], []
        if frame is not None and len(frame):
            parts = [merging.Part(frame, _SERVER)]
            if ranks:
                told = [ranks[key] for key in frame[table.names[0]]]
                parts = [merging.Part(frame, [source for _, source in told], [time for time, _ in told])]
        return merging.merge(table, parts + self._of_ours(name, gone))

    def _of_ours(self, name: str, gone: set[str]) -> list[merging.Part]:
        parts = self._ours.pop(name, [])
        if gone and "conversation_id" in SCHEMA[name].names:
            stays = [~part.frame["conversation_id"].isin(gone).to_numpy("bool") for part in parts]
            parts = [part._replace(frame=part.frame[one]) for part, one in zip(parts, stays, strict=True)]
        return parts

    def _of(self, kind: str) -> list[LocatedRow]:
        return self.rows.get(kind, [])

    def _check_app(self) -> None:
        if self._app is not None and self._apps and self._app not in self._apps:
            raise InputError(t("history.export.no_app", app=self._app, apps=_listing(self._apps)), code="export")
        if self._app is None and len(self._apps) > 1:
            raise InputError(t("history.export.apps", apps=_listing(self._apps)), code="export")

    # -- messages ----------------------------------------------------------------------------------

    def _built(
        self, plain: dict[str, list[LocatedRow]], owners: Mapping[str, str], gone: set[str], ranks: dict[str, Rank]
    ) -> dict[str, pd.DataFrame]:
        """Messages, and what belongs to them, of a server's exports."""
        once = duplicates.drop_duplicates([(MESSAGES[kind], plain[kind]) for kind in MESSAGES], "messages")
        if "messages" in self._ours:
            for kind in reversed(MESSAGES):
                for place, row in plain[kind]:
                    told = (duplicates.updated_at(row, place), MESSAGES[kind])
                    ranks[str(row["id"])] = max(ranks.get(str(row["id"]), told), told, key=_newness)
        plain.clear()
        rows = [one for one in once.values() if str(one[1].get("conversation_id") or "") not in gone]
        hidden = once.keys() - {str(row["id"]) for _, row in rows} if gone else set()
        once.clear()
        rows.sort(key=lambda one: (str(one[1].get("conversation_id")), _moment(one[1])))
        rows.reverse()  # taken from the end, so that each is given up as it is read
        parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("messages", *item_rows.PART_ROWS)}
        chunk: list[BuiltMessage] = []
        for found in self._messages(rows, owners, hidden):
            chunk.append(found)
            if len(chunk) >= CHUNK_ROWS:
                _build(chunk, parts)
                chunk.clear()
        _build(chunk, parts)
        return {name: dataframes.concat(SCHEMA[name], many, ordered=True) for name, many in parts.items()}

    def _messages(self, rows: list[LocatedRow], owners: Mapping[str, str], hidden: set[str]) -> Iterator[BuiltMessage]:
        """Each message, by conversation and time. What belongs to others than these and `hidden` is noted."""
        by_message = [self._by_message(kind) for kind in _CHILDREN]
        thoughts, files, citations = by_message
        while rows:
            place, row = rows.pop()
            key = str(row["id"])
            met = parse_object(row.get("message_metadata", row.get("metadata")), place) or {}
            conversation = str(row["conversation_id"]) if row.get("conversation_id") else None
            user = self._people.of(row) or owners.get(conversation or "")
            if user:
                self._people.found.setdefault(user)
            cited = citations.pop(key, None)
            told = {
                **{name: row.get(name) for name in _MESSAGE_FIELDS},
                "id": key,
                "conversation_id": conversation,
                "status": row.get("status") or ("error" if row.get("error") else "normal"),
                "inputs": parse_object(row.get("inputs"), place),
                "agent_thoughts": duplicates.children(
                    parse_json(row.get("agent_thoughts"), place), thoughts.pop(key, ())
                ),
                "message_files": duplicates.children(parse_json(row.get("message_files"), place), files.pop(key, ())),
                "retriever_resources": row.get("retriever_resources") or met.get("retriever_resources") or cited,
            }
            yield _message(place, told), user, _usage(place, row, met)
        if self._app is None:  # otherwise most are of other apps
            alone = {
                name: sum(len(found) for key, found in many.items() if key not in hidden)
                for name, many in zip(_CHILDREN, by_message, strict=True)
            }
            if any(alone.values()):
                listing = ", ".join(f"{name} ({count:,})" for name, count in alone.items() if count)
                self.notes.append(t("history.export.alone", listing=listing))

    def _by_message(self, kind: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for place, row in duplicates.drop_duplicates([(0, self.rows.pop(kind, []))], kind).values():
            row = {**row, "position": parse_integer(row.get("position"), place, "position")}
            if kind == "message_agent_thoughts":
                row["tool_labels"] = parse_object(row.get("tool_labels", row.get("tool_labels_str")), place)
            found.setdefault(str(row["message_id"]), []).append(row)
        for rows in found.values():
            rows.sort(key=lambda row: (row["position"] is None, row["position"] or 0))
        return found

    # -- conversations, and what people said ------------------------------------------------------

    def _conversations(
        self, told: dict[str, LocatedRow], owners: Mapping[str, str], messages: pd.DataFrame, gone: set[str]
    ) -> pd.DataFrame:
        table = SCHEMA["conversations"]
        parts = [
            merging.Part(dataframes.from_columns(table, end_users.conversation_batch(told, owners, messages)), _SERVER)
        ]
        parts += self._of_ours("conversations", gone)
        known = {key for part in parts for key in part.frame["conversation_id"]}
        derived = dataframes.from_columns(table, end_users.unlisted_conversations(messages, known))
        return merging.merge(table, [*parts, merging.Part(derived, _DERIVED)])

    def _feedbacks(
        self, plain: Mapping[str, list[LocatedRow]], owners: Mapping[str, str], gone: set[str]
    ) -> pd.DataFrame:
        """Ratings, of all that tells any."""
        told = list(feedbacks.from_tables(self.rows, self._people))
        for kind in MESSAGES:
            told += feedbacks.from_messages(plain[kind], self._people, owners)
        told += feedbacks.from_saved_feedbacks([part.frame for part in self._ours.pop("feedbacks", [])])
        told += feedbacks.from_saved_messages([part.frame for part in self._ours.get("messages", [])])
        rows = [row for row in ratings.merge_ratings(told) if row["conversation_id"] not in gone]
        table = SCHEMA["feedbacks"]
        return dataframes.concat(table, [dataframes.from_columns(table, item_rows.batch_of(rows))], ordered=True)

    def _annotations(self, gone: set[str]) -> pd.DataFrame:
        kinds = (("message_annotations", "content"), ("annotations", "answer"))
        same = [[(place, {**row, "answer": row[answer]}) for place, row in self._of(kind)] for kind, answer in kinds]
        found, ranks = [], {}
        for key, (place, row) in duplicates.drop_duplicates(enumerate(same), "annotations").items():
            hits = parse_integer(row.get("hit_count"), place, "hit_count")
            data = {name: row.get(name) for name in _ANNOTATION_FIELDS} | {"id": key, "hit_count": hits}
            found.append(duplicates.read(models.Annotation, place, data))
            ranks[key] = (duplicates.updated_at(row, place), _SERVER)
        frame = dataframes.from_columns(SCHEMA["annotations"], item_rows.annotation_rows(found))
        return self._merged("annotations", frame, gone, ranks)


_USAGE_COLUMNS = (*Usage.__struct_fields__, "usage_from", "model")
_ANNOTATION_FIELDS = frozenset(models.Annotation.__struct_fields__) - {"extra"}
_MESSAGE_FIELDS = frozenset(models.StoredMessage.__struct_fields__) - {"extra", "feedback"}
"""What exports tell of a message by the names of the API; of ratings see `said`."""


def _usage(place: str, row: Row, metadata: dict[str, Any]) -> dict[str, Any]:
    """Tokens, prices and times: from the columns of the table, and what those lack from the metadata."""
    told = metadata.get("usage")
    found = turn_rows.usage_values(as_usage(told)) if isinstance(told, dict) else {}
    prompt, answer = (parse_integer(row.get(name), place, name) for name in ("message_tokens", "answer_tokens"))
    if prompt is not None:
        found["prompt_tokens"] = prompt
    if answer is not None:
        found["completion_tokens"] = answer
    if row.get("total_tokens"):  # of a table of ours without ids
        found["total_tokens"] = parse_integer(row["total_tokens"], place, "total_tokens")
    if found.get("total_tokens") is None and prompt is not None and answer is not None:
        found["total_tokens"] = prompt + answer
    for column, name in (("provider_response_latency", "latency"), ("total_price", "total_price")):
        value = parse_number(row.get(column), place, column)
        if value is not None:
            found[name] = value
    found["currency"] = texts.as_word(row.get("currency")) or found.get("currency")
    if found.get("currency") is None and not found.get("total_price"):
        found["total_price"] = None
    if any(value is not None for value in found.values()):
        found["usage_from"] = "export"
    found["model"] = texts.as_word(row.get("model_id"))
    return found


def _message(place: str, told: dict[str, Any]) -> models.StoredMessage:
    for name in ("agent_thoughts", "message_files", "retriever_resources"):
        value = parse_json(told[name], place)
        told[name] = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else None
    found: models.StoredMessage = duplicates.read(models.StoredMessage, place, told)
    return found


def _moment(row: Row) -> int:
    return texts.as_microseconds(row.get("created_at")) or 0


def _build(found: Sequence[BuiltMessage], parts: dict[str, list[pd.DataFrame]]) -> None:
    """Add these messages, and what belongs to them, to the tables."""
    items = [item for item, _, _ in found]
    users = {item.id: user for item, user, _ in found}
    for name, block in item_rows.message_batches(items).items():
        if name == "messages":
            block |= {column: [usage.get(column) for _, _, usage in found] for column in _USAGE_COLUMNS}
        block["user"] = [users.get(key) for key in block["message_id"]]
        parts[name].append(dataframes.from_columns(SCHEMA[name], block))


def _newness(rank: Rank) -> tuple[bool, int, int]:
    return rank[0] is not None, rank[0] or 0, rank[1]


def _listing(apps: Counter[str]) -> str:
    return ", ".join(f"{app} ({count:,})" for app, count in apps.most_common(10))
