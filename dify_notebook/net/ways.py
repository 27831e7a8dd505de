"""What asking differs in by the mode of the app: how a task is stopped, and whether a lost run can be read later."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import DifyError
from ..i18n import t
from ..wire.calls import Call, Stop, stop_chat_message, stop_completion, stop_workflow
from ..wire.kinds import COMPLETION, WORKFLOW


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How apps of a mode are asked; the calls that ask are those of `chat`, `workflows` and `completion`."""

    stops: Stop
    keeps_runs: bool = False
    """Whether a run whose connection was lost goes on, and is kept by its own id (`/workflows/run/{id}`)."""


CHAT = Way(stops=stop_chat_message)
"""Of all apps that hold conversations."""
_OTHERS = {WORKFLOW: Way(stops=stop_workflow, keeps_runs=True), COMPLETION: Way(stops=stop_completion)}


def way_of(mode: str | None) -> Way:
    """That of a mode; an app of which nothing is known is one that chats."""
    return _OTHERS.get(mode or "", CHAT)


_WRONG = {"not_chat_app": "chat", "not_workflow_app": WORKFLOW, "app_unavailable": COMPLETION}
"""What refuses a key of another mode, and the mode that was asked for. The last has other reasons too."""


def wrong_route(error: DifyError, call: Call[Any], mode: str | None) -> str:
    """What to do where the server has no such route, or the key is another kind of app's; "" for all other errors.

    Args:
        mode: of the app, as far as it is known.
    """
    if error.code == "not_json" and error.status == 404 and call.absent_in:
        return t("hint.absent", servers=call.absent_in)
    asked = _WRONG.get(error.code)
    if asked is None or (asked == COMPLETION and not call.path.startswith("/completion-messages")):
        return ""
    if mode is None:
        return t("hint.not_completion_app") if asked == COMPLETION else ""  # the codes of the others say enough
    own = mode if mode in _OTHERS else "chat"
    return t(f"hint.key_of.{own}") if own != asked else ""
