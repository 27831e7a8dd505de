"""What real sockets do to a client: torture, drops, silence, size, cancelling, proxies and certificates."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import select
import socket
import ssl
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.streams import load
from contract.torture import SMALL, Torture
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.errors import ConfigError, ConnectError, DifyError, InputError, TimeoutException
from dify_notebook.net.doctor import examine
from dify_notebook.session import Session
from dify_notebook.tape import RunStore, Tape
from dify_notebook.turn.fold import fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.events import StreamEnd
from dify_notebook.wire.sse import Splitter

pytestmark = pytest.mark.anyio
IDS = {"task_id": "t", "message_id": "m", "conversation_id": "c"}


def read(url: str, sync: bool, **options: Any) -> Turn:
    """The turn of one question, by either client."""
    if sync:
        with Dify("app-x", url, "me", **options) as dify, dify.chat.stream("hi") as stream:
            return stream.read()

    async def ask() -> Turn:
        async with AsyncDify("app-x", url, "me", **options) as dify, dify.chat.stream("hi") as stream:
            return await stream.read()

    return asyncio.run(ask())


def summary(turn: Turn) -> tuple[Any, ...]:
    said = [(warning.code, warning.raw) for warning in turn.warnings]
    return turn.answer, turn.answer_raw, turn.status, turn.end, turn.complete, said, turn.pings


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_torture_table_through_a_socket(size: int, sync: bool) -> None:
    """All tables over one server; the outcome is that of the same bytes without one."""
    cases: dict[str, Torture] = {case.id: case for case in SMALL}

    def script(request: Request, connection: Connection) -> None:
        data = cases[request.json["query"]].data
        connection.head()
        for start in range(0, len(data), size):
            connection.chunk(data[start : start + size])
        connection.end()

    with serving(script) as server, Dify("app-x", server.url, "me") as dify:

        async def other(query: str) -> Turn:
            async with dify.as_async.chat.stream(query) as stream:
                return await stream.read()

        async def everything() -> list[Turn]:
            return [await other(query) for query in cases]

        if sync:
            turns = []
            for query in cases:
                with dify.chat.stream(query) as stream:
                    turns.append(stream.read())
        else:
            turns = asyncio.run(everything())
    for case, turn in zip(cases.values(), turns, strict=True):
        splitter = Splitter()
        frames = splitter.feed(case.data)
        assert frames == case.frames
        expected = fold_all([*(decode(frame) for frame in frames), StreamEnd(rest=splitter.rest())])
        assert summary(turn) == summary(expected), case.id


DOZEN = [
    "1.12.1/chat-messages__richflow-streaming", "1.12.1/chat-messages__agent-chat-speak",
    "1.12.1/chat-messages__basic-chat-no-autoname", "0.15.3/chat-messages__multianswer-streaming",
    "0.15.3/chat-messages__basic-chat-no-autoname", "1.12.1/chat-messages-ping__agent-chat-slow-start",
    "0.15.3/chat-messages-ping__multianswer-slow-node", "1.12.1/chat-messages__agent-chat-no-autoname",
    "0.15.3/chat-messages__chatflow-no-autoname", "1.12.1/chat-messages__plain-chat-no-autoname",
    "0.15.3/chat-messages__agent-chat-no-autoname", "examples/chat_basic",
]  # fmt: skip


@pytest.mark.parametrize("case", DOZEN)
async def test_a_drop_at_every_event_keeps_what_came(case: str) -> None:
    body = load()[case].body
    pieces = [piece + b"\n\n" for piece in body.split(b"\n\n") if piece.strip()]

    def script(request: Request, connection: Connection) -> None:
        if request.method == "GET" or request.path.endswith("/stop"):
            connection.reply("404 NOT FOUND", b"<html>", "text/html")
            return
        connection.head()
        for piece in pieces[: int(request.json["query"])]:
            connection.chunk(piece)
        connection.close()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            for count in range(len(pieces)):
                async with dify.chat.stream(str(count)) as stream:
                    turn = await stream.read()
                splitter = Splitter()
                frames = splitter.feed(b"".join(pieces[:count]))
                expected = fold_all([decode(frame) for frame in frames])
                assert turn.answer_raw == expected.answer_raw, count
                assert len(turn.events or ()) == len(frames)
                if expected.status == "running":
                    assert (turn.status, turn.end, turn.complete) in [
                        ("incomplete", "disconnected", False), ("failed", "disconnected", False)
                    ]  # fmt: skip
                else:
                    assert turn.status == expected.status
                assert [node.status for node in turn.nodes or ()].count("running") == 0


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("where", ["before the headers", "between events", "within an event"])
def test_a_server_that_hangs_runs_into_the_read_timeout(where: str, sync: bool) -> None:
    done = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if where != "before the headers":
            connection.head()
            connection.event(event="message", answer="Hel", **IDS)
        if where == "within an event":
            connection.chunk(b'data: {"event":"mess')
        done.wait(10)

    timeout = httpx.Timeout(5, read=0.3)
    with serving(script) as server:
        try:
            if where == "before the headers":
                with pytest.raises(TimeoutException) as caught:
                    read(server.url, sync, timeout=timeout)
                assert caught.value.turn is not None
            else:
                turn = read(server.url, sync, timeout=timeout)
                assert (turn.answer, turn.status, turn.end, turn.complete) == ("Hel", "incomplete", "timed_out", False)
        finally:
            done.set()


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
def test_gzip_and_a_megabyte_in_one_event(sync: bool) -> None:
    text = "0123456789 你好 " * 70_000
    event = json.dumps({"event": "message", "answer": text, **IDS}, ensure_ascii=False).encode()
    body = gzip.compress(b"data: " + event + b'\n\ndata: {"event":"message_end","metadata":{}}\n\n')

    def script(request: Request, connection: Connection) -> None:
        connection.head(extra="Content-Encoding: gzip\r\n")
        for start in range(0, len(body), 1_000):
            connection.chunk(body[start : start + 1_000])
        connection.end()

    with serving(script) as server:
        turn = read(server.url, sync)
    assert len(text) > 900_000
    assert (turn.answer, turn.status, turn.complete) == (text, "succeeded", True)


def test_memory_stays_flat_while_the_tape_goes_to_disk(tmp_path: Path) -> None:
    """100,000 events; what is held is the text and not the events."""
    count = 100_000
    line = json.dumps({"event": "message", "answer": "a ", "padding": "x" * 60, **IDS}).encode()
    block = (b"data: " + line + b"\n\n") * 100

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        for _ in range(1 if request.json["query"] == "warm up" else count // 100):
            connection.chunk(block)
        connection.event(event="message_end", metadata={}, **IDS)
        connection.end()

    store = RunStore(tmp_path / "runs")
    with serving(script) as server, Dify("app-x", server.url, "me") as dify:
        Session(dify, store=store).ask("warm up").result(60)
        gc.collect()
        tracemalloc.start()
        try:
            run = Session(dify, store=store).ask("hi")
            turn = run.result(120)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert turn.answer == "a " * count
    assert run.tape is not None
    assert run.tape.entries.spooled
    assert len(run.tape.entries) == count + 1
    size = count * len(line)
    assert peak < 12_000_000 < size, f"{peak / 1e6:.1f} MB of {size / 1e6:.1f} MB"
    assert Tape.load(store.paths()[-1]).replay().answer == turn.answer


Work = Callable[[AsyncDify], Any]
CALLS: dict[str, Work] = {
    "info": lambda dify: dify.app.info(),
    "parameters": lambda dify: dify.app.parameters(),
    "send": lambda dify: dify.chat.send("hi"),
    "upload": lambda dify: dify.files.upload(b"x" * 10),
    "conversations": lambda dify: dify.conversations.list().to_list(),
    "messages": lambda dify: dify.messages.list("c").to_list(),
    "download": lambda dify: dify.files.download("f"),
    "sound": lambda dify: dify.audio.from_text("hi"),
    "rename": lambda dify: dify.conversations.rename("c", "n"),
}


@pytest.mark.parametrize("headers", [False, True], ids=["before the headers", "within the body"])
@pytest.mark.parametrize("call", CALLS)
async def test_cancelling_any_call_closes_its_connection(call: str, headers: bool) -> None:
    left, begun = threading.Event(), threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
            return
        if headers:
            kinds = {"chat-messages": "text/event-stream", "text-to-audio": "audio/mpeg"}
            connection.head(kind=kinds.get(request.path.rpartition("/")[2], "application/json"))
            connection.chunk(b" ")
        begun.set()
        if connection.wait_until_left(5):
            left.set()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            task = asyncio.create_task(CALLS[call](dify))
            assert await asyncio.to_thread(begun.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(left.wait, 5)
            assert (await dify._pools.current()).limiter.active == 0


async def test_cancelling_in_the_moment_in_which_the_answer_opens_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        if connection.wait_until_left(5):
            left.set()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            task = asyncio.create_task(dify.chat.send("hi"))
            really = dify._open

            async def opened(*args: Any, **options: Any) -> httpx.Response:
                response = await really(*args, **options)
                task.cancel()
                return response

            monkeypatch.setattr(dify, "_open", opened)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await dify._pools.current()).limiter.active == 0
            assert await asyncio.to_thread(left.wait, 5)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
async def test_nothing_is_left_after_two_hundred_calls() -> None:
    def script(request: Request, connection: Connection) -> None:
        number = int(request.headers["x-number"])
        if number % 4 == 0:
            connection.close()
        if number % 4 == 1:
            connection.head()
            connection.event(event="message", answer="a", **IDS)
            connection.close()
        if number % 4 == 2:
            connection.reply("500 X", {"code": "unknown", "message": "no"})
        else:
            connection.head()
            connection.event(event="message_end", metadata={}, **IDS)
            connection.end()

    async def all_of_them(url: str) -> None:
        for number in range(200):
            async with AsyncDify("app-x", url, "me", headers={"X-Number": str(number)}, retry=0) as dify:
                with suppress(DifyError):
                    await dify.chat.send("hi")

    with serving(lambda request, connection: script(request, connection)) as server:
        await all_of_them(server.url)
        gc.collect()
        server.close()
        before = len(os.listdir("/proc/self/fd"))
        tasks = len(asyncio.all_tasks())
    with serving(script) as server:
        await all_of_them(server.url)
        gc.collect()
        server.close()
        assert len(os.listdir("/proc/self/fd")) <= before + 3
        assert len(asyncio.all_tasks()) == tasks


async def test_a_stop_gets_through_while_every_connection_streams() -> None:
    stopped = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
            stopped.set()
            return
        connection.head()
        connection.event(event="message", answer="a", **IDS)
        stopped.wait(10)
        connection.event(event="message_end", metadata={}, **IDS)
        connection.end()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", connections=1) as dify, dify.chat.stream("hi") as stream:
            await anext(aiter(stream))
            assert await stream.stop() is True
            turn = await stream.read()
    assert (turn.status, turn.stop_confirmed) == ("stopped", True)


# -- proxies and certificates --------------------------------------------------------------


class Proxy:
    """A forward and CONNECT proxy on loopback that leads everything to one port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.lines: list[str] = []
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with closing(sock), suppress(OSError), closing(socket.create_connection(("127.0.0.1", self.port))) as inner:
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(65536) or b"\r\n\r\n"
            self.lines.append(head.split(b"\r\n")[0].decode())
            self.heads.append(head)
            if head.startswith(b"CONNECT"):
                sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                inner.sendall(head)
            while True:
                for ready in select.select([sock, inner], [], [], 10)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (inner if ready is sock else sock).sendall(data)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def proxying(url: str) -> Iterator[Proxy]:
    proxy = Proxy(int(url.split(":")[2].split("/")[0]))
    try:
        yield proxy
    finally:
        proxy.close()


def info(request: Request, connection: Connection) -> None:
    connection.reply("200 OK", {"name": "behind"})


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.filterwarnings("ignore:the key travels")
async def test_the_proxy_of_the_environment_is_used_and_loopback_passes_it(
    transport: Any, no_proxies: pytest.MonkeyPatch
) -> None:
    if transport:
        pytest.importorskip("httpx_aiohttp")
    with serving(info) as server, proxying(server.url) as proxy:
        no_proxies.setenv("HTTP_PROXY", proxy.url)
        async with AsyncDify("app-x", "http://dify.example/v1", "me", transport=transport) as dify:
            assert (await dify.app.info()).name == "behind"
        assert proxy.lines == ["GET http://dify.example/v1/info HTTP/1.1"]
        async with AsyncDify("app-x", server.url, "me", transport=transport) as dify:
            assert (await dify.app.info()).name == "behind"
        assert len(proxy.lines) == 1


async def test_a_socks_proxy_without_support_gives_a_hint(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setitem(sys.modules, "socksio", None)
    no_proxies.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    async with AsyncDify("app-x", "https://dify.example/v1", "me") as dify:
        with pytest.raises(ConfigError, match=r"httpx\[socks\]"):
            await dify.app.info()


def secure(authority: Any) -> tuple[socket.socket, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("dify.example", "127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as sock:
                sock.recv(65536)
                body = b'{"name": "secret"}'
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                sock.sendall(head.encode() + body)

    threading.Thread(target=serve, daemon=True).start()
    return listener, f"https://127.0.0.1:{listener.getsockname()[1]}/v1"


async def test_certificates_by_verify_by_the_environment_and_through_a_tunnel(
    tmp_path: Path, no_proxies: pytest.MonkeyPatch
) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    listener, url = secure(authority)
    with closing(listener):
        async with AsyncDify("app-x", url, "me", retry=0) as dify:
            with pytest.raises(ConnectError) as caught:
                await dify.app.info()
            assert caught.value.code == "tls"
            assert "verify=" in caught.value.hint
        trusted = ssl.create_default_context(cafile=str(pem))
        for verify in (trusted, str(pem), False):
            async with AsyncDify("app-x", url, "me", verify=verify, retry=0) as dify:
                assert (await dify.app.info()).name == "secret"
        with proxying(url) as proxy:
            no_proxies.setenv("HTTPS_PROXY", proxy.url)
            no_proxies.setenv("SSL_CERT_FILE", str(pem))
            options: dict[str, Any] = {"retry": 0, "headers": {"X-Gateway": "canary"}}
            async with AsyncDify("app-x", "https://dify.example/v1", "me", **options) as dify:
                assert (await dify.app.info()).name == "secret"
            assert proxy.lines == ["CONNECT dify.example:443 HTTP/1.1"]
            assert b"app-x" not in proxy.heads[0]  # the proxy hears of neither key nor headers
            assert b"canary" not in proxy.heads[0]
        listener.shutdown(socket.SHUT_RDWR)


async def test_the_doctor_names_certificate_and_proxy(no_proxies: pytest.MonkeyPatch) -> None:
    trustme = pytest.importorskip("trustme")
    listener, url = secure(trustme.CA())
    with closing(listener):
        async with AsyncDify("app-x", url, "me", retry=0) as dify:
            (found,) = await examine(dify)
        assert (found.kind, found.state) == ("tls", "wrong")
        listener.shutdown(socket.SHUT_RDWR)

    def refuse(request: Request, connection: Connection) -> None:
        connection.reply("407 Proxy Authentication Required", b"<html>who are you</html>", "text/html")

    with serving(refuse) as proxy:
        no_proxies.setenv("HTTPS_PROXY", proxy.url.removesuffix("/v1"))
        async with AsyncDify("app-x", "https://dify.example/v1", "me", retry=0) as dify:
            (found,) = await examine(dify)
    assert (found.kind, found.state) == ("proxy", "wrong")
    assert "407" in str(found.values["problem"])


async def test_what_a_doctor_says_holds_no_key() -> None:
    """Whatever its form, where the server repeats it in its refusal."""
    for status in ("401 Unauthorized", "500 Internal Server Error"):

        def script(request: Request, connection: Connection, status: str = status) -> None:
            connection.reply(status, {"code": "unauthorized", "message": "no account of a-quiet-word", "status": 401})

        with serving(script) as server:
            async with AsyncDify("a-quiet-word", server.url, "me", retry=0) as dify:
                found = await examine(dify)
        assert found[-1].state == "wrong"
        assert "no account of ***" in str(found)
        assert "quiet" not in str(found)


# -- the extra -----------------------------------------------------------------------------


@pytest.mark.parametrize("transport", [None, "aiohttp"])
async def test_a_server_that_hangs_up_is_no_time_that_ran_out(transport: Any) -> None:
    if transport:
        pytest.importorskip("httpx_aiohttp")
    asked = []

    def script(request: Request, connection: Connection) -> None:
        asked.append(request.method)
        connection.close()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", transport=transport, retry=0) as dify:
            for call in (dify.app.info(), dify.chat.send("hi")):
                with pytest.raises(ConnectError) as caught:
                    await call
                assert not isinstance(caught.value, TimeoutException)
    assert asked.count("POST") == 1, "a question is never sent twice"


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
def test_the_fast_transport_streams_and_tells_a_broken_connection(sync: bool) -> None:
    pytest.importorskip("httpx_aiohttp")

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        connection.event(event="message", answer="Hel", **IDS)
        if request.json["query"] == "hi":
            connection.close()
        connection.event(event="message_end", metadata={}, **IDS)
        connection.end()

    with serving(script) as server:
        turn = read(server.url, sync, transport="aiohttp")
        # aiohttp may drop what came in the same moment as the break.
        assert (turn.status, turn.end) == ("incomplete", "disconnected")
        with Dify("app-x", server.url, "me", transport="aiohttp") as dify:
            whole = dify.chat.send("all of it")
    assert (whole.answer, whole.status, whole.complete) == ("Hel", "succeeded", True)


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    with pytest.raises(ConfigError, match=r"dify_notebook\[fast\]"):
        Dify("app-x", "http://127.0.0.1:9", "me", transport="aiohttp")
    wrong: Any = "curl"
    with pytest.raises(ConfigError, match="curl"):
        AsyncDify("app-x", "http://127.0.0.1:9", "me", transport=wrong)


# -- what the recordings say of names --------------------------------------------------------


def test_naming_a_conversation_costs_a_second_on_a_first_turn_of_dify_1_12() -> None:
    def first(case: str) -> float:
        return load()[case].chunks[0][0]

    for mode in ("basic-chat", "agent-chat"):
        assert first(f"1.12.1/chat-messages__{mode}-no-autoname") < 0.3
    assert first("1.12.1/chat-messages-concurrency__limited-first") > 1.0
    assert first("0.15.3/chat-messages__basic-chat-no-autoname") < 0.3


async def test_an_id_that_fits_into_no_address_is_refused_before_anything_is_sent() -> None:
    async with AsyncDify("app-x", "http://127.0.0.1:9/v1", "me", retry=0) as dify:
        with pytest.raises(InputError, match="does not fit into an address"):
            await dify.messages.list("a" * 70_000).to_list()
        with pytest.raises(InputError, match="does not fit into an address"):
            await dify.messages.suggested("a" * 70_000)


def nested(depth: int) -> bytes:
    """JSON that is nested deeper than anyone means."""
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "body",
    [
        nested(100_000),
        b'{"answer": "x", "metadata": ' + nested(100_000) + b"}",
        b'{"code": "x", "message": "y", "status": 400, "more": ' + nested(4_000) + b"}",
        b'{"data": [{"id": "a", "inputs": ' + nested(100_000) + b'}], "has_more": true}',
    ],
    ids=["alone", "answer", "refusal", "list"],
)
@pytest.mark.parametrize("status", ["200 OK", "400 BAD REQUEST"])
def test_json_that_is_nested_too_deep_is_an_error_of_ours_wherever_it_comes(status: str, body: bytes) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply(status, body)

    with serving(script) as server, Dify("app-x", server.url, "me", retry=0) as dify:
        calls: list[Callable[[], Any]] = [
            dify.app.info,
            dify.conversations.list().to_list,
            lambda: dify.chat.send("hi"),
            lambda: dify.chat.send("hi", response_mode="blocking"),
            lambda: dify.conversations.delete("c"),
        ]
        for call in calls:
            with pytest.raises(DifyError):
                call()
        found = asyncio.run(examine(dify.as_async))
        assert any(finding.state == "wrong" for finding in found)


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.parametrize("said", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n"])
def test_an_answer_that_is_no_http_is_an_error_of_ours(transport: Any, said: bytes) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.send(said)
        connection.close()

    with serving(script) as server, Dify("app-x", server.url, "me", retry=0, transport=transport) as dify:
        calls: list[Callable[[], Any]] = [
            dify.app.info,
            lambda: dify.chat.send("hi"),
            lambda: dify.audio.from_text("hi"),
            lambda: dify.files.download("1"),
        ]
        for call in calls:
            with pytest.raises(ConnectError):
                call()
