"""`Writer`: writes a history into a directory as its pages arrive, with bounded memory."""

from __future__ import annotations

import asyncio
import errno
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from ...errors import InputError
from ...i18n import t
from ..facts import Facts, NotWritten
from ..item_rows import Batch
from ..schema import HISTORY, SCHEMA
from ..texts import from_microseconds
from . import files
from .directory import NAME, VERSION, Directory, Metadata

if TYPE_CHECKING:
    from filelock import FileLock

BUFFER_SIZE = 16_000_000
"""Characters of text that may wait in memory before some of it is written."""
_STAGING = ".update"
_LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_ROW_SIZE = 300  # what a row costs beside its texts
_TEXT_COLUMNS = {
    table.name: [name for name in table.names if table[name].dtype == "string" and not name.endswith("_id")]
    for table in HISTORY
}
"""Table -> columns that may be long."""


class Writer:
    """The sink of a fetch that is written to a disk.

    Args:
        path: the directory.

    Raises:
        ConfigError: pyarrow is missing.
    """

    def __init__(self, path: Path) -> None:
        self.directory = Directory(path)
        self.path = self._target = self.directory.path
        self._buffers: dict[tuple[str, str], list[Batch]] = {}
        """Table and month -> what is not written yet."""
        self._sizes: dict[tuple[str, str], int] = {}
        self._full = asyncio.Lock()
        self._writing = threading.Lock()
        self._part = 0
        self._stamp = ""
        self._lock: FileLock | None = None
        self._created = self._empty = False
        """Whether the directory was made here; whether its history was begun here and holds no row yet."""

    # -- beginning and end -------------------------------------------------------------

    def begin(self, facts: Facts) -> None:
        """Make the directory ready for a new history.

        Args:
            facts: what it will be of, for whoever finds it half written.

        Raises:
            InputError: something else, or a history, is there.
            NotWritten: the disk refuses it.
        """
        if (self.path / NAME).exists():
            raise InputError(t("frames.already_there", directory=str(self.path)), code="directory")
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(t("frames.not_empty", directory=str(self.path)), code="directory")
        self._created = not self.path.exists()
        self._empty = True
        try:
            with self._disk_errors():
                self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._start(self.path)
            self.write_facts(msgspec.structs.replace(facts, complete=False))
        except NotWritten as problem:
            self.discard(problem)
            raise

    def begin_update(self) -> None:
        """Make the directory ready for what changed, which is staged beside its tables.

        Raises:
            InputError: something else is writing there.
            NotWritten: the disk refuses it.
        """
        facts = self.directory.facts()
        staging = self.path / _STAGING
        self._start(staging)
        shutil.rmtree(staging, ignore_errors=True)  # an update that was stopped left it
        try:
            self.write_facts(msgspec.structs.replace(facts, complete=False))
        except BaseException:
            self.close()
            raise

    def _start(self, target: Path) -> None:
        with self._disk_errors():
            self._lock = _acquire(self.path)
        self._target = target
        self._stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"

    def close(self) -> None:
        """Release the lock; harmless where nothing was begun."""
        if self._lock is not None:
            self._lock.release()

    def abort(self, reason: BaseException) -> None:
        """The fetch failed: what is written stays; a directory that was made for nothing goes."""
        if self._empty:
            self.discard(reason)
        self.close()

    def discard(self, reason: BaseException) -> None:
        """Remove everything from the directory: what was written is elsewhere too, or is nothing."""
        self.close()
        if isinstance(reason, NotWritten):
            reason.hint = t("frames.disk_gone")
        if self._created:
            shutil.rmtree(self.path, ignore_errors=True)
        elif self.path.is_dir():
            for path in self.path.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """An OSError as NotWritten, with a hint how to go on."""
        try:
            yield
        except OSError as problem:
            directory = str(self.path)
            raise NotWritten(
                t("frames.disk", directory=directory, reason=problem.strerror or problem),
                code="disk",
                hint=t("frames.disk_hint", directory=directory),
            ) from problem

    # -- rows ------------------------------------------------------------------------------

    def write_facts(self, facts: Facts) -> None:
        """Write `history.json`. Raises: NotWritten."""
        data = msgspec.json.format(msgspec.json.encode(Metadata(VERSION, facts)))
        with self._disk_errors():
            files.replace(self.path / NAME, lambda path: path.write_bytes(data))

    async def add(self, table: str, batch: Batch) -> None:
        """Buffer a batch. When too much is held, whoever comes waits until half of it is written.

        Raises:
            NotWritten: the disk refuses it.
        """
        for month, part in _by_month(table, batch):
            key = (table, month)
            self._buffers.setdefault(key, []).append(part)
            self._sizes[key] = self._sizes.get(key, 0) + _size(table, part)
        if sum(self._sizes.values()) > BUFFER_SIZE:
            async with self._full:
                while sum(self._sizes.values()) > BUFFER_SIZE // 2:
                    await asyncio.to_thread(self._write, *self._pop_largest())

    def _pop_largest(self) -> tuple[str, str, list[Batch]]:
        """The largest buffer; conversations only when nothing of them is held any more."""
        others = [key for key in self._sizes if key[0] != "conversations"]
        key = max(others or self._sizes, key=self._sizes.__getitem__)
        del self._sizes[key]
        return *key, self._buffers.pop(key)

    def _write(self, table: str, month: str, batches: Sequence[Batch]) -> None:
        from . import arrow

        with self._writing, self._disk_errors():
            self._empty = False
            files.save(arrow.from_batches(SCHEMA[table], batches), self._next_path(table, month))

    def _next_path(self, table: str, month: str) -> Path:
        self._part += 1
        folder = self._target / table / f"month={month}" if month else self._target / table
        return folder / f"part-{self._stamp}-{self._part}.parquet"

    def flush(self) -> None:
        """Write everything that is buffered. Raises: NotWritten."""
        while self._buffers:
            self._write(*self._pop_largest())
        with self._writing:  # a thread may still be at it
            pass

    def save(self, tables: dict[str, pd.DataFrame]) -> None:
        """Write whole tables. Raises: NotWritten."""
        from . import arrow

        for name, table in tables.items():
            months = _months(table) if name == "messages" else [""] * len(table)
            for month, rows in table.groupby(pd.Index(months, dtype="object"), sort=True) if len(table) else ():
                part = arrow.from_pandas(SCHEMA[name], rows)
                with self._disk_errors():
                    files.save(part, self._next_path(name, month))

    async def finish(self) -> None:
        """All has come."""
        await asyncio.to_thread(self.flush)

    def apply_update(self, replaced: set[str], *, has_ratings: bool, has_annotations: bool) -> None:
        """Put what was staged among the tables. See `memory.merge_fetches` for the arguments.

        Raises:
            NotWritten: the disk refuses something; the next update mends it.
        """
        from . import update

        with self._disk_errors():
            self.flush()
            staged = Directory(self.path / _STAGING)
            feedbacks = update.apply(
                self.directory, staged, replaced, has_ratings=has_ratings, has_annotations=has_annotations
            )
            self._target = self.path
            self.save({"feedbacks": feedbacks})
            if has_ratings:
                for path in self.directory.files("messages"):
                    update.set_ratings(path, feedbacks)


def _acquire(directory: Path) -> FileLock | None:
    """The lock of the directory, among threads and processes; None where its file system knows no locks.

    Raises:
        InputError: somebody else writes there.
        OSError: nothing can be written there.
    """
    from filelock import FileLock, Timeout

    # A writer may end on another thread than it began on.
    lock = FileLock(directory / _LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(t("frames.busy", directory=str(directory)), code="directory") from None
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise
        return None  # that must not keep anybody from writing
    return lock


# -- partitions ----------------------------------------------------------------------------


def _by_month(table: str, batch: Batch) -> Iterator[tuple[str, Batch]]:
    """Messages by the month that they were asked in; other tables as they are."""
    if table != "messages":
        yield "", batch
        return
    months = [_month(time) for time in batch["created_at"]]
    if len(set(months)) < 2:
        yield from ((month, batch) for month in months[:1])
        return
    for month in dict.fromkeys(months):
        rows = [row for row, other in enumerate(months) if other == month]
        yield month, {name: [values[row] for row in rows] for name, values in batch.items()}


def _month(time: int | None) -> str:
    return "unknown" if time is None else from_microseconds(time).strftime("%Y-%m")


def _months(messages: pd.DataFrame) -> list[str]:
    times: Iterable[Any] = messages["created_at"]
    return ["unknown" if time is pd.NaT else time.strftime("%Y-%m") for time in times]


def _size(table: str, batch: Batch) -> int:
    """About how many bytes it holds."""
    rows = len(next(iter(batch.values())))
    return rows * _ROW_SIZE + sum(len(text) for name in _TEXT_COLUMNS[table] for text in batch.get(name, ()) if text)
