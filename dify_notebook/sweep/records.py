"""What is written down of a sweep, line by line, and what an answer comes to. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from ..turn.price import price_of as price_of
from ..turn.state import Turn

LARGEST = 10**15
"""No budget, price, count or time is more; what is told beyond it counts as not told."""
State = Literal["succeeded", "failed", "unknown", "not_run"]
"""unknown: it may have been asked, and nobody knows how it ended."""


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One turn of a case as it ended."""

    status: str
    """The turn's (`turn.state.Status`)."""
    end: str | None = None
    query: str | None = None
    answer: str = ""
    outputs: Any = None
    """Of workflow apps, as told; JSON."""
    error_code: str | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    price: Decimal | None = None
    """Exact; None where the server told none, which is not 0."""
    currency: str | None = None
    seconds: float | None = None
    first_token: float | None = None
    """Seconds."""
    message_id: str | None = None
    workflow_run_id: str | None = None
    workflow_id: str | None = None
    """The published version that answered, where told."""
    annotation: bool = False
    """Whether an annotation answered instead of the model."""
    moderated: bool = False
    """Whether moderation replaced the text."""
    tape: str | None = None
    """Name of its tape in the sweep's store."""


class Header(msgspec.Struct, kw_only=True, tag="sweep", tag_field="t"):
    """The first line: which sweep this is."""

    version: int = 1
    id: str
    """12 hexadecimal digits; the sweep's own user is called after it."""
    salt: str
    """For hashes of keys; made at random."""
    created_at: float
    """Seconds since 1970."""


class Begun(msgspec.Struct, kw_only=True, tag="begin", tag_field="t"):
    """Written before anything of a case is sent."""

    case: str
    at: float


class Outcome(msgspec.Struct, kw_only=True, tag="end", tag_field="t", omit_defaults=True):
    """How a case ended."""

    case: str
    state: Literal["succeeded", "failed"]
    answers: list[Answer] = []
    """One for each turn that was asked."""
    conversation_id: str | None = None
    user: str | None = None
    error_code: str | None = None
    """Why it failed, also where nothing could be sent."""
    error: str | None = None
    began: float = 0.0
    """Seconds since 1970."""
    ended: float = 0.0


class Checked(msgspec.Struct, kw_only=True, tag="app", tag_field="t"):
    """What an app was at that moment: a hash of what its server tells of it."""

    target: str
    """Its identity."""
    hash: str
    at: float


class Forgotten(msgspec.Struct, kw_only=True, tag="forget", tag_field="t"):
    """A conversation that was deleted on the server."""

    conversation_id: str
    at: float


Record = Header | Begun | Outcome | Checked | Forgotten


def answer_of(turn: Turn, tape: str | None = None) -> Answer:
    """What is written down of a turn."""
    usage, timing, workflow = turn.usage, turn.timing, turn.workflow
    price, currency = price_of(turn)
    total = usage.total_tokens if usage is not None else None
    return Answer(
        status=turn.status,
        end=turn.end,
        query=turn.query,
        answer=turn.answer,
        outputs=workflow.outputs if workflow is not None and turn.message_id is None else None,
        error_code=turn.error.code if turn.error is not None else None,
        error=turn.error.message if turn.error is not None else None,
        prompt_tokens=usage.prompt_tokens if usage is not None else None,
        completion_tokens=usage.completion_tokens if usage is not None else None,
        total_tokens=total if total is not None else workflow.total_tokens if workflow is not None else None,
        price=price,
        currency=currency,
        seconds=timing.total if timing is not None else None,
        first_token=timing.first_token if timing is not None else None,
        message_id=turn.message_id,
        workflow_run_id=turn.workflow_run_id,
        workflow_id=workflow.workflow_id if workflow is not None else None,
        annotation=turn.annotation is not None,
        moderated=turn.replaced,
        tape=tape,
    )
