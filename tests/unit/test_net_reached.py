"""What a failed connection is called, over either transport, and how long a server that never answered is tried."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Dify, DifyError
from dify_notebook.errors import ConnectError, TimeoutException
from dify_notebook.magic.line import run_line
from dify_notebook.magic.state import State
from dify_notebook.net.retry import UNREACHED_SECONDS, RetryBudget

pytestmark = pytest.mark.anyio
TRANSPORTS: list[Any] = [None, "aiohttp"]


def reset(connection: Connection) -> None:
    connection.reset()


def close(connection: Connection) -> None:
    connection.close()


def half_a_head(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: applica")
    connection.close()


def half_a_body(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
    connection.reset()


def noise(connection: Connection) -> None:
    connection.send(b"\x05\xff\x00 no http at all\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("rude", [reset, close, half_a_head, half_a_body, noise])
@pytest.mark.parametrize("how", ["send", "blocking", "get"])
async def test_a_connection_that_broke_after_the_question_is_told_as_broken_and_not_sent_again(
    how: str, rude: Any, transport: Any
) -> None:
    def script(request: Request, connection: Connection) -> None:
        rude(connection)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", transport=transport, retry=0) as dify:
            ask: Any = {
                "get": dify.app.info,
                "send": partial(dify.chat.send, "hi"),
                "blocking": partial(dify.chat.send, "hi", response_mode="blocking"),
            }
            with pytest.raises(DifyError) as raised:
                await ask[how]()
        asked = [request.method for request in server.requests]
        assert asked == ["POST"] or set(asked) == {"GET"}, "aiohttp itself repeats a GET"
        assert "headers" not in str(raised.value)
    assert not isinstance(raised.value, TimeoutException)
    assert raised.value.code in ("connection", "disconnected", "eof"), raised.value.code
    assert "in time" not in str(raised.value)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_was_never_reached_and_what_is_silent_keep_their_names(transport: Any) -> None:
    def silent(request: Request, connection: Connection) -> None:
        connection.wait_until_left()

    with serving(silent) as server:
        slow = httpx.Timeout(5.0, read=0.2)
        async with AsyncDify("app-x", server.url, "me", transport=transport, retry=0, timeout=slow) as dify:
            with pytest.raises(TimeoutException):
                await dify.app.info()
    async with AsyncDify("app-x", server.url, "me", transport=transport, retry=0) as dify:
        with pytest.raises(ConnectError, match="cannot be reached") as raised:
            await dify.app.info()
    assert raised.value.code == "connect"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    # Only what waits before another try goes by this clock: other tests' clients may still wait by the real one.
    monkeypatch.setattr("dify_notebook.net.retry.RetryBudget", partial(RetryBudget, clock=clock, sleep=clock.sleep))
    return clock


def info(request: Request, connection: Connection) -> None:
    connection.reply("200 OK", {"name": "here"}, extra="Connection: close\r\n")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("answered", [False, True])
async def test_only_a_server_that_answered_before_is_waited_for(
    answered: bool, transport: Any, clock: Clock
) -> None:
    with serving(info) as server:
        dify = AsyncDify("app-x", server.url, "me", transport=transport)
        if answered:
            await dify.as_user("you").app.info()  # the same server
    with pytest.raises(ConnectError):
        await dify.app.parameters()
    assert (clock.now > 4 * UNREACHED_SECONDS) if answered else (0 < clock.now <= UNREACHED_SECONDS)
    await dify.aclose()


async def test_a_server_that_begins_to_answer_is_waited_for(clock: Clock) -> None:
    """A connection that breaks is no sign that nobody is there."""
    left = [5]

    def script(request: Request, connection: Connection) -> None:
        left[0] -= 1
        if left[0]:
            connection.close()
        info(request, connection)

    with serving(script) as server:
        assert (await AsyncDify("app-x", server.url, "me").app.info()).name == "here"
    assert clock.now > UNREACHED_SECONDS


def test_every_way_in_says_at_once_that_nobody_is_there(clock: Clock) -> None:
    with serving(info) as server:
        url = server.url
    names = {"d": Dify("app-x", url, "me")}
    state = State()
    with pytest.raises(DifyError, match="cannot be reached"):
        (session := state.app_session("d", None, names).session).call(session.learn())
    with pytest.raises(DifyError, match="cannot be reached"):
        run_line("use d", state, names) and run_line("apps", state, names)
    assert "cannot be reached" in run_line("doctor", state, names)
    assert clock.now <= 3 * UNREACHED_SECONDS
