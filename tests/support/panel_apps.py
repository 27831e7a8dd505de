"""Apps for tests of the panel: one with everything that a form and a chatflow can have, and one that waits."""

from __future__ import annotations

import threading
from typing import Any

from dify_notebook.local.engine.functions import describe


class Gate:
    """What a held answer waits for."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def wait(self, q: str) -> dict[str, str]:
        """Wait until the test lets it go on."""
        self.open.wait(30)
        return {"r": q}


def apps(gate: Gate) -> list[dict[str, Any]]:
    return [
        {
            "name": "desk",
            "mode": "advanced-chat",
            "icon": "🗂",
            "description": "Repeats what it is asked.",
            "opening_statement": "**Hello.** Ask <b>anything</b>.",
            "suggested_questions": ["What is in the form?"],
            "follow_up_questions": ["And then?"],
            "speech_to_text": True,
            "voice": {"name": "v", "language": "en-US", "auto_play": True},
            "files": {"types": ["document", "image"], "limit": 2},
            "variables": [
                {"name": "asked", "type": "number", "value": 0, "description": "How often"},
                {"name": "names", "type": "array[string]", "value": ["a"]},
            ],
            "form": [
                {"type": "text-input", "variable": "city", "label": "City", "required": True, "max_length": 12},
                {"type": "select", "variable": "style", "label": "Style", "options": ["short", "long"]},
                {"type": "number", "variable": "count", "label": "Count"},
                {"type": "checkbox", "variable": "formal", "label": "Formal"},
                {"type": "json", "variable": "extra", "label": "Extra"},
                {"type": "file", "variable": "paper", "label": "Paper", "allowed_file_types": ["document"]},
            ],
            "nodes": [
                {"type": "start", "next": "count"},
                {"id": "count", "type": "assigner", "next": "say",
                 "set": [{"variable": "conversation.asked", "operation": "+=", "value": 1}]},
                {"id": "say", "type": "template-transform", "title": "Say it", "next": "ans",
                 "template": "{{ q }} in {{ city }}", "variables": {"q": "sys.query", "city": "city"}},
                {"id": "ans", "type": "answer", "answer": "You said: **{{ say.output }}**"},
            ],
        },
        {
            "name": "held",
            "mode": "advanced-chat",
            "functions": [describe(gate.wait, "wait", "Wait.")],
            "nodes": [
                {"type": "start", "next": "first"},
                {"id": "first", "type": "answer", "answer": "First. ", "next": "hold"},
                {"id": "hold", "type": "code", "title": "Hold", "function": "wait", "inputs": {"q": "sys.query"},
                 "next": "second"},
                {"id": "second", "type": "answer", "answer": "Second: {{ hold.r }}."},
            ],
        },
    ]  # fmt: skip
