"""Apps for tests of the panel that are run: a workflow that counts words, one that waits, and a completion."""

from __future__ import annotations

from typing import Any

from support.panel_apps import Gate

from dify_notebook.local.engine.functions import describe


def count(text: str) -> dict[str, Any]:
    """Words of a text, and a table of how often each stands in it."""
    words = text.split()
    if "boom" in words:
        raise ValueError("boom was said")
    table = [{"word": word, "times": words.count(word)} for word in dict.fromkeys(words)]
    return {"number": len(words), "table": table}


def run_apps(gate: Gate) -> list[dict[str, Any]]:
    return [
        {
            "name": "words",
            "mode": "workflow",
            "icon": "🧮",
            "description": "Counts the words of a text.",
            "voice": {"name": "v", "language": "en-US"},
            "form": [
                {"type": "paragraph", "variable": "text", "label": "Text", "required": True},
                {"type": "select", "variable": "style", "label": "Style", "options": ["short", "long"]},
                {"type": "number", "variable": "most", "label": "At most"},
                {"type": "checkbox", "variable": "polite", "label": "Polite"},
                {"type": "json", "variable": "extra", "label": "Extra"},
                {"type": "file", "variable": "paper", "label": "Paper", "allowed_file_types": ["document"]},
            ],
            "functions": [describe(count, "count", "Count.")],
            "nodes": [
                {"type": "start", "next": "count"},
                {"id": "count", "type": "code", "title": "Count", "function": "count", "inputs": {"text": "{{ text }}"},
                 "next": "say"},
                {"id": "say", "type": "template-transform", "title": "Say it", "next": "end",
                 "template": "**{{ n }}** words", "variables": {"n": "count.number"}},
                {"id": "end", "type": "end",
                 "outputs": {"report": "say.output", "number": "count.number", "table": "count.table",
                             "paper": "paper"}},
            ],
        },
        {
            "name": "slow",
            "mode": "workflow",
            "form": [{"type": "text-input", "variable": "q", "label": "Q", "required": True}],
            "functions": [describe(gate.wait, "wait", "Wait.")],
            "nodes": [
                {"type": "start", "next": "hold"},
                {"id": "hold", "type": "code", "title": "Hold", "function": "wait", "inputs": {"q": "{{ q }}"},
                 "next": "end"},
                {"id": "end", "type": "end", "outputs": {"said": "hold.r"}},
            ],
        },
        {
            "name": "checked",
            "mode": "workflow",
            "form": [{"type": "text-input", "variable": "q", "label": "Q", "required": True}],
            "nodes": [
                {"type": "start", "next": "ask"},
                {"id": "ask", "type": "human-input", "title": "Check it",
                 "form_content": "Check {{ q }}: {{#$output.note#}}",
                 "inputs": [{"name": "note"}], "actions": [{"id": "ok", "title": "Good", "next": "end"}]},
                {"id": "end", "type": "end", "outputs": {"note": "ask.note"}},
            ],
        },
        {
            "name": "letter",
            "mode": "completion",
            "form": [
                {"type": "paragraph", "variable": "query", "label": "About", "required": True},
                {"type": "text-input", "variable": "to", "label": "To"},
            ],
            "prompt": "A letter to {{to}} about {{query}}.",
        },
    ]  # fmt: skip
