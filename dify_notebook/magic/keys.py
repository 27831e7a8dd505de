"""Finds API keys that were typed where they do not belong, and hides them in what is shown: see `redact`."""

from __future__ import annotations

from ..redact import has_key
from ..redact import redact as hide_keys

__all__ = ["has_key", "hide_keys"]
