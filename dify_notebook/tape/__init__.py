"""The record of a run: every frame with its time.

A tape makes the events of a turn readable again, is written to disk for the node
details that the API never gives a second time, and plays as a test, a demo or a bug
report. What signs a URL and what looks like a key is taken out before a byte is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, overload

import msgspec

from ..errors import TapeGone
from ..paths import expand
from ..private import private_opener
from ..redact import redact
from ..turn.state import Turn
from ..wire.decoder import decode
from ..wire.events import Event
from ..wire.sse import Frame
from ..wire.surrogates import Surrogates
from .entries import SPOOL_BYTES, Entries, GoneEntries
from .line import Entry, Header, entry_of, line_of
from .reading import LOAD_BYTES, StoredEntries, read_tape
from .store import RunStore, run_store
from .turns import Turns

__all__ = [
    "LOAD_BYTES", "SPOOL_BYTES", "Entries", "Entry", "Events", "GoneEntries", "Header", "RunStore", "StoredEntries",
    "Tape", "Turns", "entry_of", "line_of", "read_tape", "redact", "run_store",
]  # fmt: skip


class Events(Sequence[Event]):
    """The events of a tape (`wire.events`), decoded each time that they are asked for; `at` is seconds since sent.

    A character that two of them share is whole when they are read in order; in one that is asked for alone U+FFFD
    stands for its half.
    Where the tape is kept nowhere any more, whoever asks for one or for their number gets a `TapeGone`.
    """

    def __init__(self, entries: Sequence[tuple[float, Frame]]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Events) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a running answer's grow

    def __reduce__(self) -> tuple[Any, ...]:
        tape = Tape()
        tape.entries = self._entries  # type: ignore[assignment]
        return attrgetter("events"), (tape,)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        if isinstance(index, slice):
            surrogates = Surrogates()
            return [decode(frame, at, surrogates) for at, frame in self._entries[index]]
        at, frame = self._entries[index]
        return decode(frame, at)

    def __iter__(self) -> Iterator[Event]:
        surrogates = Surrogates()
        for at, frame in self._entries:
            yield decode(frame, at, surrogates)

    def __repr__(self) -> str:
        try:
            return f"<{len(self)} events>"
        except TapeGone as gone:
            return f"<events: {gone.message}>"


class Tape:
    """Frames with the seconds at which they came.

    Attributes:
        header: what was asked, when and of whom; the first line on a disk.
        entries: (seconds since the question was sent, (event name, data)), in order.

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
        self.entries: Entries = Entries(spool, limit)

    def __repr__(self) -> str:
        try:
            return f"<Tape {len(self.entries)} events, {self.entries.seconds:.1f} s>"
        except TapeGone as gone:
            return f"<Tape {gone.message}>"

    def __eq__(self, other: object) -> bool:
        """Whether they are the same on a disk; those whose entries are gone are by their headers."""
        if not isinstance(other, Tape):
            return NotImplemented
        if self is other:
            return True
        return self._redacted_header() == other._redacted_header() and self._lines() == other._lines()

    __hash__ = None  # type: ignore[assignment]  # a running answer's grows

    def _redacted_header(self) -> Header:
        return msgspec.json.decode(redact(msgspec.json.encode(self.header)), type=Header)

    def _lines(self) -> list[bytes] | None:
        """Its entries as they lie on a disk; None where they are gone."""
        try:
            return [line_of(*entry) for entry in self.entries]
        except TapeGone:
            return None

    def __reduce__(self) -> tuple[Any, ...]:
        """As it would lie on a disk, redacted; where its entries are gone, so are those of the copy."""
        try:
            lines = [line_of(*entry) for entry in self.entries]
        except TapeGone as gone:
            return _unpickled, (self._redacted_header(), gone.message, self.entries.seconds)
        return _unpickled, (self._redacted_header(), lines)

    def __deepcopy__(self, memo: object) -> Tape:
        return self

    def append(self, at: float, frame: Frame) -> None:
        """Add a frame that came `at` seconds after the question was sent, while the answer runs."""
        self.entries.append((at, frame))

    def stored(self, path: Path) -> None:
        """From now on read it from that file, which holds it whole: memory and temporary file are let go."""
        entries = self.entries
        if not isinstance(entries, StoredEntries | GoneEntries):
            self.entries = StoredEntries(path, len(entries), entries.seconds, entries.size)

    def forget(self, why: str) -> None:
        """Let the entries go; `why` is said to whoever asks for them."""
        self.entries = GoneEntries(why, self.entries.seconds)

    @property
    def events(self) -> Events:
        """A lazy view: nothing is decoded before it is looked at."""
        return Events(self.entries)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it, redacted and compressed, readable by its owner alone.

        Raises:
            OSError: the file cannot be written.
            InputError: that is no path.
            TapeGone: its events are kept nowhere any more; nothing is written.
        """
        import gzip

        target = expand(path)
        len(self.entries)  # says that they are gone before a file is there
        with (
            open(target, "wb", opener=private_opener) as raw,
            gzip.GzipFile("", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file,
        ):
            # Everything is redacted before the first byte leaves.
            file.write(redact(msgspec.json.encode(self.header)) + b"\n")
            for at, frame in self.entries:
                file.write(line_of(at, frame) + b"\n")
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, limit: int = LOAD_BYTES) -> Tape:
        """Read one back, into memory.

        Args:
            limit: bytes that it may take: of its entries, unpacked, with 150 more for each.

        Raises:
            OSError: the file cannot be read.
            InputError: that is no path.
            TapeError: it is no tape, no regular file, or longer than `limit`. It is a ValueError too.
        """
        header, entries = read_tape(expand(path), limit)
        tape = cls(header)
        tape.entries.extend(entries)
        return tape

    @classmethod
    def at(cls, path: Path) -> Tape:
        """A tape of the store, which is read again with each look instead of held in memory.

        Raises:
            TapeError: it is no tape, or gone.
        """
        header, entries = StoredEntries.of(path)
        tape = cls(header)
        tape.entries = entries
        return tape

    def replay(self) -> Turn:
        """The turn that this tape tells, folded anew (`source` is tape).

        Raises:
            TapeGone: its events are kept nowhere any more.
            TapeError: they lie in a file of the store that is damaged.
        """
        from ..turn.fold import Builder
        from ..wire import events as ev

        builder = Builder()
        fields = ("query", "conversation_id", "user", "server", "app", "app_mode")
        builder.apply(ev.Sent(**{name: getattr(self.header, name) for name in fields}))
        for event in self.events:
            builder.apply(event)
        builder.apply(ev.StreamEnd(at=self.entries.seconds))
        return msgspec.structs.replace(builder.turn(), source="tape", tape=self)


def _unpickled(header: Header, content: list[bytes] | str, seconds: float = 0.0) -> Tape:
    tape = Tape(header)
    if isinstance(content, str):
        tape.entries = GoneEntries(content, seconds)
        return tape
    for line in content:
        tape.append(*entry_of(line))
    return tape
