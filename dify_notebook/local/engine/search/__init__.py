"""Search in the package's own documentation: no model, no index on disk, English and Chinese."""

from __future__ import annotations
