"""What an app of the embedded server declares about itself."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ...wire.kinds import AGENT, CHAT_MODES, CHATFLOW, WORKFLOW, AppMode
from ..store.store import Row
from .forms import Control, FileRules

if TYPE_CHECKING:
    from .run import Run

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
class Voice:
    """How an app speaks."""

    name: str = ""
    language: str = "en-US"
    auto_play: bool = False
    """Whether each streamed answer is followed by its sound."""


@dataclass(frozen=True)
class Moderation:
    """Words that may not be asked or said, and what is said in their place."""

    words: tuple[str, ...]
    question: str | None = None
    """Said instead of an answer to a question with such a word; None lets questions be."""
    answer: str | None = None
    """Takes the place of an answer with such a word; None lets answers be."""

    def caught(self, text: str) -> bool:
        """Whether a text has one of the words, in any case of letters."""
        low = text.casefold()
        return any(word.casefold() in low for word in self.words)


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
    mode: AppMode
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
    suggests: bool = True
    """Whether questions are suggested after an answer."""
    hears: bool = False
    """Whether /audio-to-text is on."""
    voice: Voice | None = None
    """How /text-to-audio speaks; None where it is off."""
    moderation: Moderation | None = None
    at_once: int = 0
    """Questions that it answers at the same time; 0 is no limit of its own."""
    icons: Mapping[str, str] = field(default_factory=dict)
    """Signs of its tools, by name."""
    closed: Literal["", "disabled", "unpublished"] = ""
    """Why it does not answer: its API was switched off, or its workflow was never published."""

    @property
    def id(self) -> str:
        return fixed_id("app", self.name)

    @property
    def is_flow(self) -> bool:
        """Whether it has nodes."""
        return self.mode in (CHATFLOW, WORKFLOW)

    @property
    def is_workflow(self) -> bool:
        """Whether it is run, without a message."""
        return self.mode == WORKFLOW

    @property
    def holds_conversations(self) -> bool:
        return self.mode in CHAT_MODES

    @property
    def is_agent(self) -> bool:
        return self.mode == AGENT

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
            "suggested_questions_after_answer": {"enabled": self.suggests},
            "speech_to_text": {"enabled": self.hears},
            "text_to_speech": self._text_to_speech(),
            "retriever_resource": {"enabled": True},
            "annotation_reply": off,
            "more_like_this": off,
            "user_input_form": [control.as_parameter(flow=self.is_flow) for control in self.form],
            "sensitive_word_avoidance": {"enabled": self.moderation is not None, "type": "", "configs": []},
            "file_upload": self._file_upload(),
            "system_parameters": dict(FILE_LIMITS),
        }

    def introduction(self, inputs: dict[str, Any]) -> str:
        """The opening with what was given in its places: `{{name}}`."""
        text = self.opening
        for name, value in inputs.items():
            if isinstance(value, str | int | float):
                text = text.replace("{{" + name + "}}", str(value))
        return text

    def _text_to_speech(self) -> dict[str, Any]:
        if self.voice is None:
            return {"enabled": False, "voice": "", "language": ""}
        play = "enabled" if self.voice.auto_play else "disabled"
        settings = {"enabled": True, "voice": self.voice.name, "language": self.voice.language}
        return {**settings, "autoPlay": play}

    def _file_upload(self) -> dict[str, Any]:
        if self.files is None:
            return {"enabled": False}
        return {
            "enabled": True,
            "allowed_file_types": list(self.files.types),
            "allowed_file_extensions": [extension.upper() for extension in self.files.extensions],
            "allowed_file_upload_methods": list(self.files.methods),
            "number_limits": self.files.limit,
            "fileUploadConfig": {"batch_count_limit": 5, **FILE_LIMITS},
        }

    def site(self) -> dict[str, Any]:
        """The answer to /site."""
        return {
            "title": self.name,
            "chat_color_theme": "",
            "chat_color_theme_inverted": False,
            "icon_type": "emoji",
            "icon": self.icon,
            "icon_background": "#E6F0FF",
            "description": self.description,
            "copyright": "",
            "privacy_policy": "",
            "input_placeholder": None,
            "custom_disclaimer": "",
            "default_language": "en-US",
            "show_workflow_steps": True,
            "use_icon_as_answer_icon": False,
            "icon_url": None,
        }
