"""The record of a run: every frame with its time.

A tape makes the events of a turn readable again, is written to disk for the node
details that the API never gives a second time, and plays as a test, a demo or a bug
report. What signs a URL and what looks like a key is taken out before a byte is written.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, overload

import msgspec

from .wire.events import Event, decode
from .wire.sse import Frame

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


class Entry(msgspec.Struct, array_like=True):
    """One line of a tape on disk: seconds since sent, event name, data (None: a ping)."""

    at: float
    name: str
    data: str | None


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
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


class Events(Sequence[Event]):
    """The events of a tape, decoded each time that they are asked for."""

    def __init__(self, entries: list[tuple[float, Frame]]) -> None:
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
    """Frames with the seconds at which they came."""

    __slots__ = ("entries", "header")

    def __init__(self, header: Header | None = None) -> None:
        self.header = header or Header()
        self.entries: list[tuple[float, Frame]] = []

    def __repr__(self) -> str:
        seconds = self.entries[-1][0] if self.entries else 0.0
        return f"<Tape {len(self.entries)} events, {seconds:.1f} s>"

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
        encode = msgspec.json.encode
        lines = [encode(self.header)]
        for at, (name, data) in self.entries:
            lines.append(encode(Entry(round(at, 4), name, None if data is None else _text(data))))
        # Everything is redacted before the first byte leaves.
        raw = b"\n".join(redact(line) for line in lines) + b"\n"
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(gzip.compress(raw, 6))
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tape:
        """Read one back.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no tape.
        """
        import gzip

        try:
            lines = gzip.decompress(Path(path).read_bytes()).splitlines()
            tape = cls(msgspec.json.decode(lines[0], type=Header))
            for line in lines[1:]:
                entry = msgspec.json.decode(line, type=Entry)
                tape.entries.append((entry.at, (entry.name, None if entry.data is None else _bytes(entry.data))))
        except (EOFError, IndexError, gzip.BadGzipFile, msgspec.DecodeError) as problem:
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
        builder.apply(ev.Eof(at=self.entries[-1][0] if self.entries else 0.0))
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
