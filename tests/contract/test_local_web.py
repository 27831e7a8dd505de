"""What http-request nodes reach, and what happens where nothing answers."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from local_helpers import Client, answer_of, end_of, failure
from support.loopback import Web
from support.raw_server import Connection, Request, serving

from dify_notebook import local
from dify_notebook.local.server import LocalServer, LocalServerError

Declared = dict[str, Any]


def flow(url: str, **node: Any) -> Declared:
    nodes = [
        {"type": "start", "next": "web"},
        {"id": "web", "type": "http-request", "url": url, "next": "answer", **node},
        {"type": "answer", "answer": "{{web.status_code}} {{web.body}}"},
    ]
    return {"name": "flow", "mode": "advanced-chat", "nodes": nodes}


def serve(tmp_path: Path, app: Declared, *allow: str) -> LocalServer:
    return local.serve(data_dir=tmp_path / "data", pace=0, apps=[app], allow=allow)


def origin_of(url: str) -> str:
    return url.removesuffix("/v1")


def test_http_reaches_the_allow_list_and_nothing_else(tmp_path: Path) -> None:
    def ask(origin: str) -> Declared:
        return flow(
            origin + "{{sys.query}}",
            method="POST",
            headers={"X-Word": "{{sys.query}}", "Authorization": "Bearer hush"},
            params={"q": "a b"},
            body="<{{sys.query}}>",
        )

    with Web() as good, Web() as bad:
        with serve(tmp_path, ask(good.origin), good.origin) as one:
            events = Client(one, "flow").ask("/x")
            assert answer_of(events) == '200 {"path": "/x?q=a+b", "ok": true}'
            sent = good.asked[0]
            assert (sent["method"], sent["body"], sent["headers"]["X-Word"]) == ("POST", "</x>", "/x")
            assert "hush" not in json.dumps(events)
            events = Client(one, "flow").ask(f"/to?{bad.origin}/secret")
            assert f"{bad.origin}/secret&q=a+b is not on this server's allow-list" in failure(events)
        with serve(tmp_path, ask(good.origin)) as one:
            assert "allow-list" in failure(Client(one, "flow").ask("/x"))
        assert bad.asked == []
        assert len(good.asked) == 2


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("two words", "/find/two%20words?q=two%20words"),
        ("天气", "/find/%E5%A4%A9%E6%B0%94?q=%E5%A4%A9%E6%B0%94"),
        ("100%25", "/find/100%25?q=100%25"),
        ('"<a|b>"', "/find/%22%3Ca%7Cb%3E%22?q=%22%3Ca%7Cb%3E%22"),
    ],
)
def test_what_a_user_wrote_may_stand_in_an_address(tmp_path: Path, asked: str, path: str) -> None:
    with Web() as web, serve(tmp_path, flow(web.origin + "/find/{{sys.query}}?q={{sys.query}}"), web.origin) as one:
        events = Client(one, "flow").ask(asked)
        assert end_of(events)
        assert web.asked[0]["path"] == path


@pytest.mark.parametrize("asked", ["http://[", "http://127.0.0.1:9\u2100/"])
def test_what_is_no_address_fails_its_node(tmp_path: Path, asked: str) -> None:
    """And no more than that: a node may have a way on."""
    told = flow("{{sys.query}}", on_error="default-value", default={"status_code": 0, "body": "nothing"})
    with serve(tmp_path, flow("{{sys.query}}")) as one:
        assert failure(Client(one, "flow").ask(asked)) == "Run failed: that is no address"
    with serve(tmp_path, told) as one:
        assert end_of(Client(one, "flow").ask(asked))


def test_an_answer_is_read_in_its_own_charset(tmp_path: Path) -> None:
    def latin(_: Request, connection: Connection) -> None:
        connection.reply("200 OK", "Zürich".encode("latin-1"), "text/plain; charset=ISO-8859-1")

    with serving(latin) as web, serve(tmp_path, flow(web.url), origin_of(web.url)) as one:
        assert answer_of(Client(one, "flow").ask("x")) == "200 Zürich"


def test_silence_ends_in_time_and_holds_up_nobody(tmp_path: Path) -> None:
    """Many that wait for another machine take nothing from those who do not: an upload, a search, the end."""
    left = threading.Event()

    def silent(_: Request, connection: Connection) -> None:
        if connection.wait_until_left():
            left.set()

    with serving(silent) as web, serve(tmp_path, flow(web.url, timeout=60), origin_of(web.url)) as one:
        client = Client(one, "flow")
        waiting = [client.stream("x") for _ in range(40)]
        threads = [threading.Thread(target=next, args=(stream,)) for stream in waiting]
        for thread in threads:
            thread.start()
        assert web.wait_for(40)
        since = time.monotonic()
        with Client(one, "guide") as other:
            assert other.upload("a.csv", b"a,b\n").status_code == 201
            assert other.ask("How do I stop a cell?")[-1]["event"] == "message_end"
        assert time.monotonic() - since < 20, "not when those who wait give up, which takes 60 s"
        since = time.monotonic()
        one.close()
        assert time.monotonic() - since < 20
        assert left.wait(20)
        for thread in threads:
            thread.join()
        client.http.close()


def test_names_that_nobody_knows_yet_hold_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking a name up is waiting for another machine too."""
    known, looking, look_up = threading.Event(), threading.Semaphore(0), socket.getaddrinfo

    def slow(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("slow.test", b"slow.test"):
            return look_up(host, *args, **kwargs)
        looking.release()
        known.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with serve(tmp_path, flow("http://slow.test/x", timeout=60), "http://slow.test") as one:
        client = Client(one, "flow")
        threads = [threading.Thread(target=next, args=(client.stream("x"),)) for _ in range(40)]
        for thread in threads:
            thread.start()
        assert all(looking.acquire(timeout=20) for _ in threads)
        with Client(one, "guide") as other:
            assert other.upload("a.csv", b"a,b\n").status_code == 201
        one.close()
        assert not known.is_set(), "nobody waited for it"
        assert not one.alive
        for thread in threads:
            thread.join()
        client.http.close()
    known.set()


def test_an_answer_in_drops_ends_in_time(tmp_path: Path) -> None:
    """The bound is for the whole, not for each byte."""

    def drops(_: Request, connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nX-Drop: ")
        while not connection.wait_until_left(0.05):
            connection.send(b"x")

    with serving(drops) as web, serve(tmp_path, flow(web.url, timeout=0.4), origin_of(web.url)) as one:
        since = time.monotonic()
        message = failure(Client(one, "flow").ask("x"))
        assert time.monotonic() - since < 10
        assert "longer than 0.4 s" in message


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "localhost", "ftp://127.0.0.1", "http://", "http://u:p@a", ""])
def test_what_is_no_origin_is_told(tmp_path: Path, text: str) -> None:
    for option in ("allow", "cors"):
        with pytest.raises(LocalServerError, match=f"^{option}: .* is no origin"):
            local.serve(data_dir=tmp_path, **{option: [text]})  # type: ignore[arg-type]  # either takes texts


def test_a_path_would_promise_too_much(tmp_path: Path) -> None:
    for text in ("http://127.0.0.1:8080/api", "http://127.0.0.1:8080?x", "http://127.0.0.1:8080//"):
        with pytest.raises(LocalServerError, match="write http://127.0.0.1:8080$"):
            local.serve(data_dir=tmp_path, allow=[text])
    with local.serve(data_dir=tmp_path, allow=["http://127.0.0.1:8080/"], cors=["http://127.0.0.1:3000/", "*", "null"]):
        pass
    with local.serve(data_dir=tmp_path, allow="http://127.0.0.1:8080", cors="http://127.0.0.1:3000"):
        pass
