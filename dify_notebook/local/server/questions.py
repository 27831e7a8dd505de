"""What is asked of an app, by its mode: the bodies of the three ways to ask, checked."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from .payloads import is_uuid, text_of, user_of, wrong


@dataclass(frozen=True)
class Question:
    """What a chat app is asked, a completion app is to fill in, or a workflow app is run with."""

    inputs: dict[str, Any]
    streaming: bool
    user: str
    files: list[dict[str, Any]]
    query: str = ""
    """Nothing, for a workflow app. A completion app answers it in place of its own prompt."""
    conversation_id: str | None = None
    auto_generate_name: bool = False
    workflow_id: str | None = None
    """Which published version of a workflow shall answer; None for the one of now."""


def chat_request(body: dict[str, Any], *, older: bool = False) -> Question:
    """Check a question; what depends on the app (inputs, files) is checked by the app's own rules later.

    Args:
        older: take what Dify 0.15 takes.

    Raises:
        ApiError: 400.
    """
    model = "ChatRequestPayload"
    if older:
        body = _as_older(body)
    _inputs(body, model)
    query = text_of(body, "query", model)
    streaming, files = _streaming(body, model, older=older), _files(body, model)
    conversation = body.get("conversation_id")
    if conversation not in (None, ""):
        if not isinstance(conversation, str) or not is_uuid(conversation):
            raise wrong(model, "conversation_id", "Value error, conversation_id must be a valid UUID", "value_error")
        conversation = str(uuid.UUID(conversation))
    naming = body.get("auto_generate_name", True)
    if not isinstance(naming, bool):
        raise wrong(model, "auto_generate_name", "Input should be a valid boolean", "bool_type")
    workflow = body.get("workflow_id")
    if workflow is not None and not isinstance(workflow, str):
        raise wrong(model, "workflow_id", "Input should be a valid string", "string_type")
    return Question(
        inputs=body["inputs"],
        streaming=streaming,
        user=user_of(body),
        files=files,
        query=query.replace("\x00", ""),
        conversation_id=conversation or None,
        auto_generate_name=naming,
        workflow_id=None if older else workflow or None,
    )


def workflow_request(body: dict[str, Any], workflow_id: str | None = None, *, older: bool = False) -> Question:
    """Check what a workflow app is to be run with. A `workflow_id` in the body is not looked at.

    Args:
        workflow_id: of the address.
        older: take what Dify 0.15 takes.

    Raises:
        ApiError: 400.
    """
    return _plain(body, "WorkflowRunPayload", older=older, workflow_id=workflow_id)


def completion_request(body: dict[str, Any], *, older: bool = False) -> Question:
    """Check what a completion app is to fill in. Args: older: take what Dify 0.15 takes. Raises: ApiError, 400."""
    model = "CompletionRequestPayload"
    query = text_of(body, "query", model).replace("\x00", "") if body.get("query") is not None else ""
    return _plain(body, model, older=older, query=query)


def _plain(body: dict[str, Any], model: str, *, older: bool, **more: Any) -> Question:
    if older:
        files = body.get("files")
        body = {**body, "files": files if isinstance(files, list) else None}
        if body.get("inputs") == []:
            body["inputs"] = {}
    inputs = _inputs(body, model)
    streaming, files = _streaming(body, model, older=older), _files(body, model)
    return Question(inputs=inputs, streaming=streaming, user=user_of(body), files=files, **more)


def _inputs(body: dict[str, Any], model: str) -> dict[str, Any]:
    if "inputs" not in body:
        raise wrong(model, "inputs", "Field required", "missing")
    inputs = body["inputs"]
    if not isinstance(inputs, dict):
        raise wrong(model, "inputs", "Input should be a valid dictionary", "dict_type")
    return inputs


def _streaming(body: dict[str, Any], model: str, *, older: bool) -> bool:
    mode = body.get("response_mode")
    if older and mode is None and "response_mode" in body:
        raise wrong(model, "response_mode", "None is not a valid choice", "literal_error")
    if mode not in (None, "blocking", "streaming"):
        raise wrong(model, "response_mode", "Input should be 'blocking' or 'streaming'", "literal_error")
    return bool(mode == "streaming")


def _files(body: dict[str, Any], model: str) -> list[dict[str, Any]]:
    files = body.get("files")
    if files is not None and not (isinstance(files, list) and all(isinstance(file, dict) for file in files)):
        raise wrong(model, "files", "Input should be a valid list", "list_type")
    return files or []


def _as_older(body: dict[str, Any]) -> dict[str, Any]:
    """The older version reads what is of another kind as text, or as nothing."""
    changed = dict(body)
    if "inputs" in body and not isinstance(body["inputs"], dict):
        changed["inputs"] = {}
    if "query" in body and not isinstance(body["query"], str):
        changed["query"] = "" if body["query"] is None else json.dumps(body["query"])
    if not isinstance(body.get("files"), list):
        changed["files"] = None
    return changed
