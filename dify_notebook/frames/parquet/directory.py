"""`Directory`: a history that lies in a directory, to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from ...errors import InputError
from ...i18n import t
from .. import dataframes
from ..facts import Facts
from ..regular import open_regular
from ..schema import SCHEMA
from . import files

NAME = "history.json"
VERSION = 1
LIMIT = 16_000_000_000
"""Bytes that a table may have in memory, unless another bound is asked for."""
METADATA_LIMIT = 64_000_000
"""Bytes of `history.json` that are read."""


class Metadata(msgspec.Struct, frozen=True):
    """`history.json`."""

    version: int
    facts: Facts


class Directory:
    """Reads a history out of a directory. A copy, and a pickle, reads the same one.

    Args:
        path: where.
        limit: bytes that a table may have in memory; None means `LIMIT`.

    Raises:
        ConfigError: pyarrow is missing.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        files.need_pyarrow()
        self.path = path.absolute()  # tables are read when they are looked at, from wherever Python is then
        self._limit = LIMIT if limit is None else limit

    def __reduce__(self) -> tuple[type[Directory], tuple[Path, int]]:
        return Directory, (self.path, self._limit)

    def facts(self) -> Facts:
        """What `history.json` tells.

        Raises:
            InputError: there is no history, or a newer version's, or it is damaged.
        """
        path = self.path / NAME
        try:
            with open_regular(path) as file:
                data = file.read(METADATA_LIMIT + 1)
            if len(data) > METADATA_LIMIT:
                raise InputError(t("frames.facts_too_large", file=path, limit=f"{METADATA_LIMIT:,}"), code="directory")
            metadata = msgspec.json.decode(data, type=Metadata)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(t("frames.not_a_history", directory=str(self.path)), code="directory") from None
        except (OSError, ValueError, RecursionError) as problem:
            raise InputError(t("frames.damaged", file=str(path), reason=problem), code="directory") from None
        if metadata.version > VERSION:
            raise InputError(t("frames.newer_history", directory=str(self.path)), code="directory")
        return metadata.facts

    def files(self, table: str) -> list[Path]:
        """The Parquet files of a table, of all months."""
        return sorted((self.path / table).glob("**/*.parquet"))

    def paused(self) -> frozenset[str]:
        """The conversations in which a message is paused.

        Raises:
            InputError: a file cannot be read.
        """
        import pyarrow.compute as pc

        ids: set[str] = set()
        for path in self.files("messages"):
            rows = files.read(path, ["conversation_id", "status"])
            ids.update(rows["conversation_id"].filter(pc.equal(rows["status"], "paused")).to_pylist())
        return frozenset(ids - {None})

    def run_statuses(self) -> dict[str, tuple[int | None, str | None]]:
        """The runs of a workflow app: id -> when it began (microseconds), its status.

        Raises:
            InputError: a file cannot be read.
        """
        import pyarrow as pa

        found: dict[str, tuple[int | None, str | None]] = {}
        for path in self.files("workflow_runs"):
            rows = files.read(path, ["workflow_run_id", "created_at", "status"])
            began = rows["created_at"].cast(pa.int64()).to_pylist()
            found.update(
                zip(
                    rows["workflow_run_id"].to_pylist(),
                    zip(began, rows["status"].to_pylist(), strict=True),
                    strict=True,
                )
            )
        return found

    def table(self, name: str) -> pd.DataFrame:
        """One table with the dtypes and in the order of the schema.

        Raises:
            InputError: a file cannot be read, or the table is larger than the limit.
        """
        import pyarrow as pa

        from . import arrow

        table = SCHEMA[name]
        parts: list[Any] = []
        left = self._limit
        for path in self.files(name):
            for part in files.read_batches(path, table):
                parts.append(part)
                left -= part.nbytes
                if left < 0:
                    limits = {"limit": f"{self._limit:,}", "more": f"{10 * self._limit:_}"}
                    raise InputError(t("frames.too_large", file=str(path), table=name, **limits), code="directory")
        frame = arrow.to_pandas(table, pa.concat_tables(parts) if parts else arrow.schema_of(table).empty_table())
        del parts
        return dataframes.concat(table, [frame], ordered=True)
