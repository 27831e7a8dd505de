"""How requests leave: pools, timeouts, proxies, and the key at the last moment."""

from __future__ import annotations

import asyncio
import copy
import logging
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
from ..logs import hide_headers, logger
from .bounds import ENCODINGS
from .certificates import context_of, parse_verify, settings_of
from .defaults import CONNECTIONS
from .exceptions import mapped_to_httpx
from .limiter import MAX_CONNECTIONS, SPARE, AdaptiveLimiter, PacedLimiter, Permit, check_connections
from .proxy_transport import ProxyTransport
from .retry import check_seconds

for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks"):
    logger(_name)  # they write whole addresses, signed ones too, and what a server and a proxy say

#: Seconds. Reading waits above the server's ping, which comes every 10 s, also before
#: the first event and so before the response headers.
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)

#: gunicorn closes idle connections early; a chat message must not meet a closing one.
KEEPALIVE_SECONDS = 1.0

#: Connections of one httpx client. Its pool looks through all of them for every request, so several
#: small pools serve many connections better than one large one (see tests/benchmarks/bench_paging.py).
POOL = 2


class KeyAuth(httpx.Auth):
    """Adds the key when the request leaves, and only for the server that it belongs to."""

    def __init__(self, key: Secret, base_url: str) -> None:
        self._key = key
        self._origin = origin(base_url)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if origin(str(request.url)) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class ServerHeaders:
    """The headers of a gateway or a profile, for the server alone that the key belongs to.

    A request hook of httpx, which is asked again at every redirect: they are put on as a request leaves
    for that server, and taken off what a redirect takes elsewhere. What a call itself says (its type,
    what it accepts, the key) stays.
    """

    def __init__(self, headers: Mapping[str, Secret], base_url: str) -> None:
        self._headers = headers
        self._origin = origin(base_url)

    async def __call__(self, request: httpx.Request) -> None:
        same_origin = origin(str(request.url)) == self._origin
        for name, value in self._headers.items():
            lowered = name.lower()
            if lowered in _PER_CALL and lowered in request.headers:
                continue
            if same_origin:
                request.headers[name] = value.reveal()
            elif lowered in _DEFAULT_HEADERS:
                request.headers[name] = _DEFAULT_HEADERS[lowered]
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
        text = f"{cookie.name}{cookie.value}{cookie.path}"
        return text.isascii() and origin(request.get_full_url()) != self._not_of and super().set_ok(cookie, request)


#: Headers that a request has anyway, where nobody gave others.
_DEFAULT_HEADERS = {
    "user-agent": f"dify_notebook/{__version__}",
    "accept-encoding": ENCODINGS,
    "accept": "*/*",
    "connection": "keep-alive",
}
#: Headers that a call knows better than whoever made the client.
_PER_CALL = frozenset(("accept", "authorization", "content-type", "content-length", "transfer-encoding"))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class LoopPool:
    """The connections of one running loop: a limiter, and behind it clients of `POOL` connections each.

    Args:
        make: makes a client of so many connections, with the key or without.
    """

    def __init__(self, make: Callable[[int, bool], httpx.AsyncClient], limiter: AdaptiveLimiter) -> None:
        self.limiter = limiter
        self._make = make
        self._active: dict[httpx.AsyncClient, int] = {}  # requests under way of each client
        self._bypass: httpx.AsyncClient | None = None
        self._external: httpx.AsyncClient | None = None

    async def send(
        self,
        build: Callable[[httpx.AsyncClient], httpx.Request],
        *,
        bypass: bool = False,
        external: bool = False,
        owner: object | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request, its body unread; its permit is given back when the response is closed.

        Args:
            bypass: past the limiter, on a connection of its own: a stop must not wait for streams to end.
            external: to an address that someone else wrote, on a client that has no key and no cookie of the server's.
            owner: of an answer that stays open: who opens it. `permit_of` the response knows it.

        Raises:
            InputError: it gets no permit, see `AdaptiveLimiter`.
        """
        if bypass:
            self._bypass = self._bypass or self._make(MAX_CONNECTIONS, True)  # all answers may be stopped at once
            return await _send(self._bypass, build(self._bypass), **options)
        permit = await self.limiter.acquire(owner)
        client: httpx.AsyncClient | None = None
        try:
            if external:
                client = self._external = self._external or self._make(MAX_CONNECTIONS + SPARE, False)
            else:
                client = self._client_with_room()
            response = await _send(client, build(client), **options)
        except BaseException:
            self._release(permit, client)
            raise
        if response.is_closed:  # httpx.MockTransport gives its whole body at once: nobody will close it
            self._release(permit, client)
            return response
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _ReleasingStream(response.stream, lambda: self._release(permit, client))
        response.extensions[_PERMIT] = permit
        return response

    def _client_with_room(self) -> httpx.AsyncClient:
        # One is filled before the next: connections stay warm.
        client = next((client for client, active in self._active.items() if active < POOL), None)
        client = client or self._make(POOL, True)
        self._active[client] = self._active.get(client, 0) + 1
        return client

    def _release(self, permit: Permit, client: httpx.AsyncClient | None) -> None:
        if client in self._active:
            self._active[client] -= 1
        self.limiter.release(permit)

    async def aclose(self) -> None:
        """Hang up everywhere."""
        for client in [*self._active, self._bypass, self._external]:
            if client is not None:
                await client.aclose()


async def _send(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
    if _HTTP11.isEnabledFor(logging.DEBUG):
        request.extensions["trace"] = _trace
    with mapped_to_httpx(request):
        return await client.send(request, stream=True, **options)


_HTTP11 = logger("httpcore.http11")


async def _trace(event: str, info: dict[str, Any]) -> None:
    hide_headers(event, info)


_PERMIT = "dify_notebook.permit"


def permit_of(response: httpx.Response) -> Permit | None:
    """The permit that an open response holds; None for one that went past the limiter."""
    return response.extensions.get(_PERMIT)


class _ReleasingStream(httpx.AsyncByteStream):
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


class _Lent(httpx.AsyncBaseTransport):
    """Somebody else's transport, who closes it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


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
        own = {name: _header(name, value) for name, value in Secret.hide_all(headers).items()}
        self._own_headers = ServerHeaders({**dict(settings.headers), **own}, settings.base_url)
        self._verify = parse_verify(verify)
        self._cached_context: tuple[object, ssl.SSLContext] | None = None
        is_complete = timeout is None or isinstance(timeout, httpx.Timeout | tuple)
        self._timeout = (timeout or DEFAULT_TIMEOUT) if is_complete else check_seconds(timeout)
        self._transport = transport
        self._direct = _transport_kind(transport)
        self.answered = False
        """Whether the server ever answered."""
        self.closings = 0
        """How often its connections were closed on purpose."""
        self.connections = check_connections(connections)
        self._paced = False
        self._pools: dict[int, tuple[asyncio.AbstractEventLoop, LoopPool, AsyncGenerator[None, None]]] = {}
        self._pid = os.getpid()

    def paced(self, connections: int) -> LoopPools:
        """Connections of their own to the same server, so many, whose user paces the requests himself."""
        own = copy.copy(self)
        own.connections, own._paced, own._pools = check_connections(connections), True, {}
        if isinstance(self._transport, httpx.AsyncBaseTransport):
            own._transport = _Lent(self._transport)
        return own

    async def current(self) -> LoopPool:
        """The connections of the running loop."""
        if os.getpid() != self._pid:  # after a fork the parent's sockets are not ours
            _parent_pools.append(self._pools)
            self._pools, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        for key in [key for key, (owner, _, _) in self._pools.items() if owner.is_closed()]:
            del self._pools[key]
        entry = self._pools.get(id(loop))
        if entry:
            return entry[1]
        wait = httpx.Timeout(self._timeout).pool
        limiter = PacedLimiter(self.connections) if self._paced else AdaptiveLimiter(self.connections, wait)
        pool = LoopPool(self._make, limiter)
        # asyncio.run closes its generators before its loop: that is when ours hangs up.
        keeper = _close_with_loop(pool)
        await anext(keeper)
        self._pools[id(loop)] = (loop, pool, keeper)
        return pool

    def _make(self, connections: int, keyed: bool) -> httpx.AsyncClient:
        custom = self._transport if isinstance(self._transport, httpx.AsyncBaseTransport) else None
        client = httpx.AsyncClient(
            auth=KeyAuth(self._settings.api_key, self._settings.base_url) if keyed else None,
            headers=_DEFAULT_HEADERS,
            event_hooks={"request": [self._own_headers]},
            timeout=self._timeout,
            trust_env=False,  # the environment is read by `ProxyTransport`
            follow_redirects=False,
            transport=custom or self._proxy_transport(connections, keyed),
        )
        client.cookies.jar.set_policy(_Cookies(None if keyed else origin(self._settings.base_url)))
        return client

    def _proxy_transport(self, connections: int, keyed: bool) -> ProxyTransport:
        limits = httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_SECONDS)

        def make(proxy: httpx.Proxy | None, trust: ssl.SSLContext | bool) -> httpx.AsyncBaseTransport:
            # Files of elsewhere come by httpx: aiohttp would keep the cookies of all hosts in a jar of its own. What
            # goes through a proxy does too: aiohttp knows no SOCKS.
            if keyed and proxy is None:
                return self._direct(verify=trust, trust_env=False, limits=limits)
            return httpx.AsyncHTTPTransport(verify=trust, trust_env=False, limits=limits, proxy=proxy)

        return ProxyTransport(make, self._ssl_context)

    def _ssl_context(self) -> ssl.SSLContext:
        settings = settings_of(self._verify)
        # They take 12 ms to read: once for all clients.
        if self._cached_context is None or self._cached_context[0] != settings:
            self._cached_context = settings, context_of(self._verify)
        return self._cached_context[1]

    async def aclose(self) -> None:
        """Hang up, in the running loop."""
        self.closings += 1
        entry = self._pools.pop(id(asyncio.get_running_loop()), None)
        if entry:
            await entry[2].aclose()


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


_parent_pools: list[Any] = []  # kept, so that nothing in a forked child closes them


async def _close_with_loop(pool: LoopPool) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the loop went without a word
            await pool.aclose()


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
