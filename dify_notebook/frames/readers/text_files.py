"""Opens the files of an export: regular ones only, unpacked while they are read, and never more than a bound."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ...errors import InputError
from ...i18n import t
from ..regular import open_regular
from .encodings import SAMPLE, detect_encoding, unsupported_type

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LIMIT = 4_000_000_000
"""Bytes that are read unless another limit is given."""
_LONGEST_SHARE = 16
"""A line, and a JSON document, may be as long as the limit divided by this."""
_ROW_SIZE, _CELL_SIZE = 250, 60
"""Bytes that a row, and each of its cells, takes in memory besides its text, about."""


class Budget:
    """How many bytes may still be read, of all files of an export together.

    Counted are the bytes of their text, unpacked, and for each row that is kept what it takes beside its text.

    Args:
        limit: bytes in all.

    Raises:
        InputError: the limit is no positive number.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit <= 0:
            raise InputError(t("history.export.bad_limit", limit=repr(limit)[:60]), code="export")
        self.limit = limit
        self.longest = max(limit // _LONGEST_SHARE, 1)
        """Characters of a line, and of a JSON document."""
        self._left = limit

    def spend(self, size: int, location: str | Path) -> None:
        """Count so many bytes. Raises: InputError: they are too many."""
        self._left -= size
        if self._left < 0:
            limits = {"limit": f"{self.limit:,}", "more": f"{10 * self.limit:_}"}
            raise InputError(t("history.export.too_much", location=location, **limits), code="export")

    def count_row(self, row: dict[str, Any], location: str) -> None:
        """Count what a row takes besides its text. Raises: InputError: it is too much."""
        self.spend(_ROW_SIZE + _CELL_SIZE * len(row), location)

    def too_long(self, location: str) -> InputError:
        """The error for a line or a document that is longer than `longest`."""
        limits = {"most": f"{self.longest:,}", "more": f"{10 * self.limit:_}"}
        return InputError(t("history.export.too_long", location=location, **limits), code="export")


class _CountedReader(io.RawIOBase):
    """A stream whose bytes are counted."""

    def __init__(self, inner: IO[bytes], path: Path, budget: Budget) -> None:
        self._inner, self._path, self._budget = inner, path, budget

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._inner.read(len(view))
        view[: len(data)] = data
        self._budget.spend(len(data), self._path)
        return len(data)


@contextmanager
def open_text(path: Path, budget: Budget, encoding: str | None = None) -> Iterator[IO[str]]:
    """The text of a file, unpacked while it is read.

    Args:
        encoding: None detects it, see `encodings`.

    Raises:
        InputError: it is no regular file, is packed in a way that is not read here, is no text, is damaged, is in an
            encoding that cannot be told, or more than the budget.
    """
    try:
        with open_regular(path) as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                size = os.fstat(raw.fileno()).st_size
                if size > budget.limit:
                    budget.spend(size, path)
            inner: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            used_encoding = _encoding_of(path, inner.read(SAMPLE), encoding)
            inner.seek(0)
            counted = io.BufferedReader(_CountedReader(inner, path, budget), 1 << 16)
            with io.TextIOWrapper(counted, encoding=used_encoding, newline="") as text:
                yield text
    except UnicodeError as error:
        raise _decode_error(path, used_encoding, error) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(t("history.export.unreadable", path=path, reason=reason), code="export") from None


def _encoding_of(path: Path, sample: bytes, encoding: str | None) -> str:
    """The encoding of a file, by its beginning."""
    if sample.startswith(b"PGDMP"):
        raise InputError(t("history.export.custom_dump", path=path, name=path.stem), code="export")
    kind = unsupported_type(sample)
    if kind == "zip":
        raise InputError(t("history.export.zip", path=path), code="export")
    if kind is not None:
        raise InputError(t(f"history.export.other.{kind}", path=path), code="export")
    # What is not certain is read as UTF-8, which names the first byte that is none.
    name = encoding or detect_encoding(sample) or "utf-8"
    return "utf-8-sig" if name.lower() in ("utf-8", "utf8", "utf_8") else name


def _decode_error(path: Path, encoding: str, error: UnicodeError) -> InputError:
    position = error.start if isinstance(error, UnicodeDecodeError) else 0
    if encoding == "utf-8-sig":
        return InputError(t("history.export.not_utf8", path=path, at=position), code="export")
    return InputError(t("history.export.not_encoded", path=path, encoding=encoding, at=position), code="export")


def numbered_lines(path: Path, file: IO[str], budget: Budget) -> Iterator[tuple[int, str]]:
    """The lines that are left with their numbers, counted from here.

    Raises:
        InputError: one is too long.
    """
    number = 0
    while line := file.readline(budget.longest + 1):
        number += 1
        if len(line) > budget.longest:
            raise budget.too_long(f"{path}:{number}")
        yield number, line
