"""What the end of a question means to its case and to all others of its app, and what a run came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from ...errors import APIError, AuthenticationError, ConnectError, DifyError, InputError, NotFoundError
from ...i18n import t
from ...turn.state import Turn
from ..records import State

#: Statuses of a turn that answer the question.
ANSWERED = ("succeeded", "partial_succeeded")
STOPPED = "stopped"


class Failure(msgspec.Struct, frozen=True):
    """Why a case failed."""

    code: str
    message: str


def failure_of(turn: Turn | None, error: DifyError | None, *, stopped: bool) -> Failure | None:
    """Why a turn is no answer; None where it is one.

    Args:
        error: what was raised instead of an answer.
        stopped: whether the sweep was stopped meanwhile.
    """
    if error is not None:
        return Failure(error.code or (str(error.status) if error.status else type(error).__name__), error.message)
    if turn is None:  # its end has not come
        return stopped_failure()
    if turn.status in ANSWERED:
        return None
    if stopped or turn.status == "stopped":
        return stopped_failure()
    if turn.error is not None:
        return Failure(turn.error.code or turn.status, turn.error.message)
    if turn.status == "paused":
        return Failure("paused", t("sweep.engine.paused"))
    end = turn.end or "eof"
    return Failure(end, t(f"net.end.{end}"))


def stopped_failure() -> Failure:
    """Of a case that was under way when the sweep was stopped."""
    return Failure(STOPPED, t("sweep.engine.stopped"))


_NO_ACCESS = ("unauthorized", "forbidden", "app_unavailable")
"""Codes of Dify's that are no answer to the question: the key was withdrawn, the app or its API was switched off."""
_OTHER_APP = ("app_unavailable", "not_chat_app", "not_workflow_app")
_FORM = ("input", "inputs")
"""Codes of an InputError that the app's form is the reason of; those of files are others."""


def ends_target(failure: Failure, error: DifyError | None, *, taken: bool, answered: bool, obeyed: float) -> bool:
    """Whether all other cases of the app would fail in the same way, as far as can be known.

    Args:
        failure, error: of a case of it; `error` is None where the server took the question.
        taken: whether the app's server took a question before.
        answered: whether the app answered one before.
        obeyed: seconds that a server may ask to be left alone.
    """
    if isinstance(error, ConnectError):
        return error.code in ("connect", "proxy", "tls")
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None and retry_after > obeyed:
        return True
    if isinstance(error, APIError) and failure.code in _NO_ACCESS:
        return True
    if not taken and isinstance(error, AuthenticationError | NotFoundError):
        return True
    if answered:
        return False
    if isinstance(error, InputError):
        return error.code in _FORM
    reported = error is None or isinstance(error, APIError)
    return reported and (failure.code in _OTHER_APP or "in input form" in failure.message.lower())


class Ended(msgspec.Struct, kw_only=True, frozen=True):
    """What a run came to."""

    succeeded: int = 0
    failed: int = 0
    not_run: int = 0
    """Cases that were not begun."""
    reason: Literal["budget", "stopped"] | None = None
    """Why cases were not begun; None where all were, or their app alone was the reason: see `refusals`."""
    refusals: Mapping[str, str] = {}
    """Why nothing more was asked of a target, by its name."""

    @property
    def counts(self) -> dict[State, int]:
        """Cases by state."""
        return {"succeeded": self.succeeded, "failed": self.failed, "not_run": self.not_run}

    @property
    def refused(self) -> str:
        """Why targets were left out, one sentence for each; "" where none was."""
        said = (t("sweep.engine.refused", target=name, problem=why) for name, why in self.refusals.items())
        return "\n".join(said)
