"""A history in a real kernel: progress stays in its own cell, and Interrupt gives back what has come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.kernels import Kernel, Outputs, kernel
from support.logs import Logs
from support.raw_server import RawServer

KEY = "app-" + "q7Rt" * 6


class Held:
    """Logs whose messages are answered until `allowed` conversations were, and then wait."""

    def __init__(self) -> None:
        self.logs = Logs()
        for number in range(6):
            self.logs.begin(f"c{number}", "anna", 1_700_000_000 + number * 100)
            self.logs.say(f"c{number}", f"m{number}", 1_700_000_000 + number * 100)
        self.allowed = 3
        self.free = threading.Event()
        self._seen = 0
        self.logs.before = self._before

    def _before(self, path: str) -> None:
        if path == "/messages":
            self._seen += 1
            if self._seen > self.allowed:
                self.free.wait(30)


@pytest.fixture
def held() -> Iterator[tuple[Held, RawServer]]:
    made = Held()
    server = RawServer(made.logs)
    yield made, server
    made.free.set()
    server.close()


@pytest.fixture
def running(held: tuple[Held, RawServer], tmp_path: Path) -> Iterator[Kernel]:
    _, server = held
    with kernel(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url, DIFY_USER="anna") as found:
        # The portal's thread is started by this cell; what later cells print must not land here.
        first = found.run("from dify_notebook import Dify, History\ndify = Dify()\ndify.app.info()")
        assert first.error is None, first.traceback
        yield found


def test_progress_is_a_line_of_its_own_cell(held: tuple[Held, RawServer], running: Kernel) -> None:
    logs, _ = held

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if "3/6 conversations" in outputs.streams["stdout"]:
            logs.free.set()

    outputs = running.run("history = dify.history(concurrency=1)", during=during)
    assert outputs.error is None, outputs.traceback
    lines = outputs.streams["stdout"].split("\r")
    assert lines[-1].startswith("6 conversations, 6 messages in ")
    assert lines[-1].endswith("\n")
    assert outputs.streams["stderr"] == ""
    assert outputs.displays == []
    assert running.value("len(history.messages)") == "6"
    assert KEY not in outputs.everything


def test_interrupt_gives_back_what_has_come(held: tuple[Held, RawServer], running: Kernel) -> None:
    logs, _ = held
    interrupted: list[None] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if "3/6 conversations" in outputs.streams["stdout"] and not interrupted:
            interrupted.append(None)
            running.interrupt()

    outputs = running.run("history = dify.history(concurrency=1)", during=during)
    assert outputs.error is None, outputs.traceback
    assert running.value("len(history.messages), history.facts.complete") == "(3, False)"
    logs.free.set()
    again = running.run("history = dify.update(history)\nprint(len(history.messages), history.facts.complete)")
    assert "6 True" in again.streams["stdout"], again.everything


def test_awaited_it_tells_progress_too(held: tuple[Held, RawServer], running: Kernel) -> None:
    logs, _ = held

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if "3/6 conversations" in outputs.streams["stdout"]:
            logs.free.set()

    code = "from dify_notebook import AsyncDify\nhistory = await AsyncDify().history(concurrency=1)"
    outputs = running.run(code, during=during)
    assert outputs.error is None, outputs.traceback
    assert "6 conversations, 6 messages in " in outputs.streams["stdout"]
    assert running.value("type(history).__name__, len(history.messages)") == "('History', 6)"
