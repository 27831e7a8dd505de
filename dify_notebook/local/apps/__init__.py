"""The apps of the embedded server: real work, and no pretence of being a language model."""

from __future__ import annotations
