"""The form that a human-input node asks: what may be submitted, and its content with that in it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...wire.kinds import FILE_CONTROLS
from ..api_error import ApiError
from ..store.store import Row
from .forms import FileRules
from .template import shown

OUTPUT = re.compile(r"\{\{#\$output\.([A-Za-z_]\w*)#\}\}")
"""A field's place in the form's content."""


def checked(definition: Mapping[str, Any], action: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What was submitted, by field; what the form does not know is left out, and files are only looked at.

    Args:
        definition: the form as it was told.

    Raises:
        ApiError: 400 invalid_form_data.
    """
    if action not in [known["id"] for known in definition["actions"]]:
        raise wrong_form(f"Invalid action: {action}")
    names = [field["output_variable_name"] for field in definition["inputs"]]
    if missing := [name for name in names if name not in inputs]:
        raise wrong_form(f"Missing required inputs: {', '.join(missing)}")
    return {field["output_variable_name"]: _value(field, inputs) for field in definition["inputs"]}


def file_rules(field: Mapping[str, Any]) -> FileRules | None:
    """Which files a field takes; None for what is no file."""
    if field["type"] not in FILE_CONTROLS:
        return None
    return FileRules(
        tuple(field["allowed_file_types"]),
        tuple(field["allowed_file_extensions"]),
        field.get("number_limits", 1),
        tuple(field["allowed_file_upload_methods"]),
    )


def wrong_form(message: str) -> ApiError:
    """400 invalid_form_data."""
    return ApiError(400, "invalid_form_data", message)


def rendered(definition: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """A form's content with what was submitted in its places."""
    return OUTPUT.sub(lambda place: _text(values.get(place[1])), definition["form_content"])


def action_title(definition: Mapping[str, Any], action: str) -> str:
    """What stands on the button that was pressed."""
    titles = {known["id"]: known["title"] for known in definition["actions"]}
    return str(titles.get(action, action))


def submission(definition: Mapping[str, Any], action: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a message of the history tells of an answer (`form_submission_data`)."""
    return {
        "node_id": definition["node_id"],
        "node_title": definition["node_title"],
        "rendered_content": rendered(definition, values),
        "action_id": action,
        "action_text": action_title(definition, action),
        "submitted_data": dict(values),
    }


def human_input(form: Row, workflow_run: str | None, token: Callable[[str], str]) -> dict[str, Any]:
    """A form in `extra_contents` of a message; its token is told while it can be submitted."""
    definition = json.loads(form["definition"])
    submitted = form["status"] == "submitted"
    waits = form["status"] == "waiting" and form["expires_at"] > time.time()
    values = json.loads(form["inputs"]) if submitted else {}
    return {
        "workflow_run_id": json.loads(workflow_run)["id"] if workflow_run else None,
        "submitted": submitted,
        "form_definition": {**definition, "form_token": token(form["id"]) if waits else None},
        "form_submission_data": submission(definition, form["action"], values) if submitted else None,
        "type": "human_input",
    }


def _value(field: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    name, kind = field["output_variable_name"], field["type"]
    value = inputs[name]
    if kind == "file":
        fits = isinstance(value, dict)
    elif kind == "file-list":
        fits = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    else:
        fits = isinstance(value, str) and (kind != "select" or value in field["option_source"]["value"])
    if not fits:
        raise wrong_form(f"Invalid value for {kind} input '{name}': {value}")
    return value


def _text(value: Any) -> str:
    files = value if isinstance(value, list) else [value]
    if files and all(isinstance(file, dict) and "filename" in file for file in files):
        return ", ".join(str(file["filename"]) for file in files)
    return shown(value)
