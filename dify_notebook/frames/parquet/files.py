"""Parquet files: read in pieces, and written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import ConfigError, InputError
from ...i18n import t
from ..regular import open_regular
from ..schema import Table

BATCH_ROWS = 65_536
"""Rows that are read of a file at a time."""


def need_pyarrow() -> None:
    """Raises: ConfigError: the extra `parquet` is not installed."""
    try:
        import filelock  # noqa: F401
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ConfigError(t("frames.no_pyarrow"), code="pyarrow") from None


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile` of that file alone, whatever its path says of partitions.

    Raises:
        InputError: it cannot be read, or what is done with it fails on what is in it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        open_regular(path).close()
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, KeyError, UnicodeError, OverflowError, pa.ArrowException) as problem:
        raise InputError(t("frames.damaged", file=str(path), reason=problem), code="directory") from None


def read(path: Path, columns: list[str] | None = None) -> Any:
    """One file as a `pyarrow.Table`. Raises: InputError: it cannot be read."""
    with open_parquet(path) as file:
        return file.read(columns)


def read_batches(path: Path, table: Table) -> Iterator[Any]:
    """The rows of a file as `pyarrow.Table`s of `BATCH_ROWS` rows, cast to the table's schema, every text valid.

    A file of an earlier version has not all columns: one that can be missing, and sorts nothing, is null there.

    Raises:
        InputError: it cannot be read, or has other columns.
    """
    import pyarrow as pa

    from .arrow import schema_of

    schema = schema_of(table)
    with open_parquet(path) as file:
        present = {*file.schema_arrow.names, *table.key, *(name.lstrip("-") for name in table.order)}
        added = [column.name for column in table.columns if column.nullable and column.name not in present]
        for batch in file.iter_batches(BATCH_ROWS, columns=[name for name in table.names if name not in added]):
            part = pa.Table.from_batches([batch])
            for name in added:
                part = part.append_column(name, pa.nulls(len(part), schema.field(name).type))
            part = part.select(schema.names).cast(schema)
            part.validate(full=True)
            yield part


def save(arrow: Any, path: Path) -> None:
    """Write a `pyarrow.Table`. Raises: OSError."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, lambda part: pq.write_table(arrow, part, compression="zstd"))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that it is there whole or not at all. Raises: OSError.

    Args:
        write: writes to the path that it is given.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    os.replace(part, path)
