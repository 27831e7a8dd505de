"""The recorded apps that ask a person, declared anew: the same nodes under the same names."""

from __future__ import annotations

from typing import Any

Declared = dict[str, Any]

CONTENT = "# Please check\n\nQuestion: {{ sys.query }}\n\nNote: {{#$output.note#}}\n\nKind: {{#$output.kind#}}"
INPUTS: list[Declared] = [
    {"name": "note", "type": "paragraph", "default": "my note"},
    {"name": "kind", "type": "select", "options": ["x", "y"]},
]


def ask(name: str, title: str, approve: str, reject: str, **more: Any) -> Declared:
    """A human-input node as that of the recordings."""
    actions = [
        {"id": "approve", "title": "Approve", "style": "primary", "next": approve},
        {"id": "reject", "title": "Reject", "next": reject},
    ]
    return {"id": name, "type": "human-input", "title": title, "form_content": CONTENT, "inputs": INPUTS,
            "actions": actions, **more}  # fmt: skip


def humanflow(**more: Any) -> Declared:
    """A draft, a form, and another answer by the action."""
    return {
        "name": "humanflow",
        "mode": "advanced-chat",
        "nodes": [
            {"type": "start", "next": "a"},
            {"id": "a", "type": "llm", "title": "Draft", "system": "You are a helper.", "next": "ans0"},
            {"id": "ans0", "type": "answer", "title": "Draft answer", "answer": "Draft: {{ a.text }}\n", "next": "ask"},
            ask("ask", "Ask a person", "llm", "no", **{"timeout": 3600, "on_timeout": "late", **more}),
            {"id": "llm", "type": "llm", "user": "{{ ask.note }}", "next": "yes"},
            {"id": "yes", "type": "answer", "title": "Yes",
             "answer": "Approved with {{ ask.note }} {{ ask.kind }}: {{ llm.text }}"},
            {"id": "no", "type": "answer", "title": "No", "answer": "Rejected."},
            {"id": "late", "type": "answer", "title": "Late", "answer": "Nobody came{{ ask.__action_id }}."},
        ],
    }  # fmt: skip


def twohumans() -> Declared:
    """Two forms, one after the other."""
    return {
        "name": "twohumans",
        "mode": "advanced-chat",
        "variables": [{"name": "seen", "type": "string", "value": "nothing"}],
        "nodes": [
            {"type": "start", "next": "ask"},
            ask("ask", "First", "set", "end"),
            {"id": "set", "type": "assigner", "set": [{"variable": "conversation.seen", "from": "ask.note"}],
             "next": "ask2"},
            {"id": "ask2", "type": "human-input", "title": "Second", "form_content": "{{#$output.more#}}",
             "inputs": [{"name": "more", "type": "text-input", "from": "ask.note"}],
             "actions": [{"id": "ok", "next": "end"}]},
            {"id": "end", "type": "answer", "answer": "{{ conversation.seen }} {{ ask.note }} {{ ask2.more }}"},
        ],
    }  # fmt: skip


def brancha() -> Declared:
    """Two forms at once, each with an answer of its own."""

    def branch(name: str, title: str, follow: str) -> Declared:
        return {"id": name, "type": "human-input", "title": title, "form_content": "Check {{ sys.query }}",
                "actions": [{"id": "approve", "title": "Approve", "style": "primary", "next": follow}]}  # fmt: skip

    return {
        "name": "brancha",
        "mode": "advanced-chat",
        "nodes": [
            {"type": "start", "next": ["ask", "ask2"]},
            branch("ask", "Left person", "l"),
            branch("ask2", "Right person", "r"),
            {"id": "l", "type": "answer", "title": "L", "answer": "L"},
            {"id": "r", "type": "answer", "title": "R", "answer": "R"},
        ],
    }
