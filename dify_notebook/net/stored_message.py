"""What the server's history knows of a message whose run ended while nobody listened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..errors import DifyError
from ..turn.stored import STORED_USAGE, turn_from_stored
from ..wire import calls
from ..wire import events as ev
from .retry import RetryBudget

if TYPE_CHECKING:
    from ..turn.state import Turn
    from ..wire.models import StoredMessage
    from .client import AsyncDify
    from .resume import Resume

NEWEST = 100
"""Messages of the conversation, the newest, among which it is looked for."""
LOOK_SECONDS = 3.0
"""Seconds in which it is looked for: a run's end can be told before its message is written down."""


async def stored_message(dify: AsyncDify, turn: Turn, resume: Resume, at: float) -> ev.Stored | None:
    """The message of a turn as `/messages` has it; None where it is not to be had, or not yet written down.

    Args:
        dify: the client.
        turn: it, as far as it is known.
        resume: what was told of its run.
        at: seconds since the question was sent.
    """
    if not turn.conversation_id or not turn.message_id:
        return None
    call = calls.list_messages(turn.conversation_id, user=dify.user_or(turn.user), limit=NEWEST)
    budget = RetryBudget(LOOK_SECONDS)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            while True:
                page = await dify._send(call)
                message = next((one for one in page.data if one.id == turn.message_id), None)
                if message is None:
                    return None
                if _is_written(message, resume):
                    return _stored(message, at, finished=resume.finished)
                wait = budget.after_failure()
                if wait is None:
                    return None
                await budget.wait(wait)
    except (DifyError, TimeoutError):
        return None  # `Resume.finish` says what may be missing then


def _is_written(message: StoredMessage, resume: Resume) -> bool:
    if resume.finished and message.status == "paused":
        return False
    return bool(message.answer) or message.status == "error" or not resume.has_text


def _stored(message: StoredMessage, at: float, *, finished: bool) -> ev.Stored:
    return ev.Stored(
        at=at,
        answer=message.answer or None,
        usage=_usage(message) if finished else None,
        error=message.error,
        citations=message.retriever_resources,
        files=[file for file in message.message_files or () if file.get("belongs_to") == "assistant"],
        forms=_forms(message, finished=finished),
    )


def _usage(message: StoredMessage) -> dict[str, Any] | None:
    usage = {name: getattr(message, field) for name, field in STORED_USAGE.items()}
    return None if usage["total_tokens"] is None else usage


def _forms(message: StoredMessage, *, finished: bool) -> list[Any]:
    """The forms that were closed, without their tokens."""
    return [
        {"form_id": form.id, **{name: getattr(form, name) for name in ("status", "action", "inputs", "content")}}
        for form in turn_from_stored(message).forms
        if form.status == "filled" or (finished and form.status == "timeout")
    ]
