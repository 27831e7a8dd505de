"""The API's words for what an app, a control of its form and a file are, each list once. Newer servers may say more."""

from __future__ import annotations

from typing import Final, Literal, get_args

ChatMode = Literal["chat", "agent-chat", "advanced-chat", "agent"]
OtherMode = Literal["workflow", "completion"]
AppMode = Literal[ChatMode, OtherMode]
"""What an app is, as `/info` tells it."""
CHAT_MODES: Final[tuple[ChatMode, ...]] = get_args(ChatMode)
"""Those that hold conversations."""
OTHER_MODES: Final[tuple[OtherMode, ...]] = get_args(OtherMode)
AGENT: Final = "agent-chat"
NEW_AGENT: Final = "agent"
"""An agent that works in a place of its own (Dify 1.15 and newer): it only streams, and closes with its answer."""
CHATFLOW: Final = "advanced-chat"
"""A workflow that holds conversations: it has nodes, and its conversations can have variables."""
WORKFLOW: Final = "workflow"
"""A workflow that is run: inputs, nodes, outputs, no conversation."""
COMPLETION: Final = "completion"
"""A prompt with inputs, which is filled and answered once."""
RunStatus = Literal["running", "succeeded", "failed", "stopped", "partial-succeeded", "paused"]
"""How a run is or was, as the server keeps it."""
LoggedStatus = Literal["succeeded", "failed", "stopped"]
"""By which `/workflows/logs` can be asked for runs; its items say others too."""
UNTOLD_END: Final = "without a terminal event"
"""What Dify 1.13 and newer say of a run that moderation answered, after the end of that answer: it is no failure."""

ABORTED: Final = "Aborted: User requested stop"
"""What Dify 1.12 and newer say of a run that somebody stopped; in an iteration of 1.12 its status is failed then."""

TextControl = Literal["text-input", "paragraph", "select"]
FileControl = Literal["file", "file-list"]
PlainControl = Literal[TextControl, "number", "checkbox", FileControl]
ControlKind = Literal[PlainControl, "json_object"]
"""A field of an app's input form; forms are also written with "json" for "json_object"."""
TEXT_CONTROLS: Final[tuple[TextControl, ...]] = get_args(TextControl)
FILE_CONTROLS: Final[tuple[FileControl, ...]] = get_args(FileControl)
CONTROLS: Final[tuple[ControlKind, ...]] = get_args(ControlKind)
FieldKind = Literal[TextControl, FileControl]
"""A field of a form that a paused run asks a person to fill in."""
FIELD_KINDS: Final[tuple[FieldKind, ...]] = get_args(FieldKind)

FileKind = Literal["image", "document", "audio", "video", "custom"]
FILE_KINDS: Final[tuple[FileKind, ...]] = get_args(FileKind)
MEDIA_KINDS: Final = ("image", "audio", "video")
"""The kinds of files that are named as media types are, each with a limit of its own in `/parameters`."""


def size_limit(kind: str) -> str:
    """Which of the limits in `/parameters` a file falls under, by its kind or the first part of its media type."""
    return f"{kind}_file_size_limit" if kind in MEDIA_KINDS else "file_size_limit"
