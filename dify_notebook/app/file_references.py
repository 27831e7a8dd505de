"""How a question names a file: its kind, a reference to an upload, an address on the web. Pure."""

from __future__ import annotations

import mimetypes
import os
from pathlib import PurePath

from ..wire.kinds import MEDIA_KINDS
from ..wire.models import UploadedFile

EXTENSIONS = {
    "image": (".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg"),
    "audio": (".mp3", ".m4a", ".wav", ".amr", ".mpga"),
    "video": (".mp4", ".mov", ".mpeg", ".webm"),
    "document": (
        ".txt", ".md", ".mdx", ".markdown", ".pdf", ".html", ".htm", ".xlsx", ".xls", ".doc", ".docx", ".csv",
        ".eml", ".msg", ".ppt", ".pptx", ".xml", ".epub", ".properties", ".vtt",
    ),
}  # fmt: skip
"""What Dify counts to each type of file (its file upload settings); other files are "custom"."""


def is_url(item: object) -> bool:
    """Whether a text names something on the web rather than on the disk."""
    return isinstance(item, str) and item.lower().startswith(("http://", "https://"))


def is_file(item: object) -> bool:
    """Whether somebody gave a file: a path object, bytes, an open file or an uploaded one. A text is none."""
    named = isinstance(item, (os.PathLike, bytes, bytearray, memoryview, UploadedFile))
    return named or (callable(getattr(item, "read", None)) and not isinstance(item, str))


def kind_of(name: str, mime_type: str | None) -> str:
    """Dify's type of a file: image, audio, video, document or custom."""
    family = (mime_type or "").partition("/")[0]
    if family in MEDIA_KINDS:
        return family
    return "document" if PurePath(name).suffix.lower() in EXTENSIONS["document"] else "custom"


def mime_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def reference(uploaded: UploadedFile) -> dict[str, object]:
    """How a question names a file that was uploaded."""
    return {
        "type": kind_of(uploaded.name, uploaded.mime_type),
        "transfer_method": "local_file",
        "upload_file_id": uploaded.id,
    }


def remote(url: str) -> dict[str, object]:
    """How a question names a file on the web, which the server fetches."""
    path = url.split("?", 1)[0].split("#", 1)[0]
    return {"type": kind_of(path, mimetypes.guess_type(path)[0]), "transfer_method": "remote_url", "url": url}
