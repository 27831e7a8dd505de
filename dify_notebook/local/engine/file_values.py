"""Files as values of a run: those that came with it, those that it makes, and how texts and events name them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Upload:
    """A file that came with the question."""

    name: str
    extension: str
    mime_type: str
    size: int
    path: Path
    id: str = ""
    """In the store; what a file among the inputs names as `related_id`."""


KeepFile = Callable[[str, bytes, str], Awaitable[dict[str, Any]]]
"""Keeps a file that a run made (name, content, MIME type); gives it as outputs have it."""


def is_file(value: Any) -> bool:
    """Whether a value is a file, as Dify has it among inputs and outputs."""
    return isinstance(value, Mapping) and value.get("dify_model_identity") == "__dify__file__"


def files_among(values: Mapping[str, Any]) -> list[Any]:
    """The files among outputs, alone or in lists: events name them once more."""
    each = (item for value in values.values() for item in (value if isinstance(value, list) else [value]))
    return [item for item in each if is_file(item)]


def link(file: Mapping[str, Any]) -> str:
    """A file as markdown."""
    mark = "!" if file.get("type") == "image" else ""
    return f"{mark}[{file.get('filename') or ''}]({file.get('url') or file.get('remote_url') or ''})"
