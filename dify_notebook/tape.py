"""The record of a run: every frame with its time.

A tape makes the events of a turn readable again, is written to disk for the node
details that the API never gives a second time, and plays as a test, a demo or a bug
report. What signs a URL and what looks like a key is taken out before a byte is written.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import secrets
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, overload

import msgspec

from .logs import logger
from .printable import BoundedRepr
from .wire.events import Event, decode
from .wire.sse import Frame

#: Bytes of frames that a tape holds in memory before it goes to a file.
SPOOL_BYTES = 4_000_000
_ENTRY_BYTES = 150  # what an entry costs beside its data
_STEP = 64
log = logger()

_SIGNED = re.compile(rb"((?:sign|signature|nonce|token|X-Amz-[A-Za-z]+)=)[^&\"'\s\\)]+")
_KEY = re.compile(rb"\b(app|dataset)-[A-Za-z0-9]{16,}")
_BEARER = re.compile(rb"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")


def redact(data: bytes) -> bytes:
    """Bytes without signed queries, keys and bearer tokens.

    >>> redact(b'"url":"/f?timestamp=1&nonce=ab&sign=cd"')
    b'"url":"/f?timestamp=1&nonce=-&sign=-"'
    """
    data = _SIGNED.sub(rb"\1-", data)
    data = _KEY.sub(rb"\1-redacted", data)
    return _BEARER.sub(rb"\1redacted", data)


class Entry(BoundedRepr, msgspec.Struct, array_like=True):
    """One line of a tape on disk: seconds since sent, event name, data (None: a ping)."""

    at: float
    name: str
    data: str | None


class Header(BoundedRepr, msgspec.Struct, kw_only=True, omit_defaults=True):
    """The first line of a tape on disk."""

    tape: int = 1
    """Version of the form."""
    created_at: str = ""
    """Wall clock when the question was sent, ISO 8601 in UTC."""
    query: str | None = None
    server: str | None = None
    app: str | None = None
    user: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    status: str | None = None


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
        self._bytes += _ENTRY_BYTES + len(name) + len(data or b"")
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
                self._file, self._memory = file, []
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

    def close(self) -> None:
        """Let the file go, if there is one."""
        if self._file is not None:
            self._file.close()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def line_of(at: float, frame: Frame) -> bytes:
    """One entry as it may lie on a disk: redacted."""
    name, data = frame
    return redact(msgspec.json.encode(Entry(round(at, 4), name, None if data is None else _text(data))))


def entry_of(line: bytes) -> tuple[float, Frame]:
    entry = msgspec.json.decode(line, type=Entry)
    return entry.at, (entry.name, None if entry.data is None else _bytes(entry.data))


class Events(Sequence[Event]):
    """The events of a tape, decoded each time that they are asked for."""

    def __init__(self, entries: Sequence[tuple[float, Frame]]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        if isinstance(index, slice):
            return [decode(frame, at) for at, frame in self._entries[index]]
        at, frame = self._entries[index]
        return decode(frame, at)

    def __iter__(self) -> Iterator[Event]:
        for at, frame in self._entries:
            yield decode(frame, at)

    def __repr__(self) -> str:
        return f"<{len(self)} events>"


class Tape:
    """Frames with the seconds at which they came.

    Args:
        spool: where a long tape may go while it is written, asked for once it is longer than `limit`
            bytes; None, or what gives None, keeps it in memory.
    """

    __slots__ = ("entries", "header")

    def __init__(
        self,
        header: Header | None = None,
        *,
        spool: Callable[[], Path | None] | None = None,
        limit: int = SPOOL_BYTES,
    ) -> None:
        self.header = header or Header()
        self.entries = Entries(spool, limit)

    def __repr__(self) -> str:
        return f"<Tape {len(self.entries)} events, {self.entries.seconds:.1f} s>"

    def __deepcopy__(self, memo: object) -> Tape:
        return self

    @property
    def events(self) -> Events:
        """A lazy view: nothing is decoded before it is looked at."""
        return Events(self.entries)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it, redacted and compressed, readable by its owner alone.

        Raises:
            OSError: the file cannot be written.
        """
        import gzip

        target = Path(path)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as file:
            # Everything is redacted before the first byte leaves.
            file.write(redact(msgspec.json.encode(self.header)) + b"\n")
            for at, frame in self.entries:
                file.write(line_of(at, frame) + b"\n")
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tape:
        """Read one back.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no tape.
        """
        import gzip
        import zlib

        try:
            lines = gzip.decompress(Path(path).read_bytes()).splitlines()
            tape = cls(msgspec.json.decode(lines[0], type=Header))
            for line in lines[1:]:
                tape.entries.append(entry_of(line))
        except (EOFError, IndexError, gzip.BadGzipFile, zlib.error, msgspec.DecodeError) as problem:
            raise ValueError(f"{path} is no tape: {problem}") from None
        return tape

    def replay(self) -> Any:
        """The turn that this tape tells, folded anew (`source` is tape)."""
        from .turn.fold import Builder
        from .wire import events as ev

        builder = Builder()
        head = self.header
        builder.apply(
            ev.Sent(
                query=head.query, conversation_id=head.conversation_id, user=head.user, server=head.server, app=head.app
            )
        )
        for event in self.events:
            builder.apply(event)
        builder.apply(ev.Eof(at=self.entries.seconds))
        return msgspec.structs.replace(builder.turn(), source="tape", tape=self)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text[7:]) if text.startswith("base64:") else text.encode()


class RunStore:
    """The tapes of this machine's runs: a private directory, bounded in size and age."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int = 500_000_000,
        max_age: float = 30 * 86_400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.max_age = max_age
        """Seconds."""
        self._clock = clock

    @property
    def enabled(self) -> bool:
        """Whether runs are kept; `%dify runs off` and DIFY_NOTEBOOK_RUNS=off say no."""
        return os.environ.get("DIFY_NOTEBOOK_RUNS", "").lower() != "off" and not self._off.exists()

    @enabled.setter
    def enabled(self, on: bool) -> None:
        self._make()
        if on:
            self._off.unlink(missing_ok=True)
        else:
            self._off.touch()

    @property
    def _off(self) -> Path:
        return self.directory / "off"

    def _make(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(OSError):  # some file systems have no modes
            self.directory.chmod(0o700)

    def spool(self) -> Path | None:
        """Where a long tape may lie while it is written; None when keeping is switched off."""
        if not self.enabled:
            return None
        self._make()
        return self.directory

    def add(self, tape: Tape, name: str) -> Path | None:
        """Keep a tape, unless keeping is switched off; drops the oldest where there are too many.

        Raises:
            OSError: the directory cannot be written.
        """
        if not self.enabled:
            return None
        self._make()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._clock()))
        safe = re.sub(r"[^A-Za-z0-9-]", "", name)[:40] or "run"
        path = self.directory / f"{stamp}-{safe}.tape.gz"
        if path.exists():  # two runs without a message in one second
            path = self.directory / f"{stamp}-{safe}-{secrets.token_hex(3)}.tape.gz"
        tape.save(path)
        self._sweep()
        return path

    def paths(self) -> list[Path]:
        """The tapes, oldest first."""
        return sorted(self.directory.glob("*.tape.gz"))

    def _sweep(self) -> None:
        now, total = self._clock(), 0
        for path in reversed(self.paths()):
            with suppress(FileNotFoundError):  # another kernel swept it first
                info = path.stat()
                total += info.st_size
                if total > self.max_bytes or now - info.st_mtime > self.max_age:
                    path.unlink()


def run_store() -> RunStore:
    """The store of this user's runs."""
    from .config import data_dir

    return RunStore(data_dir() / "runs")
