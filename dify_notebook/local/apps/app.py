"""What an app of the embedded server declares about itself."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..forms import Control
from ..store import Row

if TYPE_CHECKING:
    from ..run import Run

Mode = Literal["chat", "agent-chat", "advanced-chat"]

_SPACE = uuid.UUID("6f0c8a52-7c1b-5a0e-9d57-2f6f3c1d9b10")
MEGABYTE = 1024 * 1024
FILE_LIMITS = {
    "image_file_size_limit": 10,
    "video_file_size_limit": 100,
    "audio_file_size_limit": 50,
    "file_size_limit": 15,
    "workflow_file_upload_limit": 10,
}
"""Megabytes, and files in a question of a workflow; told in /parameters and kept to on upload."""


def fixed_id(*name: str) -> str:
    """A UUID that is the same on every machine: of apps, data sets, documents and sections."""
    return str(uuid.uuid5(_SPACE, "/".join(name)))


@dataclass(frozen=True)
class FileRules:
    """Which files a question to an app may bring."""

    types: tuple[str, ...] = ("document",)
    extensions: tuple[str, ...] = ()
    """With their dot, in lower case."""
    limit: int = 3


@dataclass(frozen=True)
class Variable:
    """A conversation variable: what it is called and what it starts as."""

    name: str
    value_type: str
    value: Any
    description: str

    def row(self, app: str) -> Row:
        return {
            "id": fixed_id(app, "variable", self.name),
            "name": self.name,
            "value_type": self.value_type,
            "value": self.value,
            "description": self.description,
        }


@dataclass(frozen=True)
class App:
    """An app: its face in /info, /parameters and /site, and the function that answers."""

    name: str
    mode: Mode
    description: str
    icon: str
    opening: str
    suggested_questions: tuple[str, ...]
    answer: Callable[[Run], Awaitable[None]]
    suggest: Callable[[Row], list[str]]
    """Questions to ask next, out of a message with its resources and thoughts."""
    form: tuple[Control, ...] = ()
    files: FileRules | None = None
    variables: tuple[Variable, ...] = field(default=())

    @property
    def id(self) -> str:
        return fixed_id("app", self.name)

    def info(self) -> dict[str, Any]:
        """The answer to /info."""
        return {
            "name": self.name,
            "description": self.description,
            "tags": ["dify_notebook"],
            "mode": self.mode,
            "author_name": "dify_notebook",
        }

    def parameters(self) -> dict[str, Any]:
        """The answer to /parameters."""
        off = {"enabled": False}
        return {
            "opening_statement": self.opening,
            "suggested_questions": list(self.suggested_questions),
            "suggested_questions_after_answer": {"enabled": True},
            "speech_to_text": off,
            "text_to_speech": {"enabled": False, "voice": "", "language": ""},
            "retriever_resource": {"enabled": True},
            "annotation_reply": off,
            "more_like_this": off,
            "user_input_form": [control.as_parameter() for control in self.form],
            "sensitive_word_avoidance": off,
            "file_upload": self._file_upload(),
            "system_parameters": dict(FILE_LIMITS),
        }

    def _file_upload(self) -> dict[str, Any]:
        if self.files is None:
            return {"enabled": False}
        return {
            "enabled": True,
            "allowed_file_types": list(self.files.types),
            "allowed_file_extensions": [one.upper() for one in self.files.extensions],
            "allowed_file_upload_methods": ["local_file"],
            "number_limits": self.files.limit,
            "fileUploadConfig": {"batch_count_limit": 5, **FILE_LIMITS},
        }

    def site(self) -> dict[str, Any]:
        """The answer to /site."""
        return {
            "title": self.name,
            "chat_color_theme": None,
            "chat_color_theme_inverted": False,
            "icon_type": "emoji",
            "icon": self.icon,
            "icon_background": "#E6F0FF",
            "description": self.description,
            "copyright": None,
            "privacy_policy": None,
            "custom_disclaimer": "",
            "default_language": "en-US",
            "show_workflow_steps": True,
            "use_icon_as_answer_icon": False,
            "icon_url": None,
        }
