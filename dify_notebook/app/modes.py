"""What apps of a mode are asked with: a question or their inputs alone, in a conversation or by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..wire.kinds import AGENT, CHATFLOW, COMPLETION, NEW_AGENT, WORKFLOW


class Takes(msgspec.Struct, frozen=True, kw_only=True):
    """What a question to an app may consist of."""

    conversations: bool = True
    """Whether it is asked in conversations, with a question of its own; else the text is one of its inputs."""
    versions: bool = False
    """Whether one of its published versions can be asked by id (Dify 1.x)."""


TAKES: Mapping[str, Takes] = {
    "chat": Takes(),
    AGENT: Takes(),
    NEW_AGENT: Takes(),
    CHATFLOW: Takes(versions=True),
    WORKFLOW: Takes(conversations=False, versions=True),
    COMPLETION: Takes(conversations=False),
}
"""By the modes that `/info` tells."""
UNKNOWN = Takes(versions=True)
"""An app of which nothing is known, or of a mode that a newer server has: its server says what it does not take."""


def takes(mode: str | None) -> Takes:
    """What an app of that mode is asked with."""
    return TAKES.get(mode or "", UNKNOWN)
