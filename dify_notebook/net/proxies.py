"""Which proxy a request goes through: what `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` hold.

Read as curl and requests read them: lower case before upper case, a scheme may be left out, the part before `@` may
hold any letter. `NO_PROXY` takes what any of them takes: names and their subdomains, ports, addresses, networks, `*`.
httpx' own reading knows no networks, fails on many values with an error that names no variable, and takes no `socks://`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.request
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote

import httpx

from ..config import is_loopback
from ..errors import ConfigError
from ..i18n import t
from ..paths import unquoted
from ..printable import one_line

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""What httpx can go through, each with its usual port."""
_ALIASES = {"socks": "socks5"}
"""GNOME's and many desktop tools' own name."""
_SEPARATORS = re.compile(r"[,;\s]+")
_SYSTEM = "system"
_CGI = "REQUEST_METHOD"
_LONGEST_SECRET = 255
"""Bytes of a user's name or a password, which SOCKS 5 tells in one byte (RFC 1929)."""


class Proxy(NamedTuple):
    """A proxy that a request goes through."""

    name: str
    """The variable that names it."""
    shown: str
    """Its value as it may be shown."""
    url: str
    auth: tuple[str, str] | None = None


def proxy_of(url: httpx.URL) -> Proxy | None:
    """The proxy for an address, by this process's environment as it is now: `%env` may change it at any time.

    Raises:
        ConfigError: the variable that names it holds no proxy's address.
    """
    return None if is_loopback(_host(url)) else Proxies().of(url)


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii", "replace")


class Proxies:
    """The proxies of an environment. What is wrong with one is told when a request would go through it.

    Args:
        environ: the environment; None is this process's, and where that names no proxy the system's settings.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        env = {name: env[name] for name in env if name.lower().endswith("_proxy") or name == _CGI}
        self._variables = {scheme: _variable(env, scheme) for scheme in ("http", "https", "all")}
        name, value = _variable(env, "no") or ("NO_PROXY", "")
        self._no_proxy = NoProxy(value)
        if environ is None and not any(self._variables.values()) and not value:
            system = urllib.request.getproxies()
            for scheme in self._variables:
                self._variables[scheme] = (_SYSTEM, system[scheme]) if system.get(scheme) else None

    def of(self, url: httpx.URL) -> Proxy | None:
        """The proxy for an address; None where it is asked for directly, as loopback ever is.

        Raises:
            ConfigError: the variable that names it holds no proxy's address.
        """
        variable = self._variables.get(url.scheme) or self._variables["all"]
        host, port = _host(url), url.port or _PORTS.get(url.scheme, 80)
        if variable is None or is_loopback(host) or self._no_proxy.matches(host, port):
            return None
        return read(*variable)


def _variable(env: Mapping[str, str], scheme: str) -> tuple[str, str] | None:
    """Name and value of the variable for that scheme; one in lower case that is empty hides the others."""
    variable = f"{scheme}_proxy"
    names = sorted((name for name in env if name.lower() == variable), reverse=True)  # lower case comes last
    if scheme == "http" and _CGI in env:  # a web server's child: the variable may be a client's header
        names = [name for name in names if name == variable]
    return next(((name, unquoted(env[name])) for name in names if unquoted(env[name]) or name == variable), None)


def read(name: str, value: str) -> Proxy | None:
    """The proxy that a variable names; None where it is empty.

    Raises:
        ConfigError: it is no proxy's address. Its user and password are not in the message.
    """
    text = unquoted(value).rstrip(",;")
    if not text:
        return None
    written, mark, rest = text.partition("://") if "://" in text else ("http", "", text)
    scheme = _ALIASES.get(written.lower(), written.lower())
    login, at, server = rest.rpartition("@")
    shown = one_line(f"{written}://" * bool(mark) + "***@" * bool(at) + server.rstrip("/"))
    name = t("net.proxy_of_system") if name == _SYSTEM else name

    def wrong(key: str) -> ConfigError:
        why = t(f"net.proxy_value.{key}", schemes=", ".join(_PORTS), scheme=one_line(scheme))
        return ConfigError(t("net.proxy_value", name=name, value=shown, problem=why), code="proxy")

    if scheme not in _PORTS:
        raise wrong("scheme")
    host_port = _host_port(server)
    if host_port is None:
        raise wrong("host")
    host, port = host_port
    if not (port.isascii() and port.isdecimal() and 0 < int(port or 0) < 65536) and port:
        raise wrong("port")
    url = f"{scheme}://{host}:{port or _PORTS[scheme]}"
    try:
        httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise wrong("host") from None
    auth = _auth(login) if at else None
    if auth is not None and any(len(one.encode("utf-8", "surrogateescape")) > _LONGEST_SECRET for one in auth):
        raise wrong("login")
    if auth is not None and any("\ud800" <= letter <= "\udfff" for letter in "".join(auth)):
        raise wrong("login")
    return Proxy(name, shown, url, auth)


def _host_port(text: str) -> tuple[str, str] | None:
    """Host and port of `host:port/…`; None where it has no host that can be one."""
    text = re.split(r"[/?#]", text, maxsplit=1)[0]
    if _address(text) is not None and ":" in text:  # an IPv6 address without its brackets
        text = f"[{text}]"
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, ""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    good = bool(bare) and bare.isprintable() and not re.search(r"[\s\"'<>\\^`{|}\[\]]", bare)
    if not good or (":" in bare and (bare == host or _address(bare) is None)):
        return None
    return host, port


def _auth(login: str) -> tuple[str, str]:
    user, _, password = login.partition(":")
    return unquote(user), unquote(password)


class NoProxy:
    """What `NO_PROXY` says: the hosts that no proxy is used for.

    >>> nearby = NoProxy(".corp, 10.0.0.0/8, fd00::/8, [::1], example.com:8080")
    >>> [nearby.matches(*pair) for pair in (("a.corp", 80), ("10.1.2.3", 443), ("fd00::2", 80), ("example.com", 80))]
    [True, True, True, False]
    """

    def __init__(self, value: str) -> None:
        self._entries = [entry for text in _SEPARATORS.split(value) if (entry := _entry(unquoted(text))) is not None]

    def matches(self, host: str, port: int) -> bool:
        """Whether a host is one of them; an IPv6 address without brackets."""
        host = host.lower().strip("[]").rstrip(".")
        address = _address(host)
        return any(entry.matches(host, address, port) for entry in self._entries)


class _Entry(NamedTuple):
    name: str
    """A host in lower case, or a pattern with `*`; empty for addresses."""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None

    def matches(self, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        if "*" in self.name:
            return fnmatchcase(host, self.name)
        return host == self.name or host.endswith("." + self.name)


def _entry(text: str) -> _Entry | None:
    """One entry; None for what names no host, which curl passes over too."""
    text = text.rpartition("://")[2].lower()
    network = _network(text)
    if network is not None:
        return _Entry("", network, None)
    host, colon, digits = text.rpartition(":")
    port = int(digits) if colon and digits.isascii() and digits.isdecimal() and len(digits) < 6 else None
    host = host if port is not None else text.rstrip(":/")
    network = _network(host)
    if network is not None:
        return _Entry("", network, port)
    name = host.removeprefix("*.").strip(".") if host != "*" else host
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except ValueError:  # no name that a network has
        return None
    return _Entry(name, None, port) if name else None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, slash, length = text.partition("/")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    try:
        return ipaddress.ip_network(address + slash * bool(length) + length, strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
