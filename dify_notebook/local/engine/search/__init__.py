"""Search in texts by their words: no model, no index on disk, English and Chinese."""

from __future__ import annotations
