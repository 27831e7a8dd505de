"""Finds API keys that were typed where they do not belong, and hides them in what is shown."""

from __future__ import annotations

import re

KEY = re.compile(r"(?<![A-Za-z0-9])(app|dataset)-[A-Za-z0-9]{16,}")


def has_key(text: str) -> bool:
    """Whether a literal key of Dify stands in the text."""
    return KEY.search(text) is not None


def hide_keys(text: str) -> str:
    """The text with every literal key of Dify replaced.

    >>> hide_keys("key app-abcdefghijklmnopqrst!")
    'key app-***!'
    """
    return KEY.sub(r"\1-***", text)
