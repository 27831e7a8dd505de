"""Bytes to frames: the splitter of server-sent events.

It works on bytes, since text splitters cut at U+2028 and the like, which are
ordinary characters inside JSON. A frame is (event name, data); data is None when
the block had no `data` line, which is how Dify pings (`event: ping` and nothing else).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Frame = tuple[str, bytes | None]

_BOM = b"\xef\xbb\xbf"


class Splitter:
    """Takes chunks cut anywhere, gives the frames that they complete.

    Time is linear in the bytes, also for an event of many megabytes in small chunks.

    >>> splitter = Splitter()
    >>> splitter.feed(b'data: {"a"'), splitter.feed(b": 1}\\n\\n")
    ([], [('', b'{"a": 1}')])
    """

    __slots__ = ("_data", "_event", "_line", "_skip_lf", "_started")

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of the line that is not ended yet
        self._data: list[bytes] = []
        self._event = b""
        self._skip_lf = False  # the last chunk ended in CR: a LF would belong to it
        self._started = False  # whether the first line, which may carry a BOM, is behind us

    def feed(self, chunk: bytes) -> list[Frame]:
        """Frames that end in this chunk, in order."""
        between_events = not (self._line or self._data or self._event or self._skip_lf) and self._started
        if (
            between_events
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and chunk.find(b"\n") == len(chunk) - 2
            and b"\r" not in chunk
        ):
            return [("", chunk[6:-2])]  # the usual case, one whole event in a chunk, costs one slice
        if not chunk:
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
                self._line.append(line)
                line = b"".join(self._line)
                self._line.clear()
            if not self._started:
                self._started = True
                line = line.removeprefix(_BOM)
            if not line:
                if self._data:
                    frames.append((self._event.decode("utf-8", "replace"), b"\n".join(self._data)))
                elif self._event:
                    frames.append((self._event.decode("utf-8", "replace"), None))
                self._data = []
                self._event = b""
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            elif name == b"event":
                self._event = value.removeprefix(b" ")
            # Comments (an empty name), id, retry and unknown fields say nothing to us.
        if tail:
            self._line.append(tail)
        return frames

    def rest(self) -> bytes:
        """What came after the last whole frame: cut off, if the stream has ended here."""
        lines = [b"data: " + line for line in self._data]
        if self._line:
            lines.append(b"".join(self._line))
        return b"\n".join(lines)


def frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """All frames of some chunks, for tapes and tests."""
    splitter = Splitter()
    for chunk in chunks:
        yield from splitter.feed(chunk)
