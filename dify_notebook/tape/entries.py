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
    tape. From the file every `_STEP`th line's offset is kept, so memory hardly grows with the events.
    Where the disk is full, the rest stays in memory.
    """

    __slots__ = (
        "_count", "_directory", "_disk_full", "_end", "_file", "_limit", "_lock", "_memory", "_memory_bytes",
        "_offsets", "_seconds",
    )  # fmt: skip

    def __init__(self, directory: Callable[[], Path | None] | None = None, limit: int = SPOOL_BYTES) -> None:
        self._directory = directory
        self._limit = limit
        self._memory: list[tuple[float, Frame]] = []
        self._memory_bytes = 0
        self._count = 0  # of those in the file
        self._seconds = 0.0
        self._file: BinaryIO | None = None
        self._end = 0  # of what was written whole, in bytes
        self._disk_full = False
        self._offsets = array("Q")
        self._lock = threading.Lock()  # one thread appends while another looks

    @property
    def spooled(self) -> bool:
        """Whether they lie in a file."""
        return self._file is not None

    def append(self, entry: tuple[float, Frame]) -> None:
        """Add one. Where the file cannot be written, they stay in memory."""
        at, (name, data) = entry
        self._seconds = at
        if self._file is not None and not self._disk_full:
            try:
                with self._lock:
                    self._write(self._file, entry)
                return
            except OSError as problem:
                self._disk_full = True
                log.warning("the rest of a long tape stays in memory: %s", problem)
        self._memory.append(entry)
        self._memory_bytes += ENTRY_BYTES + len(name) + len(data or b"")
        if self._directory is not None and self._memory_bytes > self._limit:
            self._spool()

    def extend(self, entries: Iterable[tuple[float, Frame]]) -> None:
        for entry in entries:
            self.append(entry)

    def _spool(self) -> None:
        assert self._directory is not None
        directory, self._directory = self._directory, None  # asked once
        try:
            target = directory()
            if target is None:  # keeping runs is switched off: nothing goes to the disk
                return
            # Unbuffered: what fails is told at once.
            file: Any = tempfile.TemporaryFile(prefix="running-", suffix=".tape", dir=target, buffering=0)  # noqa: SIM115
            with self._lock:
                for entry in self._memory:
                    self._write(file, entry)
                self._file, self._memory, self._memory_bytes = file, [], 0
        except OSError as problem:
            log.warning("a long tape stays in memory: %s", problem)
            self._count = self._end = 0
            self._offsets = array("Q")

    def _write(self, file: BinaryIO, entry: tuple[float, Frame]) -> None:
        line = line_of(*entry) + b"\n"
        file.seek(self._end)
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._count % _STEP == 0:
            self._offsets.append(self._end)
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
        for block in range(len(self._offsets)):
            yield from self._block(block)
        yield from self._memory

    def _block(self, block: int) -> list[tuple[float, Frame]]:
        assert self._file is not None
        with self._lock:
            offset = self._offsets[block]
            left = (self._offsets[block + 1] if block + 1 < len(self._offsets) else self._end) - offset
            self._file.seek(offset)
            parts = []
            while left > 0 and (part := self._file.read(left)):
                parts.append(part)
                left -= len(part)
        return [entry_of(line) for line in b"".join(parts).splitlines()]

    @property
    def seconds(self) -> float:
        """The time of the last one."""
        return self._seconds

    @property
    def size(self) -> int:
        """Bytes in memory and in the file, about."""
        return self._memory_bytes + self._end

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

    __slots__ = ("_reason",)

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__()
        self._reason = reason
        self._seconds = seconds

    def append(self, entry: tuple[float, Frame]) -> None:
        """Nothing can be added."""
        self._raise_gone()

    def _raise_gone(self) -> NoReturn:
        raise TapeGone(self._reason, code="tape_gone")

    def __len__(self) -> int:
        self._raise_gone()

    def __getitem__(self, index: Any) -> NoReturn:
        self._raise_gone()

    def __iter__(self) -> NoReturn:
        self._raise_gone()

    def __repr__(self) -> str:
        return f"<gone: {self._reason}>"
