"""Lines that are only ever added to: in a file that outlives its process, or in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ...private import private_opener
from ...regular import open_regular

LINE_BYTES = 64_000_000
"""The longest line; one that is longer is damaged."""
_SYNC_SECONDS = 1.0
_APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class FileLines:
    """The lines of a file.

    A line is handed to the system, whole, before `append` returns: what kills the process loses none. The disk itself
    is waited for at most once a second, and at the end; a machine that loses its power may lose what came after that.

    Args:
        path: the file.
        clock: seconds, of any beginning.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.read_bytes = 0
        """How much of the file was read: whole lines."""
        self._clock = clock
        self._handle: int | None = None
        self._synced = 0.0

    # -- reading ------------------------------------------------------------------------

    def unread(self) -> Iterator[tuple[int, bytes | None]]:
        """Whole lines that were not read yet, each with its place and without its end; None is one that is too long.

        What stands behind the last end of a line is left for later: somebody may be writing it.

        Raises:
            OSError: the file cannot be read.
            Irregular: it is no file.
        """
        with open_regular(self.path) as file:
            file.seek(self.read_bytes)
            while line := file.readline(LINE_BYTES + 1):
                size, whole = len(line), len(line) <= LINE_BYTES
                while not line.endswith(b"\n"):
                    if whole:  # the file ended here a moment ago: what follows by now is the rest of this line
                        return
                    line = file.readline(LINE_BYTES)
                    if not line:
                        return
                    size, whole = size + len(line), False
                place, self.read_bytes = self.read_bytes, self.read_bytes + size
                yield place, line[:-1] if whole else None

    def read(self, places: Iterator[tuple[int, int]]) -> Iterator[bytes]:
        """The lines at these places (with their lengths), in that order.

        Raises:
            OSError: the file cannot be read.
        """
        with open(self.path, "rb") as file:
            for place, length in places:
                file.seek(place)
                yield file.read(length)

    @property
    def has_tail(self) -> bool:
        """Whether something stands behind the last whole line that was read."""
        return os.stat(self.path).st_size > self.read_bytes

    # -- writing ------------------------------------------------------------------------

    def begin_writing(self) -> None:
        """Open it for lines to come; what was torn off ends here, and the next line begins on a new one.

        Raises:
            OSError: it cannot be written.
        """
        self._handle = private_opener(str(self.path), _APPEND)
        self._synced = self._clock()
        size = os.fstat(self._handle).st_size
        if size and _last_byte(self.path, size) != b"\n":
            self._write(b"\n", size)

    def end_writing(self) -> None:
        """Wait for the disk, and close it; harmless where it is closed.

        Raises:
            OSError: the disk did not take it.
        """
        handle, self._handle = self._handle, None
        if handle is not None:
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def append(self, line: bytes) -> int:
        """Add a line, whole or not at all. Everything before it must have been read.

        Returns:
            Its place.

        Raises:
            OSError: the disk is full, or fails.
        """
        assert self._handle is not None
        size = os.fstat(self._handle).st_size
        if size > self.read_bytes:  # half a line, from when the disk was full
            self._write(b"\n", size)
            self.read_bytes = size + 1
        place = self.read_bytes
        self._write(line + b"\n", place)
        self.read_bytes = place + len(line) + 1
        return place

    def _write(self, data: bytes, size: int) -> None:
        """Add bytes to a file that is `size` bytes long."""
        assert self._handle is not None
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except BaseException:
            if len(rest) < len(data):
                with suppress(OSError):  # then it is ended before the next line
                    os.truncate(self.path, size)
            raise
        now = self._clock()
        if now - self._synced >= _SYNC_SECONDS:
            self._synced = now
            os.fsync(self._handle)


class MemoryLines:
    """Lines in memory."""

    def __init__(self) -> None:
        self.read_bytes = 0
        self._lines: dict[int, bytes] = {}

    has_tail = False

    def unread(self) -> Iterator[tuple[int, bytes | None]]:
        """None: nobody else writes here."""
        return iter(())

    def read(self, places: Iterator[tuple[int, int]]) -> Iterator[bytes]:
        """As of a file."""
        return (self._lines[place] for place, _ in places)

    def begin_writing(self) -> None:
        """Nothing is to be done."""

    def end_writing(self) -> None:
        """Nothing is to be done."""

    def append(self, line: bytes) -> int:
        """As of a file."""
        place = self.read_bytes
        self._lines[place] = line
        self.read_bytes += len(line) + 1
        return place


def _last_byte(path: Path, size: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(size - 1)
        return file.read(1)
