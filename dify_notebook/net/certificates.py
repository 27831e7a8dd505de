"""Which certificates are trusted: those of `verify=`, of the environment's variables, else certifi's."""

from __future__ import annotations

import os
import re
import ssl
import sys
from pathlib import Path

import certifi
import httpx

from ..errors import ConfigError, InputError
from ..i18n import t
from ..logs import warn_once
from ..paths import expand, unquoted
from ..printable import one_line
from ..regular import Irregular, open_regular

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Each may name a file or a directory; all that are set count together, and certifi's certificates only without any."""
_HASHED = re.compile(r"[0-9a-f]{8}\.\d{1,3}\Z")
_ENDINGS = (".pem", ".crt", ".cer")


def parse_verify(verify: object) -> ssl.SSLContext | bool:
    """`verify=` as it is used: a file or directory becomes a context, True stays (see `of_environment`).

    Raises:
        ConfigError: it is something else, or its certificates cannot be read.
    """
    if isinstance(verify, bool | ssl.SSLContext):
        return verify
    if isinstance(verify, str | os.PathLike):
        context = _empty_context()
        _load(context, os.fspath(verify), "verify")
        return context
    raise ConfigError(t("net.verify_type", type=type(verify).__name__), code="tls")


def settings_of(verify: ssl.SSLContext | bool) -> tuple[str | None, ...]:
    """All that `context_of` depends on beside its argument."""
    return tuple(os.environ.get(name) for name in VARIABLES) if verify is True else ()


def context_of(verify: ssl.SSLContext | bool) -> ssl.SSLContext:
    """The context for https; True is the environment's.

    Raises:
        ConfigError: a variable of the environment names no certificates.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    return of_environment() if verify else httpx.create_ssl_context(verify=False)


def of_environment() -> ssl.SSLContext:
    """What the variables trust.

    Raises:
        ConfigError: one of them names no certificates.
    """
    context = _empty_context()
    named = {name: value for name in VARIABLES if (value := unquoted(os.environ.get(name, "")))}
    if not named:
        context.load_verify_locations(cafile=certifi.where())
    for name, value in named.items():
        is_list = name == "SSL_CERT_DIR" and not os.path.exists(value)
        for path in value.split(os.pathsep) if is_list else [value]:
            if path:
                _load(context, path, name)
    return context


def _empty_context() -> ssl.SSLContext:
    """A context as `ssl.create_default_context` makes them, which trusts nobody yet.

    A file for its secrets (`SSLKEYLOGFILE`) that cannot be written is no reason to fail, as it is none for curl.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    keys = os.environ.get("SSLKEYLOGFILE", "")
    if keys and not sys.flags.ignore_environment:
        try:
            if os.path.exists(keys) and not os.path.isfile(keys):  # a pipe would be waited for
                raise OSError(t("net.trust.irregular"))
            context.keylog_filename = keys
        except (OSError, ValueError) as problem:
            message = t("net.no_key_log", value=one_line(keys), problem=one_line(str(problem)))
            warn_once(f"SSLKEYLOGFILE {keys}", message)
    return context


def _load(context: ssl.SSLContext, location: str, name: str) -> None:
    """Trust the certificates of a file, or of a directory: those with OpenSSL's hashed names, else all that it has."""
    problem = ""
    try:
        path = expand(location, argument=name)
        if not path.is_dir():
            return _load_file(context, path)
        names = os.listdir(path)
        if any(map(_HASHED.match, names)):
            return context.load_verify_locations(capath=str(path))
        files = [path / filename for filename in sorted(names) if filename.lower().endswith(_ENDINGS)]
        if files:
            for file in files:
                _load_file(context, file)
            return None
        problem = t("net.trust.none")
    except InputError as raised:
        problem = raised.message
    except Irregular:
        problem = t("net.trust.irregular")
    except ssl.SSLError:
        problem = t("net.trust.unreadable")
    except OSError as raised:
        problem = raised.strerror or str(raised)
    raise ConfigError(t("net.trust", name=name, value=repr(one_line(location)), problem=problem), code="tls")


def _load_file(context: ssl.SSLContext, path: Path) -> None:
    open_regular(path).close()  # OpenSSL would wait for a pipe, and says little of what is not there
    context.load_verify_locations(cafile=str(path))
