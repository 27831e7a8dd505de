"""Bytes to frames and back: the one reader and the one writer of server-sent events.

It works on bytes, since text splitters cut at U+2028 and the like, which are
ordinary characters inside JSON. A frame is (event name, data); data is None when
the block had no `data` line, which is how Dify pings (`event: ping` and nothing else).
A server or a gateway that fails in mid-stream may say so as it does elsewhere, in JSON without `data:`; that is a
frame too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

Frame = tuple[str, bytes | None]

MEDIA_TYPE = "text/event-stream"
"""The media type."""
PING = b"event: ping\n\n"
"""How Dify says that it is still there."""
_BOM = b"\xef\xbb\xbf"
BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":", _BOM + b"data:", b"\n", b"\r")
"""How a stream of events can begin."""
_SILENT = (b"", b"id", b"retry")
STRAY = "§stray"
"""The event name of a frame that was told without `data:`."""
#: Bytes of an event that is too long, for whoever wants to see what it was.
_HEAD = 8_000


class Splitter:
    """Takes chunks cut anywhere, gives the frames that they complete.

    Time is linear in the bytes, also for an event of many megabytes in small chunks. Memory too, whatever
    the lines and chunks are cut into.

    Args:
        limit: bytes of an event, all of its lines together. A longer one is the end: `too_long` says
            so, and nothing more is taken.

    >>> splitter = Splitter()
    >>> splitter.feed(b'data: {"a"'), splitter.feed(b": 1}\\n\\n")
    ([], [('', b'{"a": 1}')])
    """

    __slots__ = ("_data", "_event", "_limit", "_line", "_size", "_skip_lf", "_started", "_stray", "too_long")

    def __init__(self, limit: int = sys.maxsize) -> None:
        self._limit = limit
        self._line = bytearray()  # of the line that is not ended yet
        self._data: bytearray | None = None  # the event's lines of data so far, each with a line feed behind it
        self._event = b""
        self._stray = bytearray()  # the event's lines that are of no stream: perhaps an error, told in plain JSON
        self._size = 0  # bytes of the event's lines so far
        self._skip_lf = False  # the last chunk ended in CR: a LF would belong to it
        self._started = False  # whether the first line, which may carry a BOM, is behind us
        self.too_long = False
        """Whether an event was longer than allowed."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Frames that end in this chunk, in order."""
        inside = (
            self._line or self._data is not None or self._event or self._stray or self._skip_lf or not self._started
        )
        if (
            not inside
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and chunk.find(b"\n") == len(chunk) - 2
            and b"\r" not in chunk
            and len(chunk) - 2 <= self._limit
        ):
            return [("", chunk[6:-2])]  # the usual case, one whole event in a chunk, costs one slice
        if not chunk or self.too_long:
            return []
        if self._skip_lf and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._skip_lf = False
            if not chunk:
                return []
        self._skip_lf = chunk.endswith(b"\r")
        lines = chunk.splitlines()  # on bytes: at LF, CRLF and CR only
        tail = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        frames: list[Frame] = []
        for line in lines:
            if self._line:
                self._line += line
                line = bytes(self._line)
                self._line.clear()
            if line and self._size + len(line) > self._limit:
                self.too_long = True
                self._line += line
                return frames
            if not self._started:
                self._started = True
                line = line.removeprefix(_BOM)
            if not line:
                self._end_event(frames)
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                self._size += len(line) + 1
                self._data = bytearray() if self._data is None else self._data
                self._data += value.removeprefix(b" ")
                self._data += b"\n"
            elif name == b"event":
                self._event = value.removeprefix(b" ")
            elif name not in _SILENT and (self._stray or line.lstrip().startswith(b"{")):
                self._size += len(line) + 1
                self._stray += line + b"\n"
            # Comments (an empty name), id, retry and unknown fields say nothing to us.
        if tail:
            self._line += tail
            self.too_long = self._size + len(self._line) > self._limit
        return frames

    def _end_event(self, frames: list[Frame]) -> None:
        stray = b""
        if self._stray:
            event = b'"event"' in self._stray and b'"error"' not in self._stray  # without `data:` it is none
            stray = b"" if event else bytes(self._stray[:-1])
            self._stray.clear()
        if self._data is not None:
            frames.append((self._event.decode("utf-8", "replace"), bytes(self._data[:-1])))
        elif self._event and not stray:
            frames.append((self._event.decode("utf-8", "replace"), None))
        if stray:
            frames.append((self._event.decode("utf-8", "replace") or STRAY, stray))
        self._data = None
        self._event = b""
        self._size = 0

    def rest(self) -> bytes:
        """What came after the last whole frame: cut off, if the stream has ended here. The head of what is too long."""
        limit = _HEAD if self.too_long else None
        parts: list[bytes] = []
        if self._data is not None:
            parts.append(_lines(self._data[:-1][:limit]))
        if self._stray:
            parts.append(bytes(self._stray[:-1][:limit]))
        if self._line:
            parts.append(bytes(self._line[:limit]))
        return b"\n".join(parts)


def frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """All frames of some chunks."""
    splitter = Splitter()
    for chunk in chunks:
        yield from splitter.feed(chunk)


def encode(frame: Frame) -> bytes:
    """A frame in the bytes in which Dify sends it; none has a line end other than LF.

    >>> encode(("", b'{"a": 1}')), encode(("error", b"one\\ntwo"))
    (b'data: {"a": 1}\\n\\n', b'event: error\\ndata: one\\ndata: two\\n\\n')
    """
    name, data = frame
    if data is None:
        return b"event: " + name.encode() + b"\n\n" if name else PING
    lead = b"" if name in ("", "message") else b"event: " + name.encode() + b"\n"
    return lead + _lines(data) + b"\n\n"


def _lines(data: bytes | bytearray) -> bytes:
    return b"data: " + data.replace(b"\n", b"\ndata: ")
