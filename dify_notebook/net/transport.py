"""How requests leave: pools, timeouts, proxies, and the key at the last moment."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from .._version import __version__
from ..config import Secret, Settings, is_loopback
from ..errors import ConfigError, ConnectionFailed, DifyError, TimedOut
from ..i18n import t

#: Seconds. Reading waits above the server's ping, which comes every 10 s, also before
#: the first event and so before the response headers.
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)

#: gunicorn closes idle connections early; a chat message must not meet a closing one.
KEEPALIVE_SECONDS = 1.0
CONNECTIONS = 8


class KeyAuth(httpx.Auth):
    """Adds the key when the request leaves, and only for the server that it belongs to."""

    def __init__(self, key: Secret, base_url: str) -> None:
        self._key = key
        self._origin = origin(base_url)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if origin(str(request.url)) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class Pools:
    """One httpx client for each running loop, made on first use and closed with the loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        headers: Mapping[str, str] | None,
        verify: bool | str | ssl.SSLContext,
        timeout: httpx.Timeout | float | None,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._settings = settings
        self._headers = dict(headers or {})
        self._verify = verify
        self._timeout = DEFAULT_TIMEOUT if timeout is None else timeout
        self._transport = transport
        self._pools: dict[int, tuple[asyncio.AbstractEventLoop, httpx.AsyncClient, AsyncGenerator[None, None]]] = {}
        self._pid = os.getpid()

    async def client(self) -> httpx.AsyncClient:
        """The client of the running loop."""
        if os.getpid() != self._pid:  # after a fork the parent's sockets are not ours
            _left_to_the_parent.append(self._pools)
            self._pools, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        for key in [key for key, (other, _, _) in self._pools.items() if other.is_closed()]:
            del self._pools[key]
        found = self._pools.get(id(loop))
        if found and not found[1].is_closed:
            return found[1]
        client = self._make()
        # asyncio.run closes its generators before its loop: that is when ours hangs up.
        keeper = _keep(client)
        await anext(keeper)
        self._pools[id(loop)] = (loop, client, keeper)
        return client

    def _make(self) -> httpx.AsyncClient:
        local = is_loopback(urlsplit(self._settings.base_url).hostname)
        try:
            return httpx.AsyncClient(
                auth=KeyAuth(self._settings.api_key, self._settings.base_url),
                headers={"User-Agent": f"dify_notebook/{__version__}", **self._of_profile(), **self._headers},
                timeout=self._timeout,
                verify=self._verify,
                trust_env=not local,  # loopback needs no proxy
                follow_redirects=False,
                limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS),
                transport=self._transport,
            )
        except ImportError as problem:  # a SOCKS proxy in the environment, without support
            message = str(problem)
        raise ConfigError(t("net.no_socks", problem=message), code="proxy")

    def _of_profile(self) -> dict[str, str]:
        return {name: value.reveal() for name, value in self._settings.headers}

    async def aclose(self) -> None:
        """Hang up, in the running loop."""
        found = self._pools.pop(id(asyncio.get_running_loop()), None)
        if found:
            await found[2].aclose()


_left_to_the_parent: list[Any] = []  # kept, so that nothing in a forked child closes them


async def _keep(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the loop went without a word
            await client.aclose()


def as_error(problem: httpx.HTTPError | httpx.InvalidURL | OSError, attempted: str, host: str) -> DifyError:
    """What a failure of the connection is called here. Carries no request, so no key."""
    words = str(problem) or type(problem).__name__
    if isinstance(problem, httpx.TimeoutException):
        return TimedOut(t("net.timeout", host=host), code="timeout", attempted=attempted)
    if isinstance(problem, httpx.ConnectError):
        code = "tls" if "certificate" in words.lower() or "ssl" in words.lower() else "connect"
        return ConnectionFailed(t("net.no_connection", host=host, problem=words), code=code, attempted=attempted)
    if isinstance(problem, httpx.ProxyError):
        return ConnectionFailed(t("net.proxy", problem=words), code="proxy", attempted=attempted)
    return ConnectionFailed(t("net.lost", host=host, problem=words), code="connection", attempted=attempted)
