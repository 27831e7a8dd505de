"""Tapes on a disk, read as a stream: nothing is unpacked before it is asked for, and no more than a bound allows."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, overload

import msgspec

from ..errors import TapeError, TapeGone
from ..i18n import t
from ..regular import Irregular, open_regular
from ..wire.sse import Frame
from .entries import ENTRY_BYTES, SPOOL_BYTES, Entries
from .line import Header, entry_of

LOAD_BYTES = 256_000_000
"""What a tape may take in memory, unless told otherwise."""
LINE_BYTES = 100_000_000
"""The longest line of a tape: a frame of 16 MB, each of whose bytes is escaped as six."""


def read_tape(
    path: str | os.PathLike[str], limit: int = LOAD_BYTES
) -> tuple[Header, Iterator[tuple[float, Frame]]]:
    """The header of a tape, and its entries as they are asked for; the file is open until they end or are let go.

    Args:
        limit: bytes of all entries, unpacked, with 150 more for each.

    Raises:
        OSError: the file cannot be read.
        TapeError: it is no tape, no regular file, or longer than that; also while the entries are read.
    """
    lines = _lines(path, limit)
    with _as_tape_errors(path):
        first = next(lines, None)
        if first is None:
            raise EOFError("empty")
        header = msgspec.json.decode(first, type=Header)
    return header, _entries(path, lines)


def _entries(path: str | os.PathLike[str], lines: Iterator[bytes]) -> Iterator[tuple[float, Frame]]:
    with _as_tape_errors(path):
        for line in lines:
            yield entry_of(line)


def _lines(path: str | os.PathLike[str], limit: int) -> Iterator[bytes]:
    remaining = limit
    with _open(path) as raw, gzip.GzipFile(fileobj=raw) as file:
        while line := file.readline(min(remaining, LINE_BYTES) + 1):
            remaining -= len(line) + ENTRY_BYTES
            if len(line) > LINE_BYTES or remaining < 0:
                bound = LINE_BYTES if len(line) > LINE_BYTES else limit
                raise TapeError(t("tape.too_long", path=path, limit=bound), code="tape", hint=t("tape.too_long.hint"))
            yield line


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, opened; a pipe or a device is not waited for.

    Raises:
        OSError: it cannot be opened.
        TapeError: it is something else than a regular file.
    """
    try:
        return open_regular(path)
    except Irregular:
        pass
    raise TapeError(t("tape.no_file", path=path), code="tape")


@contextmanager
def _as_tape_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, msgspec.DecodeError, RecursionError) as problem:
        raise TapeError(t("tape.no_tape", path=path, problem=problem), code="tape") from None


class StoredEntries(Entries):
    """The entries of a tape in the store. Each look opens the file, and none is held open.

    Read them in order: one by its number costs as much as all before it, except in a tape that is short enough to
    be remembered (the last one that was looked into so is).
    """

    __slots__ = ("_length", "path")
    _cached: tuple[Path, list[tuple[float, Frame]]] | None = None

    def __init__(self, path: Path, count: int, seconds: float, size: int) -> None:
        super().__init__()
        self.path = path
        self._length = count
        self._seconds = seconds
        self._memory_bytes = size

    @property
    def spooled(self) -> bool:
        """They lie in a file."""
        return True

    def append(self, entry: tuple[float, Frame]) -> None:
        """Nothing can be added: the run has ended.

        Raises:
            TapeError: always.
        """
        raise TapeError(t("tape.ended", path=self.path), code="tape")

    @classmethod
    def of(cls, path: Path) -> tuple[Header, StoredEntries]:
        """Header and entries of a tape in the store, which is read through once.

        Raises:
            TapeError: it is no tape, or gone.
        """
        count, seconds, size = 0, 0.0, 0
        header, entries = _read_stored(path)
        for at, (name, data) in entries:
            count, seconds, size = count + 1, at, size + ENTRY_BYTES + len(name) + len(data or b"")
        return header, cls(path, count, seconds, size)

    def __len__(self) -> int:
        if not self.path.exists():
            raise _gone(self.path)
        return self._length

    @overload
    def __getitem__(self, index: int) -> tuple[float, Frame]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[float, Frame]]: ...
    def __getitem__(self, index: int | slice) -> tuple[float, Frame] | list[tuple[float, Frame]]:
        length = len(self)
        if self.size <= SPOOL_BYTES:
            return self._all()[index]
        if isinstance(index, slice):
            numbers = range(*index.indices(length))
            if not numbers:
                return []
            low, high = min(numbers), max(numbers)
            entries = list(islice(self, low, high + 1))
            return [entries[number - low] for number in numbers]
        number = index + length if index < 0 else index
        if not 0 <= number < length:
            raise IndexError(index)
        return next(islice(self, number, None))

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        return _read_stored(self.path)[1]

    def _all(self) -> list[tuple[float, Frame]]:
        cached = StoredEntries._cached
        if cached is None or cached[0] != self.path:
            cached = StoredEntries._cached = (self.path, list(self))
        return cached[1]


def _read_stored(path: Path) -> tuple[Header, Iterator[tuple[float, Frame]]]:
    """A tape of the store: it was bounded when it was written, and is read as a stream."""
    try:
        return read_tape(path, sys.maxsize)
    except FileNotFoundError:
        raise _gone(path) from None


def _gone(path: Path) -> TapeGone:
    return TapeGone(t("tape.gone", path=path), code="tape_gone", hint=t("tape.gone.hint"))
