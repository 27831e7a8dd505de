"""A server that answers, whichever process runs it, and whether it still does."""

from __future__ import annotations

import http.client
import secrets
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode, urlsplit

from ...i18n import t
from ..store.directory import Directory, Keys, LocalServerError
from .challenge import proof


class Server:
    """An embedded server that answers, whichever process runs it."""

    def __init__(self, url: str, directory: Directory, keys: Keys) -> None:
        self.url = url
        """Scheme, host and port."""
        self.directory = directory
        self._keys = keys

    @property
    def base_url(self) -> str:
        """What a client needs; ends in /v1."""
        return f"{self.url}/v1"

    @property
    def data_dir(self) -> Path:
        """Where it keeps its things."""
        return self.directory.root

    @property
    def apps(self) -> tuple[str, ...]:
        """Names of its apps."""
        return tuple(self._keys.apps)

    def api_key(self, app: str = "guide") -> str:
        """The key of one of its apps: guide, toolbox, pipeline, tally, or one that was given to `serve()`.

        Raises:
            LocalServerError: no such app.
        """
        try:
            return self._keys.apps[app]
        except KeyError:
            raise LocalServerError(t("local.no_app", app=app, apps=", ".join(self._keys.apps))) from None

    def close(self) -> None:
        """Nothing to do: another process runs it, and this one only found it."""

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} data_dir={str(self.data_dir)!r}>"


def answers(url: str, nonce: str) -> bool:
    """Whether the server at an address is alive and the one that wrote server.json."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None or parts.port is None:
        return False
    challenge = secrets.token_urlsafe(16)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=2)
    try:
        connection.request("GET", "/?" + urlencode({"challenge": challenge}))
        response = connection.getresponse()
        return response.status == 200 and proof(nonce, challenge).encode() in response.read(65536)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
