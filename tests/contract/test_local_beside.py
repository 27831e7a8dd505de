"""Nothing of an app runs on the server's loop: while one answer is held up, other requests are served."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from local_helpers import Client, Event, answer_of, end_of, failure
from support.fake_model import FakeModel, calls, words

from dify_notebook import local
from dify_notebook.local.apps import guide, looking, pipeline, toolbox
from dify_notebook.local.server.process import LocalServer

_open = threading.Event()
_held = threading.Event()


def _hold() -> str:
    _held.set()
    assert _open.wait(30), "nobody let go"
    return "let go"


async def held_async() -> str:
    """Blocks as no coroutine should."""
    return _hold()


def held_plain() -> str:
    """Blocks."""
    return _hold()


async def leaves_async() -> str:
    """Wants to end the process."""
    sys.exit("enough of it")


def leaves() -> str:
    """Wants to end the process."""
    raise SystemExit(3)


def interrupts() -> str:
    """As if somebody had pressed Ctrl+C."""
    raise KeyboardInterrupt


class Odd(BaseException):
    """No Exception."""


def odd() -> str:
    """Raises what is no Exception."""
    raise Odd("at all")


def generates() -> str:
    """Ends a generator that is none."""
    raise GeneratorExit


TOOLS = [held_async, held_plain, leaves_async, leaves, interrupts, odd, generates]


def code(name: str) -> dict[str, Any]:
    nodes = [
        {"type": "start", "next": "it"},
        {"id": "it", "type": "code", "function": name, "next": "ans"},
        {"id": "ans", "type": "answer", "answer": "{{ it.result }}"},
    ]
    return {"name": f"flow-{name.replace('_', '-')}", "mode": "advanced-chat", "functions": TOOLS, "nodes": nodes}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with FakeModel() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model: FakeModel) -> Iterator[LocalServer]:
    agent = {"name": "agent", "mode": "agent-chat", "prompt": "Help.", "tools": TOOLS}
    flows = [code(one.__name__) for one in TOOLS]
    directory = tmp_path_factory.mktemp("beside")
    with local.serve(data_dir=directory, pace=0, apps=[agent, *flows], model_url=model.url, model="m") as running:
        yield running


@pytest.fixture(autouse=True)
def shut() -> Iterator[None]:
    _open.clear()
    _held.clear()
    yield
    _open.set()


def served_meanwhile(server: LocalServer, app: str, question: str) -> list[Event]:
    """Ask; while the answer is held up other requests must come back; then let go, and give the answer's events."""
    events: list[Event] = []

    def ask() -> None:
        with Client(server, app, "one") as client:
            events.extend(client.ask(question))

    asking = threading.Thread(target=ask)
    asking.start()
    assert _held.wait(10), "the app was reached"
    with Client(server, "guide", "another") as other:
        assert other.get("/info").status_code == 200
        assert other.get("/conversations", user="nobody").json()["data"] == []
        assert answer_of(other.ask("How do I stop a cell?"))
    assert asking.is_alive()
    assert not any(event["event"] == "message_end" for event in events)
    _open.set()
    asking.join(20)
    assert not asking.is_alive()
    return events


BUILT_IN: list[tuple[str, ModuleType, str, str]] = [
    ("toolbox", toolbox, "calls", "What is 2+2?"),
    ("toolbox", toolbox, "language_of", "What is 2+2?"),
    ("toolbox", toolbox, "use", "What is 2+2?"),
    ("guide", guide, "reply_to", "How do I send a file?"),
    ("pipeline", pipeline, "classify", "a, b, c"),
    ("pipeline", pipeline, "closest", "a, b, c"),
]


@pytest.mark.parametrize(("app", "module", "name", "question"), BUILT_IN, ids=[f"{a}-{n}" for a, _, n, _ in BUILT_IN])
def test_other_requests_are_served_while_a_built_in_app_works(
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    app: str,
    module: ModuleType,
    name: str,
    question: str,
) -> None:
    real: Callable[..., Any] = getattr(module, name)
    first = threading.Lock()

    def slow(*args: Any, **kwargs: Any) -> Any:
        if first.acquire(blocking=False):  # the second question goes through
            _hold()
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, slow)
    events = served_meanwhile(server, app, question)
    assert end_of(events)


@pytest.mark.parametrize("tool", ["held_async", "held_plain"])
def test_other_requests_are_served_while_a_users_function_works(
    server: LocalServer, model: FakeModel, tool: str
) -> None:
    assert answer_of(served_meanwhile(server, f"flow-{tool.replace('_', '-')}", "go")) == "let go"
    _open.clear()
    _held.clear()
    model.script = lambda body: words("done") if body["messages"][-1]["role"] == "tool" else calls((tool, "{}"))
    events = served_meanwhile(server, "agent", "go")
    assert answer_of(events).endswith("done")


ENDINGS = [
    ("leaves", "SystemExit: 3"),
    ("leaves_async", "SystemExit: enough of it"),
    ("interrupts", "KeyboardInterrupt"),
    ("odd", "Odd: at all"),
    ("generates", "GeneratorExit"),
]


@pytest.mark.parametrize(("tool", "said"), ENDINGS)
def test_a_function_that_ends_the_process_fails_its_turn_only(
    server: LocalServer, model: FakeModel, tool: str, said: str
) -> None:
    model.script = lambda body: calls((tool, "{}"))
    with Client(server, "agent", f"by-{tool}") as agent, Client(server, f"flow-{tool.replace('_', '-')}") as flow:
        for client in (agent, flow):
            events = client.ask("go")
            message = events[-1]["message"] if client is agent else failure(events)
            assert message.endswith(said), message
            assert client.get("/info").status_code == 200
        conversation = agent.get("/conversations").json()["data"][0]["id"]
        assert agent.messages(conversation)[0]["status"] == "error"


class Quits:
    """Sound by something that ends its process."""

    def speak(self, text: str, voice: str, language: str) -> tuple[bytes, str]:
        sys.exit("no voice")

    def hear(self, sound: bytes, mime_type: str) -> str:
        sys.exit("no ear")


def test_sound_that_ends_the_process_ends_its_request_only(tmp_path: Path, model: FakeModel) -> None:
    app = {"name": "loud", "mode": "chat", "prompt": "Speak.", "voice": {"name": "v"}, "speech_to_text": True}
    with (
        local.serve(data_dir=tmp_path, pace=0, apps=[app], speech=Quits(), model_url=model.url, model="m") as own,
        Client(own, "loud") as client,
    ):
        spoken = client.post("/text-to-audio", {"user": "tester", "text": "hello"})
        heard = client.http.post("/audio-to-text", files={"file": ("a.mp3", b"ID3", "audio/mp3")})
        assert [spoken.status_code, heard.status_code] == [400, 400]
        assert ("SystemExit: no voice" in spoken.text, "SystemExit: no ear" in heard.text) == (True, True)
        assert client.get("/info").status_code == 200


def test_a_question_that_is_too_long_is_answered_and_the_answer_says_how_far_it_was_read(
    server: LocalServer,
) -> None:
    line = "2026-11-03 12:04:07,123 INFO worker[7] request took 12.5 ms (status 200, 1,234 bytes) - ok\n"
    bound = f"{looking.LOOKED_AT:,} characters"
    for app in ("toolbox", "guide", "pipeline"):
        with Client(server, app, "long") as client:
            question = line * 3000 if app != "pipeline" else "How do I stop a cell? " + "again " * 5000
            assert bound in answer_of(client.ask(question)), app
            assert bound not in answer_of(client.ask("What is 2+2?")), app
    with Client(server, "toolbox", "digits") as client:
        assert client.ask("7" * 5000)[-1]["event"] == "message_end"


def test_a_template_that_would_never_end_is_stopped_before_it_is_whole(tmp_path: Path) -> None:
    items = list(range(2000))
    empty = "{% for a in it.l %}{% for b in it.l %}{% endfor %}{% endfor %}"
    nodes = [
        {"type": "start", "next": "it"},
        {"id": "it", "type": "code", "function": "numbers", "next": "tpl"},
        {"id": "tpl", "type": "template-transform", "template": empty, "next": "ans"},
        {"id": "ans", "type": "answer", "answer": "{{ tpl.output }}"},
    ]

    def numbers() -> dict[str, list[int]]:
        """Many numbers."""
        return {"l": items}

    app = {"name": "grid", "mode": "advanced-chat", "functions": [numbers], "nodes": nodes}
    with local.serve(data_dir=tmp_path, pace=0, apps=[app]) as own, Client(own, "grid") as client:
        assert "exceeds maximum length" in failure(client.ask("go"))
