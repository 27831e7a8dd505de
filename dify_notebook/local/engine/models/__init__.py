"""Language models that declared apps answer with: over HTTP, or out of a GGUF file in this process."""

from __future__ import annotations
