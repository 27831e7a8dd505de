"""Where key and server come from: one source, never mixed, each with its origin.

arguments > `profile=` > `DIFY_PROFILE` > `DIFY_API_KEY` with `DIFY_BASE_URL`. A key alone
means Dify Cloud; a URL alone is an error, since the key of one server must never go to another.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from . import credentials
from .console import warn
from .errors import ConfigError, InputError
from .i18n import t
from .printable import one_line
from .private import private_directory
from .profiles import find
from .secret import Secret as Secret

CLOUD = "https://api.dify.ai/v1"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One server, one app's key and one user, and where they came from."""

    base_url: str
    """Ends in /v1, without credentials or query."""
    api_key: Secret
    user: str
    origin: str
    """arguments, profile, profile_variable (DIFY_PROFILE), environment or local."""
    app: str | None = None
    """Name of the app, where the source gives one."""
    profile: str | None = None
    """Name of the profile, where it is the source."""
    headers: tuple[tuple[str, Secret], ...] = ()
    """Headers of the profile. Their values hide themselves: a gateway's may be as good as a key."""

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
    parts = urlsplit("")
    fits = False
    try:
        parts = urlsplit(text.strip())
        port, name = parts.port, (parts.hostname or "").encode("idna").decode()
        fits = bool(name) and name.isprintable() and " " not in name and (port is None or port > 0)
    except ValueError:  # a bracket that is not closed, a port that is no number, a name that no network has
        pass
    if parts.scheme not in ("http", "https") or not fits:
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
    fits = isinstance(user, str) and 1 <= len(user) <= 255
    if not fits or any("\ud800" <= letter <= "\udfff" for letter in user):  # half a character cannot be sent
        raise InputError(t("net.bad_user"), code="user")
    return user


def data_dir() -> Path:
    """The directory that is ours: runs, the embedded server, the user's name. Mode 0700.

    Raises:
        ConfigError: another account owns it.
        OSError: it cannot be made.
    """
    chosen = os.environ.get("DIFY_NOTEBOOK_DATA_DIR")
    if chosen:
        path = Path(chosen)
    else:
        from platformdirs import user_data_path

        path = user_data_path("dify_notebook", appauthor=False)
    return private_directory(path)


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
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(name + "\n")
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip() or name
    return name


def resolve(
    api_key: str | Secret | None = None,
    base_url: str | None = None,
    user: str | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings | None:
    """Key, server and user from one source, or None when no source says anything.

    Raises:
        ConfigError: a URL without a key, an empty key, a URL that is none, or a profile that
            does not exist or has no key here.
    """
    api_key = Secret.hide(api_key)
    env = os.environ if environ is None else environ
    origin, headers = "arguments", dict[str, Secret]()
    if api_key is not None or base_url is not None:
        profile = None
    elif profile is not None or env.get("DIFY_PROFILE"):
        origin = "profile" if profile is not None else "profile_variable"
        profile = profile if profile is not None else env["DIFY_PROFILE"]
        found = find(profile)
        base_url, user, headers = clean_base_url(found.base_url), user or found.user, dict(found.headers)
        api_key = credentials.load(credentials.account(profile, base_url), found.key, env)
        if api_key is None:
            missing = t(f"net.profile.no_key.{_kind(found.key)}", name=profile, place=found.key)
            raise ConfigError(missing, code="api_key")
    else:
        api_key, base_url, origin = Secret.hide(env.get("DIFY_API_KEY")), env.get("DIFY_BASE_URL"), "environment"
        if not (api_key and api_key.reveal()) and not base_url:
            return None
    key = check_key(api_key or Secret(""), origin)
    url = clean_base_url(base_url or CLOUD)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        warn(t("net.plain_http", host=one_line(parts.hostname or "")), UserWarning, stacklevel=3)
    name = user if user is not None else env.get("DIFY_USER") or stored_user()
    return Settings(
        base_url=url,
        api_key=key,
        user=check_user(name),
        origin=origin,
        profile=profile,
        headers=tuple(headers.items()),
    )


def check_key(key: Secret, origin: str = "arguments") -> Secret:
    """The key as it may be sent.

    Raises:
        ConfigError: it is empty, or holds blanks or characters outside ASCII.
    """
    if not key.reveal():
        kind = origin if origin in ("arguments", "environment") else "profile"
        raise ConfigError(t(f"net.url_without_key.{kind}"), code="api_key")
    if any(c.isspace() or not c.isascii() for c in key.reveal()):
        raise ConfigError(t("net.bad_key"), code="api_key")
    return key


def _kind(place: str) -> str:
    return "variable" if place.startswith("env:") else place
