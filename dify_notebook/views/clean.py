"""Text from elsewhere made harmless to look at, before anything else is done with it."""

from __future__ import annotations

import re

from ..printable import glyphs, one_line, visible

__all__ = ["glyphs", "one_line", "unsigned", "visible"]

_SIGNED = re.compile(r"(?i)([?&](?:sign|signature|nonce|token|x-amz-[a-z-]+)=)[^&\"'\s\\)]+")


def unsigned(text: str) -> str:
    """Text in which links have lost what would let a stranger in: signatures in their queries.

    >>> unsigned("https://host/f?timestamp=1&sign=abc")
    'https://host/f?timestamp=1&sign=-'
    """
    return _SIGNED.sub(r"\1-", text) if "=" in text else text
