"""What is said of a file of a data directory that cannot be read any more. Nothing is deleted or mended by itself."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from ...i18n import t

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file itself is wrong, and not what was asked of it."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and code is not None and code & 0xFF in _DAMAGED


def damaged_store(path: Path, error: BaseException) -> str:
    """The sentence for a database: which file it is, how to save what can be read, and how to begin anew."""
    old, new = (shlex.quote(str(file)) for file in (path, path.with_name("saved.sqlite3")))
    move = f"mv {old} {shlex.quote(str(path) + '.damaged')} && rm -f {old}-wal {old}-shm"
    recover = f"sqlite3 {old} .recover | sqlite3 {new} && {move} && mv {new} {old}"
    return t("local.damaged_store", path=path, reason=error, recover=recover, away=move)


def damaged_keys(path: Path, error: BaseException) -> str:
    """The sentence for keys.json."""
    move = f"mv {shlex.quote(str(path))} {shlex.quote(str(path) + '.damaged')}"
    return t("local.damaged_keys", path=path, reason=f"{type(error).__name__}: {error}", away=move)
