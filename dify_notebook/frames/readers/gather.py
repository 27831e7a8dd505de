"""Rows of exports gathered into the tables of a history, with the same schema as what the API gives."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pandas as pd

from ...errors import InputError
from ...i18n import t
from ...turn.convert import as_text, as_time, as_usage
from ...wire import models
from .. import build, livetables, tables, texts
from ..schema import SCHEMA
from .layouts import mapping, number, parsed, true, whole
from .opened import Budget
from .sources import Row

Block = tables.Block
Found = tuple[models.StoredMessage, str | None, dict[str, Any]]
"""A message, its user, and its tokens, prices and times."""
_SPACE = uuid.UUID("f7f1c0de-5f0b-5c19-9a5a-9c1f2f0e7a11")


CHUNK = 5_000
"""Messages that are held as objects at a time."""
_HEAVY = ("message", "override_model_configs", "message_unit_price", "answer_unit_price")
"""Columns that are in no table of ours; `message` is the whole prompt with all turns before it."""


class Gatherer:
    """Takes rows one by one, in any order of tables; `frames()` gives what they come to.

    Args:
        app: whose rows are taken; None for those of any.
        budget: what the rows that are kept are counted to.
    """

    def __init__(self, app: str | None, budget: Budget) -> None:
        self._app = app
        self._budget = budget
        self._apps: Counter[str] = Counter()
        self.rows: dict[str, list[tuple[str, Row]]] = {}
        """Layout -> place and row."""
        self.kinds: Counter[str] = Counter()
        self.notes: list[str] = []
        self._users: dict[str, str] = {}
        self.users: dict[str, None] = {}
        """Whose conversations there are, in the order in which they came up."""

    def take(self, kind: str, place: str, row: Row) -> None:
        """One row of a layout. Those of other apps than the one asked for are left out.

        Raises:
            InputError: there are more than the budget allows.
        """
        app = row.get("app_id")
        if app:
            if kind in ("messages", "feedback_export", "log_export"):
                self._apps[str(app)] += 1
            if self._app is not None and str(app) != self._app:
                return
        self.kinds[kind] += 1
        for name in _HEAVY:
            row.pop(name, None)
        self._budget.keep(row, place)
        self.rows.setdefault(kind, []).append((place, row))

    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables of the history. What was taken is given up meanwhile: a dump is larger than its tables.

        Raises:
            InputError: the rows are of several apps, or a cell cannot be read.
        """
        self._check_app()
        gone = {str(row["id"]) for _, row in self._of("conversations") if true(row.get("is_deleted"))}
        self._users = {str(row["id"]): str(row["session_id"]) for _, row in self._of("end_users") if row["session_id"]}
        owners, conversations = self._conversations(gone)
        ratings, feedbacks = self._feedbacks()
        spans: dict[str, list[Any]] = {}
        parts: dict[str, list[pd.DataFrame]] = {name: [] for name in tables.MESSAGE_ROWS}
        chunk: list[Found] = []
        for found in self._messages(gone, owners, ratings):
            item, user, _ = found
            if item.conversation_id:
                span = spans.setdefault(item.conversation_id, [item.created_at, item.created_at, user])
                span[1:] = [item.created_at or span[1], span[2] or user]
            chunk.append(found)
            if len(chunk) >= CHUNK:
                _build(chunk, parts)
                chunk.clear()
        _build(chunk, parts)
        if gone:
            self.notes.append(t("history.export.deleted", count=len(gone)))
        block = tables.feedback_rows(feedbacks)
        block["user"] = [self._users.get(str(one.from_end_user_id)) for one in feedbacks]
        rest = {
            "conversations": self._conversation_block(conversations, spans, owners),
            "feedbacks": block,
            "annotations": tables.annotation_rows(self._annotations()),
        }
        for name, told in rest.items():
            parts[name] = [build.frame(SCHEMA[name], told)]
        return {name: build.concat(SCHEMA[name], found, ordered=True) for name, found in parts.items()}

    def _messages(self, gone: set[str], owners: dict[str, str], ratings: dict[str, str]) -> Iterator[Found]:
        """Each message once, by conversation and time."""
        thoughts, files, citations = (
            self._by_message(kind)
            for kind in ("message_agent_thoughts", "message_files", "dataset_retriever_resources")
        )
        plain: list[tuple[str, Row]] = []
        seen: set[str] = set()
        # The table itself comes first: of what else tells the same message, some tell less.
        for kind in ("messages", "log_export", "feedback_export"):
            for place, told_row in self.rows.pop(kind, []):
                row = _plain_row(kind, place, told_row)
                if str(row["id"]) not in seen and str(row.get("conversation_id") or "") not in gone:
                    seen.add(str(row["id"]))
                    plain.append((place, row))
        plain.sort(key=lambda one: (str(one[1].get("conversation_id")), _moment(one[1])))
        plain.reverse()  # taken from the end, so that each is given up as it is read
        while plain:
            place, row = plain.pop()
            key = str(row["id"])
            met = mapping(row.get("message_metadata", row.get("metadata")), place) or {}
            conversation = str(row["conversation_id"]) if row.get("conversation_id") else None
            user = self._user(row) or owners.get(conversation or "")
            if user:
                self.users.setdefault(user)
            rating = ratings.get(key) or _rating(row)
            told = {
                **{name: row.get(name) for name in ("query", "answer", "error", "created_at", "parent_message_id")},
                "id": key,
                "conversation_id": conversation,
                "status": row.get("status") or ("error" if row.get("error") else "normal"),
                "inputs": mapping(row.get("inputs"), place),
                "feedback": {"rating": rating} if rating else None,
                "agent_thoughts": row.get("agent_thoughts") or thoughts.get(key),
                "message_files": row.get("message_files") or files.get(key),
                "retriever_resources": row.get("retriever_resources")
                or met.get("retriever_resources")
                or citations.get(key),
            }
            yield _message(place, told), user, _usage(place, row, met)

    def _of(self, kind: str) -> list[tuple[str, Row]]:
        return self.rows.get(kind, [])

    def _check_app(self) -> None:
        if self._app is not None and self._apps and self._app not in self._apps:
            raise InputError(t("history.export.no_app", app=self._app, apps=_listing(self._apps)), code="export")
        if self._app is None and len(self._apps) > 1:
            raise InputError(t("history.export.apps", apps=_listing(self._apps)), code="export")

    # -- parts -------------------------------------------------------------------------------------

    def _by_message(self, kind: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for place, row in self._of(kind):
            row = {**row, "position": whole(row.get("position"), place, "position")}
            if kind == "message_agent_thoughts":
                row["tool_labels"] = mapping(row.get("tool_labels", row.get("tool_labels_str")), place)
            found.setdefault(str(row["message_id"]), []).append(row)
        for rows in found.values():
            rows.sort(key=lambda row: (row["position"] is None, row["position"] or 0))
        return found

    # -- people and conversations ---------------------------------------------------------------

    def _user(self, row: Row) -> str | None:
        told = row.get("from_end_user_session_id") or row.get("user")
        end_user = row.get("from_end_user_id", row.get("end_user_id"))
        return str(told) if told else self._users.get(str(end_user)) if end_user else None

    def _conversations(self, gone: set[str]) -> tuple[dict[str, str], dict[str, Row]]:
        """Owners by conversation, and the rows of conversations."""
        owners: dict[str, str] = {}
        found: dict[str, Row] = {}
        for kind in ("conversations", "console_conversations"):
            for place, row in self._of(kind):
                key = str(row["id"])
                if key in gone:
                    continue
                user = self._user(row)
                if user:
                    owners[key] = user
                    self.users.setdefault(user)
                found.setdefault(key, {**row, "inputs": mapping(row.get("inputs"), place)})
        return owners, found

    def _conversation_block(self, told: dict[str, Row], spans: dict[str, list[Any]], owners: dict[str, str]) -> Block:
        """The conversations that were told, and those that only messages name (with first time, last time, user)."""
        rows: list[dict[str, Any]] = []
        for key, row in told.items():
            last = spans.get(key, [None, None, None])
            name = row.get("name") or row.get("summary") or ""
            rows.append(
                {
                    "conversation_id": key,
                    "user": owners.get(key) or last[2],
                    "created_at": texts.as_microseconds(row.get("created_at") or last[0]),
                    "updated_at": texts.as_microseconds(row.get("updated_at") or last[1]),
                    "status": texts.as_word(row.get("status")),
                    "name": as_text(name),
                    "introduction": texts.clean(texts.as_word(row.get("introduction"))),
                    "inputs": texts.as_json(row.get("inputs")),
                }
            )
        for key, (began, last_used, user) in spans.items():
            if key not in told:
                times = {"created_at": texts.as_microseconds(began), "updated_at": texts.as_microseconds(last_used)}
                none = dict.fromkeys(("status", "introduction", "inputs"))
                rows.append({"conversation_id": key, "user": user, **times, "name": "", **none})
        return tables.block_of(rows)

    # -- what people said -----------------------------------------------------------------------

    def _feedbacks(self) -> tuple[dict[str, str], list[models.Feedback]]:
        """Users' ratings by message, and all feedback."""
        told: list[tuple[str, Row]] = list(self._of("message_feedbacks"))
        for place, row in self._of("feedback_export"):
            same = {
                "id": row["feedback_id"],
                "rating": row["feedback_rating_raw"],
                "content": row.get("feedback_comment"),
            }
            when = row.get("feedback_date")
            source = row.get("feedback_source")
            told.append((place, {**row, **same, "from_source": source, "created_at": when, "updated_at": when}))
        for place, row in self._of("messages"):
            inside = parsed(row.get("feedbacks"), place)
            for at, inner in enumerate(inside if isinstance(inside, list) else ()):
                if not isinstance(inner, dict):
                    continue
                # The console tells no id of a feedback; one of its message and its place stands for it.
                key = str(uuid.uuid5(_SPACE, f"{row['id']}/{at}"))
                told.append(
                    (place, {"id": key, "message_id": row["id"], "conversation_id": row["conversation_id"], **inner})
                )
        ratings: dict[str, str] = {}
        found: dict[str, models.Feedback] = {}
        for place, row in told:
            if not row.get("rating"):
                continue
            names = (
                "conversation_id",
                "message_id",
                "rating",
                "content",
                "from_source",
                "from_end_user_id",
                "from_account_id",
            )
            data = {name: row.get(name) or None for name in names} | {"id": str(row["id"])}
            times = {name: row[name] for name in ("created_at", "updated_at") if row.get(name)}
            found.setdefault(str(row["id"]), _read(models.Feedback, place, {**data, **times}))
            if row.get("from_source") in ("user", None):
                ratings[str(row["message_id"])] = str(row["rating"])
        return ratings, list(found.values())

    def _annotations(self) -> list[models.Annotation]:
        found = []
        for kind, answer in (("message_annotations", "content"), ("annotations", "answer")):
            for place, row in self._of(kind):
                data = {"id": str(row["id"]), "question": row["question"], "answer": row[answer]}
                hits = whole(row.get("hit_count"), place, "hit_count")
                found.append(
                    _read(models.Annotation, place, {**data, "hit_count": hits, "created_at": row.get("created_at")})
                )
        return found


_USAGE = (
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_price", "completion_price", "total_price", "currency",
    "latency", "time_to_first_token", "usage_from", "model",
)  # fmt: skip


def _usage(place: str, row: Row, metadata: dict[str, Any]) -> dict[str, Any]:
    """Tokens, prices and times: from the columns of the table, and what those lack from the metadata."""
    told = metadata.get("usage")
    found = livetables.usage_values(as_usage(told)) if isinstance(told, dict) else {}
    prompt, answer = (whole(row.get(name), place, name) for name in ("message_tokens", "answer_tokens"))
    if prompt is not None:
        found["prompt_tokens"] = prompt
    if answer is not None:
        found["completion_tokens"] = answer
    if found.get("total_tokens") is None and prompt is not None and answer is not None:
        found["total_tokens"] = prompt + answer
    for column, name in (("provider_response_latency", "latency"), ("total_price", "total_price")):
        value = number(row.get(column), place, column)
        if value is not None:
            found[name] = value
    found["currency"] = texts.as_word(row.get("currency")) or found.get("currency")
    if found.get("currency") is None and not found.get("total_price"):
        found["total_price"] = None
    if any(value is not None for value in found.values()):
        found["usage_from"] = "export"
    found["model"] = texts.as_word(row.get("model_id"))
    return found


def _plain_row(kind: str, place: str, row: Row) -> Row:
    """A row of an export in the form of the table `messages`."""
    if kind == "messages":
        return {**row, "query": row["query"] or "", "answer": row["answer"] or ""}
    if kind == "feedback_export":
        return {
            "id": row["message_id"],
            "conversation_id": row.get("conversation_id"),
            "query": row["user_query"] or "",
            "answer": row.get("ai_response") or "",
            "created_at": row.get("message_date"),
            "from_end_user_id": row.get("from_end_user_id"),
        }
    # The log export tells no id: the same row gives the same one wherever it is read.
    key = uuid.uuid5(
        _SPACE, "\x1f".join(str(row[name]) for name in ("conversation_id", "created_at", "query", "answer"))
    )
    rating = row.get("user_rating")
    return {**row, "id": str(key), "query": row["query"] or "", "answer": row["answer"] or "", "rating": rating}


def _rating(row: Row) -> str | None:
    told = row.get("feedback")
    rating = told.get("rating") if isinstance(told, dict) else row.get("rating")
    return str(rating) if rating in ("like", "dislike") else None


def _message(place: str, told: dict[str, Any]) -> models.StoredMessage:
    for name in ("agent_thoughts", "message_files", "retriever_resources"):
        value = parsed(told[name], place)
        told[name] = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else None
    found: models.StoredMessage = _read(models.StoredMessage, place, told)
    return found


def _read(kind: Any, place: str, data: dict[str, Any]) -> Any:
    if isinstance(data.get("created_at"), str) and texts.as_microseconds(data["created_at"]) is None:
        raise InputError(t("history.export.no_time", place=place, value=data["created_at"][:60]), code="export")
    data = {name: as_time(value) if name in ("created_at", "updated_at") else value for name, value in data.items()}
    try:
        return msgspec.convert(data, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(t("history.export.bad_row", place=place, reason=error), code="export") from None


def _moment(row: Row) -> int:
    return texts.as_microseconds(row.get("created_at")) or 0


def _build(found: Sequence[Found], parts: dict[str, list[pd.DataFrame]]) -> None:
    """Add these messages, and what belongs to them, to the tables."""
    items = [item for item, _, _ in found]
    users = {item.id: user for item, user, _ in found}
    for name, make in tables.MESSAGE_ROWS.items():
        block = make(items)
        if name == "messages":
            block |= {column: [usage.get(column) for _, _, usage in found] for column in _USAGE}
        if block.get("message_id"):
            block["user"] = [users.get(key) for key in block["message_id"]]
            parts[name].append(build.frame(SCHEMA[name], block))


def _listing(apps: Counter[str]) -> str:
    return ", ".join(f"{app} ({count:,})" for app, count in apps.most_common(10))
