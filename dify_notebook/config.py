"""Where key and server come from: one source, never mixed, each with its origin.

arguments > `DIFY_API_KEY` with `DIFY_BASE_URL`. A key alone means Dify Cloud; a URL
alone is an error, since the key of one server must never go to another.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import msgspec

from .errors import ConfigError, InputError
from .i18n import t

CLOUD = "https://api.dify.ai/v1"


class Secret:
    """A key that does not show itself: not in a repr, a format, a log or a pickle.

    >>> Secret("app-123")
    Secret(...)
    >>> f"{Secret('app-123')}"
    '***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself. Only `net` calls this, at the moment of sending."""
        return self._value

    def taken_out_of(self, data: bytes) -> bytes:
        """Bytes of a server that may repeat the key (an error page with the request's headers, say) without it."""
        key = self._value.encode()
        return data.replace(key, b"***") if len(key) >= 8 and key in data else data

    def __repr__(self) -> str:
        return "Secret(...)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: the key would lie in a file")

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    @classmethod
    def hide(cls, key: str | Secret | None) -> Secret | None:
        """The key wrapped. Done first wherever one is passed in: verbose tracebacks show arguments."""
        return key if key is None or isinstance(key, Secret) else cls(key.strip())


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One server, one app's key and one user, and where they came from."""

    base_url: str
    """Ends in /v1, without credentials or query."""
    api_key: Secret
    user: str
    origin: str
    """arguments, environment or local."""
    app: str | None = None
    """Name of the app, where the source gives one."""

    @property
    def host(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.base_url).netloc


def clean_base_url(text: str) -> str:
    """The API's root of a server, given with or without `/v1`.

    >>> clean_base_url("http://127.0.0.1:5001/")
    'http://127.0.0.1:5001/v1'

    Raises:
        ConfigError: it is no http(s) URL, or carries a password, a query or a fragment.
    """
    parts = urlsplit(text.strip())
    try:
        port = parts.port or 0
    except ValueError:  # a port that is no number
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port < 0:
        raise ConfigError(t("net.bad_base_url", url=parts.scheme + "://" + (parts.hostname or "")), code="base_url")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(t("net.base_url_extra", host=parts.hostname), code="base_url")
    path = parts.path.rstrip("/")
    if not path.endswith("/v1"):
        path += "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


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


def check_user(user: str) -> str:
    """The user as it may be sent: 1 to 255 characters (the API document's rule).

    Raises:
        InputError: it is empty, too long or no text.
    """
    if not isinstance(user, str) or not 1 <= len(user) <= 255:
        raise InputError(t("net.bad_user"), code="user")
    return user


def data_dir() -> Path:
    """The directory that is ours: runs, the embedded server, the user's name. Mode 0700."""
    chosen = os.environ.get("DIFY_NOTEBOOK_DATA_DIR")
    if chosen:
        path = Path(chosen)
    else:
        from platformdirs import user_data_path

        path = user_data_path("dify_notebook", appauthor=False)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def stored_user() -> str:
    """`notebook-<random>`, made once for each user directory: never the login name."""
    path = data_dir() / "user"
    try:
        name = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        name = ""
    if name:
        return name
    name = f"notebook-{secrets.token_hex(4)}"
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(name + "\n")
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip() or name
    return name


def resolve(
    api_key: str | Secret | None = None,
    base_url: str | None = None,
    user: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Settings | None:
    """Key, server and user from one source, or None when no source says anything.

    Raises:
        ConfigError: a URL without a key, an empty key, or a URL that is none.
    """
    api_key = Secret.hide(api_key)
    env = os.environ if environ is None else environ
    origin = "arguments"
    if api_key is None and base_url is None:
        api_key, base_url, origin = Secret.hide(env.get("DIFY_API_KEY")), env.get("DIFY_BASE_URL"), "environment"
        if not (api_key and api_key.reveal()) and not base_url:
            return None
    key = api_key or Secret("")
    if not key.reveal():
        raise ConfigError(t(f"net.url_without_key.{origin}"), code="api_key")
    if any(c.isspace() or not c.isascii() for c in key.reveal()):
        raise ConfigError(t("net.bad_key"), code="api_key")
    url = clean_base_url(base_url or CLOUD)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        warnings.warn(t("net.plain_http", host=parts.hostname), UserWarning, stacklevel=3)
    name = user if user is not None else env.get("DIFY_USER") or stored_user()
    return Settings(base_url=url, api_key=key, user=check_user(name), origin=origin)
