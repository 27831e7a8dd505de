"""Rows of the store in the form in which Dify's API gives them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from .store import DEFAULT_USER, Row

NIL = "00000000-0000-0000-0000-000000000000"
SignURL = Callable[[str], str]
"""Id of an upload -> its signed URL."""

_RESOURCE_LISTED = (
    "position", "dataset_id", "dataset_name", "document_id", "document_name", "data_source_type",
    "segment_id", "score", "hit_count", "word_count", "segment_position", "index_node_hash",
    "content", "summary",
)  # fmt: skip


def conversation(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "inputs": json.loads(row["inputs"]),
        "status": "normal",
        "introduction": row["introduction"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def message(row: Row, sign_url: SignURL) -> dict[str, Any]:
    """A message of the history.

    What is stored and what is answered differ on purpose. Dify keeps no answer that failed and none whose
    client went away, so neither is given, although the row has it: a program that works here must work
    there. An answer cut short by the end of the server is given, with status `error`.
    """
    # Of a run that goes on after a pause, what it had said stays.
    hidden = row["state"] in ("failed", "abandoned") or (row["state"] == "running" and not row["forms"])
    answer = "" if hidden else row["answer"]
    wrong = row["state"] in ("failed", "interrupted")
    return {
        "id": row["id"],
        "conversation_id": row["conversation"],
        "parent_message_id": NIL,
        "inputs": row["inputs"],
        "query": row["query"],
        "answer": answer,
        "feedback": None if row["rating"] is None else {"rating": row["rating"]},
        "retriever_resources": [_resource(item, row["id"]) for item in row["resources"]],
        "created_at": row["created_at"],
        "agent_thoughts": [_thought(item) for item in row["thoughts"]],
        "message_files": [_message_file(item, sign_url) for item in row["files"]],
        **_used(row),
        "status": "error" if wrong else "paused" if row["state"] == "paused" else "normal",
        "error": row["error"] if wrong else None,
        "extra_contents": [],
    }


def _used(row: Row) -> dict[str, Any]:
    """What an answer took, which Dify tells of a message since 1.16. One that is not kept took nothing."""
    usage = json.loads(row["usage"]) if row["usage"] and row["state"] in ("done", "stopped", "paused") else {}
    total = usage.get("total_tokens", 0)
    return {
        "message_tokens": usage.get("prompt_tokens", 0),
        "answer_tokens": usage.get("completion_tokens", 0),
        "total_tokens": total,
        "total_price": usage["total_price"] if total else "0E-7",
        "currency": "USD",
        "provider_response_latency": usage.get("latency", 0.0),
    }


def _resource(resource: dict[str, Any], message_id: str) -> dict[str, Any]:
    key = str(uuid.uuid5(uuid.UUID(message_id), str(resource["position"])))
    listed = {name: resource[name] for name in _RESOURCE_LISTED}
    return {"id": key, "message_id": message_id, **listed, "created_at": None}


def _thought(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "chain_id": None,
        "message_id": row["message"],
        "position": row["position"],
        "thought": row["thought"],
        "answer": row["thought"],
        "tool": row["tool"],
        "tool_labels": json.loads(row["tool_labels"]),
        "tool_input": row["tool_input"],
        "created_at": row["created_at"],
        "observation": row["observation"],
        "files": [],
    }


def _message_file(row: Row, sign_url: SignURL) -> dict[str, Any]:
    uploaded = row["file"]
    return {
        "id": row["id"],
        "filename": row["name"] if uploaded else (row["url"] or "").rpartition("/")[2],
        "type": row["type"],
        "url": sign_url(uploaded) if uploaded else row["url"],
        "mime_type": row["mime_type"] if uploaded else None,
        "size": row["size"] if uploaded else -1,
        "transfer_method": row["transfer_method"],
        "belongs_to": row["belongs_to"],
        "upload_file_id": uploaded,
    }


def upload(row: Row, sign_url: SignURL, tenant: str) -> dict[str, Any]:
    """The answer to an upload."""
    return {
        "id": row["id"],
        "reference": None,
        "name": row["name"],
        "size": row["size"],
        "extension": row["extension"],
        "mime_type": row["mime_type"],
        "created_by": row["end_user"],
        "created_at": row["created_at"],
        "preview_url": None,
        "source_url": sign_url(row["id"]),
        "original_url": None,
        "user_id": None,
        "tenant_id": tenant,
        "conversation_id": None,
        "file_key": None,
    }


def feedback(row: Row, app_id: str) -> dict[str, Any]:
    """A feedback in the list of an app's. Its times are texts, in UTC; Dify 1.12 leaves out the zone."""
    return {
        "id": str(uuid.uuid5(uuid.UUID(row["message"]), "feedback")),
        "app_id": app_id,
        "conversation_id": row["conversation"],
        "message_id": row["message"],
        "rating": row["rating"],
        "content": row["content"],
        "from_source": "user",
        "from_end_user_id": row["end_user"],
        "from_account_id": None,
        "created_at": _moment(row["created_at"]),
        "updated_at": _moment(row["updated_at"]),
    }


def end_user(row: Row, app_id: str, tenant: str) -> dict[str, Any]:
    """An end user."""
    created = _moment(row["created_at"])
    return {
        "id": row["id"],
        "tenant_id": tenant,
        "app_id": app_id,
        "type": "service_api",
        "external_user_id": row["session"],
        "name": None,
        "is_anonymous": row["session"] == DEFAULT_USER,
        "session_id": row["session"],
        "created_at": created,
        "updated_at": created,
    }


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


VERSION = "2026-01-01 00:00:00"
"""Of every workflow: each has one version here. Dify writes when that was published."""


def workflow_run(row: Row, sign_url: SignURL) -> dict[str, Any]:
    """A run in detail. Since Dify 1.16 outputs are an object; inputs are still a text. Links in them are fresh."""
    return {
        "id": row["id"],
        "workflow_id": row["workflow"],
        "status": row["status"],
        "inputs": json.dumps(linked(row["inputs"], sign_url)),
        "outputs": linked(row["outputs"] or {}, sign_url),
        "error": row["error"],
        "total_steps": row["steps"],
        "total_tokens": row["tokens"],
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "elapsed_time": row["elapsed"],
    }


def workflow_log(row: Row) -> dict[str, Any]:
    """A run in the log of its app."""
    return {
        "id": str(uuid.uuid5(uuid.UUID(row["id"]), "log")),
        "workflow_run": {
            "id": row["id"],
            "version": VERSION,
            "status": row["status"],
            "triggered_from": "app-run",
            "error": row["error"],
            "elapsed_time": row["elapsed"],
            "total_tokens": row["tokens"],
            "total_steps": row["steps"],
            "created_at": row["created_at"],
            "finished_at": row["finished_at"],
            "exceptions_count": row["exceptions"],
        },
        "details": None,
        "created_from": "service-api",
        "created_by_role": "end_user",
        "created_by_account": None,
        "created_by_end_user": {
            "id": row["end_user"],
            "type": "service-api",
            "is_anonymous": row["session"] == DEFAULT_USER,
            "session_id": row["session"],
        },
        "created_at": row["created_at"],
    }


def linked(value: Any, sign_url: SignURL) -> Any:
    """A value with the links of its files signed anew: those that were stored are good for minutes."""
    if isinstance(value, list):
        return [linked(item, sign_url) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {name: linked(item, sign_url) for name, item in value.items()}
    if _is_kept_file(value):
        links = [name for name in ("remote_url", "url") if value.get(name)]
        changed |= dict.fromkeys(links, sign_url(value["related_id"]))
    return changed


def _is_kept_file(value: Row) -> bool:
    """Whether a value is a file of this server. What a row of a table says of itself is text, and no size."""
    ours = value.get("dify_model_identity") == "__dify__file__" and value.get("transfer_method") != "remote_url"
    return ours and isinstance(value.get("related_id"), str) and isinstance(value.get("size"), int)


def variable(row: Row) -> dict[str, Any]:
    """A conversation variable; its value is always a text."""
    value = row["value"]
    return {
        "id": row["id"],
        "name": row["name"],
        "value_type": row["value_type"],
        "value": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        "description": row["description"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def annotation(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "question", "answer", "hit_count", "created_at")}


def type_of(value: object) -> str:
    """The type of a variable's value, as Dify names it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        kinds = {type_of(item) for item in value}
        number = kinds <= {"integer", "float"} and bool(kinds)
        inner = "number" if number else next(iter(kinds)) if len(kinds) == 1 else "any"
        return f"array[{inner}]" if inner in ("string", "number", "object") else "array[any]"
    return "any"


def fits(value: object, declared: str) -> bool:
    """Whether a value may be given to a variable of a declared type."""
    kind = type_of(value)
    if declared == "number":
        return kind in ("integer", "float")
    return kind == declared or (declared.startswith("array") and value == [])
