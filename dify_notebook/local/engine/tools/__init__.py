"""Tools of the toolbox and of declared apps: each takes and gives plain values, bounded in size and time."""

from __future__ import annotations
