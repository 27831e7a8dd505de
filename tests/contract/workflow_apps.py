"""Declared apps that hold no conversation: runs of every kind, and a completion."""

from __future__ import annotations

import threading
from typing import Any

from contract import human_apps

from dify_notebook.local.engine.functions import describe

Declared = dict[str, Any]
PARAGRAPH: Declared = {"type": "paragraph", "variable": "q", "required": True}


class Gate:
    """A function that waits until it is let go: what a run does meanwhile can be looked at."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def wait(self, q: str = "") -> dict[str, str]:
        """Wait."""
        self.entered.set()
        self.open.wait(20)
        return {"r": q}

    def shut(self) -> None:
        self.entered.clear()
        self.open.clear()


def _code(name: str, function: str, follow: str | list[str], **more: Any) -> Declared:
    return {"id": name, "type": "code", "function": function, "next": follow, **more}


def _end(name: str = "end", **outputs: str) -> Declared:
    return {"id": name, "type": "end", "outputs": outputs}


def plain() -> Declared:
    """A text, a number and a list, beside a model's words."""
    return {
        "name": "plain",
        "mode": "workflow",
        "form": [PARAGRAPH, {"type": "number", "variable": "n"}],
        "functions": [describe(lambda q: {"size": len(q), "words": q.split()}, "measure", "Measure.")],
        "nodes": [
            {"type": "start", "next": "measure"},
            _code("measure", "measure", "llm", inputs={"q": "{{ q }}"}, outputs=["size", "words"]),
            {"id": "llm", "type": "llm", "user": "{{ q }}", "next": "end"},
            _end(text="llm.text", size="measure.size", words="measure.words"),
        ],
    }  # fmt: skip


def gated(gate: Gate) -> Declared:
    """A node that takes its time."""
    return {
        "name": "gated",
        "mode": "workflow",
        "form": [PARAGRAPH],
        "functions": [describe(gate.wait, "wait", "Wait.")],
        "nodes": [
            {"type": "start", "next": "wait"},
            _code("wait", "wait", "end", inputs={"q": "{{ q }}"}, outputs=["r"]),
            _end(r="wait.r"),
        ],
    }


def rounds(gate: Gate) -> Declared:
    """The same inside an iteration."""
    inner = _code("wait", "wait_here", [], inputs={"q": "{{ each.item }}"}, outputs=["r"])
    return {
        "name": "rounds",
        "mode": "workflow",
        "form": [PARAGRAPH],
        "functions": [
            describe(gate.wait, "wait_here", "Wait."), describe(lambda: {"items": ["a", "b"]}, "two", "Two letters."),
        ],
        "nodes": [
            {"type": "start", "next": "two"},
            _code("two", "two", "each", outputs=["items"]),
            {"id": "each", "type": "iteration", "over": "two.items", "output": "wait.r", "nodes": [inner], "next": "end"},
            _end(rs="each.output"),
        ],
    }  # fmt: skip


def boom() -> Declared:
    def fail() -> dict[str, str]:
        raise ValueError("boom")

    return {
        "name": "boom",
        "mode": "workflow",
        "functions": [describe(fail, "fail", "Fail.")],
        "nodes": [{"type": "start", "next": "fail"}, _code("fail", "fail", "end", outputs=["r"]), _end(r="fail.r")],
    }


def soft() -> Declared:
    """What fails has a value for that."""

    def fail() -> dict[str, str]:
        raise ValueError("boom")

    code = _code("fail", "fail", "end", outputs=["r"], on_error="default-value", default={"r": "instead"})
    return {
        "name": "soft",
        "mode": "workflow",
        "functions": [describe(fail, "fail", "Fail.")],
        "nodes": [{"type": "start", "next": "fail"}, code, _end(r="fail.r")],
    }


def ends() -> Declared:
    """Two models side by side, each with an end of its own."""
    return {
        "name": "ends",
        "mode": "workflow",
        "form": [PARAGRAPH],
        "nodes": [
            {"type": "start", "next": ["a", "b"]},
            {"id": "a", "type": "llm", "user": "A {{ q }}", "next": "enda"},
            {"id": "b", "type": "llm", "user": "B {{ q }}", "next": "endb"},
            _end("enda", a="a.text"),
            _end("endb", b="b.text"),
        ],
    }


def models() -> Declared:
    """Two models, one after the other, whose words are both outputs."""
    return {
        "name": "models",
        "mode": "workflow",
        "form": [PARAGRAPH],
        "nodes": [
            {"type": "start", "next": "a"},
            {"id": "a", "type": "llm", "user": "A {{ q }}", "next": "b"},
            {"id": "b", "type": "llm", "user": "B {{ q }}", "next": "end"},
            _end(first="a.text", second="b.text", question="q"),
        ],
    }


def human() -> Declared:
    """A form in a workflow app."""
    ask = human_apps.ask("ask", "Ask", "end", "end", timeout=3600)
    return {
        "name": "human",
        "mode": "workflow",
        "form": [PARAGRAPH],
        "nodes": [
            {"type": "start", "next": "ask"},
            {**ask, "form_content": "Check {{ q }} {{#$output.note#}}"},
            _end(note="ask.note", kind="ask.kind"),
        ],
    }


def completion() -> Declared:
    return {"name": "completion", "mode": "completion", "prompt": "Say {{ query }}",
            "form": [{"type": "paragraph", "variable": "query", "required": True}]}  # fmt: skip


def flow() -> Declared:
    return {"name": "flow", "mode": "advanced-chat",
            "nodes": [{"type": "start", "next": "a"}, {"id": "a", "type": "answer", "answer": "{{ sys.query }}!"}]}  # fmt: skip


def chat() -> Declared:
    return {"name": "chat", "mode": "chat"}
