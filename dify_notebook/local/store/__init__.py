"""What the embedded server keeps: its data directory, its database, and rows in the form of Dify's API."""

from __future__ import annotations
