"""A message as the server keeps it, as the turn that it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire.models import StoredMessage
from .convert import as_citation, as_file, as_int, as_text, as_time
from .reasoning import split_reasoning
from .state import Thought, Turn, TurnError


def turn_from_stored(
    message: StoredMessage, *, user: str | None = None, server: str | None = None, app: str | None = None
) -> Turn:
    """The turn that a stored message tells of.

    What the server does not keep is None: nodes, usage, timing. A message whose client went away is
    stored as an empty answer without a mark, so it cannot be told from one that is empty.
    """
    failed = message.status == "error" or bool(message.error)
    answer, reasoning = split_reasoning(message.answer)
    rating = (message.feedback or {}).get("rating")
    files = message.message_files
    return Turn(
        query=message.query,
        inputs=message.inputs,
        answer=answer,
        answer_raw=message.answer,
        reasoning=reasoning,
        status="failed" if failed else "succeeded",
        error=TurnError(code="", message=message.error or "") if failed else None,
        complete=True,
        thoughts=_thoughts(message.agent_thoughts),
        files=None if files is None else tuple(as_file(file) for file in files if isinstance(file, dict)),
        citations=_citations(message.retriever_resources),
        feedback=rating if isinstance(rating, str) else None,
        message_id=message.id,
        conversation_id=message.conversation_id,
        user=user,
        server=server,
        app=app,
        created_at=message.created_at,
        source="history",
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
    )
