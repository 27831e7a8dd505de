"""Where key and server come from: one source, never mixed.

arguments > `profile=` > `DIFY_PROFILE` > `DIFY_API_KEY` with `DIFY_BASE_URL`. A key alone
means Dify Cloud; a URL alone is an error, since the key of one server must never go to another.
Both are taken as people paste them: see `address`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from . import address, credentials
from .address import CLOUD as CLOUD
from .address import clean_base_url as clean_base_url
from .address import is_loopback as is_loopback
from .console import warn
from .errors import ConfigError, DifyError, InputError
from .i18n import t
from .logs import warn_once
from .printable import MESSAGE, one_line
from .private import data_dir, private_opener
from .profiles import find
from .secret import Secret as Secret

_PREFIXES = ("", "\ufeff", "export ")
"""What a file of variables may have put before a name: its byte order mark, or the shell's word."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One server, one app's key and one user, and where they came from."""

    base_url: str
    """Ends in /v1, without credentials or query."""
    api_key: Secret
    user: str
    """1 to 255 characters."""
    source: str
    """Where they came from: arguments, profile, profile_variable (DIFY_PROFILE), environment or local."""
    app: str | None = None
    """Name of the app, where the source gives one."""
    profile: str | None = None
    """Name of the profile, where it is the source."""
    headers: tuple[tuple[str, Secret], ...] = ()
    """Headers of the profile. Their values hide themselves: a gateway's may be as good as a key."""

    @property
    def origin(self) -> str:
        """`source`, by its name of 0.1.0."""
        return self.source

    @property
    def host(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.base_url).netloc


def check_user(user: str) -> str:
    """The user as it may be sent: 1 to 255 characters (the API document's rule).

    Raises:
        InputError: it is empty, too long or no text.
    """
    fits = isinstance(user, str) and 1 <= len(user) <= 255
    if not fits or any("\ud800" <= character <= "\udfff" for character in user):  # half a character cannot be sent
        raise InputError(t("net.bad_user"), code="user")
    return user


@cache
def _random_user() -> str:
    return f"notebook-{secrets.token_hex(4)}"


def stored_user() -> str:
    """`notebook-<random>`, made once for each user directory: never the login name.

    Where it cannot be kept there, it is made once for this process, and a line of the log says so.
    """
    try:
        return _stored_user(data_dir() / "user")
    except (OSError, ValueError, ConfigError, InputError) as problem:
        reason = problem.message if isinstance(problem, DifyError) else str(problem)
        warn_once(f"user {reason}", t("net.user_not_kept", user=_random_user(), problem=one_line(reason, MESSAGE)))
        return _random_user()


def _stored_user(path: Path) -> str:
    try:
        name = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        name = ""
    if name:
        return check_user(name)
    name = f"notebook-{secrets.token_hex(4)}"
    try:
        with open(path, "x", encoding="utf-8", opener=private_opener) as file:
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
    api_key, base_url = Secret.hide(api_key), address.hide_key(base_url)
    if api_key is not None and not isinstance(api_key, Secret):
        raise ConfigError(t("net.no_text", name="api_key", kind=type(api_key).__name__), code="api_key")
    env = os.environ if environ is None else environ
    source, headers = "arguments", dict[str, Secret]()
    from_variable = tidied(env, "DIFY_PROFILE")
    place_of_key, place_of_url = "api_key", "base_url"
    if api_key is not None or base_url is not None:
        profile = None
    elif profile is not None or from_variable:
        source = "profile" if profile is not None else "profile_variable"
        profile = profile if profile is not None else from_variable
        entry = find(profile)
        place_of_key = place_of_url = t("net.place_profile", name=one_line(profile))
        base_url, user, headers = clean_base_url(entry.base_url, place_of_url), user or entry.user, dict(entry.headers)
        api_key = credentials.load(credentials.account(profile, base_url), entry.key, env)
        if api_key is None:
            missing = t(f"net.profile.no_key.{_kind_of_place(entry.key)}", name=profile, place=entry.key)
            raise ConfigError(missing, code="api_key")
    else:
        place_of_key, place_of_url, source = "DIFY_API_KEY", "DIFY_BASE_URL", "environment"
        api_key, base_url = Secret(tidied(env, place_of_key)), address.hide_key(tidied(env, place_of_url))
        if not api_key.reveal() and not base_url:
            return None
    key = check_key(api_key or Secret(""), source, place_of_key)
    url = clean_base_url(CLOUD if base_url is None or base_url == "" else base_url, place_of_url)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        _warn_plain(one_line(parts.hostname or ""))
    user_name = user_of(user, environ)
    return Settings(
        base_url=url,
        api_key=key,
        user=user_name,
        source=source,
        profile=profile,
        headers=tuple(headers.items()),
    )


def user_of(value: str | None, environ: Mapping[str, str] | None = None) -> str:
    """The user that was given, else that of `DIFY_USER`, else this machine's; checked.

    Raises:
        InputError: it cannot be sent.
    """
    env = os.environ if environ is None else environ
    name = value if value is not None else tidied(env, "DIFY_USER", quoted=False) or stored_user()
    return check_user(name)  # a line of its own: a traceback shows the values of the line that raises


def tidied(environ: Mapping[str, str], name: str, *, quoted: bool = True) -> str:
    """A variable as it is meant: without what a file of variables may have left at its ends; "" where it is not set.

    Args:
        quoted: whether quotes around it are the file's, and not the value's.
    """
    value = next((text for prefix in _PREFIXES if (text := _set(environ, prefix + name))), "")
    return address.tidy(value, ()) if quoted else value.strip()


def _set(environ: Mapping[str, str], name: str) -> str:
    try:
        return environ.get(name, "")
    except UnicodeEncodeError:  # in the locale `C` no variable has such a name
        return ""


def _warn_plain(host: str) -> None:
    message = t("net.plain_http", host=host)
    try:
        warn(message, UserWarning, stacklevel=4)
    except UserWarning:  # PYTHONWARNINGS=error: it is told all the same, and is no reason not to ask
        warn_once(message, message)


def check_key(key: Secret, source: str = "arguments", place: str = "api_key") -> Secret:
    """The key as it may be sent: without quotes, `Bearer` and the like that were pasted with it.

    Args:
        place: where it comes from, for errors.

    Raises:
        ConfigError: it is empty, no key of an app, or holds blanks or characters outside ASCII.
    """
    clean = Secret(address.clean_key(key.reveal()))
    if not clean.reveal():
        kind = source if source in ("arguments", "environment") else "profile"
        raise ConfigError(t(f"net.url_without_key.{kind}"), code="api_key")
    if (fault := address.fault_of_key(clean.reveal())) is not None:
        raise ConfigError(t(fault, place=place), code="api_key")
    return clean


def _kind_of_place(place: str) -> str:
    return "variable" if place.startswith("env:") else place
