"""The frames of a tape with their times: in memory, in a temporary file, or nowhere any more."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, overload

from ..errors import TapeGone
from ..logs import logger
from ..wire.sse import Frame
from .line import entry_of, line_of

#: Bytes of frames that a tape holds in memory before it goes to a file.
SPOOL_BYTES = 4_000_000
ENTRY_BYTES = 150
"""What an entry costs beside its data."""
_STEP = 64
log = logger()


class Entries(Sequence[tuple[float, Frame]]):
    """Frames with their times: in memory, and beyond `limit` bytes in a temporary file.

    What goes to the file is redacted first, is readable by its owner alone, and is gone with the
    tape. From the file every `_STEP`th line's place is kept, so memory hardly grows with the events.
    Where the disk is full, the rest stays in memory.
    """

    __slots__ = (
        "_bytes", "_count", "_directory", "_end", "_file", "_full", "_last", "_limit", "_lock", "_memory", "_places",
    )  # fmt: skip

    def __init__(self, directory: Callable[[], Path | None] | None = None, limit: int = SPOOL_BYTES) -> None:
        self._directory = directory
        self._limit = limit
        self._memory: list[tuple[float, Frame]] = []
        self._bytes = 0
        self._count = 0  # of those in the file
        self._last = 0.0
        self._file: BinaryIO | None = None
        self._end = 0  # of what was written whole, in bytes
        self._full = False
        self._places = array("Q")
        self._lock = threading.Lock()  # one thread appends while another looks

    @property
    def spooled(self) -> bool:
        """Whether they lie in a file."""
        return self._file is not None

    def append(self, entry: tuple[float, Frame]) -> None:
        """Add one. Where the file cannot be written, they stay in memory."""
        at, (name, data) = entry
        self._last = at
        if self._file is not None and not self._full:
            try:
                with self._lock:
                    self._write(self._file, entry)
                return
            except OSError as problem:
                self._full = True
                log.warning("the rest of a long tape stays in memory: %s", problem)
        self._memory.append(entry)
        self._bytes += ENTRY_BYTES + len(name) + len(data or b"")
        if self._directory is not None and self._bytes > self._limit:
            self._spool()

    def extend(self, entries: Iterable[tuple[float, Frame]]) -> None:
        for entry in entries:
            self.append(entry)

    def _spool(self) -> None:
        assert self._directory is not None
        directory, self._directory = self._directory, None  # asked once
        try:
            place = directory()
            if place is None:  # keeping runs is switched off: nothing goes to the disk
                return
            # Unbuffered: what fails is told at once.
            file: Any = tempfile.TemporaryFile(prefix="running-", suffix=".tape", dir=place, buffering=0)  # noqa: SIM115
            with self._lock:
                for entry in self._memory:
                    self._write(file, entry)
                self._file, self._memory, self._bytes = file, [], 0
        except OSError as problem:
            log.warning("a long tape stays in memory: %s", problem)
            self._count = self._end = 0
            self._places = array("Q")

    def _write(self, file: BinaryIO, entry: tuple[float, Frame]) -> None:
        line = line_of(*entry) + b"\n"
        file.seek(self._end)
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._count % _STEP == 0:
            self._places.append(self._end)
        self._end += len(line)
        self._count += 1

    def __len__(self) -> int:
        with self._lock:  # not while they move to the file
            return self._count + len(self._memory)

    @overload
    def __getitem__(self, index: int) -> tuple[float, Frame]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[float, Frame]]: ...
    def __getitem__(self, index: int | slice) -> tuple[float, Frame] | list[tuple[float, Frame]]:
        if self._file is None:
            return self._memory[index]
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        if number >= self._count:
            return self._memory[number - self._count]
        return self._block(number // _STEP)[number % _STEP]

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        for block in range(len(self._places)):
            yield from self._block(block)
        yield from self._memory

    def _block(self, block: int) -> list[tuple[float, Frame]]:
        assert self._file is not None
        with self._lock:
            place = self._places[block]
            left = (self._places[block + 1] if block + 1 < len(self._places) else self._end) - place
            self._file.seek(place)
            read = []
            while left > 0 and (part := self._file.read(left)):
                read.append(part)
                left -= len(part)
        return [entry_of(line) for line in b"".join(read).splitlines()]

    @property
    def seconds(self) -> float:
        """The time of the last one."""
        return self._last

    @property
    def size(self) -> int:
        """Bytes in memory and in the file, about."""
        return self._bytes + self._end

    def close(self) -> None:
        """Let the file go, if there is one."""
        if self._file is not None:
            self._file.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # not made to its end; and no name of this module may be used, as at Python's end it has none
            return


class GoneEntries(Entries):
    """Entries that are kept nowhere any more. Whoever asks for one, or for their number, is told why."""

    __slots__ = ("_why",)

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__()
        self._why = why
        self._last = seconds

    def append(self, entry: tuple[float, Frame]) -> None:
        """Nothing can be added."""
        self._say()

    def _say(self) -> NoReturn:
        raise TapeGone(self._why, code="tape_gone")

    def __len__(self) -> int:
        self._say()

    def __getitem__(self, index: Any) -> NoReturn:
        self._say()

    def __iter__(self) -> NoReturn:
        self._say()

    def __repr__(self) -> str:
        return f"<gone: {self._why}>"
