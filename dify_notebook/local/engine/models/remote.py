"""A model behind an OpenAI-compatible endpoint.

It is `http.client` in the question's own thread, not httpx: only `net` may import httpx, what is needed
here is one POST and a body read line by line, and hanging up (which ends a blocking read at once) is
shutting the socket. Redirects are not followed, so the key goes to no other place.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ....redact import without_key
from ....wire.sse import KIND, STRAY, frames
from ...threads import Asked, shut
from .model import DONE, Chunk, ModelFailed, error_text

_LINE = 1_000_000
"""Bytes of one line of the stream."""
_ERROR_BODY = 20_000
_REFUSALS = ("error", "detail", "message")
"""Where servers say why they refuse: OpenAI's form, FastAPI's, and others'."""
CONNECT = 10.0
"""Seconds for connecting."""


class Remote:
    """One endpoint; `url` is what stands before `/chat/completions`, such as http://127.0.0.1:8080/v1."""

    provider = "openai_api_compatible"

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 60.0) -> None:
        """Args: timeout: seconds without a byte.

        Raises:
            ValueError: the address is none; the message says why.
        """
        parts = urlsplit(url.rstrip("/").removesuffix("/chat/completions"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a model: http(s)://host[:port]/v1 is wanted")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("the model's address must hold no password, query or fragment")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path + "/chat/completions"
        self._key = key
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"Remote({self._host!r})"

    def chat(self, body: dict[str, Any], tell: Callable[[Chunk], None], asked: Asked) -> None:
        """See `Backend.chat`."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT)
        try:
            self._talk(connection, body, tell, asked)
        except TimeoutError:
            raise ModelFailed(f"The model did not answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            # ValueError: reading from a socket that was shut under way.
            text = str(problem) or type(problem).__name__
            raise ModelFailed(f"The model at {self._host} cannot be reached: {without_key(text, self._key)}") from None
        finally:
            asked.on_cancel(None)
            connection.close()

    def _talk(
        self,
        connection: http.client.HTTPConnection,
        body: dict[str, Any],
        tell: Callable[[Chunk], None],
        asked: Asked,
    ) -> None:
        connection.connect()
        plug = connection.sock
        plug.settimeout(self._timeout)
        asked.on_cancel(lambda: shut(plug))
        headers = {"Content-Type": "application/json", "Accept": f"{KIND}, application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection.request("POST", self._path, json.dumps(body).encode(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise ModelFailed(self._refusal(response))
        if response.headers.get_content_type() == "application/json":
            tell(_object(response.read(_LINE * 4)))
            return
        while line := response.readline(_LINE):
            if asked.over:
                return
            if len(line) >= _LINE:
                raise ModelFailed("The model sent a line that is too long")
            data = _data(line)
            if data is None:
                continue  # comments, event names and the blank lines between events
            if data == b"[DONE]":
                tell(DONE)
                return
            told = _object(data)
            if isinstance(told.get("error"), dict | str):
                raise ModelFailed(without_key(error_text(told["error"]), self._key))
            tell(told)

    def _refusal(self, response: http.client.HTTPResponse) -> str:
        raw = response.read(_ERROR_BODY)
        try:
            told = json.loads(raw)
        except ValueError:
            told = None
        said = next((told[name] for name in _REFUSALS if told.get(name)), None) if isinstance(told, dict) else None
        if said is not None:
            return without_key(error_text(said), self._key)
        return f"The model answered with status {response.status} {response.reason}".rstrip()


def _data(line: bytes) -> bytes | None:
    """What a line tells: each is an event, as some servers leave out the blank lines between them."""
    found = frames([line.strip() + b"\n\n"])
    return next((data.strip() for name, data in found if data is not None and name != STRAY), None)


def _object(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        shown = data[:80].decode("utf-8", "replace")
        raise ModelFailed(f"The model sent something that is not JSON: {shown}")
    return told
