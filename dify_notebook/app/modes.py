"""What apps of a mode are asked with (a question, or their inputs alone), and what can be listed of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from ..wire.kinds import AGENT, CHATFLOW, COMPLETION, NEW_AGENT, WORKFLOW


class Takes(msgspec.Struct, frozen=True, kw_only=True):
    """What a question to an app may consist of, and what its server lists of it."""

    lists: Literal["conversations", "runs"] | None = "conversations"
    """What was asked, as the server lists it; None where it keeps nothing but ratings."""
    variables: bool = False
    """Whether its conversations can have variables (Dify 1.x)."""
    versions: bool = False
    """Whether one of its published versions can be asked by id (Dify 1.x)."""

    @property
    def conversations(self) -> bool:
        """Whether it is asked in conversations, with a question of its own; else the text is one of its inputs."""
        return self.lists == "conversations"


TAKES: Mapping[str, Takes] = {
    "chat": Takes(),
    AGENT: Takes(),
    NEW_AGENT: Takes(),
    CHATFLOW: Takes(variables=True, versions=True),
    WORKFLOW: Takes(lists="runs", versions=True),
    COMPLETION: Takes(lists=None),
}
"""By the modes that `/info` tells."""
UNKNOWN = Takes(versions=True)
"""An app of which nothing is known, or of a mode that a newer server has: its server says what it does not take."""


def takes(mode: str | None) -> Takes:
    """What an app of that mode is asked with."""
    return TAKES.get(mode or "", UNKNOWN)
