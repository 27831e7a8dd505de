"""Chatflows that were declared: a checked graph of nodes, and what runs it."""

from __future__ import annotations
