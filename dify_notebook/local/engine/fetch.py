"""Fetching what a request or a node names: from an allow-list of origins only, redirects included.

Whoever can ask a question could otherwise make this machine talk to any other, to a router or to a
cloud's metadata. Nothing is allowed unless the server was told so (`serve(allow=...)`).
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import quote, urljoin, urlsplit

from ...redact import without_query
from ..threads import Asked, in_thread, shut

_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN = "/%:@!$&'()*+,;=~"
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

    @property
    def text(self) -> str:
        """The body in its charset; in UTF-8 where none that is known was named."""
        told = Message()
        told["Content-Type"] = self.headers.get("content-type", "")
        try:
            return self.body.decode(str(told.get_content_charset("utf-8")), "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


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
    """Fetch an address beside the loop; proxies and cookies are not used. When nobody waits any more it hangs up.

    Args:
        limit: bytes of the body.
        timeout: seconds for all of it.

    Raises:
        Refused: the address, or one that it redirects to, is not allowed.
        FetchFailed: it did not work, or not in time.
    """
    asked = Asked()
    try:
        async with asyncio.timeout(timeout):
            return await in_thread(
                _fetch, url, tuple(allow), method, dict(headers or {}), body, limit, timeout, asked
            )
    except TimeoutError:
        raise FetchFailed(f"{_named(url)}: it took longer than {timeout:g} s") from None
    finally:
        asked.cancel()


def request_target(url: str) -> str:
    """What of an address goes into the request line. What no address may hold is quoted, as browsers do it."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_PLAIN, errors="replace")
    return path + (f"?{quote(parts.query, safe=_PLAIN + '?', errors='replace')}" if parts.query else "")


def _fetch(
    url: str,
    allow: tuple[str, ...],
    method: str,
    headers: dict[str, str],
    body: bytes | None,
    limit: int,
    timeout: float,
    asked: Asked,
) -> Fetched:
    first = None
    for _ in range(_REDIRECTS + 1):
        if not allowed(url, allow):
            raise Refused(f"{_named(url)} is not on this server's allow-list")
        # Headers may hold a key; they go to the origin for which they were written and no other.
        first = first or origin(url)
        sent = headers if origin(url) == first else {}
        answer = _once(url, method, sent, body, limit, timeout, asked)
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
            return answer
        try:
            url = urljoin(url, answer.headers["location"])
        except ValueError:
            raise FetchFailed("it redirects to what is no address") from None
        if answer.status in (301, 302, 303) and method != "HEAD":
            method, body = "GET", None
    raise FetchFailed("too many redirects")


def _once(
    url: str, method: str, headers: dict[str, str], body: bytes | None, limit: int, timeout: float, asked: Asked
) -> Fetched:
    scheme, host, port = origin(url)
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout)
    sent = {name: value for name, value in headers.items() if name.lower() not in _UNSAFE_HEADERS}
    try:
        connection.connect()
        plug = connection.sock
        asked.on_cancel(lambda: shut(plug))
        connection.request(method, request_target(url), body, sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        content = bytearray()
        while piece := response.read1(65536):
            content += piece
            if len(content) > limit:
                raise FetchFailed(f"the answer is larger than {limit} bytes")
        return Fetched(response.status, found, bytes(content), url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed(f"{_named(url)}: {error}") from error
    finally:
        asked.on_cancel(None)
        connection.close()


def _named(url: str) -> str:
    """An address without its query, which may sign something; a user name and a password are nobody's business."""
    return without_query(url, schemes=None) or "that address"
