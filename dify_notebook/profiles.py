"""Profiles: servers and apps by name, in a TOML file of the user's configuration directory.

A profile says where an app is, who asks, and where its key lies. The key itself is never in
the file, and a file that holds one is refused.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .errors import ConfigError
from .i18n import t
from .private import config_dir, write_private
from .redact import has_key, redact
from .secret import Secret

LOCAL_APPS = ("guide", "toolbox", "pipeline", "tally")
"""The embedded server's apps."""
RESERVED = (*LOCAL_APPS, "local")
"""What they are called, `local` for the first: names that no profile may have."""

_NAME = re.compile(r"[^\W_][\w.-]{0,63}\Z")
_PLACE = re.compile(r"(keyring|file|memory|env:[A-Za-z_]\w*)\Z")
_SECRETS = ("api_key", "apikey", "secret", "token", "password")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One app of one server, by name."""

    name: str
    base_url: str
    user: str | None = None
    """None: `DIFY_USER`, else the name made up for this machine."""
    headers: dict[str, Secret] = {}
    """Further headers for every request. Their values hide themselves."""
    key: str = "keyring"
    """Where the key lies: keyring, file, memory or env:NAME."""


def profiles_path() -> Path:
    """The file that holds the profiles."""
    return config_dir() / "profiles.toml"


def check_name(name: str) -> str:
    """A name that a profile may have.

    Raises:
        ConfigError: it has other characters than letters, digits, `.`, `_` and `-`, is longer
            than 64, or is the name of an embedded app.
    """
    if name in RESERVED:
        raise ConfigError(t("net.profile.taken", name=name), code="profile")
    if not _NAME.match(name):
        raise ConfigError(t("net.profile.bad_name", name=redact(name)), code="profile")
    return name


def can_be_asked(name: str) -> bool:
    """Whether `%%dify NAME` can hold this name: an app's, a profile's or a variable's, and no key."""
    return (name.isidentifier() or _NAME.match(name) is not None) and not has_key(name)


def profiles() -> dict[str, Profile]:
    """All profiles by name, in the order of the file.

    Raises:
        ConfigError: the file cannot be read, or says what no profile can say.
    """
    return {name: _profile(name, table) for name, table in _tables(_read()).items()}


def find(name: str) -> Profile:
    """The profile of that name.

    Raises:
        ConfigError: there is none, or the file cannot be read.
    """
    tables = _tables(_read())
    if name not in tables:
        known = ", ".join(tables) or t("net.profile.none_yet")
        raise ConfigError(t("net.profile.unknown", name=redact(name), known=known), code="profile")
    return _profile(name, tables[name])


def save(profile: Profile) -> None:
    """Add the profile to the file, or replace the one of its name. The rest of the file stays.

    Raises:
        ConfigError: the name is none, or the file cannot be read.
        OSError: the file cannot be written.
    """
    check_name(profile.name)
    data = _read()
    fields = {"base_url": profile.base_url, "user": profile.user, "key": profile.key}
    entry: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    if profile.headers:
        entry["headers"] = {name: value.reveal() for name, value in profile.headers.items()}
    data["profiles"] = {**_tables(data), profile.name: entry}
    _write(data)


def delete(name: str) -> Profile:
    """Take the profile out of the file; what it was.

    Raises:
        ConfigError: there is none, or the file cannot be read.
        OSError: the file cannot be written.
    """
    profile = find(name)
    data = _read()
    data["profiles"] = {other: table for other, table in _tables(data).items() if other != name}
    _write(data)
    return profile


def _tables(data: Mapping[str, Any]) -> dict[str, Any]:
    tables = data.get("profiles", {})
    if not isinstance(tables, dict):
        raise ConfigError(t("net.profile.bad_file", path=profiles_path(), problem="profiles"), code="profile")
    return tables


def _profile(name: str, table: Any) -> Profile:
    def wrong(what: str) -> ConfigError:
        problem = f"profiles.{name}: {what}"
        return ConfigError(t("net.profile.bad_file", path=profiles_path(), problem=problem), code="profile")

    if not isinstance(table, dict):
        raise wrong(type(table).__name__)
    headers = table.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise wrong("headers")
    names = {key.lower() for key in table} | {key.lower() for key in headers}
    if names & {*_SECRETS, "authorization"} or has_key(str(table.get("key", ""))):
        raise ConfigError(t("net.profile.key_in_file", name=name, path=profiles_path()), code="profile")
    if not isinstance(table.get("base_url"), str):
        raise wrong("base_url")
    if not isinstance(table.get("user", ""), str):
        raise wrong("user")
    place = table.get("key", "keyring")
    if not isinstance(place, str) or not _PLACE.match(place):
        raise wrong("key")
    hidden = {header: Secret(value) for header, value in headers.items()}
    return Profile(name=name, base_url=table["base_url"], user=table.get("user") or None, headers=hidden, key=place)


def _read() -> dict[str, Any]:
    path = profiles_path()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors put a byte order mark before it
    except (FileNotFoundError, NotADirectoryError):  # the latter where the home is no directory
        return {}
    except (OSError, ValueError) as raised:
        # A message of the parser's own names a place and a character, no value.
        problem = str(raised) if isinstance(raised, tomllib.TOMLDecodeError) else type(raised).__name__
    raise ConfigError(t("net.profile.bad_file", path=path, problem=problem), code="profile")


def _write(data: Mapping[str, Any]) -> None:
    text = "# Profiles of dify_notebook. No keys belong here. %dify connect rewrites this file.\n"
    path = profiles_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, text + _toml(data))


def _toml(data: Mapping[str, Any], above: tuple[str, ...] = ()) -> str:
    """TOML for what `tomllib` gives: plain values first, then each table under its name."""
    lines = [f"{_quoted(name)} = {_value(value)}" for name, value in data.items() if not isinstance(value, dict)]
    if above and (lines or not data):
        lines.insert(0, "[" + ".".join(_quoted(part) for part in above) + "]")
    text = "\n".join(lines) + "\n" if lines else ""
    tables = [_toml(value, (*above, name)) for name, value in data.items() if isinstance(value, dict)]
    return "\n".join(part for part in [text, *tables] if part)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(name)} = {_value(item)}" for name, item in value.items()) + "}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


def _string(text: str) -> str:
    # A JSON string is a TOML string, but for one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
