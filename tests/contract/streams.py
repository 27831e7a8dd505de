"""Recorded exchanges with real Dify servers, and the example streams of its documentation.

`streams.jsonl.xz` holds one exchange a line, as JSON: `kind` (stream, plain or blocking), `case`,
`request` {method, path, body}, `status`, `headers` [[name, value]], `ended`, and `chunks`
[[seconds after the request, text]], where a text may be {"b64": ...} instead. The chunks
are those of the wire, byte for byte. Keys were replaced when they were recorded, which is why a
Content-Length can be off; the request's own headers are left out. What signs the addresses of files (`nonce`, `sign`)
is `-` in the streams of workflow and completion apps and in their blocking answers.

Cases are named `<Dify version>/<endpoint>__<app>-<what>`, or `examples/<name>` for a
stream that was copied out of a document: one chunk at time 0, without a request.
"""

from __future__ import annotations

import json
import lzma
from base64 import b64decode
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

FIXTURE = Path(__file__).with_name("streams.jsonl.xz")


@dataclass(frozen=True)
class Request:
    """What was asked: method, path with the query string, and the raw body."""

    method: str
    path: str
    body: bytes | None

    @property
    def json(self) -> Any:
        """The body as a value; None where it is none or no JSON."""
        try:
            return None if self.body is None else json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Recording:
    """One exchange. `ended` is how the body ended: `last-chunk` and `content-length` are whole,
    `eof-mid-chunked` was cut off by the server and `client-closed` by the recorder."""

    case: str
    request: Request
    status: int
    headers: list[tuple[str, str]]
    ended: str
    chunks: list[tuple[float, bytes]]

    @cached_property
    def body(self) -> bytes:
        return b"".join(chunk for _, chunk in self.chunks)

    @property
    def whole(self) -> bool:
        """Whether the body came to its own end."""
        return self.ended in ("last-chunk", "content-length")

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case of letters."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def load() -> dict[str, Recording]:
    """The streams (Content-Type text/event-stream), by case."""
    return _load()["stream"]


def load_plain() -> dict[str, Recording]:
    """The exchanges with `/chat-messages` that were answered in one piece: answers and refusals."""
    return _load()["plain"]


def load_blocking() -> dict[str, Recording]:
    """The answers in one piece of workflow and completion apps, all of them under HTTP 200, failures too."""
    return _load()["blocking"]


@cache
def _load() -> dict[str, dict[str, Recording]]:
    kinds: dict[str, dict[str, Recording]] = {"stream": {}, "plain": {}, "blocking": {}}
    with lzma.open(FIXTURE, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            row = json.loads(line)
            asked = row["request"]
            kinds[row["kind"]][row["case"]] = Recording(
                case=row["case"],
                request=Request(asked["method"], asked["path"], _bytes(asked["body"])),
                status=row["status"],
                headers=[(name, value) for name, value in row["headers"]],
                ended=row["ended"],
                chunks=[(seconds, _bytes(chunk) or b"") for seconds, chunk in row["chunks"]],
            )
    return kinds


def _bytes(stored: str | dict[str, str] | None) -> bytes | None:
    if stored is None:
        return None
    return stored.encode() if isinstance(stored, str) else b64decode(stored["b64"])
