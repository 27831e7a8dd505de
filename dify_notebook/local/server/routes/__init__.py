"""The operations of the Service API, by what they are about."""

from __future__ import annotations
