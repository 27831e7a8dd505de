"""What reads a model's chunks, and the endpoint's own rules."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.fake_model import FakeModel, Said, always, delta, end, usage, words
from support.loopback import closed_origin
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook.local.engine.models import gguf
from dify_notebook.local.engine.models.choice import Wanted, WrongModel, choose, prices
from dify_notebook.local.engine.models.model import Model, ModelFailed, Prices, Reply, error_text
from dify_notebook.local.engine.models.remote import Remote
from dify_notebook.local.threads import Exited
from dify_notebook.local.tokens import Meter

USER = [{"role": "user", "content": "hi"}]


class Scripted:
    """A back end without a socket."""

    provider = "scripted"

    def __init__(self, *chunks: Any) -> None:
        self.chunks = chunks
        self.body: dict[str, Any] = {}

    async def chat(self, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        self.body = body
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


def ask(*chunks: Any, **model: Any) -> tuple[Reply, list[str]]:
    heard: list[str] = []
    reply = asyncio.run(Model(Scripted(*chunks), "m", **model).ask(USER, heard.append))
    return reply, heard


def test_chunks_become_a_reply() -> None:
    reply, heard = ask(
        delta(role="assistant"), delta(content="a"), delta(content=""), delta(content="b"), end("length"), usage(3, 4)
    )
    assert (reply.text, heard, reply.finish_reason) == ("ab", ["a", "b"], "length")
    assert (reply.meter.prompt, reply.meter.completion) == (3, 4)
    assert reply.first is not None
    assert 0 <= reply.first <= reply.latency


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_that_is_told_apart_stands_between_tags(name: str) -> None:
    told = [delta(**{name: "Let me"}), delta(**{name: " see.", "content": ""}), delta(content="Yes"), delta(content=".")]
    reply, heard = ask(*told, end())
    assert reply.text == "".join(heard) == "<think>\nLet me see.\n</think>\nYes."


def test_reasoning_ends_with_the_answer() -> None:
    """Also where a model is cut off in it, or calls a tool after it; and one chunk may hold both."""
    assert ask(delta(reasoning_content="Hm"), end("length"))[0].text == "<think>\nHm\n</think>\n"
    assert ask(delta(reasoning_content="Hm", content="Yes"), end())[0].text == "<think>\nHm\n</think>\nYes"
    call = delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{}"}}])
    assert ask(delta(reasoning="Hm"), call, end("tool_calls"))[0].text == "<think>\nHm\n</think>\n"


def test_a_sign_that_was_cut_in_two_is_whole_again() -> None:
    reply, heard = ask(delta(content="a\ud83d"), delta(content="\ude00b"), delta(content="\ud83dc"), end())
    assert heard == ["a", "😀b", "\ufffdc"]
    assert reply.text == "a😀b\ufffdc"


def test_calls_are_put_together() -> None:
    reply, _ = ask(
        delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        end("tool_calls"),
    )
    assert [(call.id, call.name, call.arguments) for call in reply.calls] == [("a", "f", '{"x": 1}'), ("b", "g", "{}")]
    assert reply.calls[0].as_message()["function"] == {"name": "f", "arguments": '{"x": 1}'}


def test_calls_without_index_or_id() -> None:
    """Some servers leave both out, and give the arguments as an object."""
    reply, _ = ask(delta(tool_calls=[{"function": {"name": "f", "arguments": {"x": 1}}}]), end("tool_calls"))
    assert [(call.id, call.arguments) for call in reply.calls] == [("call_0", '{"x": 1}')]


def test_an_index_that_is_no_number_is_as_none() -> None:
    asked = [{"index": index, "function": {"name": name, "arguments": "{}"}} for index, name in ((None, "f"), ("1", "g"))]
    reply, _ = ask(delta(tool_calls=[*asked, {"index": 2, "function": {"name": "h"}}]), end("tool_calls"))
    assert [call.name for call in reply.calls] == ["f", "g", "h"]


def test_the_word_for_an_end_can_be_written_down() -> None:
    assert ask(delta(content="a"), end("sto\ud83dp"))[0].finish_reason == "sto\ufffdp"


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([], "broke off"),
        ([delta(content="a")], "broke off"),
        ([{"error": {"message": "no  more\n"}}], "^no more$"),
        ([{"choices": [3]}], "cannot be read"),
        ([{"usage": {"prompt_tokens": "x"}}], "cannot be read"),
        ([{"usage": {"prompt_tokens": float("inf"), "completion_tokens": 1}}], "cannot be read"),
        ([delta(content=3)], "cannot be read"),
        ([ModelFailed("refused")], "^refused$"),
        ([KeyError("bug")], "KeyError in the model's back end"),
        ([OSError("no caf\udce9.gguf")], "OSError in the model's back end: no caf\ufffd.gguf$"),
        ([Exited(SystemExit("no caf\udce9.gguf"))], "^SystemExit: no caf\ufffd.gguf in the model's back end$"),
    ],
)
def test_what_cannot_be_read_fails(chunks: list[Any], told: str) -> None:
    with pytest.raises(ModelFailed, match=told):
        ask(*chunks)


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.local.engine.models.model.MAX_ANSWER", 10)
    with pytest.raises(ModelFailed, match="longer than"):
        ask(*[delta(content="four")] * 4, end())


def test_the_whole_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.local.engine.models.model.MAX_SECONDS", 0.05)
    left: list[str] = []

    class Silent(Scripted):
        async def chat(self, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
            try:
                await asyncio.Event().wait()
                yield {}
            finally:
                left.append("the back end")

    with pytest.raises(ModelFailed, match="took longer than 0.05 s"):
        asyncio.run(Model(Silent(), "m").ask(USER))
    assert left == ["the back end"], "and it was hung up on"


def test_the_request() -> None:
    backend = Scripted(end())
    model = Model(backend, "m", {"temperature": 0, "model": "other"})
    asyncio.run(model.ask(USER, tools=[{"type": "function"}]))
    assert backend.body == {
        "temperature": 0,
        "model": "m",
        "messages": USER,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function"}],
    }


def test_prices() -> None:
    told = prices({"price_in": 0.15, "price_out": "0.6"})
    assert told == Prices(Decimal("0.15"), Decimal("0.6"))
    meter = told.meter()
    meter.add(Meter(1000, 1000))
    assert meter.price == "0.7500000"
    for wrong in ({"price_in": -1}, {"price_out": "NaN"}, {"price_in": 1e9}):
        with pytest.raises(ValueError, match="US dollars"):
            prices(wrong)


@pytest.mark.parametrize("url", ["", "x", "ftp://x/v1", "http://", "http://u:p@x", "http://x/v1?k=1", "http://x/#f"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Remote(url)


def test_paths_of_the_endpoint() -> None:
    with FakeModel() as model:
        for url in (model.url, model.url + "/", model.url + "/chat/completions"):
            asyncio.run(Model(Remote(url), "m").ask(USER))
        assert {one["path"] for one in model.headers} == {"/v1/chat/completions"}
        assert all("authorization" not in one for one in model.headers)


def test_bytes_cut_anywhere() -> None:
    raw = b"".join(b"data: " + part + b"\n\n" for part in (
        '{"choices":[{"delta":{"content":"你好 🎉"}}]}'.encode(), b'{"choices":[{"delta":{},"finish_reason":"stop"}]}',
    ))  # fmt: skip
    for step in (1, 7):
        pieces = [raw[at : at + step] for at in range(0, len(raw), step)]
        with FakeModel(always(Said(pieces))) as model:
            assert asyncio.run(Model(Remote(model.url), "m").ask(USER)).text == "你好 🎉"


def test_cancelling_hangs_up() -> None:
    async def short() -> None:
        async with asyncio.timeout(0.2):
            await Model(Remote(model.url), "m").ask(USER)

    with FakeModel(lambda body: words("a b c d e f g h i j k l m n o p", pause=0.05)) as model:
        with pytest.raises(TimeoutError):
            asyncio.run(short())
        assert model.hung_up.wait(5)


STREAMS = [
    ("one line after the other", b'data: {"choices":[{"delta":{"content":"a"}}]}\ndata: %s\ndata: [DONE]\n'),
    ("CRLF", b'data: {"choices":[{"delta":{"content":"a"}}]}\r\n\r\ndata: %s\r\n\r\n'),
    ("comments, names and ids", b': hi\n\nevent: x\nid: 7\nretry: 1\ndata:{"choices":[{"delta":{"content":"a"}}]}\n\ndata: %s\n\n'),
    ("a mark of its order", b'\xef\xbb\xbfdata: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: %s\n\n'),
    ("no end of the last line", b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: %s'),
    ("JSON that is no event", b'{"no": "event"}\n\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: %s\n\n'),
    ("nothing behind the end", b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata:  [DONE] \n\ndata: %s oops\n\n'),
]


@pytest.mark.parametrize(("name", "raw"), STREAMS, ids=[name for name, _ in STREAMS])
@pytest.mark.parametrize("step", [1, 10_000])
def test_streams_as_servers_write_them(name: str, raw: bytes, step: int) -> None:
    raw = raw % b'{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}'
    with FakeModel(always(Said([raw[at : at + step] for at in range(0, len(raw), step)], done=False))) as model:
        text = asyncio.run(Model(Remote(model.url), "m").ask(USER)).text
    assert text == ("a" if name == "nothing behind the end" else "ab")


def test_the_key_goes_to_the_endpoint_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where it redirects to, and through no proxy of the environment."""

    def script(request: Request, connection: Connection) -> None:
        connection.reply("307 Temporary Redirect", b"", extra=f"Location: {other.url}/chat/completions\r\n")

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, closed_origin())
    with FakeModel() as other, serving(script) as server:
        with pytest.raises(ModelFailed, match="^The model answered with status 307 Temporary Redirect$"):
            asyncio.run(Model(Remote(server.url, "sk-hush-hush"), "m").ask(USER))
        assert [one.headers["authorization"] for one in server.requests] == ["Bearer sk-hush-hush"]
        assert other.asked == []


@pytest.mark.parametrize("key", ["sk-first\nhush-hush", "sk-hush-hush\x0b1", "sk-hush-天气"])
def test_a_key_that_no_header_can_hold_is_not_told(key: str) -> None:
    backend = Remote("http://127.0.0.1:9/v1", key)
    with pytest.raises(ModelFailed, match="cannot be reached") as caught:
        asyncio.run(Model(backend, "m").ask(USER))
    assert "hush" not in f"{caught.value!r} {backend!r}"


KEY = "hush-hush-hush"


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        ("200 OK", "application/json", {"error": [KEY]}),
        ("200 OK", "application/json", {"error": {"message": "x" * 490 + " " + KEY}}),
        ("200 OK", "application/json", {"choices": [], "usage": {"prompt_tokens": KEY, "completion_tokens": 1}}),
        ("200 OK", "text/event-stream", f"data: {KEY}\n\n".encode()),
        ("401 " + KEY, "text/plain", b""),
        ("500 Internal Server Error", "application/json", {"detail": "x" * 490 + " " + KEY}),
    ],
)
def test_a_model_that_repeats_the_key_is_told_without_it(status: str, kind: str, body: Any) -> None:
    """Wherever in an answer it stands, and where a long message is cut."""

    def script(request: Request, connection: Connection) -> None:
        connection.reply(status, body, kind)

    with serving(script) as server, pytest.raises(ModelFailed) as caught:
        asyncio.run(Model(Remote(server.url, KEY), "m").ask(USER))
    assert "hush" not in str(caught.value)


def test_no_log_tells_the_headers_of_a_model(caplog: pytest.LogCaptureFixture) -> None:
    """They may hold the key, and one line of them that is none is told by the library as it came."""

    def script(request: Request, connection: Connection) -> None:
        connection.reply(f"200 {KEY}", b"{}", "application/json", f"X-Echo: {KEY}\r\nSet-Cookie: id=hush\r\n")

    def wrong(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", b"{}", "application/json", f"Set Cookie: {KEY}\r\n")

    with caplog.at_level("DEBUG"):
        for answer in (script, wrong):
            with serving(answer) as server, pytest.raises(ModelFailed):
                asyncio.run(Model(Remote(server.url, KEY), "m").ask(USER))
        with pytest.raises(ModelFailed):
            asyncio.run(Model(Remote(server.url, f"{KEY}\n{KEY}"), "m").ask(USER))
    assert "receive_response_headers.complete return_value=(b'HTTP/1.1', 200)" in caplog.text
    assert "receive_response_headers.failed exception='RemoteProtocolError'" in caplog.text
    assert "hush" not in caplog.text


def test_calls_of_tools_count_as_part_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.local.engine.models.model.MAX_ANSWER", 10)
    call = delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "four"}}])
    with pytest.raises(ModelFailed, match="longer than"):
        ask(call, call, call, end("tool_calls"))


def test_no_answer_wants_any_number_of_functions_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are called at the same time."""
    monkeypatch.setattr("dify_notebook.local.engine.models.model.MAX_CALLS", 2)
    asked = [{"index": index, "function": {"name": "f", "arguments": "{}"}} for index in range(3)]
    reply, _ = ask(delta(tool_calls=asked[:2]), delta(tool_calls=asked[:1]), end("tool_calls"))
    assert len(reply.calls) == 2
    with pytest.raises(ModelFailed, match="^The model wants more than 2 functions called at once$"):
        ask(delta(tool_calls=asked[:2]), delta(tool_calls=asked[2:]), end("tool_calls"))


def test_an_answer_in_one_piece_is_bounded() -> None:
    whole = {"choices": [{"message": {"content": "x" * 5_000_000}, "finish_reason": "stop"}]}
    with FakeModel(always(Said(body=whole))) as model, pytest.raises(ModelFailed, match="not JSON"):
        asyncio.run(Model(Remote(model.url), "m").ask(USER))


@pytest.mark.parametrize("begun", [False, True])
def test_a_cancelled_question_is_hung_up_on_at_once(begun: bool) -> None:
    """Before the model says anything, and in the middle, while the loop goes on."""
    left: list[bool] = []
    waiting = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if begun:
            connection.head()
            connection.event(**delta(content="a"))
        waiting.set()
        left.append(connection.wait_until_left(20))

    async def leave(server: RawServer) -> None:
        task = asyncio.ensure_future(Model(Remote(server.url), "m").ask(USER))
        assert await asyncio.to_thread(waiting.wait, 10)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.to_thread(server._threads[0].join, 10)
        assert left == [True]

    with serving(script) as server:
        asyncio.run(leave(server))


def test_a_connection_that_breaks() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        connection.event(**delta(content="a"))
        connection.reset()

    with serving(script) as server, pytest.raises(ModelFailed, match="^The model at 127.0.0.1 cannot be reached: ."):
        asyncio.run(Model(Remote(server.url), "m").ask(USER))


@pytest.mark.parametrize("whole", [True, False])
def test_a_connection_that_is_closed_in_the_middle(whole: bool) -> None:
    """Some servers close it instead of ending the body: whether the answer is whole is said by its chunks."""

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        for chunk in [delta(content="a"), *[end(), usage(3, 4)] * whole]:
            connection.event(**chunk)
        connection.close()

    with serving(script) as server:
        model = Model(Remote(server.url), "m")
        if whole:
            reply = asyncio.run(model.ask(USER))
            assert (reply.text, reply.finish_reason, reply.meter.total) == ("a", "stop", 7)
        else:
            with pytest.raises(ModelFailed, match="^The model's answer broke off before its end$"):
                asyncio.run(model.ask(USER))


class Library:
    """In the place of xllamacpp's server: says a word again and again until it is told to end."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def handle_chat_completions(self, body: dict[str, Any], on_chunk: Callable[[Any], bool]) -> Any:
        while not on_chunk(body["chunk"]):
            time.sleep(0.001)
        self.ended.set()


@pytest.mark.parametrize("chunk", [delta(content="word "), "no chunk"])
def test_a_model_in_this_process_is_ended(chunk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody waits any more, and when it says what is none."""
    library = Library()
    monkeypatch.setattr(gguf.InProcess, "_server", lambda self: library)
    model = Model(gguf.InProcess(tmp_path / "m.gguf"), "m", {"chunk": chunk})
    texts: list[str] = []

    async def short() -> None:
        asking = asyncio.ensure_future(model.ask(USER, texts.append))
        while not texts and not asking.done():
            await asyncio.sleep(0.001)
        asking.cancel()
        await asking

    with pytest.raises((asyncio.CancelledError, ModelFailed)) as caught:
        asyncio.run(short())
    assert library.ended.wait(10)
    assert bool(texts) == (caught.type is asyncio.CancelledError) == isinstance(chunk, dict)


def test_choosing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(choose(Wanted(url="http://x/v1", name="m")).backend) == "Remote('x')"
    monkeypatch.setattr(gguf, "installed", lambda: False)
    (tmp_path / "m.gguf").write_bytes(b"")
    with pytest.raises(WrongModel, match="xllamacpp"):
        choose(Wanted(name="m.gguf"), tmp_path)
    assert choose(Wanted()).backend.provider == "none"
    monkeypatch.setattr(gguf, "installed", lambda: True)
    assert choose(Wanted(name="m.gguf"), tmp_path).name == "m"
    monkeypatch.setattr(gguf, "bundled", lambda: tmp_path / "m.gguf")
    assert choose(Wanted()).name == gguf.BUNDLED
    monkeypatch.setattr(gguf, "bundled", lambda: None)
    assert choose(Wanted()).name == "none"


def test_a_model_that_is_not_installed_fails_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xllamacpp", None)
    with pytest.raises(ModelFailed, match="xllamacpp cannot be imported"):
        asyncio.run(Model(gguf.InProcess(tmp_path / "m.gguf"), "m").ask(USER))


def test_error_texts() -> None:
    assert error_text({"message": "a\n b"}) == "a b"
    assert error_text({"code": "c"}) == "c"
    assert error_text("text") == "text"
    assert error_text("") == "The model reported an error without a text"
    assert len(error_text("x" * 1000)) == 500
