"""Addresses of servers and keys as people paste them: understood, or refused with what is wrong.

Taken off are quotes of any kind, invisible characters, `export NAME=`, `Bearer` and a comment behind. Of an
address `http//x`, `https:/x`, full-width signs, `/v1`, and an endpoint behind it are understood. Without a scheme
only this machine is taken, with http: whether a key may travel unencrypted to another is not for us to guess.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from .errors import ConfigError
from .i18n import t
from .redact import is_key, without_login
from .secret import Secret

CLOUD = "https://api.dify.ai/v1"
_MAX_LENGTH = 2_000
"""Characters of an address; longer ones are none."""

_INVISIBLE = "\u00ad\u180e\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2066\u2067\u2068\u2069\ufeff"
_JOINERS = "\u200c\u200d"  # letters of some scripts are joined by them, so inside a name they stay
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_QUOTES = "\"'`<>“”„‟‘’‚‛«»‹›「」『』《》〝〞＂＇()（）"
_STRIPPED = _BLANKS + _INVISIBLE + _JOINERS + _QUOTES
_STRIPPED_AT_END = _STRIPPED + ",;，；。、"

_ASSIGNED = re.compile(
    r"""(?:(?:export|set|env|const|let|var|-H|--header)[ \t]++)?["']?(?:\$(?:env:)?)?"""
    r"""([A-Za-z][\w.-]*+)["']?[ \t]*+(?:=[ \t]*+|:(?=[\s"']|Bearer\b))""",
    re.IGNORECASE,
)
_KEY_NAMES = ("key", "token", "authorization", "secret")
_ADDRESS_NAMES = ("url", "host", "server", "endpoint", "base", "address")
_BEARER = re.compile(r"Bearer\b[:=]?", re.IGNORECASE)
_COMMENT = re.compile(r"\s#")
_WEB = re.compile(r"https?(?::/*+|/{2,}+|;/++)", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://")
_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {ord("。"): ".", ord("\\"): "/"}

_ENDPOINTS = {
    "app", "apps", "audio-to-text", "chat-messages", "completion-messages", "conversations", "datasets", "end-users",
    "files", "form", "info", "messages", "meta", "parameters", "site", "text-to-audio", "v1", "workflow", "workflows",
}  # fmt: skip
_CLOUD_HOSTS = {"cloud.dify.ai", "udify.app", "dify.ai", "www.dify.ai", "docs.dify.ai", "marketplace.dify.ai"}
_APP_PAGES = {"overview", "develop", "configuration", "workflow", "logs", "annotations"}
_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_WEB_APPS = {"chat", "chatbot", "completion", "workflow", "agent"}
_CONSOLE = {"apps", "signin", "install"}


def clean_base_url(text: object, place: str = "base_url") -> str:
    """The API's root of a server, however it was pasted.

    >>> clean_base_url("http://127.0.0.1:5001/")
    'http://127.0.0.1:5001/v1'
    >>> clean_base_url('“https:/dify.example.com/v1/chat-messages”')
    'https://dify.example.com/v1'

    Args:
        place: where it comes from, for errors.

    Raises:
        ConfigError: it is no http(s) address, is a web page or a key, has no scheme and names another machine,
            or carries a password, a query or a fragment.
    """
    if isinstance(hide_key(text), Secret):
        raise ConfigError(t("net.key_for_address", place=place), code="base_url")
    if not isinstance(text, str):
        raise ConfigError(t("net.no_text", name=place, kind=type(text).__name__), code="base_url")
    address = tidy(text, _ADDRESS_NAMES).translate(dict.fromkeys(map(ord, _INVISIBLE)))
    parts = _parts(_with_scheme(address.translate(_WIDE), place), place)
    segments = [segment for segment in parts.path.split("/") if segment]
    root, cut = _root(segments)
    if parts.username or parts.password or ((parts.query or parts.fragment) and not cut):
        raise ConfigError(t("net.base_url_extra", host=parts.hostname), code="base_url")
    if not cut and _is_page(parts.hostname or "", segments):
        guess = CLOUD if parts.hostname in _CLOUD_HOSTS else f"{parts.scheme}://{parts.netloc}/v1"
        raise ConfigError(t("net.page_for_address", place=place, host=parts.hostname, guess=guess), code="base_url")
    return urlunsplit((parts.scheme, parts.netloc.rstrip(":"), "/" + "/".join([*root, "v1"]), "", ""))


def tidy(text: str, names: tuple[str, ...]) -> str:
    """A pasted text without quotes and blanks around it, `export NAME=` before it and a comment behind.

    Args:
        names: how a variable's name ends that is taken off, in lower case.
    """
    result = str.__str__(text).strip(_STRIPPED)
    if (comment := _COMMENT.search(result)) is not None:
        result = result[: comment.start()]
    assigned = _ASSIGNED.match(result)
    if assigned is not None and assigned[1].lower().endswith(names):
        result = result[assigned.end() :]
    return result.rstrip(_STRIPPED_AT_END).lstrip(_STRIPPED)


def clean_key(text: str) -> str:
    """A pasted key; what cannot be a key is left as it is, to be refused."""
    key = tidy(text, _KEY_NAMES)
    if (bearer := _BEARER.match(key)) is not None and not key[bearer.end() :].startswith("-"):
        key = key[bearer.end() :].strip(_STRIPPED)
    return key.translate(dict.fromkeys(map(ord, _INVISIBLE + _JOINERS)))


def fault_of_key(key: str) -> str | None:
    """What is wrong with what should be the key of an app, as the sentence's key; None where nothing is seen."""
    if _WEB.match(key) or "://" in key:
        return "net.address_for_key"
    if key.startswith("dataset-"):
        return "net.dataset_key"
    return None if all("!" <= character <= "~" for character in key) else "net.bad_key"


def hide_key(address: Any) -> Any:
    """The address, but a key that stands where one belongs hides itself: tracebacks show arguments."""
    if isinstance(address, Secret):
        address = address.reveal()
    if isinstance(address, str) and is_key(clean_key(address)):
        return Secret(address)
    return address


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this very machine."""
    if not host:
        return False
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bad(place: str, scheme: str = "", host: str = "") -> ConfigError:
    url = f" ({scheme}://{host})" if scheme or host else ""
    return ConfigError(t("net.bad_base_url", place=place, url=url), code="base_url")


def _with_scheme(address: str, place: str) -> str:
    """The address with its scheme written as it must be."""
    if len(address) > _MAX_LENGTH or any(character.isspace() for character in address):
        raise _bad(place)
    scheme = ""
    while (match := _WEB.match(address)) is not None:  # twice where it was pasted behind another
        scheme, address = ("https" if match[0].lower().startswith("https") else "http"), address[match.end() :]
    if scheme:
        return f"{scheme}://{address}"
    if match := _SCHEME.match(address):
        raise _bad(place, match[0][:-3])
    parts = _parts(f"http://{address.lstrip('/')}", place)
    host = parts.hostname or ""
    if is_loopback(host):
        return parts.geturl()
    if not {".", ":"} & set(parts.netloc):
        raise _bad(place)
    host_port = without_login(parts.netloc)
    raise ConfigError(t("net.no_scheme", place=place, host=host_port), code="base_url")


def _parts(url: str, place: str) -> SplitResult:
    """The parts of an http(s) address, whose host and port can be those of a server."""
    parts = urlsplit("")
    fits = False
    try:
        parts = urlsplit(url)
        fits = _is_host(parts.hostname or "", bracketed="[" in parts.netloc)
    except ValueError:  # a bracket that is not closed, a name that no network has
        pass
    host_port = without_login(parts.netloc)
    if "[" not in host_port and host_port.count(":") > 1:
        raise ConfigError(t("net.bare_ipv6", place=place), code="base_url")
    if not fits:
        raise _bad(place, parts.scheme, parts.hostname or "")
    port = host_port.rpartition("]")[2].rpartition(":")[2] if ":" in host_port.rpartition("]")[2] else ""
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= 65_535):
        raise ConfigError(t("net.bad_port", place=place, host=parts.hostname), code="base_url")
    return parts


def _is_host(host: str, *, bracketed: bool) -> bool:
    """Whether it can be the name or address of a host. Raises ValueError too where it cannot."""
    if bracketed:
        return bool(ipaddress.IPv6Address(host))
    if not host.isascii() or "xn--" in host:
        import idna  # as httpx does, which would fail in the midst of a request

        host = idna.encode(host).decode()
        idna.decode(host)
    name = host.encode("idna").decode()
    return name.lower() != "v1" and _HOST_NAME.fullmatch(name) is not None  # not `https://<your-host>`, nor `https:///v1`


def _root(segments: list[str]) -> tuple[list[str], bool]:
    """The path before `/v1`, and whether it was that of an endpoint."""
    for at, segment in enumerate(segments):
        following = segments[at + 1 : at + 2]
        if segment.lower() == "v1" and (not following or following[0] in _ENDPOINTS):
            return segments[:at], bool(following)
        if segment in ("chat-messages", "completion-messages"):
            return segments[:at], True
    return segments, False


def _is_page(host: str, segments: list[str]) -> bool:
    """Whether it is a page of Dify's console, or an app's web page."""
    if host in _CLOUD_HOSTS or segments[:1] == ["explore"]:
        return True
    if len(segments) == 1:
        return segments[0] in _CONSOLE
    following = segments[segments.index("app") + 1 :] if "app" in segments else []
    if following and (following[0].count("-") == 4 or following[1:2] and following[1] in _APP_PAGES):
        return True
    return len(segments) > 1 and segments[-2] in _WEB_APPS and _is_code(segments[-1])


def _is_code(segment: str) -> bool:
    """Whether it may be the code of a web app: letters and digits at random, and no word."""
    word = segment.isalpha() and segment in (segment.lower(), segment.upper(), segment.title())
    return len(segment) >= 8 and segment.isascii() and segment.isalnum() and not word
