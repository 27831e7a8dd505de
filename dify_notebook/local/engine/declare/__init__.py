"""Declarations of apps (TOML, Python or dicts), read with an error that names file, path and what to do."""

from __future__ import annotations
