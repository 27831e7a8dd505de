"""Streams over a real socket: how they end, how they are stopped, what is kept."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.errors import (
    AuthenticationError,
    ConnectError,
    DifyError,
    InputError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TimeoutException,
    TurnFailed,
    TurnIncomplete,
)  # fmt: skip
from dify_notebook.net import stream as stream_module
from dify_notebook.net.bounds import Bounds
from dify_notebook.net.event_reader import EventReader
from dify_notebook.secret import Secret
from dify_notebook.turn.state import Timing
from dify_notebook.wire.events import Message

pytestmark = pytest.mark.anyio

IDS = {"task_id": "task-1", "message_id": "m-1", "conversation_id": "c-1"}
KEY = "app-canaryCANARYcanary123456"


def client(url: str, **options: Any) -> AsyncDify:
    return AsyncDify(KEY, url, "tester", **options)


def say(connection: Connection, *texts: str) -> None:
    for text in texts:
        connection.event(event="message", answer=text, **IDS)


def finish(connection: Connection) -> None:
    connection.event(event="message_end", metadata={"usage": {"total_tokens": 3}}, **IDS)
    connection.end()


def hello(request: Request, connection: Connection) -> None:
    connection.head(extra="X-Version: 1.12.1\r\n")
    say(connection, "Hel", "lo")
    finish(connection)


def moments(timing: Timing | None) -> list[float]:
    """The times of a whole answer, in the order in which they must come; none may be missing."""
    assert timing is not None
    told = (timing.opened, timing.first_event, timing.first_token, timing.total)
    times = [moment for moment in told if moment is not None]
    assert len(times) == len(told)
    return times


async def test_send_gives_the_turn_with_times_and_a_tape() -> None:
    with serving(hello) as server:
        async with client(server.url) as dify:
            turn = await dify.chat.send("hi", inputs={"city": "Paris"})
    request = server.requests[-1]
    assert [request.method for request in server.requests] == ["GET", "POST"], "the form, for the inputs, and the question"
    assert (request.method, request.path) == ("POST", "/v1/chat-messages")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "query": "hi", "inputs": {"city": "Paris"}, "response_mode": "streaming", "user": "tester",
        "conversation_id": "", "auto_generate_name": True,
    }  # fmt: skip
    assert (turn.answer, turn.status, turn.end, turn.complete) == ("Hello", "succeeded", "message_end", True)
    assert (turn.user, turn.server, turn.conversation_id) == ("tester", server.url, "c-1")
    assert moments(turn.timing)[0] > 0
    assert moments(turn.timing) == sorted(moments(turn.timing))
    assert turn.events is not None
    assert [type(event).__name__ for event in turn.events] == ["Message", "Message", "MessageEnd"]
    assert dify.server_version == "1.12.1"


@pytest.mark.parametrize("way", ["send", "stream"])
async def test_a_question_names_the_version_that_is_to_answer(way: str) -> None:
    with serving(hello) as server:
        async with client(server.url) as dify:
            if way == "send":
                await dify.chat.send("hi", workflow_id="w-1")
            else:
                async with dify.chat.stream("hi", workflow_id="w-1") as stream:
                    await stream.read()
    assert [request.json["workflow_id"] for request in server.requests] == ["w-1"]


async def test_events_arrive_before_the_answer_is_complete() -> None:
    release = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "first")
        assert release.wait(10)
        finish(connection)

    with serving(script) as server:
        async with client(server.url) as dify, dify.chat.stream("hi") as stream:
            event = await anext(aiter(stream))
            assert isinstance(event, Message)
            assert (event.answer, stream.turn.answer, stream.turn.status) == ("first", "first", "running")
            release.set()
            turn = await stream.read()
    assert turn.status == "succeeded"


REFUSALS = [
    ("401 Unauthorized", {"code": "unauthorized", "message": "Access token is invalid", "status": 401}, AuthenticationError),
    ("404 Not Found", {"code": "not_found", "message": "Conversation Not Exists.", "status": 404}, NotFoundError),
    ("400 Bad Request", {"code": "invalid_param", "message": "Too many requests. Please try again later"}, RateLimitError),
    ("429 Too Many Requests", {"code": "too_many_requests", "message": "slow down"}, RateLimitError),
    ("500 Internal Server Error", {"message": "Internal Server Error", "code": "unknown"}, ServerError),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
async def test_a_refusal_raises_with_what_the_server_said(
    status: str, body: dict[str, Any], kind: type[DifyError]
) -> None:
    with serving(lambda request, connection: connection.reply(status, body, extra="X-Trace-Id: r-1\r\n")) as server:
        async with client(server.url) as dify:
            with pytest.raises(kind) as caught:
                await dify.chat.send("hi")
    error = caught.value
    assert (error.code, error.message, error.request_id) == (body["code"], body["message"], "r-1")
    assert error.status == int(status.split()[0])
    assert error.hint
    assert error.turn is not None
    assert error.turn.status == "failed"
    assert error.attempted == "POST /chat-messages"


async def test_a_web_page_is_not_taken_for_an_answer() -> None:
    with serving(lambda request, connection: connection.reply("200 OK", b"<html>", "text/html")) as server:
        async with client(server.url) as dify:
            with pytest.raises(ServerError) as caught:
                await dify.chat.send("hi")
    assert caught.value.code == "not_json"


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
@pytest.mark.parametrize(
    ("answer", "code", "status", "said"),
    [
        (b"{broken", "unreadable", 200, "{broken"),
        ([], "unreadable", 200, "[]"),
        ({"errcode": 401, "msg": "sign in"}, "unreadable", 200, "sign in"),
        ({"code": "invalid_param", "message": "city is required", "status": 400}, "invalid_param", 400, "city"),
    ],
    ids=["broken", "list", "a gateway's own", "Dify's error under 200"],
)
async def test_json_that_is_no_answer_is_not_taken_for_one(
    answer: Any, code: str, status: int, said: str, mode: Any
) -> None:
    with serving(lambda request, connection: connection.reply("200 OK", answer)) as server:
        async with client(server.url) as dify:
            with pytest.raises(DifyError) as caught:
                await dify.chat.send("hi", response_mode=mode)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert said in str(caught.value)


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
async def test_an_answer_in_one_piece_is_taken_whole_and_read_as_events_are(mode: Any) -> None:
    body = {"event": "message", "answer": 42, "metadata": [], "message_id": 7, "conversation_id": "c"}
    with serving(lambda request, connection: connection.reply("200 OK", body)) as server:
        async with client(server.url) as dify:
            turn = await dify.chat.send("hi", response_mode=mode)
    assert (turn.answer, turn.message_id, turn.conversation_id, turn.status) == ("42", "7", "c", "succeeded")


@pytest.mark.parametrize("kind", ["", "text/plain; charset=utf-8", "application/octet-stream", "Text/Event-Stream"])
@pytest.mark.parametrize("cut", [1, 3, 1000])
async def test_a_stream_whose_type_got_lost_is_read_as_one(kind: str, cut: int) -> None:
    def script(request: Request, connection: Connection) -> None:
        told = [{"event": "message", "answer": "hi", **IDS}, {"event": "message_end", "metadata": {}, **IDS}]
        body = b"event: ping\n\n" + b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in told)
        connection.head(kind=kind)
        for start in range(0, len(body), cut):
            connection.chunk(body[start : start + cut])
        connection.end()

    with serving(script) as server:
        async with client(server.url) as dify:
            turn = await dify.chat.send("hi")
    assert (turn.answer, turn.status, turn.complete, turn.pings) == ("hi", "succeeded", True, 1)


@pytest.mark.parametrize("behind", ["", "\n", "\r\n", "\r"])
@pytest.mark.parametrize("well", [True, False], ids=["ended well", "dropped"])
async def test_the_last_event_may_lack_its_blank_line_where_the_body_ended_well(behind: str, well: bool) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "hi")
        connection.chunk(b"data: " + json.dumps({"event": "message_end", "metadata": {}, **IDS}).encode())
        if behind:
            connection.chunk(behind.encode())
        if not well:
            connection.close()
        connection.end()

    with serving(script) as server:
        async with client(server.url) as dify, dify.chat.stream("hi") as stream:
            turn = await stream.read()
    ends = ("succeeded", "message_end", True) if well else ("incomplete", "disconnected", False)
    assert (turn.answer, turn.status, turn.end, turn.complete) == ("hi", *ends)
    assert len(turn.events or ()) == (2 if well else 1)


async def test_a_last_event_that_is_cut_is_not_taken_for_whole() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "hi")
        connection.chunk(b'data: {"event": "message_end", "metadata": {}')
        connection.end()

    with serving(script) as server:
        async with client(server.url) as dify, dify.chat.stream("hi") as stream:
            turn = await stream.read()
    assert (turn.status, turn.end, [warning.code for warning in turn.warnings]) == ("incomplete", "eof", ["damaged"])


async def test_plain_words_are_no_stream() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", b"datacenter is closed", "text/plain")

    with serving(script) as server:
        async with client(server.url) as dify:
            with pytest.raises(ServerError) as caught:
                await dify.chat.send("hi")
    assert caught.value.code == "not_json"


async def test_a_redirect_is_told_and_not_followed() -> None:
    elsewhere = "Location: http://elsewhere.example/v1\r\n"
    with serving(lambda request, connection: connection.reply("302 Found", b"", "text/html", elsewhere)) as server:
        async with client(server.url) as dify:
            with pytest.raises(ServerError, match="elsewhere.example"):
                await dify.chat.send("hi")
    assert len(server.requests) == 1


async def test_an_error_event_is_part_of_the_turn() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "half")
        connection.event(event="error", code="completion_request_error", message="no", status=400, message_id="m-1")
        connection.end()

    with serving(script) as server:
        async with client(server.url) as dify:
            async with dify.chat.stream("hi") as stream:
                turn = await stream.read()
            with pytest.raises(TurnFailed) as caught:
                await dify.chat.send("hi")
    assert (turn.status, turn.end, turn.answer) == ("failed", "error", "half")
    assert caught.value.turn is not None
    assert caught.value.turn.answer == "half"
    assert caught.value.code == "completion_request_error"


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/json"])
async def test_a_refusal_under_200_is_read_whatever_its_type(kind: str) -> None:
    script = serving(lambda request, connection: connection.reply("200 OK", PLAIN, kind))
    with script as server, pytest.raises(ServerError) as caught:
        await client(server.url).chat.send("hi")
    assert (caught.value.code, caught.value.status) == ("internal_server_error", 500)
    assert caught.value.message == "The plugin daemon is gone."


PLAIN = b'{"code": "internal_server_error", "message": "The plugin daemon is gone.", "status": 500}'
PRETTY = json.dumps(json.loads(PLAIN), indent=2).encode()


@pytest.mark.parametrize(
    "told",
    [
        PLAIN,
        PLAIN + b"\n",
        PLAIN + b"\n\n",
        PLAIN + b"\r\n\r\nevent: ping\n\n",
        PRETTY,
        PRETTY + b"\n",
        b"event: error\n" + PLAIN + b"\n\n",
        b"data: " + PLAIN + b"\n\n",
        b"event: error\ndata: " + PLAIN + b"\n\n",
        b'data: {"event": "error", "code": "internal_server_error", "message": "The plugin daemon is gone.",'
        b' "status": 500}\n\n',
        b'data: {"error": {"message": "The plugin daemon is gone.", "code": "internal_server_error",'
        b' "status": "500"}}\n\n',
    ],
)
@pytest.mark.parametrize("begun", [True, False])
async def test_an_error_in_mid_stream_is_told_in_the_servers_words_whatever_its_form(told: bytes, begun: bool) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        if begun:
            say(connection, "Hel", "lo")
        connection.chunk(told)
        connection.end()

    with serving(script) as server:
        async with client(server.url).chat.stream("hi") as stream:
            turn = await stream.read()
        with pytest.raises(TurnFailed) as caught:
            await client(server.url).chat.send("hi")
    error = caught.value
    assert (error.code, error.message, error.status) == ("internal_server_error", "The plugin daemon is gone.", 500)
    assert (turn.answer, turn.status, turn.end) == ("Hello" if begun else "", "failed", "error")
    assert not turn.warnings


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (b'{"detail": "Bad gateway"}\n\n', "Bad gateway"),
        (b'{"error": "upstream timed out"}', "upstream timed out"),
        (b'{"status": 504, "error": "Gateway Timeout", "path": "/v1"}\n', "Gateway Timeout"),
    ],
)
async def test_so_is_a_gateways(told: bytes, words: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "Hel", "lo")
        connection.chunk(told)
        connection.end()

    with serving(script) as server:
        async with client(server.url).chat.stream("hi") as stream:
            turn = await stream.read()
    assert turn.error is not None
    assert (turn.answer, turn.error.message) == ("Hello", words)


@pytest.mark.parametrize(
    "line",
    [b"{not json}", b"[1, 2]", b'{"message": "alive"}', b"<html>", b'{"event": "message", "answer": "no"}', b"{}"],
)
async def test_other_lines_that_are_no_events_change_nothing_of_the_answer(line: bytes) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "Hel")
        connection.chunk(line + b"\n\n")
        say(connection, "lo")
        finish(connection)

    with serving(script) as server:
        async with client(server.url).chat.stream("hi") as stream:
            turn = await stream.read()
    assert (turn.answer, turn.status, turn.end, turn.complete) == ("Hello", "succeeded", "message_end", True)


@pytest.mark.parametrize("how", ["reset", "close", "clean"])
async def test_ends_that_nobody_announced(how: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "half")
        if how == "clean":
            connection.end()
        elif how == "reset":
            connection.reset()
        else:
            connection.close()

    with serving(script) as server:
        async with client(server.url) as dify:
            with pytest.raises(TurnIncomplete) as caught:
                await dify.chat.send("hi")
    turn = caught.value.turn
    assert turn is not None
    assert (turn.status, turn.end) == ("incomplete", "eof" if how == "clean" else "disconnected")
    assert turn.answer in ("half", "")  # a reset may overtake what was sent before it
    assert not turn.complete


async def test_nobody_listens() -> None:
    with serving(hello) as server:
        url = server.url
    async with client(url) as dify:
        with pytest.raises(ConnectError) as caught:
            await dify.chat.send("hi")
    assert caught.value.code == "connect"
    assert caught.value.turn is not None
    assert caught.value.turn.status == "failed"


async def test_the_servers_silence_ends_in_a_timeout() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.wait_until_left()

    with serving(script) as server:
        async with client(server.url, timeout=0.2) as dify:
            with pytest.raises(TimeoutException):
                await dify.chat.send("hi")


class Stoppable:
    """A server that goes on until it is told to stop, and whether it listens to that."""

    def __init__(self, *, obeys: bool = True, speaks: bool = True) -> None:
        self.obeys, self.speaks = obeys, speaks
        self.told = threading.Event()
        self.left = threading.Event()

    def __call__(self, request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            if self.obeys:
                self.told.set()
            connection.reply("200 OK", {"result": "success"})
            return
        if not self.speaks:
            connection.wait_until_left()
            self.left.set()
            raise OSError
        connection.head()
        say(connection, "half")
        if self.obeys:
            assert self.told.wait(10)
            finish(connection)
        else:
            connection.wait_until_left()
            self.left.set()
            raise OSError


async def test_stop_posts_with_the_same_user_and_keeps_the_partial_answer() -> None:
    script = Stoppable()
    with serving(script) as server:
        async with client(server.url) as dify, dify.chat.stream("hi", user="somebody") as stream:
            async for event in stream:
                if type(event).__name__ == "Message":
                    assert await stream.stop()
            turn = stream.turn
    assert [(r.method, r.path) for r in server.requests][1] == ("POST", "/v1/chat-messages/task-1/stop")
    assert server.requests[1].json == {"user": "somebody"}
    assert (turn.status, turn.end, turn.stop_confirmed, turn.answer) == ("stopped", "stopped", True, "half")


async def test_a_server_that_does_not_stop_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "STOP_SECONDS", 0.3)
    script = Stoppable(obeys=False)
    with serving(script) as server:
        async with client(server.url) as dify, dify.chat.stream("hi") as stream:
            async for _ in stream:
                assert await stream.stop()
            turn = stream.turn
        assert script.left.wait(10)
    assert (turn.status, turn.end, turn.complete, turn.answer) == ("stopped", "stopped", False, "half")


async def test_a_stop_before_the_first_event_waits_for_the_tasks_name_and_then_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "STOP_SECONDS", 0.3)
    script = Stoppable(speaks=False)
    with serving(script) as server:
        async with client(server.url) as dify:
            stream = dify.chat.stream("hi")
            asking = asyncio.create_task(stream.__aenter__())
            await asyncio.to_thread(server.wait_for, 1)
            assert await stream.stop() is False
            await asking
            await stream.__aexit__(None, None, None)
        assert script.left.wait(10)
    turn = stream.turn
    assert (turn.status, turn.stop_confirmed, turn.answer) == ("stopped", False, "")
    assert len(server.requests) == 1


async def test_timeout_is_the_total_and_stops_the_same_way() -> None:
    script = Stoppable()
    with serving(script) as server:
        async with client(server.url) as dify, dify.chat.stream("hi", timeout=1.5) as stream:
            turn = await stream.read()
    assert server.requests[1].path.endswith("/task-1/stop")
    assert (turn.status, turn.end, turn.answer) == ("incomplete", "timed_out", "half")
    assert turn.stop_confirmed is True


@pytest.mark.parametrize(("answers", "most", "least"), [(False, 0.3, 0.0), (True, 5.0, 10.0)])
async def test_what_a_stop_waits_for_its_confirmation_is_part_of_its_time(
    answers: bool, most: float, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "STOP_SECONDS", most)
    monkeypatch.setattr(stream_module, "LAST_SECONDS", 10.0)
    waits: list[float] = []
    real = stream_module.ChatStream._after_grace

    async def noted(self: Any, seconds: float) -> None:
        waits.append(seconds)
        await real(self, 0.0)

    monkeypatch.setattr(stream_module.ChatStream, "_after_grace", noted)
    script, release = Stoppable(obeys=False), threading.Event()

    def slow(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            release.wait(0.2 if answers else 10)
        script(request, connection)

    with serving(slow) as server:
        async with client(server.url) as dify, dify.chat.stream("hi", timeout=1.5) as stream:  # it has begun by then
            turn = await stream.read()
        release.set()
    assert waits == [least]
    assert (turn.end, turn.stop_confirmed) == ("timed_out", answers)


async def test_cancelling_tells_the_server_and_closes_the_connection() -> None:
    script = Stoppable(obeys=False)
    with serving(script) as server:
        async with client(server.url) as dify:
            asking = asyncio.create_task(dify.chat.send("hi"))
            await asyncio.to_thread(server.wait_for, 1)
            stream_began = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, stream_began.set)
            await stream_began.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert script.left.wait(10)
    assert [r.path for r in server.requests][-1].endswith("/task-1/stop")


@pytest.mark.parametrize("whole", [True, False])
async def test_an_answer_that_is_streamed_where_one_piece_was_asked_for_is_read(whole: bool) -> None:
    def script(request: Request, connection: Connection) -> None:
        assert request.json["response_mode"] == "blocking"
        connection.head()
        say(connection, "half")
        if whole:
            finish(connection)
        else:
            connection.end()

    with serving(script) as server:
        async with client(server.url) as dify:
            asking = dify.chat.send("hi", response_mode="blocking")
            if whole:
                assert (await asking).answer == "half"
            else:
                with pytest.raises(TurnIncomplete) as raised:
                    await asking
                assert raised.value.turn is not None
                assert raised.value.turn.answer == "half"


async def test_leaving_early_stops_the_run() -> None:
    script = Stoppable(obeys=False)
    with serving(script) as server:
        async with client(server.url) as dify:
            async with dify.chat.stream("hi") as stream:
                async for _ in stream:
                    break
            assert (stream.turn.status, stream.turn.end) == ("incomplete", "cancelled")
    assert server.requests[1].path.endswith("/stop")


async def test_pings_and_late_headers() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        connection.chunk(b"event: ping\n\n")
        say(connection, "x")
        connection.chunk(b"event: ping\n\n")
        finish(connection)

    with serving(script) as server:
        async with client(server.url) as dify:
            turn = await dify.chat.send("hi")
    assert (turn.pings, turn.status) == (2, "succeeded")
    assert turn.timing is not None
    assert turn.timing.first_event is not None


async def test_gzip_and_one_large_event_in_small_chunks() -> None:
    text = "好" * 400_000

    def script(request: Request, connection: Connection) -> None:
        connection.head(extra="Content-Encoding: gzip\r\n")
        lines = [{"event": "message", "answer": text, **IDS}, {"event": "message_end", "metadata": {}, **IDS}]
        body = gzip.compress(b"".join(b"data: " + json.dumps(line, ensure_ascii=False).encode() + b"\n\n" for line in lines))
        for start in range(0, len(body), 100):
            connection.chunk(body[start : start + 100])
        connection.end()

    with serving(script) as server:
        async with client(server.url) as dify:
            turn = await dify.chat.send("hi")
    assert turn.answer == text


async def test_a_chat_message_is_never_sent_twice() -> None:
    def script(request: Request, connection: Connection) -> None:
        raise OSError

    with serving(script) as server:
        async with client(server.url) as dify:
            with pytest.raises(ConnectError):
                await dify.chat.send("hi")
        assert len(server.requests) == 1


async def test_a_stream_is_entered_once(tmp_path: Path) -> None:
    """Entering it again would send the question and its files again, and add one answer to another."""
    file = tmp_path / "a.txt"
    file.write_text("x")

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/upload"):
            connection.reply("201 Created", {"id": "f"})
        else:
            hello(request, connection)

    with serving(script) as server:
        async with client(server.url) as dify:
            stream = dify.chat.stream("hi", files=[file])
            async with stream:
                await stream.read()
            with pytest.raises(InputError, match="already"):
                async with stream:
                    pass
        with Dify(KEY, server.url, "tester") as plain:
            again = plain.chat.stream("hi")
            with again:
                again.read()
            with pytest.raises(InputError, match="already"), again:
                pass
        assert [request.path for request in server.requests] == [
            "/v1/files/upload", "/v1/chat-messages", "/v1/chat-messages"
        ]  # fmt: skip
    assert (stream.turn.answer, again.turn.answer) == ("Hello", "Hello")


async def test_blocking_mode_gives_the_same_turn() -> None:
    answer = {"event": "message", "answer": "<think>hm</think>Hello", "mode": "chat", "created_at": 1_700_000_000,
              "metadata": {"usage": {"total_tokens": 3}, "retriever_resources": [{"content": "x"}]}, **IDS}  # fmt: skip
    with serving(lambda request, connection: connection.reply("200 OK", answer)) as server:
        async with client(server.url) as dify:
            turn = await dify.chat.send("hi", response_mode="blocking")
    assert server.requests[0].json["response_mode"] == "blocking"
    assert (turn.answer, turn.reasoning, turn.status, turn.source) == ("Hello", "hm", "succeeded", "blocking")
    assert turn.usage is not None
    assert turn.citations is not None
    assert (turn.usage.total_tokens, len(turn.citations)) == (3, 1)


@pytest.mark.parametrize(
    "arguments",
    [{"query": 3}, {"query": "x", "inputs": [1]}, {"query": "x", "inputs": {"a": object()}}, {"query": "x", "user": ""}, {"query": "x", "user": "u" * 256},
     {"query": "x", "timeout": 0}, {"query": "x", "files": ["no/such/file.txt"]}],
)  # fmt: skip
async def test_mistakes_are_told_before_anything_is_sent(arguments: dict[str, Any]) -> None:
    with serving(hello) as server:
        async with client(server.url) as dify:
            with pytest.raises(InputError):
                await dify.chat.send(**arguments)
        assert server.requests == []


@pytest.mark.parametrize("where", ["error", "event"])
async def test_a_server_that_repeats_the_key_does_not_spread_it(where: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        echo = request.headers["authorization"]
        if where == "error":
            connection.reply("500 X", {"code": "x", "message": echo})
        else:
            connection.head()
            say(connection, echo)
            connection.event(event="error", code="x", message=echo, status=400)
            connection.chunk(b"data: cut off " + echo.encode())
            connection.end()

    with serving(script) as server:
        async with client(server.url) as dify:
            with pytest.raises(DifyError, match="Bearer") as caught:
                await dify.chat.send("hi")
    turn = caught.value.turn
    assert turn is not None
    told = [str(caught.value), repr(turn), turn.answer, str(turn.error), str(turn.warnings), *(str(entry) for entry in (turn.tape.entries or ()))]
    assert not any(KEY in text for text in told)


# -- the synchronous face ---------------------------------------------------------------


def test_sync_send_and_stream() -> None:
    with serving(hello) as server, Dify(KEY, server.url, "tester") as dify:
        assert dify.chat.send("hi").answer == "Hello"
        with dify.chat.stream("hi") as stream:
            names = [type(event).__name__ for event in stream]
        assert names == ["Message", "Message", "MessageEnd"]
        assert stream.turn.answer == "Hello"


def test_sync_events_come_one_by_one() -> None:
    release = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        say(connection, "first")
        assert release.wait(10)
        finish(connection)

    with serving(script) as server, Dify(KEY, server.url, "tester") as dify, dify.chat.stream("hi") as stream:
        events = iter(stream)
        event = next(events)
        assert isinstance(event, Message)
        assert event.answer == "first"
        release.set()
        assert [type(event).__name__ for event in events] == ["MessageEnd"]


def test_sync_stop() -> None:
    with serving(Stoppable()) as server, Dify(KEY, server.url, "tester") as dify, dify.chat.stream("hi") as stream:
        for _ in stream:
            stream.stop()
        assert (stream.turn.status, stream.turn.stop_confirmed) == ("stopped", True)


def test_one_client_in_two_loops_and_from_plain_code() -> None:
    with serving(hello) as server:
        dify = client(server.url)
        assert asyncio.run(dify.chat.send("a")).answer == "Hello"
        assert asyncio.run(dify.chat.send("b")).answer == "Hello"
        assert Dify.wrap(dify).chat.send("c").answer == "Hello"


async def test_sync_from_a_running_loop() -> None:
    with serving(hello) as server:
        assert Dify(KEY, server.url, "tester").chat.send("hi").answer == "Hello"


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_a_fork_the_child_has_connections_of_its_own() -> None:
    import os

    with serving(hello) as server:
        dify = Dify(KEY, server.url, "tester")
        assert dify.chat.send("parent").answer == "Hello"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if dify.chat.send("child").answer == "Hello" else 2
            finally:
                os._exit(code)
        deadline = time.monotonic() + 20
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        if not pid:
            os.kill(child, 9)
            os.waitpid(child, 0)
        assert pid
        assert os.waitstatus_to_exitcode(status) == 0
        assert dify.chat.send("parent again").answer == "Hello"


# -- what a log and a traceback tell ---------------------------------------------------------


async def test_no_log_tells_a_key_that_the_server_repeats(caplog: pytest.LogCaptureFixture) -> None:
    """Nor one of a form that is nobody's."""

    def script(request: Request, connection: Connection) -> None:
        connection.head(extra="X-Echo: a-quiet-word\r\nSet-Cookie: id=a-quiet-word\r\n")
        say(connection, "Hello")
        finish(connection)

    with caplog.at_level("DEBUG"), serving(script) as server:
        async with AsyncDify("a-quiet-word", server.url, "tester") as dify:
            assert (await dify.chat.send("hi")).answer == "Hello"
    assert "receive_response_headers.complete return_value=(b'HTTP/1.1', 200)" in caplog.text
    assert "quiet" not in caplog.text


def test_what_reads_a_stream_shows_no_key() -> None:
    """Verbose tracebacks show what stands on the line that was interrupted."""
    reader = EventReader(Bounds(), Secret(KEY))
    assert "canary" not in repr(vars(reader)).lower()
