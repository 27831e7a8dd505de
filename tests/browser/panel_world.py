"""What the chat panel talks to in the browser's tests: apps on the embedded server, a model that waits for the test."""

from __future__ import annotations

import contextlib
import io
import json
import math
import threading
import time
import wave
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from support.fake_model import Body, FakeModel, Said, calls, delta, end, usage, words
from support.panel_apps import Gate
from support.run_apps import run_apps

from dify_notebook import Dify, local
from dify_notebook.local.server.process import LocalServer

FACTS = """# Ferries

The ferry to Runde leaves at 07:40 from the north quay and takes fifty minutes.

# Trains

The night train to Vienna leaves at 22:10 and has two sleeping cars.
"""
HOSTILE = (
    '<img src=x onerror="window.pwned=1"> <script>window.pwned=2</script> '
    '<a href="javascript:window.pwned=3">click</a> [link](javascript:window.pwned=4) '
    "**bold** ![p](http://127.0.0.1:9/pixel.png) <style>*{display:none}</style> </div></div> done"
)
ANSWER = (
    "The ferry to **Runde** leaves at 07:40 from the north quay.\n\n"
    "| Leg | Leaves | Minutes |\n|---|---|---:|\n| Bus 12 | 07:05 | 25 |\n| Ferry | 07:40 | 50 |\n\n"
    "```python\nminutes = 25 + 50\nprint(minutes)\n```"
)


def tone(seconds: float = 1.5) -> bytes:
    """A quiet sound, as WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = array("h", (int(900 * math.sin(n / 3)) for n in range(int(8000 * seconds))))
        file.writeframes(samples.tobytes())
    return out.getvalue()


class Voice:
    """Speaks with a tone, and tells how much of which kind it heard."""

    def speak(self, text: str, voice: str, language: str) -> tuple[bytes, str]:
        return tone(), "audio/wav"

    def hear(self, sound: bytes, mime_type: str) -> str:
        with wave.open(io.BytesIO(sound)) as file:
            samples = array("h", file.readframes(file.getnframes()))
            kind = f"{mime_type}, {file.getnchannels()} channel at {file.getframerate()} Hz"
        return f"heard {kind}, {'some' if max(map(abs, samples)) > 300 else 'no'} sound"


ANSWER_ZH = (
    "去 **Runde** 的渡轮 07:40 从北码头开出。\n\n"
    "| 路段 | 出发 | 分钟 |\n|---|---|---:|\n| 12 路巴士 | 07:05 | 25 |\n| 渡轮 | 07:40 | 50 |\n\n"
    "```python\nminutes = 25 + 50\nprint(minutes)\n```"
)


def chinese(desk: dict[str, Any]) -> dict[str, Any]:
    """The same chatflow, for readers of Chinese."""
    words = {
        "name": "时刻表",
        "description": "知道什么时候开。",
        "opening_statement": "**你好！** 可以问我渡轮和火车的时间。",
        "suggested_questions": ["渡轮几点开？", "有夜车吗？"],
        "follow_up_questions": ["星期天呢？", "票价是多少？"],
    }
    return {**desk, **words}


def desk(facts: Path) -> dict[str, Any]:
    """A chatflow: looks something up, asks the model, counts its questions."""
    return {
        "name": "desk",
        "mode": "advanced-chat",
        "icon": "⚓",
        "description": "Knows when things leave.",
        "opening_statement": "**Hello!** Ask me about ferries and trains.",
        "suggested_questions": ["When does the ferry leave?", "Is there a night train?"],
        "follow_up_questions": ["And on Sunday?", "What does it cost?"],
        "speech_to_text": True,
        "voice": {"name": "v", "language": "en-US"},
        "files": {"types": ["document", "image"], "limit": 2},
        "model": {"price_in": 0.15, "price_out": 0.6},
        "knowledge": [{"name": "Timetables", "files": str(facts)}],
        "variables": [
            {"name": "asked", "type": "number", "value": 0, "description": "How many questions were asked"},
            {"name": "cities", "type": "array[string]", "value": ["Bergen"]},
        ],
        "nodes": [
            {"type": "start", "next": "count"},
            {"id": "count", "type": "assigner", "next": "look", "title": "Count",
             "set": [{"variable": "conversation.asked", "operation": "+=", "value": 1}]},
            {"id": "look", "type": "knowledge-retrieval", "title": "Timetables", "top_k": 1, "next": "llm"},
            {"id": "llm", "type": "llm", "title": "Writer", "system": "You know timetables.",
             "context": "{{ look.result }}", "user": "{{ sys.query }}", "next": "answer"},
            {"id": "answer", "type": "answer", "answer": "{{ llm.text }}"},
        ],
    }  # fmt: skip


PLAIN: dict[str, Any] = {"name": "plain", "mode": "chat", "files": {"types": ["document"], "limit": 2}}
ALOUD: dict[str, Any] = {
    "name": "aloud",
    "mode": "chat",
    "voice": {"name": "v", "language": "en-US", "auto_play": True},
}
FORM: dict[str, Any] = {
    "name": "form",
    "mode": "chat",
    "prompt": "{{ city }}|{{ bio }}|{{ tone }}|{{ age }}|{{ polite }}|{{ extra }}",
    "opening_statement": "Tell me a little first.",
    "form": [
        {"type": "text-input", "variable": "city", "label": "City", "required": True, "max_length": 12},
        {"type": "paragraph", "variable": "bio", "label": "About you", "max_length": 40},
        {"type": "select", "variable": "tone", "label": "Tone", "options": ["formal", "casual"], "default": "formal"},
        {"type": "number", "variable": "age", "label": "Age"},
        {"type": "checkbox", "variable": "polite", "label": "Politely"},
        {"type": "json", "variable": "extra", "label": "More"},
        {"type": "file", "variable": "doc", "label": "Paper", "allowed_file_types": ["document"]},
        {"type": "file-list", "variable": "docs", "label": "Notes", "max_length": 2,
         "allowed_file_types": ["document"]},
    ],
}  # fmt: skip


def platform(station: str) -> str:
    """At which platform trains leave."""
    return f"{station}: platform 4"


AGENT: dict[str, Any] = {"name": "agent", "mode": "agent-chat", "prompt": "You help travellers.", "tools": [platform]}


APPS = ("desk", "时刻表", "plain", "aloud", "form", "agent", "words", "slow", "checked", "letter", "tally", "guide")


class World:
    """The server, its model, and the way there."""

    def __init__(self, server: LocalServer, model: FakeModel) -> None:
        self.server = server
        self.model = model
        self.gate = threading.Event()
        """A question with the word "hold" is answered to its end when this is set."""
        self.held = threading.Event()
        """Set when such an answer has come half way."""
        self.step = threading.Event()
        """The app "slow" runs to its end when this is set."""
        model.script = self._say

    def dify(self, app: str, user: str) -> Dify:
        """The same client that the notebook has."""
        return Dify(self.server.api_key(app), self.server.base_url, user=user)

    def talked(self, app: str, user: str, *questions: str) -> str:
        """Have a conversation there; gives its id."""
        dify = self.dify(app, user)
        conversation = ""
        for question in questions:
            conversation = dify.chat.send(question, conversation_id=conversation or None).conversation_id or ""
        return conversation

    def hold(self) -> None:
        """Answers to "hold" wait from now on."""
        self.gate.clear()
        self.held.clear()

    def tell(self, directory: Path) -> None:
        """Put down for the kernels where the apps are; see panel_kernel.py."""
        directory.mkdir(parents=True, exist_ok=True)
        known = {name: self.server.api_key(name) for name in APPS}
        place = directory / "panel-tests.json"
        place.touch(0o600)
        place.write_text(json.dumps({"url": self.server.base_url, "keys": known}))

    def _say(self, body: Body) -> Said:
        messages = body["messages"]
        asked = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
        text = asked if isinstance(asked, str) else " ".join(part.get("text", "") for part in asked)
        if "hostile" in text:
            return words(HOSTILE)
        if "hold" in text:
            return Said(self._held())
        if "count" in text:
            return Said(self._counting(), pause=0.05)
        if "long" in text:
            return words(" ".join(f"line{n}\n\n" for n in range(60)))
        if body.get("tools") and messages[-1]["role"] != "tool":
            return calls(("platform", '{"station": "Bergen"}'), text="I look at the board. ")
        if "渡轮" in text:
            return words(ANSWER_ZH, prompt=420, completion=60)
        if "ferry" in text:
            return words(ANSWER, prompt=420, completion=60)
        return words(f"You said: *{text.strip()[:200]}*")

    def _held(self) -> Iterable[Any]:
        for n in range(1, 6):
            yield delta(content=f"half{n} ")
        self.held.set()
        self.gate.wait(60)
        for n in range(6, 11):
            yield delta(content=f"half{n} ")
        yield end()
        yield usage(5, 10)

    def _counting(self) -> Iterable[Any]:
        """w1 w2 … for 20 s at most; the pause before each is the server's."""
        for n in range(1, 401):
            yield delta(content=f"w{n} ")
        yield end()
        yield usage(5, 400)


@contextlib.contextmanager
def world(home: Path) -> Iterator[World]:
    """Serve everything until the end of the block."""
    home.mkdir(parents=True, exist_ok=True)
    facts = home / "facts.md"
    facts.write_text(FACTS)
    gate = Gate()
    with FakeModel() as model:
        server = local.serve(
            data_dir=home / "data",
            pace=0,
            apps=[desk(facts), chinese(desk(facts)), PLAIN, ALOUD, FORM, AGENT, *run_apps(gate)],
            model_url=model.url,
            model="stub",
            speech=Voice(),
            faults=True,
        )
        with server:
            made = World(server, model)
            made.step = gate.open
            try:
                yield made
            finally:
                made.gate.set()
                gate.open.set()


def until(happened: Any, seconds: float = 60.0) -> None:
    """Wait in this process for what another one does. Raises: AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not come"
        threading.Event().wait(0.05)
