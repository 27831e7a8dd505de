"""Text from elsewhere made harmless to look at, before anything else is done with it."""

from __future__ import annotations

from ..printable import glyphs, one_line
from ..printable import shown as visible

__all__ = ["glyphs", "one_line", "visible"]
