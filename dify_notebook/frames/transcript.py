"""`Transcript`: a conversation of a history to be read, its rows turned back into turns."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from ..console import displayed
from ..errors import InputError
from ..i18n import t
from ..printable import one_line
from ..turn.state import Citation, Turn, Usage
from ..turn.stored import turn_from_stored
from ..wire.loose import loads
from ..wire.models import StoredMessage

if TYPE_CHECKING:
    import pandas as pd

    from .history import History


class Transcript:
    """A conversation out of a history: its turns in order, shown as HTML, markdown or text.

    `len()` of it is the number of its turns.
    """

    def __init__(self, id: str, name: str, user: str | None, turns: tuple[Turn, ...]) -> None:
        self.id = id
        """The `conversation_id`."""
        self.name = name
        """As in the table `conversations`; empty where it has none."""
        self.user = user
        self.turns = turns
        """One for each message, oldest first, with what the history knows of it."""

    @property
    def about(self) -> str:
        """Its user, the time of its first message (UTC) and its id, in one line."""
        times = [turn.created_at for turn in self.turns if turn.created_at is not None]
        began = [f"{times[0]:%Y-%m-%d %H:%M %Z}"] if times else []
        return " \u00b7 ".join([*([self.user] if self.user else []), *began, self.id])

    @property
    def title(self) -> str:
        """Its name, or its first question where it has none, or its id."""
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


def transcript(history: History, id: str) -> Transcript:
    """See `History.conversation`."""
    messages, conversations = history.messages, history.conversations
    ids = dict.fromkeys([*conversations["conversation_id"], *messages["conversation_id"].dropna()])
    matches = [id] if id in ids else [other for other in ids if id and other.startswith(id)]
    if len(matches) != 1:
        key = "history.conversation.several" if matches else "history.conversation.none"
        raise InputError(t(key, id=id, count=len(matches), all=f"{len(ids):,}"), code="transcript")
    (match,) = matches
    messages = messages[messages["conversation_id"] == match].sort_values("created_at", kind="stable")
    row = conversations[conversations["conversation_id"] == match]
    name = str(row["name"].iloc[0]) if len(row) and row["name"].notna().iloc[0] else ""
    users = [user for user in [*row["user"], *messages["user"]] if isinstance(user, str)]
    return Transcript(match, name, users[0] if users else None, turns_of(history, messages))


def turns_of(history: History, messages: pd.DataFrame) -> tuple[Turn, ...]:
    """Rows of `messages` as turns, with their thoughts, citations, files and forms."""
    ids = set(messages["message_id"])
    tables = (history.thoughts, history.citations, history.files, history.forms)
    thoughts, citations, files, forms = (_by_message(table, ids) for table in tables)
    turns = []
    for row in _records(messages):
        id = row["message_id"]
        message = StoredMessage(
            id=id,
            conversation_id=row["conversation_id"],
            query=row["query"],
            answer=row["answer"] or "",
            status=row["status"],
            error=row["error"],
            feedback={"rating": row["rating"]},
            agent_thoughts=_thoughts(thoughts[id]) if id in thoughts else None,
            retriever_resources=_citations(citations[id]) if id in citations else None,
            message_files=_files(files[id]) if id in files else None,
            extra_contents=_forms(forms[id]) if id in forms else None,
            created_at=None if row["created_at"] is None else row["created_at"].to_pydatetime(),
        )
        fields = {"answer": message.answer, "reasoning": row["reasoning"] or "", "usage": _usage(row)}
        turns.append(msgspec.structs.replace(turn_from_stored(message, user=row["user"]), **fields))
    return tuple(turns)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with None for what is missing."""
    values = table.astype("object").where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in values.to_dict("records")]


def _by_message(table: pd.DataFrame, ids: set[str]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in _records(table[table["message_id"].isin(ids)]):
        groups.setdefault(row["message_id"], []).append(row)
    return groups


def _thoughts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the API gives them: a thought that called several tools has several rows and is one."""
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
            "answer": row["answer"],
        }
        for row in ordered
    ]


def _citations(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The columns that are fields of a citation."""
    return [{name: row[name] for name in Citation.__struct_fields__ if name in row} for row in rows]


def _files(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the API gives them, without addresses: what signed them is gone."""
    return [{**row, "id": row["file_id"], "filename": row["name"], "url": None} for row in rows]


def _forms(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the API gives them, without tokens."""
    items = []
    for row in rows:
        form = _json_object(row["definition"])
        form.setdefault("form_content", row["content"])
        form.setdefault("expiration_time", row["expires_at"] and row["expires_at"].timestamp())
        for name in ("form_id", "node_id", "node_title"):
            form.setdefault(name, row[name])
        answer = {
            "action_id": row["action_id"],
            "action_text": row["action_text"],
            "rendered_content": row["rendered_content"],
            "submitted_data": _json_object(row["inputs"]) if row["inputs"] is not None else None,
        }
        items.append(
            {
                "workflow_run_id": row["workflow_run_id"],
                "status": row["status"],
                "form_definition": form,
                "form_submission_data": answer if row["status"] == "filled" else None,
            }
        )
    return items


def _json_object(text: str | None) -> dict[str, Any]:
    """The object of a cell; an empty one for what is none, as in a table that somebody changed."""
    try:
        value = loads((text or "{}").encode())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _usage(row: dict[str, Any]) -> Usage | None:
    values = {name: row[name] for name in Usage.__struct_fields__}
    if all(value is None for value in values.values()):
        return None
    for name in ("prompt_price", "completion_price", "total_price"):
        if values[name] is not None:
            # Prices of Dify have seven decimals; a float holds them exactly enough to be written back.
            values[name] = Decimal(repr(values[name])).quantize(Decimal("0.0000001"))
    return Usage(**values)
