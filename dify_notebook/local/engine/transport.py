"""One HTTP request to another machine: of an http-request node, for a remote file, or to a model.

It is httpx's transport and not its client, which does more than may be done here: a transport follows no redirect,
keeps no cookie, undoes no compression and, with `trust_env=False`, reads no proxy and no `.netrc`. Each request has a
connection of its own: none waits for a place in a pool, none meets one that the other side is about to close, and the
connection is closed with the request, also when that is cancelled.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from ...logs import hide_headers, logger
from ..threads import in_thread

if TYPE_CHECKING:
    import httpx

Origin = tuple[str, str, int]
"""Scheme, host and port."""

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain http, which needs no certificates."""

_BAD_HEADER = "a header holds what cannot be sent"

for _name in ("httpcore.connection", "httpcore.http11"):
    logger(_name)  # they repeat what a server says


class RequestError(Exception):
    """There was no answer, or half of one. The text holds nothing of the request."""


class BodyBroken(RequestError):
    """The other side closed the connection before the body's end, or sent what is no body."""


@contextlib.asynccontextmanager
async def exchange(
    method: str,
    origin: Origin,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: float | None = None,
    connect: float | None = None,
) -> AsyncIterator[httpx.Response]:
    """Send a request and give the response, whose body is read inside the block, with `aiter_raw()` or `read`.

    https trusts the certificates of the system, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

    Args:
        target: path and query, quoted.
        timeout: seconds without a byte; None waits for ever.
        connect: seconds for connecting.

    Raises:
        TimeoutError: one of these times has passed.
        RequestError: something else failed, in the block too; `BodyBroken` only there.
    """
    # Only when it is needed: a server that asks nobody starts sooner.
    import httpx

    scheme, host, port = origin
    begun = False
    connections: list[Any] = []  # streams of httpcore

    async def trace(event: str, info: dict[str, Any]) -> None:
        hide_headers(event, info)
        if event == "connection.connect_tcp.complete":
            connections.append(info["return_value"])

    try:
        try:
            sent = httpx.Headers(headers, encoding="latin-1")
        except UnicodeEncodeError:
            raise RequestError(_BAD_HEADER) from None  # Python would show a character of its value, and where it stands
        sent.setdefault("Accept-Encoding", "identity")  # what is sent compressed anyway stays as it came
        raw = target.encode("ascii")
        url = httpx.URL(scheme=scheme, host=host, port=port, raw_path=raw)
        # The target as it was quoted: an httpx.URL would resolve the dots in it.
        extensions = {"timeout": httpx.Timeout(timeout, connect=connect).as_dict(), "target": raw, "trace": trace}
        request = httpx.Request(method, url, headers=sent, content=body, extensions=extensions)
        # Reading the certificates takes long enough to hold up others.
        trust = await in_thread(ssl.create_default_context) if scheme == "https" else _TRUSTS_NOBODY
        async with (
            httpx.AsyncHTTPTransport(verify=trust, trust_env=False) as transport,
            contextlib.aclosing(await transport.handle_async_request(request)) as response,
        ):
            begun = True
            yield response
    except (httpx.TimeoutException, TimeoutError):
        raise TimeoutError from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
        broken = begun and isinstance(problem, httpx.RemoteProtocolError)
        raise (BodyBroken if broken else RequestError)(_reason(problem)) from problem
    finally:
        # Whoever is cancelled while TLS is agreed on would leave the connection open.
        for connection in connections:
            await connection.aclose()


async def read(response: httpx.Response, limit: int) -> bytes:
    """The body as it came, and no more of it than that many bytes. Raises: see `exchange`."""
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) >= limit:
            break
    return bytes(content[:limit])


def _reason(problem: BaseException) -> str:
    """What failed, in the system's words where it is the system that says so: the libraries above say less."""
    import httpx

    if isinstance(problem, httpx.LocalProtocolError):
        return _BAD_HEADER  # h11 would show its value
    # h11 also shows the line that it cannot read, which may be a cookie.
    text = str(problem).partition(": bytearray(")[0] or type(problem).__name__
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):  # of several addresses
            cause = cause.exceptions[-1]
        if isinstance(cause, OSError) and cause.errno is not None:
            plain = cause.errno > 0 and not isinstance(cause, ssl.SSLError)
            text = f"[Errno {cause.errno}] {os.strerror(cause.errno)}" if plain else str(cause)
        cause = cause.__cause__ or cause.__context__
    return text
