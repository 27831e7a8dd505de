"""What the embedded server fetches for others: from where, what it sends along, how much it takes, when it hangs up."""

from __future__ import annotations

import asyncio
import errno
import gzip
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from support.loopback import Web, closed_origin
from support.raw_server import Connection, RawServer, Request, Script, serving

from dify_notebook.local.engine.fetch import Fetched, FetchFailed, Refused, fetch, request_target

EMPTY = "Content-Length: 0\r\n"


def origin_of(server: RawServer) -> str:
    return server.url.removesuffix("/v1")


def get(url: str, *allow: str, **options: Any) -> Fetched:
    return asyncio.run(fetch(url, allow=allow, **options))


def moved(places: dict[str, str], status: str = "302 Found", extra: str = "") -> Script:
    """A server that redirects from some paths to elsewhere, and answers `here` at all others."""

    def script(request: Request, connection: Connection) -> None:
        if request.path in places:
            connection.reply(status, b"moved", "text/plain", f"Location: {places[request.path]}\r\n{extra}")
        else:
            connection.reply("200 OK", b"here", "text/plain")

    return script


def nobody_comes(request: Request, connection: Connection) -> None:
    connection.reply("200 OK", b"secret", "text/plain")


# -- where to --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("form", ["http://{}/x", "//{}/x", "HTTP://{}/x", "http://u:p@{}/x", "http:\\\\{}/x"])
def test_the_allow_list_holds_at_every_redirect(status: str, form: str) -> None:
    with serving(nobody_comes) as bad:
        away = form.format(origin_of(bad).removeprefix("http://"))
        with serving(moved({"/a": "/b", "/b": "/c", "/c": away}, status)) as good:
            home = origin_of(good)
            if "\\" in form:  # no address: a path of the same server, which is asked for it
                assert get(f"{home}/a", home).body == b"here"
            else:
                with pytest.raises(Refused, match="is not on this server's allow-list") as caught:
                    get(f"{home}/a", home)
                assert "u:p" not in str(caught.value)
        assert bad.requests == []


def test_a_redirect_within_the_allow_list_is_followed() -> None:
    with serving(nobody_comes) as there, serving(moved({"/a": origin_of(there) + "/x"})) as here:
        answer = get(origin_of(here) + "/a", origin_of(here), origin_of(there))
        assert (answer.body, answer.url) == (b"secret", origin_of(there) + "/x")


def test_five_redirects_and_no_more() -> None:
    chain = {f"/{number}": f"/{number + 1}" for number in range(6)}
    with serving(moved(chain)) as server:
        assert get(origin_of(server) + "/1", origin_of(server)).body == b"here"
        with pytest.raises(FetchFailed, match="^too many redirects$"):
            get(origin_of(server) + "/0", origin_of(server))
        assert [one.path for one in server.requests[-6:]] == [f"/{number}" for number in range(6)]


@pytest.mark.parametrize("place", ["http://[", "http://[::1", "//[x"])
def test_a_redirect_to_what_is_no_address(place: str) -> None:
    told = pytest.raises((FetchFailed, Refused), match=r"no address|allow-list")
    with serving(moved({"/a": place})) as server, told:
        get(origin_of(server) + "/a", origin_of(server))


def test_the_environment_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is used, no login of a `.netrc` sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, closed_origin())
    with serving(moved({})) as server:
        assert get(origin_of(server) + "/a", origin_of(server)).body == b"here"
        assert "authorization" not in server.requests[0].headers


def test_https_trusts_what_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = pytest.importorskip("trustme").CA()
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Web(context) as web:
        with pytest.raises(FetchFailed, match="CERTIFICATE_VERIFY_FAILED"):
            get(web.origin + "/a", web.origin)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert get(web.origin + "/a", web.origin).status == 200


# -- what is sent ----------------------------------------------------------------------------


def test_what_the_author_wrote_goes_to_the_first_origin_only() -> None:
    headers = {"X-Key": "hush", "Authorization": "Bearer hush"}
    with serving(moved({})) as there, serving(moved({"/home": "/x", "/away": origin_of(there)})) as here:
        for path in ("/home", "/away"):
            get(origin_of(here) + path, origin_of(here), origin_of(there), headers=headers)
        assert [one.headers.get("x-key") for one in here.requests] == ["hush", "hush", "hush"]
        assert "hush" not in str(there.requests[0].headers)


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", "301 Moved", ("GET", b"")),
        ("POST", "302 Found", ("GET", b"")),
        ("PUT", "303 See Other", ("GET", b"")),
        ("POST", "307 Temporary", ("POST", b"body")),
        ("PUT", "308 Permanent", ("PUT", b"body")),
        ("HEAD", "302 Found", ("HEAD", b"")),
    ],
)
def test_the_method_after_a_redirect(method: str, status: str, then: tuple[str, bytes]) -> None:
    def script(request: Request, connection: Connection) -> None:
        place = "Location: /b\r\n" if request.path == "/a" else ""
        connection.send(f"HTTP/1.1 {status if place else '200 OK'}\r\n{place}{EMPTY}\r\n".encode())

    with serving(script) as server:
        body = None if method == "HEAD" else b"body"
        get(origin_of(server) + "/a", origin_of(server), method=method, body=body)
        assert [(one.method, one.body) for one in server.requests] == [(method, body or b""), then]


def test_what_only_the_connection_may_say_is_not_the_authors() -> None:
    headers = {"Host": "elsewhere", "content-length": "3", "Transfer-Encoding": "chunked", "Connection": "close", "X": "1"}
    with serving(moved({})) as server:
        get(origin_of(server) + "/a", origin_of(server), method="POST", body=b"a body", headers=headers)
        (request,) = server.requests
    assert request.headers == {
        "host": origin_of(server).removeprefix("http://"), "x": "1", "accept-encoding": "identity", "content-length": "6",
    }  # fmt: skip
    assert request.body == b"a body"


def test_cookies_are_not_sent_back() -> None:
    with serving(moved({"/a": "/b"}, extra="Set-Cookie: id=1\r\n")) as server:
        get(origin_of(server) + "/a", origin_of(server))
        assert "cookie" not in server.requests[1].headers


def test_values_of_headers() -> None:
    """As latin-1, and without blanks around, which belong to no value. What cannot be sent is told without the value."""
    with Web() as web:
        words = {"X-Padded": " padded\t", "X-Empty": "", "X-Inside": "a\tb", "X-Place": "Zürich"}
        get(web.origin + "/a", web.origin, headers=words)
        sent = web.asked[0]["headers"]
        assert {name: sent[name] for name in words} == {**words, "X-Padded": "padded"}
        for value in ("hush\x00", "hush\x0b1", "hush 天气"):
            with pytest.raises(FetchFailed) as caught:
                get(web.origin + "/a", web.origin, headers={"X-Key": value})
            assert str(caught.value) == f"{web.origin}/a: a header holds what cannot be sent"
        assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("?q=1", "/?q=1"),
        ("/a/../b/./c?d=../e", "/a/../b/./c?d=../e"),
        ("//a//b", "//a//b"),
        ("/two words?q=two words", "/two%20words?q=two%20words"),
        ("/天气?q=天气", "/%E5%A4%A9%E6%B0%94?q=%E5%A4%A9%E6%B0%94"),
        ("/100%25/50%?q=50%", "/100%25/50%?q=50%"),
        ('/"<a|b>"\\^`{}[]?q="<a|b>"[]', "/%22%3Ca%7Cb%3E%22%5C%5E%60%7B%7D%5B%5D?q=%22%3Ca%7Cb%3E%22%5B%5D"),
        ("/a?b?c&d=e;f#part", "/a?b?c&d=e;f"),
        ("/\ud83d", "/%3F"),
        ("/" + "x" * 50_000, "/" + "x" * 50_000),
    ],
)
def test_addresses_go_out_as_they_were_quoted(path: str, target: str) -> None:
    with serving(moved({})) as server:
        assert request_target(origin_of(server) + path) == target
        get(origin_of(server) + path, origin_of(server))
        assert server.requests[0].path == target


# -- what is taken ---------------------------------------------------------------------------


def test_what_is_compressed_is_not_blown_up() -> None:
    """None is asked for; what a server compresses all the same stays as it came."""
    bomb = gzip.compress(bytes(1_000_000))

    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", bomb, extra="Content-Encoding: gzip\r\n")

    with serving(script) as server:
        assert get(origin_of(server) + "/a", origin_of(server), limit=len(bomb)).body == bomb
        assert server.requests[0].headers["accept-encoding"] == "identity"
        with pytest.raises(FetchFailed, match=f"larger than {len(bomb) - 1} bytes"):
            get(origin_of(server) + "/a", origin_of(server), limit=len(bomb) - 1)


def test_an_endless_body_is_left() -> None:
    left: list[bool] = []

    def script(request: Request, connection: Connection) -> None:
        connection.head()
        try:
            while True:
                connection.chunk(bytes(10_000))
        except OSError:
            left.append(True)

    with serving(script) as server:
        with pytest.raises(FetchFailed, match="larger than 100000 bytes"):
            get(origin_of(server) + "/a", origin_of(server), limit=100_000)
        server._threads[0].join(10)
    assert left == [True]


def test_half_a_body_is_none() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.close()

    with serving(script) as server, pytest.raises(FetchFailed, match="without sending complete message body"):
        get(origin_of(server) + "/a?sign=hush", origin_of(server))


def test_answers_without_a_body() -> None:
    def script(request: Request, connection: Connection) -> None:
        status = "204 No Content" if request.method == "GET" else "200 OK"
        length = "" if request.method == "GET" else "Content-Length: 5\r\n"
        connection.send(f"HTTP/1.1 {status}\r\n{length}X-A: 1\r\nx-a: Z\xfcrich\r\n\r\n".encode("latin-1"))

    with serving(script) as server:
        for method, status in (("HEAD", 200), ("GET", 204)):
            answer = get(origin_of(server) + "/a", origin_of(server), method=method)
            assert (answer.status, answer.body, answer.headers["x-a"]) == (status, b"", "Zürich")


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("; charset=ISO-8859-1", "Zürich".encode("latin-1"), "Zürich"),
        ("; charset=gbk", "天气".encode("gbk"), "天气"),
        ("", "天气".encode(), "天气"),
        ("; charset=utf-8", b"a\xff", "a\ufffd"),
        ("; charset=x-nobody-knows", b"a", "a"),
        ("; charset=hex", b"a", "a"),
        ("; charset=idna", b"a", "a"),
        ("; charset=utf-7", b"+AGE-", "+AGE-"),
        ("; charset=unicode_escape", rb"\u0061", r"\u0061"),
        ("; charset=EUC-JP", "天気".encode("euc_jp"), "天気"),
        ("; charset=windows-1252", b"\x80", "€"),
        ("; charset=\x00", b"a", "a"),
    ],
)
def test_texts_in_their_charset(charset: str, body: bytes, text: str) -> None:
    assert Fetched(200, {"content-type": f"text/plain{charset}"}, body, "http://x/").text == text


# -- what goes wrong -------------------------------------------------------------------------


def test_a_content_type_is_read_as_far_as_it_is_one() -> None:
    for padding, text in ((10, "Zürich"), (2_000, "Z\ufffdrich")):
        kind = f"text/plain; note={'x' * padding}; charset=latin-1"
        assert Fetched(200, {"content-type": kind}, "Zürich".encode("latin-1"), "").text == text


def test_errors_name_the_address_without_its_query() -> None:
    nothing = closed_origin()
    with pytest.raises(FetchFailed) as caught:
        get(f"{nothing}/a?sign=hush", nothing)
    assert str(caught.value) == f"{nothing}/a: [Errno {errno.ECONNREFUSED}] Connection refused"
    with pytest.raises(Refused) as refused:
        get("http://me:hush@127.0.0.1:9/a?sign=hush", "http://127.0.0.1:9")
    assert str(refused.value) == "http://127.0.0.1:9/a is not on this server's allow-list"


@pytest.mark.parametrize("rude", [Connection.reset, Connection.close, lambda one: one.send(b"\x05\xff no http\r\n\r\n")])
def test_a_connection_that_breaks_is_a_failure(rude: Any) -> None:
    with serving(lambda _, connection: rude(connection)) as server:
        with pytest.raises(FetchFailed, match=f"^{origin_of(server)}/a: .") as caught:
            get(origin_of(server) + "/a?sign=hush", origin_of(server))
        assert "hush" not in str(caught.value)


def test_hanging_up_on_who_says_nothing_of_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"

        async def ask() -> None:
            with pytest.raises(FetchFailed, match="longer than"):
                await fetch(address, allow=[address], timeout=0.3)
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                while await asyncio.to_thread(connection.recv, 4096):
                    pass

        asyncio.run(ask())


@pytest.mark.parametrize(
    ("head", "told"),
    [(b"hush-hush\r\n", "illegal status line"), (b"HTTP/1.1 200 OK\r\nhush-hush\r\n", "illegal header line")],
)
def test_what_is_no_http_is_not_shown(head: bytes, told: str) -> None:
    """It may be a cookie."""

    def script(request: Request, connection: Connection) -> None:
        connection.send(head + b"\r\n")
        connection.close()

    with serving(script) as server, pytest.raises(FetchFailed, match=f"/a: {told}$"):
        get(origin_of(server) + "/a", origin_of(server))


def test_all_of_it_takes_no_longer_than_it_may() -> None:
    """A redirect does not begin the time anew."""

    def script(request: Request, connection: Connection) -> None:
        if not connection.wait_until_left(0.15):
            connection.reply("302 Found", b"", extra="Location: /next\r\n")

    with serving(script) as server, pytest.raises(FetchFailed, match="/a: it took longer than 0.4 s$"):
        get(origin_of(server) + "/a?sign=hush", origin_of(server), timeout=0.4)


@pytest.mark.parametrize("where", ["head", "body"])
def test_hanging_up_when_nobody_waits(where: str) -> None:
    left: list[bool] = []
    waiting = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if where == "body":
            connection.head()
            connection.chunk(b"a")
        waiting.set()
        left.append(connection.wait_until_left(20))

    async def leave(server: RawServer) -> None:
        task = asyncio.ensure_future(fetch(server.url, allow=[origin_of(server)], timeout=60))
        assert await asyncio.to_thread(waiting.wait, 10)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.to_thread(server._threads[0].join, 10)
        assert left == [True], "while the loop goes on"

    with serving(script) as server:
        asyncio.run(leave(server))
