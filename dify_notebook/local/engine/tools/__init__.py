"""What the toolbox can do: each tool takes plain values and gives plain values, bounded in size and time."""

from __future__ import annotations
