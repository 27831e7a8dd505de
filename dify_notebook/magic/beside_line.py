"""What makes a line of `%%dify` ask several times, side by side, and what then contradicts it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..profiles import can_be_asked
from ..redact import has_key

MAX_REPEATS = 20
"""How often one cell asks the same; more is a `Sweep` in Python."""
EXPERIMENTS = ("repeats", "over", "budget")
"""Options that make a line ask side by side, by their fields."""
OF_ONE_CONVERSATION = ("conversation", "new", "again", "append", "once")
"""Options that mean a conversation which goes on, by their fields."""
_VERSION = re.compile(r"[\w-]+(?:[.:][\w-]+)*")


def name_and_version(text: str) -> tuple[str, str | None] | None:
    """The app's name and, behind an `@`, the id of one published version; None where it is no name of an app.

    >>> name_and_version("support@8a1b")
    ('support', '8a1b')
    """
    name, at, version = text.partition("@")
    if not can_be_asked(name) or (at and (not _VERSION.fullmatch(version) or has_key(text))):
        return None
    return name, version if at else None


def repeats_of(text: str) -> int | None:
    """How often `--repeat` asks; None where it is no number from 1 to `MAX_REPEATS`."""
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= MAX_REPEATS:
        return None
    return int(text)


def is_beside(fields: Mapping[str, Any]) -> bool:
    """Whether the fields of a line ask several times."""
    return len(fields.get("apps", ())) > 1 or any(fields.get(name) is not None for name in EXPERIMENTS)
