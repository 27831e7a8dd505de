"""A chatflow's graph: nodes and edges, one run of them, and the events that tell it."""

from __future__ import annotations
