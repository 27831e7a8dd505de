"""What a server sends is bounded, the memory too: measured in a process of its own, against a real socket."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linear import MOST, growth
from support.peaks import FILE, measured
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify, Bounds, Dify
from dify_notebook.errors import EndlessList, InputError, ServerError, TurnIncomplete
from dify_notebook.net import bodies
from dify_notebook.wire.sse import Splitter, frames

pytestmark = pytest.mark.anyio

IDS = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
HELLO = b'data: {"event":"message","answer":"Hello","task_id":"t","message_id":"m","conversation_id":"c"}\n\n'
END = b'data: {"event":"message_end","metadata":{},"task_id":"t","message_id":"m","conversation_id":"c"}\n\n'
#: Of a process that reads one call; what has no bound grows by hundreds.
GENEROUS = 40_000_000
INFLATED = 400


def packed(window: int, head: bytes = b"", fill: bytes = b"\0") -> bytes:
    """400 MB of one letter in 400 kB: a block that can be repeated as often as one likes."""
    press = zlib.compressobj(9, zlib.DEFLATED, window)
    begin = press.compress(head) + press.flush(zlib.Z_FULL_FLUSH)
    block = press.compress(fill * 1_000_000) + press.flush(zlib.Z_FULL_FLUSH)
    return begin + block * INFLATED


GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


def twice(data: bytes) -> bytes:
    press = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    return press.compress(data) + press.flush()


Send = Callable[[Connection], None]


def whole(status: str, kind: str, encoding: str, body: bytes) -> Send:
    extra = f"Content-Encoding: {encoding}\r\n" if encoding else ""

    def send(connection: Connection) -> None:
        connection.head(status, kind, extra)
        for start in range(0, len(body), 60_000):
            connection.chunk(body[start : start + 60_000])
        connection.end()

    return send


def endless(status: str, kind: str, head: bytes, part: bytes) -> Send:
    """Goes on until the other side leaves."""

    def send(connection: Connection) -> None:
        connection.head(status, kind)
        connection.chunk(head)
        for _ in range(500_000_000 // len(part)):
            connection.chunk(part)

    return send


JSON, SSE, HTML = "application/json", "text/event-stream", "text/html"
A, DOTS = b"a" * 50_000, b"." * 50_000
LINES = b"data: xy\n" * 5_000
EMPTY = b"data:\n" * 10_000

BODIES: dict[str, tuple[str, Send]] = {
    "gzip": ("info", whole("200 OK", JSON, "gzip", packed(GZIP))),
    "deflate": ("info", whole("200 OK", JSON, "deflate", packed(ZLIB))),
    "deflate without its head": ("info", whole("200 OK", JSON, "deflate", packed(RAW))),
    "gzip twice": ("info", whole("200 OK", JSON, "gzip, gzip", twice(packed(GZIP)))),
    "an endless body": ("info", endless("200 OK", JSON, b'{"name": "', A)),
    "a blocking answer": ("blocking", endless("200 OK", JSON, b'{"answer": "', A)),
    "a run in one piece": ("run_blocking", endless("200 OK", JSON, b'{"data": "', A)),
    "a run that is kept": ("kept_run", endless("200 OK", JSON, b'{"outputs": "', A)),
    "an answer in one piece": ("stream", whole("200 OK", JSON, "gzip", packed(GZIP))),
    "speech": ("speech", endless("200 OK", "audio/mpeg", b"x", A)),
}


@pytest.fixture(scope="module")
def warm() -> Iterator[RawServer]:
    """A server that answers every call as it should."""

    def script(request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        if "chat-messages" in path and request.json["response_mode"] == "streaming":
            connection.reply("200 OK", HELLO + END, SSE)
        elif "chat-messages" in path:
            connection.reply("200 OK", {"answer": "a", **IDS})
        elif path.endswith("/workflows/run"):
            connection.reply("200 OK", {"task_id": "t", "workflow_run_id": "r", "data": {"id": "r", "status": "succeeded"}})
        elif path.endswith("/workflows/run/r"):
            connection.reply("200 OK", {"id": "r", "status": "succeeded"})
        elif "audio" in path:
            connection.reply("200 OK", b"sound", "audio/mpeg")
        elif "/files/" in path and request.method == "GET":
            connection.reply("200 OK", b"content", "text/plain")
        elif path.endswith("upload"):
            connection.reply("201 Created", {"id": "up", "name": "a", "size": 1})
        else:
            connection.reply("200 OK", {"name": "a", "mode": "chat", "data": [], "has_more": False})

    with serving(script) as server:
        yield server


def cost(name: str, send: Send, warm: RawServer) -> dict[str, Any]:
    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
        else:
            send(connection)

    with serving(script) as server:
        found = measured(name, warm.url, server.url)
    assert found["grown"] < GENEROUS, found
    return found


@pytest.mark.parametrize("case", BODIES)
def test_a_body_larger_than_is_taken(case: str, warm: RawServer) -> None:
    name, send = BODIES[case]
    found = cost(name, send, warm)
    assert found["error"]["code"] == "too_large"
    assert "4 MB" in found["error"]["message"]
    assert "Bounds(body=" in found["error"]["message"]


ERRORS: dict[str, tuple[str, Send]] = {
    "an endless refusal": ("info", endless("500 X", "text/plain", b"broken ", DOTS)),
    "a packed refusal": ("info", whole("500 X", "text/plain", "gzip", packed(GZIP, b"broken ", b"."))),
    "of a stream": ("stream", endless("500 X", "text/plain", b"broken ", DOTS)),
    "of a file": ("download", endless("500 X", "text/plain", b"broken ", DOTS)),
    "a page": ("info", endless("200 OK", HTML, b"<html>", DOTS)),
    "a page for a stream": ("stream", endless("200 OK", HTML, b"<html>", DOTS)),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_refusal_is_read_so_far_and_no_further(case: str, warm: RawServer) -> None:
    name, send = ERRORS[case]
    error = cost(name, send, warm)["error"]
    assert error["kind"] == "ServerError"
    assert "broken ..." in error["message"] or error["code"] == "not_json"
    assert "1 MB" in error["message"]


def test_the_doctor_reads_no_further_either(warm: RawServer) -> None:
    found = cost("doctor", endless("200 OK", JSON, b'{"name": "', A), warm)["found"]
    assert found[-1] == "not_dify"


STREAMS: dict[str, Send] = {
    "a line": endless("200 OK", SSE, HELLO + b'data: {"event":"message","answer":"', A),
    "a comment": endless("200 OK", SSE, HELLO + b": ", A),
    "small lines": endless("200 OK", SSE, HELLO, LINES),
    "empty lines of data": endless("200 OK", SSE, HELLO, EMPTY),
    "a packed line": whole("200 OK", SSE, "gzip", packed(GZIP, HELLO + b"data: ", b"a")),
}


@pytest.mark.parametrize("case", STREAMS)
def test_an_event_larger_than_is_taken_ends_the_answer_and_what_came_is_kept(case: str, warm: RawServer) -> None:
    turn = cost("stream", STREAMS[case], warm)["turn"]
    assert (turn["answer"], turn["status"], turn["end"]) == ("Hello", "incomplete", "disconnected")
    assert turn["error"]["code"] == "too_large"
    assert "2 MB" in turn["error"]["message"]
    assert "Bounds(line=" in turn["error"]["message"]


@pytest.mark.parametrize("endless_part", [b": ping\n\n", HELLO], ids=["pings", "answers"])
def test_a_stream_that_goes_on_for_ever_ends_and_what_came_is_kept(endless_part: bytes) -> None:
    send = endless("200 OK", SSE, HELLO, endless_part * 100)

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
        else:
            send(connection)

    bounds = Bounds(stream=300_000)
    with (
        serving(script) as server,
        Dify("app-x", server.url, "me", bounds=bounds) as dify,
        pytest.raises(TurnIncomplete) as caught,
    ):
        dify.chat.send("hi")
    turn = caught.value.turn
    assert turn is not None
    assert turn.error is not None
    assert (turn.error.code, turn.status) == ("too_large", "incomplete")
    assert "Bounds(stream=" in turn.error.message
    assert turn.answer.startswith("Hello")
    assert sum(len(frame[1] or b"") for _, frame in turn.tape.entries) < 400_000


@pytest.mark.parametrize("name", ["download", "download_to", "fetch", "from_url"])
def test_a_file_larger_than_is_taken(name: str, warm: RawServer) -> None:
    found = cost(name, whole("200 OK", "text/plain", "gzip", packed(GZIP)), warm)
    said = found["found"]["problem"] if name == "fetch" else found["error"]["message"]
    assert f"{FILE // 1_000_000} MB" in said


RUNS, RUN_BYTES = 300, 500_000


def test_of_a_history_with_details_a_few_runs_are_held_at_a_time(warm: RawServer) -> None:
    def script(request: Request, connection: Connection) -> None:
        url = httpx.URL(request.path)
        name = url.path.rpartition("/")[2]
        if name == "info":
            connection.reply("200 OK", {"name": "a", "mode": "workflow"})
        elif name == "logs":
            start = (int(url.params["page"]) - 1) * 100
            listed = [
                {"id": f"l{at}", "workflow_run": {"id": f"r{at}", "status": "succeeded", "created_at": 10**9 - at}}
                for at in range(start, min(start + 100, RUNS))
            ]
            connection.reply("200 OK", {"data": listed, "has_more": start + 100 < RUNS})
        elif url.path.startswith("/v1/workflows/run/"):
            connection.reply("200 OK", {"id": name, "status": "succeeded", "outputs": {"text": "x" * RUN_BYTES}})
        else:
            connection.reply("200 OK", {"data": [], "has_more": False})

    with serving(script) as server:
        found = measured("details", warm.url, server.url)
    assert found["found"] == {"complete": True, "mode": "workflow"}
    assert found["grown"] < RUNS * RUN_BYTES / 2, found


# -- what they are and how they are given ----------------------------------------------------


def test_what_a_client_takes_unless_told_otherwise() -> None:
    assert msgspec.to_builtins(Bounds()) == {
        "line": 16_000_000, "stream": 256_000_000, "body": 64_000_000, "error": 1_000_000, "items": 1_000_000,
        "pages": 1_000_000_000, "silence": 1_200,
    }  # fmt: skip
    dify = Dify("app-x", "http://127.0.0.1:9", "me", bounds=Bounds(body=7))
    assert (dify.bounds.body, dify.as_user("you").bounds.body, dify.as_async.bounds.line) == (7, 7, 16_000_000)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "8", None])
@pytest.mark.parametrize("name", Bounds.__struct_fields__)
def test_a_bound_that_is_none(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=name):
        Bounds(**{name: value})


async def test_a_bound_is_the_last_that_is_taken() -> None:
    """One byte more is too much, for a body, a line and a refusal."""
    body = json.dumps({"name": "a" * 500}).encode()
    event = HELLO.replace(b"Hello", b"H" * 500)

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
        elif "chat" in request.path:
            connection.reply("200 OK", HELLO + event + END, SSE)
        elif "site" in request.path:
            connection.reply("500 X", b"x" * 600, "text/plain")
        else:
            connection.reply("200 OK", body)

    def bounds(short: int) -> Bounds:
        return Bounds(body=len(body) - short, line=len(event) - 2 - short, error=600 - short)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", bounds=bounds(0), retry=0) as dify:
            assert len((await dify.app.info()).name) == 500
            assert (await dify.chat.send("hi")).answer == "Hello" + "H" * 500
            with pytest.raises(ServerError) as plain:
                await dify.app.site()
            assert "Bounds" not in plain.value.message
        async with AsyncDify("app-x", server.url, "me", bounds=bounds(1), retry=0) as dify:
            with pytest.raises(ServerError, match=f"more than {len(body) - 1} bytes"):
                await dify.app.info()
            with pytest.raises(TurnIncomplete, match="Bounds") as caught:
                await dify.chat.send("hi")
            assert caught.value.turn is not None
            assert caught.value.turn.answer == "Hello"
            with pytest.raises(ServerError, match="599 bytes"):
                await dify.app.site()
    assert [request.path for request in server.requests if "stop" in request.path] == ["/v1/chat-messages/t/stop"]


# -- lists -------------------------------------------------------------------------------------


def written(request: Request, connection: Connection) -> None:
    """New ones on every page, for ever."""
    page = int(httpx.URL(request.path).params["page"])
    data = [{"id": f"{page}-{n}", "question": "q", "answer": "a"} for n in range(10)]
    connection.reply("200 OK", {"data": data, "has_more": True})


def variables(request: Request, connection: Connection) -> None:
    last = int(httpx.URL(request.path).params.get("last_id", "0"))
    data = [{"id": str(last + n), "name": "other", "value": "1", "value_type": "string"} for n in range(1, 11)]
    connection.reply("200 OK", {"data": data, "has_more": True})


def messages(request: Request, connection: Connection) -> None:
    """The newest first; each page older than the one before."""
    last = int(httpx.URL(request.path).params.get("first_id", "1000000"))
    data = [{"id": str(last - n), "query": "q", "answer": "a", "created_at": 10**9 + last - n} for n in range(10, 0, -1)]
    connection.reply("200 OK", {"data": data, "has_more": True})


def conversations(request: Request, connection: Connection) -> None:
    last = int(httpx.URL(request.path).params.get("last_id", "1000000"))
    data = [{"id": str(last - n), "name": "n", "created_at": last - n, "updated_at": last - n} for n in range(1, 11)]
    connection.reply("200 OK", {"data": data, "has_more": True})


def runs(request: Request, connection: Connection) -> None:
    page = int(httpx.URL(request.path).params["page"])
    data = [{"id": f"{page}-{n}", "workflow_run": {"id": "r"}, "created_at": 10**9 - page} for n in range(10)]
    connection.reply("200 OK", {"data": data, "has_more": True})


LISTS: dict[str, tuple[Callable[[Request, Connection], None], Callable[[Any], Any], int]] = {
    "numbered": (written, lambda dify: dify.annotations.list(page_size=10), 25),
    "by time": (conversations, lambda dify: dify.conversations.list(page_size=10), 25),
    "messages": (messages, lambda dify: dify.messages.list("c", page_size=10), 25),
    "oldest first": (messages, lambda dify: dify.messages.list("c", page_size=10, order="asc"), 25),
    "variables": (variables, lambda dify: dify.conversations.variables("c", page_size=10), 25),
    "runs": (runs, lambda dify: dify.workflows.logs(page_size=10), 25),
    "none that is wanted": (
        variables, lambda dify: dify.conversations.variables("c", page_size=10, variable_name="mine"), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTS)
async def test_a_list_that_never_ends(case: str) -> None:
    script, lists, count = LISTS[case]
    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", bounds=Bounds(items=25)) as dify:
            with pytest.raises(EndlessList, match="25 items") as caught:
                await lists(dify).to_list()
            assert len(caught.value.items) == count
            found: list[Any] = []

            async def read() -> None:
                async for item in lists(dify):
                    found.append(item)

            with pytest.raises(EndlessList):
                await read()
            assert found == list(caught.value.items)
            if count and case != "oldest first":  # that needs the end first
                assert len(await lists(dify).to_list(limit=40)) == 40  # whoever asks for so many gets them
                assert len(await lists(dify).to_list(limit=7)) == 7
        with Dify("app-x", server.url, "me", bounds=Bounds(items=25)) as plain, pytest.raises(EndlessList) as again:
            lists(plain).to_list()
        assert len(again.value.items) == count


async def test_a_list_of_exactly_so_many_has_an_end() -> None:
    def script(request: Request, connection: Connection) -> None:
        data = [{"id": str(n), "question": "q", "answer": "a"} for n in range(25)]
        connection.reply("200 OK", {"data": data, "has_more": False})

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", bounds=Bounds(items=25)) as dify:
            assert len(await dify.annotations.list().to_list()) == 25


@pytest.mark.parametrize("case", LISTS)
async def test_pages_that_are_large_and_never_end(case: str) -> None:
    script, lists, count = LISTS[case]
    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", bounds=Bounds(pages=2_500)) as dify:
            with pytest.raises(EndlessList, match=r"2,500 bytes.*pages=") as caught:
                await lists(dify).to_list()
            assert caught.value.items if count else not caught.value.items


async def test_a_list_may_be_read_as_often_as_one_likes() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", {"data": [{"id": "a" * 600}], "has_more": False})

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", bounds=Bounds(pages=1_000)) as dify:
            for found in (
                dify.annotations.list(), dify.messages.list("c"), dify.conversations.list(),
                dify.conversations.variables("c"), dify.app.feedbacks(),
            ):  # fmt: skip
                for _ in range(3):
                    assert len(await found.to_list()) == 1


# -- decoding ------------------------------------------------------------------------------------


async def decoded(data: bytes, encoding: str, cut: int) -> list[bytes]:
    """The pieces of a body that comes in chunks of that size."""

    async def chunks() -> Any:
        for start in range(0, len(data), cut):
            yield data[start : start + cut]

    class Body(httpx.AsyncByteStream):
        def __aiter__(self) -> Any:
            return chunks()

    response = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=Body())
    return [piece async for piece in bodies.iter_decoded(response)]


@given(
    data=st.binary(max_size=3_000).map(lambda data: data * 40),
    windows=st.lists(st.sampled_from([GZIP, ZLIB, RAW]), max_size=2),
    cut=st.integers(2, 5_000),
    piece=st.integers(1, 700),
)
def test_a_body_is_what_was_packed_wherever_it_is_cut(data: bytes, windows: list[int], cut: int, piece: int) -> None:
    body, names = data, []
    for window in windows:
        press = zlib.compressobj(6, zlib.DEFLATED, window)
        body = press.compress(body) + press.flush()
        names.append("gzip" if window == GZIP else "deflate")
    usual, bodies.CHUNK = bodies.CHUNK, piece
    try:
        found = asyncio.run(decoded(body, ", ".join(names), cut))
    finally:
        bodies.CHUNK = usual
    assert b"".join(found) == data
    assert not windows or all(len(part) <= piece for part in found)


async def test_a_stream_that_is_packed_comes_event_by_event() -> None:
    press = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    parts = [press.compress(part) + press.flush(zlib.Z_SYNC_FLUSH) for part in (HELLO, HELLO, END)]
    assert await decoded(b"".join(parts), "gzip", len(parts[0]))
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script(request: Request, connection: Connection) -> None:
        connection.head(extra="Content-Encoding: gzip\r\n")
        connection.chunk(parts[0])
        asyncio.run_coroutine_threadsafe(arrived.wait(), loop).result(10)
        connection.chunk(parts[1] + parts[2] + press.flush())
        connection.end()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify, dify.chat.stream("hi") as stream:
            await anext(aiter(stream))
            arrived.set()
            assert (await stream.read()).answer == "HelloHello"
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip, gzip"])
async def test_a_packing_that_nobody_asked_for(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError, match=encoding.split(",")[0]):
        await decoded(b"x", encoding, 10)


@pytest.mark.parametrize("encoding", ["", "identity", "utf-8"])
async def test_what_is_not_packed_stays_as_it_is(encoding: str) -> None:
    assert await decoded(b"abc", encoding, 2) == [b"ab", b"c"]


# -- the splitter ----------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 60), st.integers(1, 9))
def test_no_frame_is_longer_than_allowed_and_those_before_are_as_without_a_limit(
    parts: list[bytes], limit: int, cut: int
) -> None:
    data = b"\n\n".join(b"data: " + part for part in parts) + b"\n\n"
    splitter = Splitter(limit)
    found = [frame for start in range(0, len(data), cut) for frame in splitter.feed(data[start : start + cut])]
    free = list(frames([data]))
    assert found == free[: len(found)]
    assert splitter.too_long or found == free
    assert all(len(frame[1] or b"") <= limit for frame in found)
    assert len(splitter.rest()) <= 2 * limit + cut + 20
    if splitter.too_long:
        assert splitter.feed(b"data: more\n\n") == []


def test_an_event_of_many_lines_is_split_in_linear_time() -> None:
    def chunks(lines: int) -> list[bytes]:
        data = b"data: ab\n" * lines + b"\n"
        return [data[start : start + 7] for start in range(0, len(data), 7)]

    def split(parts: list[bytes]) -> None:
        splitter = Splitter(16_000_000)
        assert len([frame for part in parts for frame in splitter.feed(part)]) == 1

    assert growth(chunks, split, 20_000) <= MOST


def test_what_is_held_of_an_event_is_as_large_as_its_bytes() -> None:
    """Also where it comes letter by letter, in lines without anything in them."""
    for chunk, count in ((b"data:\n", 30_000), (b"a", 100_000), (b"data: xy\n", 20_000)):
        splitter = Splitter(16_000_000)
        tracemalloc.start()
        try:
            for _ in range(count):
                splitter.feed(chunk)
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held <= 1.3 * len(chunk) * count, (chunk, held)
