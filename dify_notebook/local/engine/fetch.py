"""Fetching what a request or a node names: from an allow-list of origins only, redirects included.

Whoever can ask a question could otherwise make this machine talk to any other, to a router or to a
cloud's metadata. Nothing is allowed unless the server was told so (`serve(allow=...)`).
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import quote, urljoin, urlsplit

from ...redact import without_query
from ..text import well_formed
from .transport import Origin, RequestError, exchange, read

_REDIRECTS = 5
_REDIRECTED = (301, 302, 303, 307, 308)
_CHARSET = re.compile(
    r"ascii|utf-(?:8|16|32)(?:-[bl]e|-sig)?|iso8859-\d+|cp\d+|koi8-[rut]|mac-\w+|"
    r"gb\w+|hz|big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+|johab|tis-620|ptcp154|kz1048"
)
"""Python's names of charsets. Its other codecs are for programs: escapes, host names, UTF-7."""
_CONTENT_TYPE = 1_000
"""Characters of a content type that are read: what takes it apart needs long for long ones, and all wait meanwhile."""
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
        """The body in its charset; in UTF-8 where none was named in which pages are written."""
        message = Message()
        message["Content-Type"] = self.headers.get("content-type", "")[:_CONTENT_TYPE]
        try:
            name = codecs.lookup(str(message.get_content_charset("utf-8"))).name
        except (LookupError, ValueError, TypeError):  # TypeError: a parameter in pieces of which one has no number
            name = "utf-8"
        return well_formed(self.body.decode(name if _CHARSET.fullmatch(name) else "utf-8", "replace"))


def origin(url: str) -> Origin:
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
    for entry in allow:
        try:
            if origin(entry) == wanted:
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
    """Fetch an address; proxies and cookies are not used. A cancelled one hangs up.

    Args:
        limit: bytes of the body, which is taken as it comes.
        timeout: seconds for all of it.

    Raises:
        Refused: the address, or one that it redirects to, is not allowed.
        FetchFailed: it did not work, or not in time.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _follow(url, tuple(allow), method, headers or {}, body, limit)
    except TimeoutError:
        raise FetchFailed(f"{shown_url(url)}: it took longer than {timeout:g} s") from None


def request_target(url: str) -> str:
    """What of an address goes into the request line. What no address may hold is quoted, as browsers do it."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_PLAIN, errors="replace")
    return path + (f"?{quote(parts.query, safe=_PLAIN + '?', errors='replace')}" if parts.query else "")


async def _follow(
    url: str, allow: tuple[str, ...], method: str, headers: Mapping[str, str], body: bytes | None, limit: int
) -> Fetched:
    written = {name: value.strip() for name, value in headers.items() if name.lower() not in _UNSAFE_HEADERS}
    first = None
    for _ in range(_REDIRECTS + 1):
        if not allowed(url, allow):
            raise Refused(f"{shown_url(url)} is not on this server's allow-list")
        server = origin(url)
        first = first or server
        # Headers may hold a key; they go to the origin for which they were written and no other.
        own = written if server == first else {}
        try:
            async with exchange(method, server, request_target(url), headers=own, body=body) as response:
                status = response.status_code
                pairs = response.headers.raw
                received = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in pairs}
                if status not in _REDIRECTED or "location" not in received:
                    content = await read(response, limit + 1)
                    if len(content) > limit:
                        raise FetchFailed(f"the answer is larger than {limit} bytes")
                    return Fetched(status, received, content, url)
        except RequestError as problem:
            raise FetchFailed(f"{shown_url(url)}: {problem}") from problem
        try:
            url = urljoin(url, received["location"])
        except ValueError:
            raise FetchFailed("it redirects to what is no address") from None
        if status in (301, 302, 303) and method != "HEAD":
            method, body = "GET", None
    raise FetchFailed("too many redirects")


def shown_url(url: str) -> str:
    """An address without its query, which may sign something; a user name and a password are nobody's business."""
    return without_query(url, schemes=None) or "that address"
