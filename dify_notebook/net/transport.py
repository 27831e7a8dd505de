"""How requests leave: pools, timeouts, proxies, and the key at the last moment."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import suppress
from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import Request

import httpx

from .._version import __version__
from ..config import Secret, Settings
from ..errors import ConfigError, ConnectError, DifyError, TimeoutException
from ..i18n import t
from ..logs import logger
from .bounds import ENCODINGS
from .certificates import context_of, settings_of
from .certificates import given as certificates
from .defaults import CONNECTIONS
from .exceptions import mapped_to_httpx
from .limiter import MOST_CONNECTIONS, SPARE, AdaptiveLimiter, Permit, check_connections
from .proxy_transport import ProxyTransport
from .retry import check_seconds

for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    logger(_name)  # they write whole addresses, signed ones too, and a server's headers as they came

#: Seconds. Reading waits above the server's ping, which comes every 10 s, also before
#: the first event and so before the response headers.
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)

#: gunicorn closes idle connections early; a chat message must not meet a closing one.
KEEPALIVE_SECONDS = 1.0

#: Connections of one httpx client. Its pool looks through all of them for every request, so several
#: small pools serve many connections better than one large one (see tests/benchmarks/bench_paging.py).
POOL = 4


class KeyAuth(httpx.Auth):
    """Adds the key when the request leaves, and only for the server that it belongs to."""

    def __init__(self, key: Secret, base_url: str) -> None:
        self._key = key
        self._origin = origin(base_url)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if origin(str(request.url)) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class OwnHeaders:
    """The headers of a gateway or a profile, for the server alone that the key belongs to.

    A request hook of httpx, which is asked again at every redirect: they are put on as a request leaves
    for that server, and taken off what a redirect takes elsewhere. What a call itself says (its type,
    what it accepts, the key) stays.
    """

    def __init__(self, headers: Mapping[str, Secret], base_url: str) -> None:
        self._headers = headers
        self._origin = origin(base_url)

    async def __call__(self, request: httpx.Request) -> None:
        own = origin(str(request.url)) == self._origin
        for name, value in self._headers.items():
            lowered = name.lower()
            if lowered in _THE_CALL_S and lowered in request.headers:
                continue
            if own:
                request.headers[name] = value.reveal()
            elif lowered in _USUAL:
                request.headers[name] = _USUAL[lowered]
            elif lowered != "host":  # httpx writes it anew for another server
                request.headers.pop(name, None)


class _Cookies(DefaultCookiePolicy):
    """Which cookies are kept: those that can be sent again, since httpx fails on others with every later request.

    Args:
        not_of: an origin whose cookies are not: cookies know hosts and no ports, and would go to another one's.
    """

    def __init__(self, not_of: tuple[str, str, int] | None) -> None:
        super().__init__()
        self._not_of = not_of

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        said = f"{cookie.name}{cookie.value}{cookie.path}"
        return said.isascii() and origin(request.get_full_url()) != self._not_of and super().set_ok(cookie, request)


#: Headers that a request has anyway, where nobody gave others.
_USUAL = {
    "user-agent": f"dify_notebook/{__version__}",
    "accept-encoding": ENCODINGS,
    "accept": "*/*",
    "connection": "keep-alive",
}
#: Headers that a call knows better than whoever made the client.
_THE_CALL_S = frozenset(("accept", "authorization", "content-type", "content-length", "transfer-encoding"))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class LoopPool:
    """The connections of one running loop: a gate, and behind it clients of four connections each.

    Args:
        make: makes a client of so many connections, with the key or without.
    """

    def __init__(self, make: Callable[[int, bool], httpx.AsyncClient], gate: AdaptiveLimiter) -> None:
        self.gate = gate
        self._make = make
        self._pool = POOL
        self._clients: list[list[Any]] = []  # [client, requests under way]
        self._aside: httpx.AsyncClient | None = None
        self._away: httpx.AsyncClient | None = None

    async def send(
        self,
        build: Callable[[httpx.AsyncClient], httpx.Request],
        *,
        aside: bool = False,
        away: bool = False,
        owner: object | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request, its body unread; its place is free again when the response is closed.

        Args:
            aside: past the gate, on a connection of its own: a stop must not wait for streams to end.
            away: to an address that someone else wrote, on a client that has no key and no cookie of the server's.
            owner: of an answer that stays open: who opens it. `place_of` the response knows it.

        Raises:
            InputError: there is no place for it, see `AdaptiveLimiter`.
        """
        if aside:
            self._aside = self._aside or self._make(POOL, True)
            return await _sent(self._aside, build(self._aside), **options)
        place = await self.gate.enter(owner)
        pool: list[Any] | None = None
        try:
            if away:
                client = self._away = self._away or self._make(MOST_CONNECTIONS + SPARE, False)
            else:
                pool = self._pool_with_room()
                client = pool[0]
            response = await _sent(client, build(client), **options)
        except BaseException:
            self._leave(place, pool)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, lambda: self._leave(place, pool))
        response.extensions[_PLACE] = place
        return response

    def _pool_with_room(self) -> list[Any]:
        for pool in self._clients:
            if pool[1] < self._pool:  # fill one before the next: connections stay warm
                break
        else:
            pool = [self._make(self._pool, True), 0]
            self._clients.append(pool)
        pool[1] += 1
        return pool

    def _leave(self, place: Permit, pool: list[Any] | None) -> None:
        if pool is not None:
            pool[1] -= 1
        self.gate.leave(place)

    async def aclose(self) -> None:
        """Hang up everywhere."""
        for client in [*(pool[0] for pool in self._clients), self._aside, self._away]:
            if client is not None:
                await client.aclose()


async def _sent(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
    with mapped_to_httpx(request):
        return await client.send(request, stream=True, **options)


_PLACE = "dify_notebook.place"


def place_of(response: httpx.Response) -> Permit | None:
    """The place that an open response holds; None for one that went past the gate."""
    return response.extensions.get(_PLACE)


class _Counted(httpx.AsyncByteStream):
    """A response's body that says when it is closed, once."""

    def __init__(self, inner: httpx.AsyncByteStream, closed: Callable[[], None]) -> None:
        self._inner = inner
        self._closed: Callable[[], None] | None = closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with mapped_to_httpx():
            async for part in self._inner:
                yield part

    async def aclose(self) -> None:
        closed, self._closed = self._closed, None
        try:
            await self._inner.aclose()
        finally:
            if closed is not None:
                closed()


class LoopPools:
    """The connections of each running loop, made on first use and closed with the loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        headers: Mapping[str, str | Secret] | None,
        verify: bool | str | os.PathLike[str] | ssl.SSLContext,
        timeout: httpx.Timeout | float | None,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None,
        connections: int = CONNECTIONS,
    ) -> None:
        self._settings = settings
        given = {name: _header(name, value) for name, value in Secret.hide_all(headers).items()}
        self._own_headers = OwnHeaders({**dict(settings.headers), **given}, settings.base_url)
        self._verify = certificates(verify)
        self._context: tuple[object, ssl.SSLContext] | None = None
        given_whole = timeout is None or isinstance(timeout, httpx.Timeout | tuple)
        self._timeout = (timeout or DEFAULT_TIMEOUT) if given_whole else check_seconds(timeout)
        self._transport = transport
        self._direct = _transport_kind(transport)
        self.answered = False
        """Whether the server ever answered."""
        self.connections = check_connections(connections)
        self._halls: dict[int, tuple[asyncio.AbstractEventLoop, LoopPool, AsyncGenerator[None, None]]] = {}
        self._pid = os.getpid()

    async def hall(self) -> LoopPool:
        """The connections of the running loop."""
        if os.getpid() != self._pid:  # after a fork the parent's sockets are not ours
            _left_to_the_parent.append(self._halls)
            self._halls, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        for key in [key for key, (other, _, _) in self._halls.items() if other.is_closed()]:
            del self._halls[key]
        found = self._halls.get(id(loop))
        if found:
            return found[1]
        hall = LoopPool(self._make, AdaptiveLimiter(self.connections, httpx.Timeout(self._timeout).pool))
        # asyncio.run closes its generators before its loop: that is when ours hangs up.
        keeper = _keep(hall)
        await anext(keeper)
        self._halls[id(loop)] = (loop, hall, keeper)
        return hall

    def _make(self, connections: int, keyed: bool) -> httpx.AsyncClient:
        given = self._transport if isinstance(self._transport, httpx.AsyncBaseTransport) else None
        client = httpx.AsyncClient(
            auth=KeyAuth(self._settings.api_key, self._settings.base_url) if keyed else None,
            headers=_USUAL,
            event_hooks={"request": [self._own_headers]},
            timeout=self._timeout,
            trust_env=False,  # the environment is read by `ProxyTransport`
            follow_redirects=False,
            transport=given or self._doors(connections, keyed),
        )
        client.cookies.jar.set_policy(_Cookies(None if keyed else origin(self._settings.base_url)))
        return client

    def _doors(self, connections: int, keyed: bool) -> ProxyTransport:
        limits = httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_SECONDS)

        def make(proxy: httpx.Proxy | None, trust: ssl.SSLContext | bool) -> httpx.AsyncBaseTransport:
            # Files of elsewhere come by httpx: aiohttp would keep the cookies of all hosts in a jar of its own. What
            # goes through a proxy does too: aiohttp knows no SOCKS.
            if keyed and proxy is None:
                return self._direct(verify=trust, trust_env=False, limits=limits)
            return httpx.AsyncHTTPTransport(verify=trust, trust_env=False, limits=limits, proxy=proxy)

        return ProxyTransport(make, self._trust)

    def _trust(self) -> ssl.SSLContext:
        said = settings_of(self._verify)
        if self._context is None or self._context[0] != said:  # they take 12 ms to read: once for all clients
            self._context = said, context_of(self._verify)
        return self._context[1]

    async def aclose(self) -> None:
        """Hang up, in the running loop."""
        found = self._halls.pop(id(asyncio.get_running_loop()), None)
        if found:
            await found[2].aclose()


def _header(name: str, value: object) -> Secret:
    # No variable holds what is revealed: verbose tracebacks show them.
    if not isinstance(value, Secret) or not _is_header(name, value):
        raise ConfigError(t("net.bad_header", name=repr(name)), code="headers")
    return value


def _is_header(name: str, value: Secret) -> bool:
    return value.reveal().isascii() and (value.reveal() + name).replace("\t", " ").isprintable()


def _transport_kind(transport: httpx.AsyncBaseTransport | str | None) -> Callable[..., httpx.AsyncBaseTransport]:
    """httpx's own transport, or the one that speaks through aiohttp where that was asked for.

    Raises:
        ConfigError: aiohttp was asked for and is not installed, or the name is another.
    """
    if not isinstance(transport, str):
        return httpx.AsyncHTTPTransport
    if transport != "aiohttp":
        raise ConfigError(t("net.bad_transport", value=repr(transport)), code="transport")
    try:
        from httpx_aiohttp import AiohttpTransport
    except ImportError:
        pass
    else:
        return AiohttpTransport
    raise ConfigError(t("net.no_aiohttp"), code="transport")


_left_to_the_parent: list[Any] = []  # kept, so that nothing in a forked child closes them


async def _keep(hall: LoopPool) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the loop went without a word
            await hall.aclose()


UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
"""What is raised where nothing of a request arrived at the server."""


def as_error(problem: Exception, attempted: str, host: str) -> DifyError:
    """What a failure of the connection is called here. Carries no request, so no key."""
    words = str(problem) or type(problem).__name__
    if isinstance(problem, httpx.TimeoutException):
        return TimeoutException(t("net.timeout", host=host), code="timeout", attempted=attempted)
    if isinstance(problem, httpx.ConnectError):
        code = "tls" if "certificate" in words.lower() or "ssl" in words.lower() else "connect"
        return ConnectError(t("net.no_connection", host=host, problem=words), code=code, attempted=attempted)
    if isinstance(problem, httpx.ProxyError):
        return ConnectError(t("net.proxy", problem=words), code="proxy", attempted=attempted)
    return ConnectError(t("net.lost", host=host, problem=words), code="connection", attempted=attempted)
