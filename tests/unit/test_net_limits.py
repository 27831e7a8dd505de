"""A time limit holds whatever the answer waits for, and several things at once leave nothing behind."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify, Dify, Session, Turn
from dify_notebook.errors import InputError, TurnIncomplete
from dify_notebook.net import stream as stream_module
from dify_notebook.net.limiter import AdaptiveLimiter
from dify_notebook.net.shared_builder import SharedBuilder
from dify_notebook.wire import events as ev

pytestmark = pytest.mark.anyio

IDS = {"task_id": "t", "message_id": "m", "conversation_id": "c"}


class Stalls:
    """A server that stands still at one place, until the test is over."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.over = threading.Event()

    def __call__(self, request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
            return
        if request.path.endswith("/files/upload"):
            if self.where == "upload":
                self.over.wait(30)
            connection.reply("201 Created", {"id": "f", "name": "a.txt", "size": 1, "extension": "txt"})
            return
        if "chat-messages" not in request.path:
            connection.reply("200 OK", {})
            return
        if self.where == "headers":
            self.over.wait(30)
        connection.head(kind="application/json" if request.json["response_mode"] == "blocking" else "text/event-stream")
        if self.where == "first byte":
            self.over.wait(30)
        connection.chunk(b'data: {"event": "ping"}\n\n: \n\ndata: {"eve')
        self.over.wait(30)


PLACES = ["upload", "headers", "first byte", "first event"]


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
@pytest.mark.parametrize("where", PLACES)
def test_the_time_limit_holds_before_a_task_has_a_name(where: str, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Were the limit not kept, or were a stop's time added, this would be what ends it, later than the read timeout.
    monkeypatch.setattr(stream_module, "STOP_SECONDS", 20.0)
    stalls = Stalls(where)
    with serving(stalls) as server, Dify("app-x", server.url, "u", timeout=10) as dify:
        begun = time.monotonic()
        try:
            with pytest.raises(TurnIncomplete) as caught:
                dify.chat.send("q", files=[b"x"] if where == "upload" else None, response_mode=mode, timeout=0.4)
        finally:
            took = time.monotonic() - begun
            stalls.over.set()
        turn = caught.value.turn
        assert turn is not None
        assert (turn.status, turn.end, turn.query, turn.complete) == ("incomplete", "timed_out", "q", False)
        assert caught.value.code == "timed_out"
        assert took < 10  # the client's own patience, and half of a stop's: it was the limit
        asked = [request for request in server.requests if request.path.endswith("/chat-messages")]
        assert len(asked) == (where != "upload")


def test_a_session_is_told_of_the_limit_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "STOP_SECONDS", 20.0)
    for where in ("upload", "headers"):
        stalls = Stalls(where)
        with serving(stalls) as server:
            talk = Session(Dify("app-x", server.url, "u"))
            try:
                turn = talk.ask("q", files=[b"x"], timeout=0.4).result(10)
            finally:
                stalls.over.set()
        assert (turn.status, turn.end, turn.query) == ("incomplete", "timed_out", "q")
        assert talk.turns[-1] == turn
        assert talk.running is None


def test_a_limit_longer_than_the_answer_changes_nothing() -> None:
    def script(request: Request, connection: Connection) -> None:
        if request.json["response_mode"] == "blocking":
            connection.reply("200 OK", {"answer": "hi", "metadata": {}, **IDS})
            return
        connection.head()
        connection.event(event="message", answer="hi", **IDS)
        connection.event(event="message_end", metadata={}, **IDS)
        connection.end()

    with serving(script) as server, Dify("app-x", server.url, "u") as dify:
        for mode in ("streaming", "blocking"):
            for limit in (9, 9.0, np.int64(9), np.float32(9), float("inf")):
                turn = dify.chat.send("q", response_mode=mode, timeout=limit)  # type: ignore[arg-type]
                assert (turn.answer, turn.status, turn.source[:6]) == ("hi", "succeeded", mode[:6].replace("ing", ""))


@pytest.mark.parametrize(
    "limit", [0, -1, float("nan"), True, "9", Decimal(9), timedelta(seconds=9), np.float64("nan"), 10**400]
)
def test_a_limit_that_is_none_is_refused(limit: Any) -> None:
    dify = Dify("app-x", "http://127.0.0.1:1", "u")
    for ask in (dify.chat.send, dify.chat.stream, dify.as_async.chat.stream, Session(dify).ask):
        with pytest.raises(InputError, match="timeout"):
            ask("q", timeout=limit)
    for client in (Dify, AsyncDify):
        with pytest.raises(InputError, match="timeout"):
            client("app-x", "http://127.0.0.1:1", "u", timeout=limit)


# -- one turn, many threads -----------------------------------------------------------------


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads change places as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
def test_looking_at_a_turn_from_other_threads_loses_nothing() -> None:
    """What is applied while others look stays, as if nobody had looked."""

    def events() -> list[ev.Event]:
        told: list[ev.Event] = [ev.Sent(query="q", user="u")]
        for number in range(8_000):
            told.append(ev.Message(at=number / 1000, answer=f"{number} ", task_id="t", message_id="m"))
            told.append(ev.Ping(at=number / 1000))
        return [*told, ev.StopRequested(at=9.0, confirmed=True), ev.MessageEnd(at=9.0, id="m", metadata={}), ev.StreamEnd(at=9.1)]

    quiet, watched = SharedBuilder(), SharedBuilder()
    done, seen = threading.Event(), []
    lengths: list[list[int]] = [[] for _ in range(4)]

    def look(mine: list[int]) -> None:
        while not done.is_set():
            turn: Turn = watched.turn()
            mine.append(len(turn.answer_raw))
            seen.append((watched.status, watched.task_id, watched.unfinished_run))

    threads = [threading.Thread(target=look, args=(mine,)) for mine in lengths]
    for thread in threads:
        thread.start()
    for event in events():
        quiet.apply(event)
        watched.apply(event)
    done.set()
    for thread in threads:
        thread.join()
    assert watched.turn() == quiet.turn()
    assert watched.turn().stop_confirmed is True
    assert watched.snapshot() == (watched.version, watched.turn())
    assert all(mine == sorted(mine) for mine in lengths)  # nobody saw less than before


def test_a_stop_from_two_threads_is_one_and_is_kept() -> None:
    released = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
            released.set()
            return
        connection.head()
        for _ in range(20):
            connection.event(event="message", answer="a ", **IDS)
        released.wait(10)
        connection.event(event="message_end", metadata={}, **IDS)
        connection.end()

    for _ in range(5):
        released.clear()
        with serving(script) as server, Dify("app-x", server.url, "u") as dify, dify.chat.stream("q") as stream:
            together, over = threading.Barrier(3), threading.Event()
            said: list[bool] = []

            def stop(together: threading.Barrier = together, said: list[bool] = said, stream: Any = stream) -> None:
                together.wait(10)
                said.append(stream.stop())

            def look(over: threading.Event = over, stream: Any = stream) -> None:
                while not over.is_set():
                    assert stream.turn.query == "q"

            threads = [threading.Thread(target=stop) for _ in range(2)] + [threading.Thread(target=look)]
            for thread in threads:
                thread.start()
            while stream.task_id is None:
                next(iter(stream))
            together.wait(10)
            turn = stream.read()
            over.set()
            for thread in threads:
                thread.join(10)
            assert said == [True, True]
            assert (turn.stop_confirmed, turn.status, turn.answer) == (True, "stopped", "a " * 20)
            assert sum(request.path.endswith("/stop") for request in server.requests) == 1


# -- two questions of one session -------------------------------------------------------------


class Waits:
    """A server that answers each question when it is stopped."""

    def __init__(self) -> None:
        self.stopped: dict[str, threading.Event] = {}

    def __call__(self, request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
            self.stopped.setdefault(request.path.split("/")[-2], threading.Event()).set()
            return
        query = request.json["query"]
        ids = {"task_id": query, "message_id": f"m-{query}", "conversation_id": f"c-{query}"}
        connection.head()
        connection.event(event="message", answer=query, **ids)
        assert self.stopped.setdefault(query, threading.Event()).wait(10)
        connection.event(event="message_end", metadata={}, **ids)
        connection.end()


def begun(run: Any) -> None:
    while not run.turn.answer:
        assert run.wait(10)


def waiting(server: RawServer) -> tuple[Session, Any, Any]:
    talk = Session(Dify("app-x", server.url, "u"))
    first, second = talk.ask("one"), talk.ask("two")
    begun(first)
    begun(second)
    return talk, first, second


def test_the_first_of_two_questions_can_still_be_stopped() -> None:
    with serving(Waits()) as server:
        talk, first, second = waiting(server)
        assert (talk.running is second) is True
        second.stop()
        assert second.result(10).status == "stopped"
        assert (talk.running is first) is True
        stopping = talk.stop()
        assert stopping is not None
        assert stopping.result(10) is True
        assert first.result(10).status == "stopped"
        assert (talk.running, talk.stop()) == (None, None)
        assert talk.conversation_id == "c-one"  # of the answer that ended last


def test_stop_ends_all_that_runs() -> None:
    with serving(Waits()) as server:
        talk, first, second = waiting(server)
        stopping = talk.stop()
        assert stopping is not None
        assert stopping.result(10) is True
        assert [run.result(10).status for run in (first, second)] == ["stopped", "stopped"]
        assert talk.running is None


# -- the ceiling, and what is known -----------------------------------------------------------


@pytest.mark.parametrize("order", [(16, 32), (32, 16), (32, 32), (4, 32), (32, 4)])
@pytest.mark.parametrize("first_out", [0, 1])
def test_a_raised_ceiling_comes_down_to_what_it_was(order: tuple[int, int], first_out: int) -> None:
    limiter = AdaptiveLimiter(8)
    raised = [limiter.raised_to(one) for one in order]
    for one in raised:
        one.__enter__()
    assert (limiter.limit, limiter.allowed) == (max(8, *order), max(8, *order))
    raised.pop(first_out).__exit__(None, None, None)
    left = max(8, order[1 - first_out])
    assert (limiter.limit, limiter.allowed) == (left, left)
    raised.pop().__exit__(None, None, None)
    assert (limiter.limit, limiter.allowed) == (8, 8)


async def test_a_server_that_has_too_many_is_not_asked_for_more() -> None:
    limiter = AdaptiveLimiter(8)
    limiter.back_off()
    with limiter.raised_to(32):
        assert (limiter.limit, limiter.allowed) == (32, 4)
        for _ in range(8 * 4):
            limiter.succeeded()
        assert limiter.allowed == 5
    assert (limiter.limit, limiter.allowed) == (8, 5)


async def test_two_histories_at_once_leave_the_client_as_it_was() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", {"data": [], "has_more": False, "limit": 20})

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            limiter = (await dify._pools.current()).limiter
            await asyncio.gather(dify.history(concurrency=16, progress=False), dify.history(concurrency=32, progress=False))
            assert (limiter.limit, limiter.allowed) == (8, 8)


def test_what_is_known_is_known_to_all_users_of_a_client() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", {"name": "An app", "mode": "chat"}, extra="X-Version: 1.12.1\r\n")

    with serving(script) as server, Dify("app-x", server.url, "u") as dify:
        earlier = dify.as_user("v")
        assert (earlier.app_info, earlier.server_version) == (None, None)
        dify.app.info()
        for other in (earlier, dify.as_user("w")):
            assert other.app_info is dify.app_info is not None
            assert other.server_version == "1.12.1"
        assert [dify.user, earlier.user] == ["u", "v"]
        earlier.close()
        dify.app.info()  # both stay usable
        earlier.app.info()
        assert len(server.requests) == 3


def test_what_is_changed_after_asking_changes_no_turn() -> None:
    def script(request: Request, connection: Connection) -> None:
        if request.method == "GET":
            connection.reply("404 Not Found", {"code": "not_found"})
            return
        connection.head()
        connection.event(event="message", answer="hi", **IDS)
        connection.event(event="message_end", metadata={}, **IDS)
        connection.end()

    with serving(script) as server, Dify("app-x", server.url, "u") as dify:
        inputs: dict[str, Any] = {"list": [1], "dict": {"a": [2]}, "text": "x"}
        with dify.chat.stream("q", inputs=inputs) as stream:
            inputs["list"].append(9)
            inputs["dict"]["a"].append(9)
            inputs["text"] = "y"
            turn = stream.read()
        assert turn.inputs == server.requests[-1].json["inputs"] == {"list": [1], "dict": {"a": [2]}, "text": "x"}
