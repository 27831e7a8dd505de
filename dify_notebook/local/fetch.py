"""Fetching what a request or a node names: from an allow-list of origins only, redirects included.

Whoever can ask a question could otherwise make this machine talk to any other, to a router or to a
cloud's metadata. Nothing is allowed unless the server was told so (`serve(allow=...)`).
"""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSAFE_HEADERS = frozenset(["host", "content-length", "transfer-encoding", "connection"])


class Refused(Exception):
    """The address is not on the allow-list, or is none."""


class FetchFailed(Exception):
    """It was allowed and did not work: no connection, too large, too slow, too many redirects."""


@dataclass(frozen=True)
class Fetched:
    """An answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    url: str
    """Where it came from in the end."""


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address. Raises: Refused, where it has none that may be used."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("that is no address") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise Refused("only http and https addresses can be fetched")
    if parts.username is not None or parts.password is not None:
        raise Refused("an address with a user name is not fetched")
    return parts.scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[parts.scheme]


def allowed(url: str, allow: Iterable[str]) -> bool:
    """Whether an address has one of the allowed origins; scheme, host and port must all be the same."""
    try:
        wanted = origin(url)
    except Refused:
        return False
    for one in allow:
        try:
            if origin(one) == wanted:
                return True
        except Refused:
            continue
    return False


async def fetch(
    url: str,
    *,
    allow: Iterable[str],
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limit: int = 15 * 1024 * 1024,
    timeout: float = 15.0,
) -> Fetched:
    """Fetch an address beside the loop; proxies and cookies are not used.

    Args:
        limit: bytes of the body.
        timeout: seconds for all of it.

    Raises:
        Refused: the address, or one that it redirects to, is not allowed.
        FetchFailed: it did not work.
    """
    origins = tuple(allow)
    return await asyncio.to_thread(_fetch, url, origins, method, dict(headers or {}), body, limit, timeout)


def _fetch(
    url: str,
    allow: tuple[str, ...],
    method: str,
    headers: dict[str, str],
    body: bytes | None,
    limit: int,
    timeout: float,
) -> Fetched:
    end = time.monotonic() + timeout
    first = None
    for _ in range(_REDIRECTS + 1):
        if not allowed(url, allow):
            raise Refused(f"{_named(url)} is not on this server's allow-list")
        # Headers may hold a key; they go to the origin for which they were written and no other.
        first = first or origin(url)
        sent = headers if origin(url) == first else {}
        answer = _once(url, method, sent, body, limit, end)
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
            return answer
        try:
            url = urljoin(url, answer.headers["location"])
        except ValueError:
            raise FetchFailed("it redirects to what is no address") from None
        if answer.status in (301, 302, 303) and method != "HEAD":
            method, body = "GET", None
    raise FetchFailed("too many redirects")


def _once(url: str, method: str, headers: dict[str, str], body: bytes | None, limit: int, end: float) -> Fetched:
    scheme, host, port = origin(url)
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=max(end - time.monotonic(), 0.01))
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {name: value for name, value in headers.items() if name.lower() not in _UNSAFE_HEADERS}
    try:
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        content = bytearray()
        while piece := response.read1(65536):
            content += piece
            if len(content) > limit:
                raise FetchFailed(f"the answer is larger than {limit} bytes")
            if time.monotonic() > end:
                raise FetchFailed("it took too long")
        return Fetched(response.status, found, bytes(content), url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed(f"{_named(url)}: {error}") from error
    finally:
        connection.close()


def _named(url: str) -> str:
    """An address without its query, which may sign something."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "that address"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
