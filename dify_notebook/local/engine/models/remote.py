"""A model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ....redact import without_key
from ....wire.sse import MEDIA_TYPE, STRAY, Splitter
from ...text import media_type
from ...threads import in_thread
from ..fetch import Refused, origin, request_target
from ..transport import BodyBroken, RequestError, exchange, read
from .model import DONE, Chunk, ModelFailed, error_text

if TYPE_CHECKING:
    import httpx

_LINE = 1_000_000
"""Bytes of one line of the stream."""
_ERROR_BODY = 20_000
_REFUSALS = ("error", "detail", "message")
"""Where servers say why they refuse: OpenAI's form, FastAPI's, and others'."""
CONNECT = 10.0
"""Seconds for connecting."""


class Remote:
    """One endpoint; `url` is what stands before `/chat/completions`, such as http://127.0.0.1:8080/v1.

    Redirects are not followed, so the key goes to no other place.
    """

    provider = "openai_api_compatible"

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 60.0) -> None:
        """Args: timeout: seconds without a byte.

        Raises:
            ValueError: the address is none; the message says why.
        """
        root = url.rstrip("/").removesuffix("/chat/completions")
        parts = urlsplit(root)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("the model's address must hold no password, query or fragment")
        try:
            self._origin = origin(root)
        except Refused:
            raise ValueError(f"{url!r} is no address of a model: http(s)://host[:port]/v1 is wanted") from None
        self._target = request_target(root + "/chat/completions")
        self._key = key
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"Remote({self._origin[1]!r})"

    async def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """See `Backend.chat`. Its connection is closed with the generator."""
        headers = {"Content-Type": "application/json", "Accept": f"{MEDIA_TYPE}, application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        content = await in_thread(lambda: json.dumps(body).encode())  # it may hold pictures
        try:
            async with exchange(
                "POST", self._origin, self._target, headers=headers, body=content,
                timeout=self._timeout, connect=CONNECT,
            ) as response:  # fmt: skip
                if response.status_code != 200:
                    refusal = self._refusal(response, self._clean(await read(response, _ERROR_BODY)))
                    code = "rate_limit_error" if response.status_code == 429 else "completion_request_error"
                    raise ModelFailed(refusal, code)
                if media_type(response.headers.get("content-type")) == "application/json":
                    yield _object(self._clean(await read(response, _LINE * 4)))
                    return
                async for data in _events(response):
                    if data == b"[DONE]":
                        yield DONE
                        return
                    chunk = _object(self._clean(data))
                    if isinstance(chunk.get("error"), dict | str):
                        raise ModelFailed(without_key(error_text(chunk["error"]), self._key))
                    yield chunk
        except TimeoutError:
            raise ModelFailed(f"The model did not answer within {self._timeout:g} s") from None
        except BodyBroken:
            return  # whether the answer was whole is said by its chunks
        except RequestError as problem:
            text = without_key(str(problem), self._key)
            raise ModelFailed(f"The model at {self._origin[1]} cannot be reached: {text}") from None

    def _clean(self, data: bytes) -> bytes:
        """What the other side sent, without our key; before it is read, since every error may quote it."""
        return without_key(data, self._key)

    def _refusal(self, response: httpx.Response, raw: bytes) -> str:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        error = next((body[name] for name in _REFUSALS if body.get(name)), None) if isinstance(body, dict) else None
        if error is not None:
            return without_key(error_text(error), self._key)
        reason = without_key(response.reason_phrase, self._key)
        return f"The model answered with status {response.status_code} {reason}".rstrip()


async def _events(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The data of each event. Every line is one, as some servers leave out the blank lines between them.

    Raises:
        ModelFailed: a line is too long.
    """
    splitter = Splitter(_LINE)
    async for piece in response.aiter_raw():
        for data in _data(splitter, piece):
            yield data
    for data in _data(splitter, b"\n"):  # the last line may lack its end
        yield data


def _data(splitter: Splitter, piece: bytes) -> list[bytes]:
    frames = splitter.feed(piece.replace(b"\n", b"\n\n"))
    if splitter.too_long:
        raise ModelFailed("The model sent a line that is too long")
    return [data.strip() for name, data in frames if data is not None and name != STRAY]


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        shown = data[:80].decode("utf-8", "replace")
        raise ModelFailed(f"The model sent something that is not JSON: {shown}")
    return value
