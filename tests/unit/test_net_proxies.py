"""What the environment says of proxies and certificates: it works, or the variable and its value are named."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify, Dify, DifyError
from dify_notebook.errors import ConfigError
from dify_notebook.net.certificates import VARIABLES, context_of
from dify_notebook.net.proxies import NoProxy, Proxies, read

KEY = "app-x"
AWAY = "http://dify.example"

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:the key travels")]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in (*VARIABLES, "SSLKEYLOGFILE", "REQUEST_METHOD"):
            monkeypatch.delenv(name)


# -- reading a value -------------------------------------------------------------------

GOOD = [
    ("http://127.0.0.1:7890", "http://127.0.0.1:7890", None),
    ("127.0.0.1:7890", "http://127.0.0.1:7890", None),
    ("proxy.corp", "http://proxy.corp:80", None),
    ("HTTP://Proxy.Corp:3128/", "http://Proxy.Corp:3128", None),
    ("https://proxy.corp", "https://proxy.corp:443", None),
    (' "http://127.0.0.1:7890" ', "http://127.0.0.1:7890", None),
    ("'127.0.0.1:7890'\n", "http://127.0.0.1:7890", None),
    ("http://127.0.0.1:7890/,", "http://127.0.0.1:7890", None),
    ("http://127.0.0.1:7890/path?x#y", "http://127.0.0.1:7890", None),
    ("socks://127.0.0.1:7890/", "socks5://127.0.0.1:7890", None),
    ("socks5://127.0.0.1", "socks5://127.0.0.1:1080", None),
    ("socks5h://127.0.0.1:7891", "socks5h://127.0.0.1:7891", None),
    ("http://[::1]:7890", "http://[::1]:7890", None),
    ("[fd00::1]", "http://[fd00::1]:80", None),
    ("::1", "http://[::1]:80", None),
    ("http://me:pass@proxy:1", "http://proxy:1", ("me", "pass")),
    ("http://me:p@ss@proxy:1", "http://proxy:1", ("me", "p@ss")),
    ("http://me:p#a/s?s@proxy:1", "http://proxy:1", ("me", "p#a/s?s")),
    ("http://corp%5Cme:p%40s%25@proxy:1", "http://proxy:1", ("corp\\me", "p@s%")),
    ("http://me:100%@proxy:1", "http://proxy:1", ("me", "100%")),
    ("http://me:密码@[::1]:1", "http://[::1]:1", ("me", "密码")),
    ("me@proxy", "http://proxy:80", ("me", "")),
]


@pytest.mark.parametrize(("value", "url", "auth"), GOOD)
def test_a_proxy_is_what_curl_takes_it_for(value: str, url: str, auth: tuple[str, str] | None) -> None:
    found = read("HTTP_PROXY", value)
    assert found is not None
    assert (found.url, found.auth) == (url, auth)
    assert auth is None or (auth[1] or "?") not in found.shown


BAD = [
    ("http://127.0.0.1:notaport", "port"), ("http://127.0.0.1:0", "port"), ("127.0.0.1:99999", "port"),
    ("http://127.0.0.1:-1", "port"), ("http://127.0.0.1:٣", "port"), ("http://[::1]:x", "port"),
    ("http://", "host"), ("http://:7890", "host"), ("127.0.0.1: 7890", "port"), ("http://a b:7890", "host"),
    ("http://[::1", "host"), ("http://[nonsense]:1", "host"), ("http:127.0.0.1:7890", "host"),
    ("http://\x1b[31m:1", "host"), ("http://p\udcff:1", "host"), ('"http://127.0.0.1:1', "none of"),
    ("socks4://127.0.0.1:1", "none of"), ("socks4a://127.0.0.1:1", "none of"), ("pac+http://x/y", "none of"),
    ("ftp://127.0.0.1:1", "none of"), ("http://me:" + "x" * 256 + "@proxy:1", "255 bytes"),
    ("http://me:secret-word@proxy:none", "port"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "why"), BAD)
def test_what_is_no_proxy_is_named_with_its_variable_and_without_its_password(value: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as raised:
        read("https_proxy", value)
    told = str(raised.value)
    assert "https_proxy=" in told
    assert "secret-word" not in told
    assert "\x1b" not in told
    assert raised.value.code == "proxy"


NO = ".corp, *.lan,intra.example , 10.0.0.0/8 fd00::/8, [::2], 192.0.2.7, host:8080;[2001::1]:81, http://plain.example,"
NO += "192.168.*,'quoted.example',Großes.example, 300.1.2.3/99, ://, 2001:db8::/32"
COVERED = [
    ("a.corp", 80, True), ("corp", 80, True), ("mycorp", 80, False), ("A.CORP.", 443, True),
    ("x.lan", 80, True), ("lan.example", 80, False), ("intra.example", 1, True), ("a.b.intra.example", 1, True),
    ("notintra.example", 1, False), ("10.1.2.3", 80, True), ("11.1.2.3", 80, False), ("fd00::2", 80, True),
    ("[fd00::2]", 80, True), ("fe00::2", 80, False), ("::2", 80, True), ("::3", 80, False), ("192.0.2.7", 80, True),
    ("192.0.2.8", 80, False), ("host", 8080, True), ("host", 80, False), ("2001::1", 81, True), ("2001::1", 80, False),
    ("plain.example", 80, True), ("192.168.3.4", 80, True), ("192.16.8.4", 80, False), ("quoted.example", 80, True),
    ("xn--groes-7db.example", 80, False), ("grosses.example", 80, True), ("300.1.2.3", 80, False),
    ("2001:db8:1::5", 443, True), ("example", 80, False),
]  # fmt: skip


@pytest.mark.parametrize(("host", "port", "direct"), COVERED)
def test_no_proxy_takes_names_ports_addresses_and_networks(host: str, port: int, direct: bool) -> None:
    assert NoProxy(NO).matches(host, port) is direct


CHOSEN = [
    ({"HTTP_PROXY": "a:1"}, "http://dify.example/v1", "http://a:1"),
    ({"HTTP_PROXY": "a:1"}, "https://dify.example/v1", None),
    ({"HTTPS_PROXY": "a:1", "ALL_PROXY": "b:1"}, "https://dify.example/v1", "http://a:1"),
    ({"all_proxy": "b:1", "HTTPS_PROXY": "a:1"}, "http://dify.example/v1", "http://b:1"),
    ({"HTTP_PROXY": "a:1", "http_proxy": "b:1"}, "http://dify.example/v1", "http://b:1"),
    ({"HTTP_PROXY": "a:1", "http_proxy": ""}, "http://dify.example/v1", None),
    ({"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET"}, "http://dify.example/v1", None),
    ({"ALL_PROXY": "a:1", "NO_PROXY": "*"}, "http://dify.example/v1", None),
    ({"ALL_PROXY": "a:1", "no_proxy": "dify.example"}, "http://dify.example/v1", None),
    ({"ALL_PROXY": "a:1", "no_proxy": "dify.example:443"}, "http://dify.example/v1", "http://a:1"),
    ({"ALL_PROXY": "nonsense://"}, "http://localhost:5001/v1", None),
    ({"ALL_PROXY": "nonsense://"}, "https://[::1]/v1", None),
    ({"ALL_PROXY": "nonsense://"}, "http://127.1.2.3/v1", None),
    ({"ALL_PROXY": " "}, "http://dify.example/v1", None),
    ({"ALL_PROXY": "a:1", "NO_PROXY": "fd00::/8"}, "http://[fd00::7]/v1", None),
]


@pytest.mark.parametrize(("environ", "url", "proxy"), CHOSEN)
def test_the_proxy_for_an_address(environ: dict[str, str], url: str, proxy: str | None) -> None:
    found = Proxies(environ).of(httpx.URL(url))
    assert (found and found.url) == proxy


# -- going through ---------------------------------------------------------------------


class Socks:
    """A SOCKS 5 proxy that leads every name to one port of loopback."""

    def __init__(self, port: int, say: bytes | None = None) -> None:
        self.port, self.say = port, say
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with closing(sock), suppress(OSError):
            methods = sock.recv(300)
            if self.say is not None:
                sock.sendall(self.say)
                return
            login = b"\x02" in methods[2:]
            sock.sendall(b"\x05\x02" if login else b"\x05\x00")
            if login:
                self.asked.append(sock.recv(600))
                sock.sendall(b"\x01\x00")
            self.asked.append(sock.recv(600)[5:-2])
            sock.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", self.port))
            with socket.create_connection(("127.0.0.1", self.port)) as inner:
                inner.sendall(sock.recv(65536))
                while data := inner.recv(65536):
                    sock.sendall(data)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def info(request: Request, connection: Connection) -> None:
    connection.reply("200 OK", {"name": "behind"}, extra="Connection: close\r\n")


@pytest.fixture
def behind() -> Iterator[RawServer]:
    with serving(info) as server:
        yield server


def port_of(url: str) -> int:
    return httpx.URL(url).port or 0


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.parametrize("form", ["socks://{}", "socks5://{}/", "socks5h://{}", '"socks5://me:p%40ss@{}"'])
async def test_a_socks_proxy_is_gone_through(
    form: str, transport: Any, behind: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Socks(port_of(behind.url))) as proxy:
        monkeypatch.setenv("ALL_PROXY", form.format(proxy.place))
        async with AsyncDify(KEY, AWAY, "me", transport=transport) as dify:
            assert (await dify.app.info()).name == "behind"
        assert proxy.asked[-1] == b"dify.example"
        assert ("me:" in form) is (proxy.asked[0] == b"\x01\x02me\x04p@ss")


async def test_no_log_tells_the_login_of_a_socks_proxy(
    behind: RawServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Socks(port_of(behind.url))) as proxy, caplog.at_level("DEBUG"):
        monkeypatch.setenv("ALL_PROXY", f"socks5://me-myself:secret-word@{proxy.place}")
        async with AsyncDify(KEY, AWAY, "me") as dify:
            assert (await dify.app.info()).name == "behind"
        assert b"secret-word" in proxy.asked[0]
    assert "setup_socks5_connection.started" in caplog.text
    assert "secret-word" not in caplog.text
    assert "me-myself" not in caplog.text


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05\xff", b"\x04\x00", b""])
async def test_what_is_no_socks_proxy_is_told_with_its_variable(
    said: bytes, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Socks(0, said)) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://me:secret-word@{proxy.place}")
        async with AsyncDify(KEY, AWAY, "me", transport=transport, retry=0) as dify:
            with pytest.raises(DifyError, match=rf"ALL_PROXY=socks5://\*\*\*@{proxy.place}") as raised:
                await dify.app.info()
    assert "secret-word" not in str(raised.value)


@pytest.mark.parametrize("transport", [None, "aiohttp"])
async def test_a_proxy_that_says_nothing_to_a_greeting_is_not_waited_for(
    transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an HTTP proxy waits for the end of a line
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("ALL_PROXY", f"socks5://{place}")
        timeout = httpx.Timeout(30, connect=0.3)
        async with AsyncDify(KEY, AWAY, "me", transport=transport, retry=0, timeout=timeout) as dify, asyncio.timeout(20):
            with pytest.raises(DifyError, match=rf"ALL_PROXY=socks5://{place}.*SOCKS") as raised:
                await dify.app.info()
    assert raised.value.code == "proxy"


@pytest.mark.parametrize("url", [AWAY, "https://dify.example"])
async def test_a_proxy_that_is_not_there_or_hangs_up_is_told_with_its_variable(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(request: Request, connection: Connection) -> None:
        connection.close()

    with serving(leave) as server:
        place = f"127.0.0.1:{port_of(server.url)}"
        monkeypatch.setenv("ALL_PROXY", place)
        with pytest.raises(DifyError, match=f"ALL_PROXY={place}"):
            await AsyncDify(KEY, url, "me", retry=0).app.info()
    with pytest.raises(DifyError, match=f"ALL_PROXY={place}") as raised:
        await AsyncDify(KEY, url, "me", retry=0).app.info()
    assert raised.value.code == "proxy"


async def test_a_proxy_that_wants_a_password_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: Request, connection: Connection) -> None:
        connection.reply("407 Proxy Authentication Required", b"no", "text/plain", "Connection: close\r\n")

    with serving(refuse) as server:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port_of(server.url)}")
        with pytest.raises(DifyError, match=r"https_proxy=.*407"):
            await AsyncDify(KEY, "https://dify.example", "me", retry=0).app.info()


# -- certificates ----------------------------------------------------------------------


class Secure:
    """An https server on loopback with a certificate of its own authority."""

    def __init__(self, authority: Any) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with closing(plain), suppress(OSError), self._context.wrap_socket(plain, server_side=True) as sock:
                sock.recv(65536)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 18\r\n"
                sock.sendall(head + b'\r\n{"name": "secret"}')

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def authority() -> Any:
    return pytest.importorskip("trustme").CA()


@pytest.fixture(scope="module")
def secure(authority: Any) -> Iterator[Secure]:
    with closing(Secure(authority)) as server:
        yield server


@pytest.fixture(scope="module")
def places(authority: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files and directories by what is in them."""
    root = tmp_path_factory.mktemp("trust")
    pem = authority.cert_pem.bytes()
    made = {"good": root / "ca.pem", "commented": root / "commented.pem", "garbage": root / "garbage.pem",
            "empty": root / "empty.pem", "der": root / "ca.der"}  # fmt: skip
    made["good"].write_bytes(pem)
    made["commented"].write_bytes("# 公司根证书\n".encode() + pem)
    made["garbage"].write_bytes(b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    made["empty"].touch()
    made["der"].write_bytes(ssl.PEM_cert_to_DER_cert(pem.decode()))
    for name, files in (("plain", ["a.crt"]), ("nothing", []), ("other", ["readme.txt"])):
        made[name] = root / name
        made[name].mkdir()
        for file in files:
            (made[name] / file).write_bytes(pem)
    made["missing"] = root / "missing.pem"
    return {name: str(path) for name, path in made.items()}


TRUSTED = [
    *((name, "good", "") for name in VARIABLES),
    *((name, "plain", "") for name in VARIABLES),
    *((name, "missing", "No such file") for name in VARIABLES),
    *((name, "garbage", "no PEM certificate") for name in VARIABLES),
    ("SSL_CERT_FILE", "commented", ""), ("SSL_CERT_FILE", "empty", "no PEM certificate"),
    ("CURL_CA_BUNDLE", "der", "no PEM certificate"), ("SSL_CERT_DIR", "nothing", "the directory holds none"),
    ("REQUESTS_CA_BUNDLE", "other", "the directory holds none"), ("REQUESTS_CA_BUNDLE", "/dev/null", "no regular file"),
]  # fmt: skip


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.parametrize(("name", "place", "why"), TRUSTED)
async def test_certificates_of_the_environment_count_on_loopback_too(
    name: str, place: str, why: str, transport: Any, secure: Secure, places: dict[str, str], monkeypatch: Any
) -> None:
    monkeypatch.setenv(name, f'"{places.get(place, place)}"')
    async with AsyncDify(KEY, secure.url, "me", transport=transport, retry=0) as dify:
        if not why:
            assert (await dify.app.info()).name == "secret"
            return
        with pytest.raises(ConfigError, match=why) as raised:
            await dify.app.info()
    assert f"{name}=" in str(raised.value)
    assert places.get(place, place) in str(raised.value)
    assert raised.value.code == "tls"


async def test_several_variables_and_directories_count_together(
    secure: Secure, places: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = pytest.importorskip("trustme").CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    with pytest.raises(DifyError, match="certificate"):
        await AsyncDify(KEY, secure.url, "me", retry=0).app.info()
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join([str(tmp_path), places["plain"]]))
    assert (await AsyncDify(KEY, secure.url, "me", retry=0).app.info()).name == "secret"


async def test_certificates_that_are_not_needed_are_not_asked_for(
    behind: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at/all")
    assert (await AsyncDify(KEY, behind.url, "me").app.info()).name == "behind"


@pytest.mark.parametrize(
    ("verify", "why"),
    [("/nowhere/ca.pem", "No such file"), ("", "no path"), (Path("/nowhere"), "No such file"), (None, "NoneType"),
     (1, "int"), ("~nobody-of-that-name/ca.pem", "no home directory"), ("/dev/null", "no regular file")],
)  # fmt: skip
def test_what_verify_cannot_be_is_said_at_once(verify: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as raised:
        Dify(KEY, AWAY, "me", verify=verify)
    assert "verify" in str(raised.value)


@pytest.mark.parametrize("wrap", [str, Path])
async def test_verify_is_a_path_of_any_kind(wrap: Callable[[str], Any], secure: Secure, places: dict[str, str]) -> None:
    for name in ("good", "plain"):
        dify = AsyncDify(KEY, secure.url, "me", verify=wrap(places[name]))
        assert (await dify.app.info()).name == "secret"
    assert (await AsyncDify(KEY, secure.url, "me", verify=False).app.info()).name == "secret"


def test_secrets_of_connections_are_noted_where_that_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert context_of(True).keylog_filename == str(tmp_path / "keys")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))
    for _ in range(2):
        assert context_of(True).verify_mode is ssl.CERT_REQUIRED
    assert caplog.text.count("SSLKEYLOGFILE=") == 1


async def test_a_variable_that_is_mended_counts_at_once(
    behind: RawServer, secure: Secure, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`%env` in the next cell is enough: neither client nor kernel is made anew."""
    with closing(Socks(port_of(behind.url))) as proxy:
        async with AsyncDify(KEY, AWAY, "me", retry=0) as dify:
            for value in ("socks4://x", "127.0.0.1:notaport"):
                monkeypatch.setenv("ALL_PROXY", value)
                with pytest.raises(ConfigError, match=value):
                    await dify.app.info()
            monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.place}")
            assert (await dify.app.info()).name == "behind"
    async with AsyncDify(KEY, secure.url, "me", retry=0) as dify:
        with pytest.raises(DifyError, match="certificate"):
            await dify.app.info()
        monkeypatch.setenv("SSL_CERT_FILE", places["good"])
        assert (await dify.app.info()).name == "secret"
        monkeypatch.setenv("SSL_CERT_FILE", places["missing"])
        with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
            await dify.app.info()
