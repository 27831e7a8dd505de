"""A history in a directory, as Parquet that pandas, DuckDB and polars read.

    history.json                                  what it is of (`Facts`), and the version of this form
    messages/month=2026-01/part-<time>-1.parquet  by the month that they were asked in (UTC)
    conversations/part-<time>-1.parquet           the other tables

A conversation's own row is written after everything that belongs to it: what has no row yet was not
fetched to its end, and the next update fetches it again. An update writes aside, takes the old rows of
what changed out of the files, and only then puts the new ones there; stopped in between, the next one
fetches what is missing. Whoever writes holds a lock: two updates at once would lose each other's rows.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from ..errors import ConfigError, InputError
from ..i18n import t
from . import build, ratings
from .facts import Facts, NotWritten
from .memory import with_usage
from .regular import open_regular
from .schema import HISTORY, KEPT, SCHEMA, Column, Table
from .tables import Block
from .texts import from_microseconds

if TYPE_CHECKING:
    from filelock import FileLock

NAME = "history.json"
VERSION = 1
#: Characters of text that may wait in memory before some of it is written.
HELD = 16_000_000
_ASIDE = ".update"
_LOCK = ".lock"
_LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
LIMIT = 16_000_000_000
"""Bytes that a table may have in memory, unless another bound is asked for."""
FACTS = 64_000_000
"""Bytes of `history.json` that are read."""
_BATCH = 65_536  # rows that are read of a file at a time
_ROW = 300  # what a row costs beside its texts
_TEXTS = {
    table.name: [one.name for one in table.columns if one.dtype == "string" and not one.name.endswith("_id")]
    for table in HISTORY
}
"""Table -> columns that may be long."""


class Written(msgspec.Struct, frozen=True):
    """`history.json`."""

    version: int
    facts: Facts


class Directory:
    """A history in a directory; also a sink that writes it with bounded memory.

    Args:
        path: where.
        limit: bytes that a table may have in memory when it is read; None means `LIMIT`.

    Raises:
        ConfigError: pyarrow is missing.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        need_pyarrow()
        self.path = path = path.absolute()  # tables are read when they are looked at, from wherever Python is then
        self._limit = LIMIT if limit is None else limit
        self._target = path
        self._held: dict[tuple[str, str], list[Block]] = {}
        self._sizes: dict[tuple[str, str], int] = {}
        self._pausing = asyncio.Lock()
        self._writing = threading.Lock()
        self._part = 0
        self._stamp = ""
        self._lock: FileLock | None = None
        self._made = self._empty = False
        """Whether the directory was made here; whether its history was begun here and holds no row yet."""

    def __reduce__(self) -> tuple[type[Directory], tuple[Path, int]]:
        """A copy, and a pickle, reads the same place."""
        return Directory, (self.path, self._limit)

    # -- reading -----------------------------------------------------------------------

    def facts(self) -> Facts:
        """What it is of.

        Raises:
            InputError: there is no history, or a newer version's, or it is damaged.
        """
        place = self.path / NAME
        try:
            with open_regular(place) as file:
                data = file.read(FACTS + 1)
            if len(data) > FACTS:
                raise InputError(t("frames.facts_too_large", file=place, limit=f"{FACTS:,}"), code="directory")
            written = msgspec.json.decode(data, type=Written)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(t("frames.not_a_history", directory=str(self.path)), code="directory") from None
        except (OSError, ValueError, RecursionError) as problem:
            raise InputError(t("frames.damaged", file=str(place), reason=problem), code="directory") from None
        if written.version > VERSION:
            raise InputError(t("frames.newer_history", directory=str(self.path)), code="directory")
        return written.facts

    def table(self, name: str) -> pd.DataFrame:
        """One table with the dtypes and in the order of the schema.

        Raises:
            InputError: a file cannot be read, or the table is larger than the limit.
        """
        import pyarrow as pa

        read: list[Any] = []
        left = self._limit
        for path in self._files(name):
            for part in _parts(path, SCHEMA[name]):
                read.append(part)
                left -= part.nbytes
                if left < 0:
                    told = {"limit": f"{self._limit:,}", "more": f"{10 * self._limit:_}"}
                    raise InputError(t("frames.too_large", file=str(path), table=name, **told), code="directory")
        found = _frame(SCHEMA[name], pa.concat_tables(read) if read else _schema(SCHEMA[name]).empty_table())
        del read
        return build.concat(SCHEMA[name], [found], ordered=True)

    def _files(self, table: str, under: Path | None = None) -> list[Path]:
        return sorted((under or self.path).joinpath(table).glob("**/*.parquet"))

    # -- writing -----------------------------------------------------------------------

    def begin(self, facts: Facts) -> None:
        """Make the directory ready for a history that was not there.

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
        self._made = not self.path.exists()
        self._empty = True
        try:
            with self._writable():
                self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._start(self.path)
            self.write_facts(msgspec.structs.replace(facts, complete=False))
        except NotWritten as problem:
            self.take_back(problem)
            raise

    def begin_update(self) -> None:
        """Make the directory ready for what changed, which is written aside.

        Raises:
            InputError: something else is writing there.
            NotWritten: the disk refuses it.
        """
        facts = self.facts()
        self._start(self.path / _ASIDE)
        shutil.rmtree(self.path / _ASIDE, ignore_errors=True)  # an update that was stopped left it
        try:
            self.write_facts(msgspec.structs.replace(facts, complete=False))
        except BaseException:
            self.end()
            raise

    def _start(self, target: Path) -> None:
        with self._writable():
            self._lock = _locked(self.path)
        self._target = target
        self._stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"

    def end(self) -> None:
        """Let others write there; harmless where nothing was begun."""
        if self._lock is not None:
            self._lock.release()

    def give_up(self, why: BaseException) -> None:
        """The fetch failed: what is written stays; a directory that was made for nothing goes."""
        if self._empty:
            self.take_back(why)
        self.end()

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """What the disk refuses, in words."""
        try:
            yield
        except OSError as problem:
            where = str(self.path)
            raise NotWritten(
                t("frames.disk", directory=where, reason=problem.strerror or problem),
                code="disk",
                hint=t("frames.disk_hint", directory=where),
            ) from problem

    def write_facts(self, facts: Facts) -> None:
        """Write `history.json`. Raises: NotWritten."""
        data = msgspec.json.format(msgspec.json.encode(Written(VERSION, facts)))
        with self._writable():
            _replace(self.path / NAME, lambda path: path.write_bytes(data))

    async def add(self, table: str, block: Block) -> None:
        """Take a block. When too much is held, whoever comes waits until half of it is written."""
        for month, part in _by_month(table, block):
            key = (table, month)
            self._held.setdefault(key, []).append(part)
            self._sizes[key] = self._sizes.get(key, 0) + _size(table, part)
        if sum(self._sizes.values()) > HELD:
            async with self._pausing:
                while sum(self._sizes.values()) > HELD // 2:
                    await asyncio.to_thread(self._write, *self._next())

    def _next(self) -> tuple[str, str, list[Block]]:
        """The largest pile; conversations only when nothing of them is held any more."""
        others = [key for key in self._sizes if key[0] != "conversations"]
        key = max(others or self._sizes, key=self._sizes.__getitem__)
        del self._sizes[key]
        return *key, self._held.pop(key)

    def _write(self, table: str, month: str, blocks: Sequence[Block]) -> None:
        with self._writing, self._writable():
            self._empty = False
            self._part += 1
            folder = self._target / table
            if month:
                folder /= f"month={month}"
            _save(_of_blocks(SCHEMA[table], blocks), folder / f"part-{self._stamp}-{self._part}.parquet")

    def flush(self) -> None:
        """Write everything that is held."""
        while self._held:
            self._write(*self._next())
        with self._writing:  # a thread may still be at it
            pass

    def save(self, tables: dict[str, pd.DataFrame]) -> None:
        """Write whole tables. Raises: NotWritten."""
        for name, table in tables.items():
            months = _months(table) if name == "messages" else [""] * len(table)
            for month, rows in table.groupby(pd.Index(months, dtype="object"), sort=True) if len(table) else ():
                self._part += 1
                folder = self._target / name / f"month={month}" if month else self._target / name
                arrow = _of_frame(SCHEMA[name], rows)
                with self._writable():
                    _save(arrow, folder / f"part-{self._stamp}-{self._part}.parquet")

    def take_back(self, why: BaseException) -> None:
        """Remove what was written, which is elsewhere too, or is nothing."""
        self.end()
        if isinstance(why, NotWritten):
            why.hint = t("frames.disk_gone")
        if self._made:
            shutil.rmtree(self.path, ignore_errors=True)
        elif self.path.is_dir():
            for place in self.path.iterdir():
                if place.is_dir():
                    shutil.rmtree(place, ignore_errors=True)
                else:
                    place.unlink(missing_ok=True)

    async def finish(self, facts: Facts) -> None:
        """All has come."""
        await asyncio.to_thread(self.flush)

    # -- an update's end -----------------------------------------------------------------

    def put_together(self, replaced: set[str], *, has_ratings: bool, annotations: bool) -> None:
        """Take the old rows out and put the new ones there. See `memory.merged` for the arguments.

        Raises:
            NotWritten: the disk refuses something; the next update mends it.
        """
        with self._writable():
            self._put_together(replaced, has_ratings=has_ratings, annotations=annotations)

    def _put_together(self, replaced: set[str], *, has_ratings: bool, annotations: bool) -> None:
        self.flush()
        told = self._feedbacks(replaced, has_ratings=has_ratings)
        usage = self._usage(replaced)
        for path in self._files("messages", self.path / _ASIDE):
            _use(path, usage)
        for table in HISTORY:
            if table.name in ("feedbacks", "annotations"):
                continue
            for path in self._files(table.name, self.path / _ASIDE):
                _without(path, lambda ids: ~ids.isin(replaced))
            for path in self._files(table.name):
                _without(path, lambda ids: ids.isin(replaced))
        for table in HISTORY:
            if table.name == "feedbacks" or (table.name == "annotations" and annotations):
                for path in self._files(table.name):
                    path.unlink()
        shutil.rmtree(self.path / _ASIDE / "feedbacks", ignore_errors=True)
        # Conversations come last: without its own row a conversation is fetched again.
        for table in sorted(HISTORY, key=lambda table: table.name == "conversations"):
            for path in self._files(table.name, self.path / _ASIDE):
                place = self.path / path.relative_to(self.path / _ASIDE)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, place)
        shutil.rmtree(self.path / _ASIDE, ignore_errors=True)
        self._target = self.path
        self.save({"feedbacks": told})
        if has_ratings:
            for path in self._files("messages"):
                _rate(path, told)

    def _usage(self, replaced: set[str]) -> pd.DataFrame:
        """What is known beyond the API of messages that were fetched again."""
        import pyarrow as pa

        names = ["message_id", "conversation_id", *KEPT]
        parts = []
        for path in self._files("messages"):
            ids = pd.Series(_read(path, ["conversation_id"]).column(0).to_pylist(), dtype="object")
            here = ids.isin(replaced).to_numpy("bool")
            if here.any():
                found = _frame(SCHEMA["messages"], _read(path, names).filter(pa.array(here)))
                parts.append(found[found[list(KEPT)].notna().any(axis=1)])
        return build.concat(SCHEMA["messages"], parts)

    def _feedbacks(self, replaced: set[str], *, has_ratings: bool) -> pd.DataFrame:
        """The ratings as they are to be."""
        new = Directory(self.path / _ASIDE).table("feedbacks")
        return ratings.updated(self.table("feedbacks"), new, replaced, listed=has_ratings)


# -- Arrow -------------------------------------------------------------------------------


def _locked(directory: Path) -> FileLock | None:
    """The directory for whoever asks, in this process or in another; None where its file system knows no locks.

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
        if problem.errno not in _LOCKLESS:
            raise
        return None  # that must not keep anybody from writing
    return lock


def need_pyarrow() -> None:
    try:
        import filelock  # noqa: F401
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ConfigError(t("frames.no_pyarrow"), code="pyarrow") from None


def _schema(table: Table) -> Any:
    """How the table lies in a file: categories as words, which every reader understands alike."""
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "category": pa.string(),
        "Int64": pa.int64(),
        "float64": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", "UTC"),
    }
    return pa.schema([(column.name, kinds[column.dtype]) for column in table.columns])


def _of_blocks(table: Table, blocks: Sequence[Block]) -> Any:
    import pyarrow as pa

    schema = _schema(table)
    return pa.concat_tables(
        pa.table(
            [
                pa.array(block[field.name], field.type) if field.name in block else pa.nulls(size, field.type)
                for field in schema
            ],
            schema=schema,
        )
        for block, size in ((block, len(next(iter(block.values())))) for block in blocks)
    )


def _of_frame(table: Table, frame: pd.DataFrame) -> Any:
    import pyarrow as pa

    def values(column: Column) -> Any:
        found = frame[column.name]
        return found.astype("string") if column.dtype == "category" else found

    schema = _schema(table)
    return pa.table(
        [
            pa.Array.from_pandas(values(column), type=field.type)
            for column, field in zip(table.columns, schema, strict=True)
        ],
        schema=schema,
    )


def _frame(table: Table, arrow: Any) -> pd.DataFrame:
    import pyarrow as pa

    kinds = {pa.string(): pd.StringDtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return build.conform(table, arrow.to_pandas(types_mapper=kinds.get))


def _read(path: Path, columns: list[str] | None = None) -> Any:
    """One file, and nothing of the path it lies at.

    Raises:
        InputError: it cannot be read.
    """
    with opened(path) as file:
        return file.read(columns)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A Parquet file. Raises: InputError: it cannot be read, or what is done with it fails on what is in it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        open_regular(path).close()
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, KeyError, UnicodeError, OverflowError, pa.ArrowException) as problem:
        raise InputError(t("frames.damaged", file=str(path), reason=problem), code="directory") from None


def _parts(path: Path, table: Table) -> Iterator[Any]:
    """The rows of a file, some at a time, as the schema says, each text of it sound.

    A file of an earlier version has not all columns: one that can be missing, and sorts nothing, is missing there.
    """
    import pyarrow as pa

    schema = _schema(table)
    with opened(path) as file:
        there = {*file.schema_arrow.names, *table.key, *(name.lstrip("-") for name in table.order)}
        new = [column.name for column in table.columns if column.nullable and column.name not in there]
        for batch in file.iter_batches(_BATCH, columns=[name for name in table.names if name not in new]):
            part = pa.Table.from_batches([batch])
            for name in new:
                part = part.append_column(name, pa.nulls(len(part), schema.field(name).type))
            part = part.select(schema.names).cast(schema)
            part.validate(full=True)
            yield part


def _save(arrow: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, lambda place: pq.write_table(arrow, place, compression="zstd"))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that is there whole or not at all."""
    place = path.with_name(f".{path.name}.part")
    try:
        write(place)
    except OSError:
        place.unlink(missing_ok=True)
        raise
    os.replace(place, path)


def _without(path: Path, goes: Callable[[pd.Series], pd.Series]) -> None:
    """The file without the rows of some conversations; removed when none is left."""
    import pyarrow as pa

    ids = pd.Series(_read(path, ["conversation_id"]).column(0).to_pylist(), dtype="object")
    gone = goes(ids).to_numpy("bool")
    if not gone.any():
        return
    if gone.all():
        path.unlink()
    else:
        _save(_read(path).filter(pa.array(~gone)), path)


def _use(path: Path, earlier: pd.DataFrame) -> None:
    """The messages of a file with what is known of them beyond the API; written only where that is something."""
    before = _frame(SCHEMA["messages"], _read(path)) if len(earlier) else None
    after = None if before is None else with_usage(before, earlier)
    if after is not None and after is not before:
        _save(_of_frame(SCHEMA["messages"], after), path)


def _rate(path: Path, feedbacks: pd.DataFrame) -> None:
    """The messages of a file with the ratings that their users gave; written only where one is another."""
    before = _frame(SCHEMA["messages"], _read(path))
    after = ratings.with_ratings(before, feedbacks)
    if before["rating"].astype("string").fillna("").tolist() != after["rating"].astype("string").fillna("").tolist():
        _save(_of_frame(SCHEMA["messages"], after), path)


# -- piles ---------------------------------------------------------------------------------


def _by_month(table: str, block: Block) -> Iterator[tuple[str, Block]]:
    """Messages by the month that they were asked in; other tables as they are."""
    if table != "messages":
        yield "", block
        return
    months = [_month(time) for time in block["created_at"]]
    if len(set(months)) < 2:
        yield from ((month, block) for month in months[:1])
        return
    for month in dict.fromkeys(months):
        places = [place for place, other in enumerate(months) if other == month]
        yield month, {name: [values[place] for place in places] for name, values in block.items()}


def _month(time: int | None) -> str:
    return "unknown" if time is None else from_microseconds(time).strftime("%Y-%m")


def _months(messages: pd.DataFrame) -> list[str]:
    times: Iterable[Any] = messages["created_at"]
    return ["unknown" if time is pd.NaT else time.strftime("%Y-%m") for time in times]


def _size(table: str, block: Block) -> int:
    """About how many bytes it holds."""
    rows = len(next(iter(block.values())))
    return rows * _ROW + sum(len(text) for name in _TEXTS[table] for text in block.get(name, ()) if text)
