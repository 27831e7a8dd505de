"""The way out of a client: directly or through a proxy, by address, each made when it is first needed."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable
from typing import Any

import httpx

from ..errors import ConfigError
from ..i18n import t
from .proxies import Proxy, proxy_of

Make = Callable[[httpx.Proxy | None, ssl.SSLContext | bool], httpx.AsyncBaseTransport]


class ProxyTransport(httpx.AsyncBaseTransport):
    """A transport that sends each request the way that the environment says for its address, as it is then.

    Args:
        make: makes the transport that goes through a proxy, or through none, with these certificates.
        trust: the certificates, asked for with each https address; may raise a ConfigError.
    """

    def __init__(self, make: Make, trust: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self._trust = trust
        self._transports: dict[tuple[Proxy | None, ssl.SSLContext | bool], httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it.

        Raises:
            ConfigError: a variable of the environment names no proxy, or no certificates; nothing was sent.
            httpx.ProxyError: there is a proxy on the way which cannot be reached or refuses.
        """
        proxy = proxy_of(request.url)
        transport = self._transport(proxy, request.url.scheme == "https")
        if proxy is None:
            return await transport.handle_async_request(request)
        message = ""
        try:
            if proxy.url.startswith("socks"):
                return await _through_socks(transport, request)
            return await transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as problem:
            message = str(problem) or type(problem).__name__
            if isinstance(problem, httpx.ConnectError) and "certificate" in message.lower():
                raise  # of the server behind it
        except (httpx.RemoteProtocolError, httpx.NetworkError) as problem:
            message = t("net.through_proxy", problem=str(problem), name=proxy.name, value=proxy.shown)
            raise type(problem)(message, request=request) from None
        except TimeoutError:
            message = t("net.proxy_silent")
        except _socks_errors() as problem:
            message = str(problem) or t("net.proxy_no_socks")
        raise httpx.ProxyError(f"{proxy.name}={proxy.shown}: {message}", request=request)

    def _transport(self, proxy: Proxy | None, secure: bool) -> httpx.AsyncBaseTransport:
        needed = secure or (proxy is not None and proxy.url.startswith("https"))
        trust: ssl.SSLContext | bool = self._trust() if needed else False
        transport = self._transports.get((proxy, trust))
        if transport is not None:
            return transport
        missing = ""
        try:
            httpx_proxy = None
            if proxy is not None:
                context = trust if proxy.url.startswith("https") and isinstance(trust, ssl.SSLContext) else None
                httpx_proxy = httpx.Proxy(proxy.url, auth=proxy.auth, ssl_context=context)
            made = self._transports[proxy, trust] = self._make(httpx_proxy, trust)
            return made
        except ImportError as problem:  # of what SOCKS needs
            missing = str(problem)
        assert proxy is not None
        message = t("net.no_socks", name=proxy.name, value=proxy.shown, problem=missing)
        raise ConfigError(message, code="proxy")

    async def aclose(self) -> None:
        """Hang up everywhere."""
        for transport in self._transports.values():
            await transport.aclose()


async def _through_socks(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    """The response through a SOCKS proxy, whose greeting takes no longer than connecting may: httpcore waits for ever.

    Raises:
        TimeoutError: it took longer.
    """
    seconds = request.extensions.get("timeout", {}).get("connect")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:

        async def trace(name: str, info: Any) -> None:
            _, _, step = name.partition(".")
            if step == "setup_socks5_connection.started" and seconds is not None:
                limit.reschedule(loop.time() + seconds)
            elif step == "setup_socks5_connection.complete":
                limit.reschedule(None)

        request.extensions = {**request.extensions, "trace": trace}
        return await transport.handle_async_request(request)


def _socks_errors() -> tuple[type[Exception], ...]:
    """What comes of bytes that no SOCKS proxy says: httpcore asserts, and does not translate socksio's errors."""
    socksio = sys.modules.get("socksio")
    return (AssertionError, socksio.SOCKSError) if socksio else ()
