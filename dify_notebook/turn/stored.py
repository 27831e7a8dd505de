"""A message as the server keeps it, as the turn that it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

import msgspec

from ..wire.form_tokens import without_secrets
from ..wire.models import StoredMessage
from .convert import as_citation, as_dict, as_file, as_int, as_text, as_time, as_usage
from .forms import Form, FormStatus, as_form
from .reasoning import split_reasoning
from .state import Status, Thought, Turn, TurnError, Usage

STORED_USAGE: Mapping[str, str] = {
    "prompt_tokens": "message_tokens",
    "completion_tokens": "answer_tokens",
    "total_tokens": "total_tokens",
    "total_price": "total_price",
    "currency": "currency",
    "latency": "provider_response_latency",
}
"""Field of a usage -> the field of a stored message that tells it (Dify 1.16)."""


def turn_from_stored(
    message: StoredMessage, *, user: str | None = None, server: str | None = None, app: str | None = None
) -> Turn:
    """The turn that a stored message tells of.

    What the server does not keep is None: nodes, timing, and usage before Dify 1.16. A message whose client went
    away is stored as an empty answer without a mark, so it cannot be told from one that is empty.
    """
    failed = message.status == "error" or bool(message.error)
    status: Status = "failed" if failed else "paused" if message.status == "paused" else "succeeded"
    answer, reasoning = split_reasoning(message.answer)
    rating = (message.feedback or {}).get("rating")
    files = message.message_files
    forms = _forms(message, user)
    return Turn(
        query=message.query,
        inputs=message.inputs,
        answer=answer,
        answer_raw=message.answer,
        reasoning=reasoning,
        status=status,
        error=TurnError(code="", message=message.error or "") if failed else None,
        complete=True,
        thoughts=_thoughts(message.agent_thoughts),
        files=None if files is None else tuple(as_file(file) for file in files if isinstance(file, dict)),
        citations=_citations(message.retriever_resources),
        usage=_usage(message),
        feedback=rating if isinstance(rating, str) else None,
        forms=forms,
        message_id=message.id,
        conversation_id=message.conversation_id,
        workflow_run_id=next((form.workflow_run_id for form in forms if form.workflow_run_id), None),
        user=user,
        server=server,
        app=app,
        created_at=message.created_at,
        source="history",
    )


def _usage(message: StoredMessage) -> Usage | None:
    reported = {name: getattr(message, field) for name, field in STORED_USAGE.items()}
    return as_usage(reported) if any(value is not None for value in reported.values()) else None


def _forms(message: StoredMessage, user: str | None) -> tuple[Form, ...]:
    """What the run asked people. The API tells whether a form was answered, and the message whether it still waits."""
    left: FormStatus = "waiting" if message.status == "paused" else "timeout"
    return tuple(
        _form(item, str(number), left, user)
        for number, item in enumerate(message.extra_contents or ())
        if isinstance(item, dict) and item.get("type", "human_input") == "human_input"
    )


def _form(item: Mapping[str, Any], number: str, left: FormStatus, user: str | None) -> Form:
    asked, answer = (as_dict(item.get(name)) or {} for name in ("form_definition", "form_submission_data"))
    status: FormStatus = "filled" if item.get("submitted") is True or answer else left
    if (exported := item.get("status")) in get_args(FormStatus):  # the API tells none
        status = cast(FormStatus, exported)
    action = as_text(answer.get("action_id")) or None
    data = {**without_secrets(asked), "form_token": asked.get("form_token") if status == "waiting" else None}
    for name in ("node_id", "node_title"):
        data.setdefault(name, answer.get(name))
    if action and not asked:
        data["actions"] = [{"id": action, "title": as_text(answer.get("action_text"))}]
    form = as_form(data, workflow_run_id=as_text(item.get("workflow_run_id")) or None, user=user)
    return msgspec.structs.replace(
        form,
        id=form.id or number,
        status=status,
        action=action,
        inputs=as_dict(answer.get("submitted_data")),
        content=as_text(answer.get("rendered_content")) or form.content,
    )


def _citations(resources: list[dict[str, Any]] | None) -> Any:
    return None if resources is None else tuple(as_citation(item) for item in resources if isinstance(item, dict))


def _thoughts(steps: list[dict[str, Any]] | None) -> tuple[Thought, ...] | None:
    if steps is None:
        return None
    return tuple(_thought(step, number) for number, step in enumerate(steps) if isinstance(step, dict))


def _thought(step: Mapping[str, Any], number: int) -> Thought:
    labels, files = step.get("tool_labels"), step.get("message_files") or step.get("files")
    return Thought(
        id=as_text(step.get("id")) or str(number),
        position=as_int(step.get("position")),
        thought=as_text(step.get("thought")),
        tool=as_text(step.get("tool")),
        tool_input=as_text(step.get("tool_input")),
        observation=as_text(step.get("observation")),
        tool_labels=labels if isinstance(labels, dict) else None,
        message_files=tuple(str(file) for file in files if file) if isinstance(files, list) else (),
        created_at=as_time(step.get("created_at")),
        answer=as_text(step.get("answer")),
    )
