"""A conversation as messages to a model: the earlier ones, and the question with its files."""

from __future__ import annotations

import base64
from typing import Any

from ..text import without_thoughts
from .run import Run, Upload

MEMORY = 20
"""Earlier questions at most, with their answers."""
MAX_TEXT = 60_000
"""Characters of an attached text that are sent."""
MAX_IMAGE = 10 * 1024 * 1024
TEXTS = (".txt", ".md", ".markdown", ".csv", ".tsv", ".json", ".html", ".xml", ".py", ".log", ".yaml", ".yml", ".toml")


def earlier_messages(run: Run, limit: int = MEMORY) -> list[dict[str, Any]]:
    """Questions and answers before this one, without the reasoning in them; those that failed are left out."""
    messages: list[dict[str, Any]] = []
    for row in list(run.history)[-limit:]:
        answer = without_thoughts(row["answer"])
        if row["state"] in ("done", "stopped") and answer:
            messages.append({"role": "user", "content": row["query"]})
            messages.append({"role": "assistant", "content": answer})
    return messages


def user_message(run: Run, text: str, *, vision: bool) -> dict[str, Any]:
    """The user's message: the question, attached texts, and images for a model that sees."""
    texts = [text]
    images: list[dict[str, Any]] = []
    asked = {file["related_id"] for file in run.files}  # files among the inputs are told where a prompt names them
    for upload in run.uploads:
        if upload.id not in asked:
            continue
        if upload.mime_type.startswith("image/"):
            if vision and upload.size <= MAX_IMAGE:
                images.append({"type": "image_url", "image_url": {"url": _data(upload)}})
        elif upload.mime_type.startswith("text/") or upload.name.lower().endswith(TEXTS):
            texts.append(f"[{upload.name}]\n{_text(upload)}")
    content = "\n\n".join(texts)
    if not images:
        return {"role": "user", "content": content}
    return {"role": "user", "content": [{"type": "text", "text": content}, *images]}


def _text(upload: Upload) -> str:
    with upload.path.open("rb") as file:
        text = file.read(4 * MAX_TEXT + 4).decode("utf-8", "replace")
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


def _data(upload: Upload) -> str:
    return f"data:{upload.mime_type};base64,{base64.b64encode(upload.path.read_bytes()).decode()}"
