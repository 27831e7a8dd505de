"""The forms that runs asked people to answer, of a database: as the API gives them with a message, without tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...turn.convert import as_text
from ..texts import as_microseconds
from .duplicates import drop_duplicates
from .layouts import LocatedRow, Row, parse_object

TABLE = "human_input_forms"
_MESSAGES = "execution_extra_contents"
"""The table that says which message a form belongs to."""
_STATUS = {"waiting": "waiting", "submitted": "filled", "timeout": "timeout", "expired": "timeout"}
"""Word of the database -> of a `Form`. What expired was not answered in time either."""
_TRIALS = "delivery_test"
"""`form_kind` of forms by which an app's author tries how they are sent."""

_FIELD = re.compile(r"\{\{#\$output\.([^#{}]++)#\}\}")
"""The place of a field in what is asked."""


def by_message(rows: dict[str, list[LocatedRow]], messages: Mapping[str, LocatedRow]) -> dict[str, list[Row]]:
    """Message -> its forms, in the order in which they were asked; under "" those of which no message is known.

    Args:
        rows: by layout; those of forms are taken out.
        messages: by id: of their runs are the forms that the database names no message for.

    Raises:
        InputError: a cell holds no JSON.
    """
    owners = {
        str(row["form_id"]): str(row["message_id"])
        for _, row in rows.pop(_MESSAGES, [])
        if row.get("form_id") and row.get("message_id")
    }
    asked = drop_duplicates([(0, rows.pop(TABLE, []))], TABLE)
    if not asked:
        return {}
    of_runs = {str(row["workflow_run_id"]): id for id, (_, row) in messages.items() if row.get("workflow_run_id")}
    groups: dict[str, list[Row]] = {}
    for id, (location, row) in sorted(asked.items(), key=lambda item: _moment(item[1][1])):
        if row.get("form_kind") != _TRIALS:
            message = owners.get(id) or of_runs.get(str(row.get("workflow_run_id")), "")
            groups.setdefault(message, []).append(_content(location, row))
    return groups


def _moment(row: Row) -> int:
    return as_microseconds(row.get("created_at")) or 0


def _content(location: str, row: Row) -> Row:
    """One of the `extra_contents` of a message."""
    asked = parse_object(row.get("form_definition"), location) or {}
    status = _STATUS.get(str(row.get("status")), "waiting")
    expires = as_microseconds(row.get("expiration_time"))
    content = as_text(row.get("rendered_content")) or as_text(asked.get("form_content"))
    given = parse_object(row.get("submitted_data"), location)
    answer = {
        "action_id": row.get("selected_action_id"),
        "submitted_data": given,
        "rendered_content": _filled(content, given or {}),
    }
    definition = {
        **asked,
        "form_id": str(row["id"]),
        "node_id": row.get("node_id"),
        "form_content": content,
        "resolved_default_values": asked.get("default_values"),
        "expiration_time": None if expires is None else expires / 1_000_000,
        "created_at": row.get("created_at"),
        "submitted_at": row.get("submitted_at"),
    }
    return {
        "type": "human_input",
        "workflow_run_id": row.get("workflow_run_id"),
        "status": status,
        "form_definition": definition,
        "form_submission_data": answer if status == "filled" else None,
    }


def _filled(content: str, given: Mapping[str, Any]) -> str:
    """What was asked with the values that were given, as the API writes it."""
    return _FIELD.sub(lambda match: as_text(given[match[1]]) if match[1] in given else match[0], content)
