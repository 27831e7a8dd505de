"""A gateway's headers go where the key goes: to the server's own origin, and nowhere else."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.config import Settings
from dify_notebook.errors import DifyError
from dify_notebook.net.doctor import examine
from dify_notebook.secret import Secret
from dify_notebook.turn.state import MessageFile

pytestmark = pytest.mark.anyio

SECRET = "gateway-canary-0123456789"
#: Of all kinds: a name of their own, names that httpx gives too, names that it treats in a way of its own.
HEADERS = {
    "X-Gateway": SECRET,
    "user-agent": f"agent {SECRET}",
    "Cookie": f"gw={SECRET}",
    "Accept-Encoding": f"gzip, {SECRET}",
    "Authorization": f"Basic {SECRET}",
}
KEY = "app-canaryCANARYcanary123456"
TRANSPORTS: list[Any] = [None, "aiohttp"]


class World:
    """The server, and another that is elsewhere: the same machine, another port."""

    def __init__(self) -> None:
        self.redirects: dict[str, str] = {}
        self.guard = threading.Lock()
        self.stack = ExitStack()
        self.own: RawServer = self.stack.enter_context(serving(lambda *told: self.script("own", *told)))
        self.other: RawServer = self.stack.enter_context(serving(lambda *told: self.script("other", *told)))

    def script(self, who: str, request: Request, connection: Connection) -> None:
        cookie = f"Set-Cookie: session={who}-cookie\r\n"
        path = request.path.partition("?")[0]
        if path in self.redirects:
            connection.reply("302 Found", b"", extra=f"Location: {self.redirects[path]}\r\n")
        elif path.endswith("/upload"):
            connection.reply("201 Created", {"id": "up", "name": "a", "size": 1})
        elif path.startswith("/file"):
            connection.reply("200 OK", b"content", "text/plain", extra=cookie)
        elif path.endswith(("/info", "/parameters")):
            connection.reply("200 OK", {"name": "a", "mode": "chat"}, extra=cookie)
        else:
            connection.reply("404 Not Found", {"code": "not_found", "message": "no"})

    @property
    def here(self) -> str:
        return self.own.url.removesuffix("/v1")

    @property
    def there(self) -> str:
        return self.other.url.removesuffix("/v1")


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with world.stack:
        yield world


async def from_url(dify: AsyncDify, url: str) -> object:
    return await dify.files.from_url(url)


async def download(dify: AsyncDify, url: str) -> object:
    with suppress(DifyError):  # a redirect is not followed
        return await dify.files.download(MessageFile(url=url))
    return None


async def fetch(dify: AsyncDify, url: str) -> object:
    return await dify.files.fetch(MessageFile(url=url))


WAYS: list[Callable[[AsyncDify, str], Any]] = [from_url, download, fetch]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("of_profile", [False, True], ids=["headers", "profile"])
async def test_no_header_reaches_another_origin(
    world: World, way: Callable[[AsyncDify, str], Any], of_profile: bool, transport: Any
) -> None:
    """Asked for there, redirected there, and redirected there from an own file."""
    world.redirects = {"/files/away": world.there + "/files/x"}
    named = {name: Secret(value) for name, value in HEADERS.items()}
    options = {"transport": transport, "files_hosts": ["127.0.0.1"]}
    if of_profile:
        settings = Settings(
            base_url=world.own.url, api_key=Secret(KEY), user="me", source="arguments", headers=tuple(named.items())
        )
        dify = AsyncDify.from_settings(settings, **options)
    else:
        dify = AsyncDify(KEY, world.own.url, "me", headers=HEADERS, **options)
    async with dify:
        await dify.app.parameters()  # so that the server has set its cookie
        await way(dify, world.here + "/files/x")
        await way(dify, world.there + "/files/x")
        await way(dify, world.here + "/files/away")
    asked = [request for request in world.other.requests if request.path == "/files/x"]
    assert asked
    for request in asked:
        said = json.dumps(request.headers)
        assert SECRET not in said
        assert KEY not in said
        assert "own-cookie" not in said
        assert request.headers["user-agent"].startswith("dify_notebook/")
        assert request.headers["accept-encoding"] == "gzip, deflate"
    own = {request.path: request.headers for request in world.own.requests}
    for path in ("/v1/parameters?user=me", "/files/x", "/files/away"):
        assert own[path]["x-gateway"] == SECRET
        assert own[path]["user-agent"] == HEADERS["user-agent"]
        assert SECRET in own[path]["cookie"]
    assert own["/v1/parameters?user=me"]["authorization"] == f"Bearer {KEY}"  # the key wins where it belongs
    assert own["/files/x"]["authorization"] == HEADERS["Authorization"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_back_at_home_they_are_put_on_again(world: World, transport: Any) -> None:
    world.redirects = {"/files/home": world.here + "/files/x", "/files/on": world.there + "/files/home"}
    async with AsyncDify(KEY, world.own.url, "me", headers=HEADERS, transport=transport) as dify:
        await dify.files.from_url(world.there + "/files/home")
        await dify.files.from_url(world.here + "/files/on")
    arrived = [request for request in world.own.requests if request.path == "/files/x"]
    assert [request.headers.get("x-gateway") for request in arrived] == [SECRET, SECRET]
    assert all(KEY not in json.dumps(request.headers) for request in arrived)
    assert all(SECRET not in json.dumps(request.headers) for request in world.other.requests)


async def test_the_api_follows_no_redirect_and_the_doctor_stays_at_home(world: World) -> None:
    world.redirects = {"/v1/info": world.there + "/v1/info", "/wrong/v1/info": world.there + "/info"}
    for base in (world.own.url, world.here + "/wrong"):
        async with AsyncDify(KEY, base, "me", headers=HEADERS) as dify:
            with pytest.raises(DifyError, match="elsewhere"):
                await dify.app.info()
            await examine(dify)
    assert world.other.requests == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_netrc_is_not_read(
    world: World, transport: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\ndefault login me password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with AsyncDify(KEY, world.own.url, "me", transport=transport) as dify:
        await dify.files.from_url(world.there + "/files/x")
        await dify.app.info()
    assert all("authorization" not in request.headers for request in world.other.requests)
    assert {request.headers["authorization"] for request in world.own.requests} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_cookie_of_the_server_s_own_stays_there(world: World, transport: Any) -> None:
    """Cookies know hosts and no ports."""
    async with AsyncDify(KEY, world.own.url, "me", transport=transport, files_hosts=["127.0.0.1"]) as dify:
        for way in WAYS:
            await way(dify, world.here + "/files/x")
            await way(dify, world.there + "/files/x")
    assert len(world.other.requests) == 3
    assert "own-cookie" not in json.dumps([request.headers for request in world.other.requests])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cookie", [b"a=\xff", b"\xc3\xa9=1", b"\x80", b"a=b; Path=/\xff"])
async def test_a_cookie_that_cannot_be_sent_again_spoils_nothing(cookie: bytes, transport: Any) -> None:
    def script(request: Request, connection: Connection) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n"
        connection.send(head + b"Set-Cookie: good=1\r\nSet-Cookie: " + cookie + b'\r\n\r\n{"name":"a","id":"1"}')

    with serving(script) as server:
        async with AsyncDify(KEY, server.url, "me", transport=transport) as dify:
            for _ in range(3):
                assert (await dify.app.info()).name == "a"
                await dify.files.from_url(server.url)
    assert "good=1" in server.requests[-1].headers["cookie"]


async def test_cookies_of_a_chain_of_redirects_elsewhere_are_kept(world: World) -> None:
    """A host that sets a cookie and looks for it again gets it, and nobody else."""
    world.redirects = {"/files/first": "/files/x"}
    async with AsyncDify(KEY, world.own.url, "me") as dify:
        await dify.files.from_url(world.there + "/files/y")
        await dify.files.from_url(world.there + "/files/first")
    assert world.other.requests[-1].headers["cookie"] == "session=other-cookie"
    assert all("cookie" not in request.headers for request in world.own.requests)


def test_the_plain_client_does_the_same(world: World, tmp_path: Path) -> None:
    with Dify(KEY, world.own.url, "me", headers=HEADERS, files_hosts=["127.0.0.1"]) as dify:
        dify.files.download(MessageFile(url=world.there + "/files/x"), to=tmp_path)
        dify.app.info()
    assert SECRET not in json.dumps([request.headers for request in world.other.requests])
    assert world.own.requests[0].headers["x-gateway"] == SECRET


async def test_what_a_call_says_of_itself_is_not_overwritten(world: World) -> None:
    headers = {"Accept": "text/x-mine", "Content-Type": "text/x-mine", "X-Gateway": "1"}
    async with AsyncDify(KEY, world.own.url, "me", headers=headers) as dify:
        await dify.app.info()
        await dify.files.upload(b"x", name="a.txt")
    asked, uploaded = world.own.requests
    assert asked.headers["accept"] == "application/json"
    assert uploaded.headers["content-type"].startswith("multipart/form-data")
    assert uploaded.headers["x-gateway"] == "1"


@pytest.mark.parametrize("headers", [{"X-Gateway\n": SECRET}, {"X-Gateway": f"{SECRET}\n"}, {"X-Gateway": f"{SECRET}é"}])
@pytest.mark.parametrize("kind", [Dify, AsyncDify])
def test_a_traceback_with_variables_shows_no_header(kind: type[Dify | AsyncDify], headers: dict[str, str]) -> None:
    told = ""
    try:
        kind(KEY, "http://127.0.0.1:9", "me", headers=headers)
    except DifyError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in shown.stack if "dify_notebook" in Path(frame.filename).parts[:-1]]
        told = "\n".join(str(frame.locals) for frame in ours if Path(frame.filename).parent.name != "unit")
    assert "Secret(...)" in told
    assert f"<{kind.__name__}" in told
    assert SECRET not in told
    assert KEY not in told
