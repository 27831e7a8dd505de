"""The types of nodes, under Dify's names for them."""

from __future__ import annotations
