"""The stores that this process has open, by directory: the lock between processes does not see two owners in one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from ...errors import ConfigError, InputError
from ...i18n import t
from .damage import damaged_store, is_damage
from .directory import Directory, LocalServerError
from .lock import DirectoryLock
from .schema import NewerStore
from .store import Store

guard = threading.RLock()
"""Held by whoever opens or closes one; another after a fork."""
_stores: dict[Path, Store] = {}


def add(directory: Directory, store: Store) -> None:
    """Let others of this process use a store for as long as it is open."""
    with guard:
        _stores[directory.root] = store


def remove(store: Store) -> None:
    """It is about to be closed."""
    with guard:
        for root, other in list(_stores.items()):
            if other is store:
                del _stores[root]


@contextlib.contextmanager
def store_of(data_dir: str | os.PathLike[str] | None) -> Iterator[tuple[Directory, Store]]:
    """A data directory and its store, for work that is no request.

    It is the store of this process's server where one runs there, else one that is opened for as long as this lasts.

    Raises:
        LocalServerError: another process serves the directory, or it cannot be used.
    """
    directory = open_directory(data_dir)
    with guard:
        if directory.root in _stores:
            yield directory, _stores[directory.root]
            return
        lock = lock_of(directory)
        if lock is None:
            raise taken(directory)
        try:
            store = Store(directory)
        except (OSError, sqlite3.Error, NewerStore) as error:
            lock.release()
            raise not_started(directory, error) from error
        try:
            yield directory, store
        finally:
            store.close()
            lock.release()


def open_directory(data_dir: str | os.PathLike[str] | None) -> Directory:
    """A data directory, made if need be. Raises: LocalServerError."""
    try:
        return Directory.open(data_dir)
    except (ConfigError, InputError) as error:
        raise LocalServerError(error.message, code=error.code) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise LocalServerError(t("local.no_directory", reason=error)) from error


def lock_of(directory: Directory) -> DirectoryLock | None:
    """The lock of a directory, held; None where another process has it. Raises: LocalServerError."""
    lock = DirectoryLock(directory.lock)
    try:
        return lock if lock.acquire() else None
    except OSError as error:  # something else has its name, or it cannot be opened
        raise LocalServerError(t("local.no_directory", reason=error), code="data_dir") from error


def taken(directory: Directory) -> LocalServerError:
    """What is raised where someone else serves a directory."""
    owner = directory.read_server() or {"pid": "?", "url": "?"}
    return LocalServerError(t("local.taken", path=directory.root, pid=owner["pid"], url=owner["url"]))


def not_started(directory: Directory, error: Exception) -> LocalServerError:
    """What is raised where a directory cannot be served."""
    if is_damage(error):
        return LocalServerError(damaged_store(directory.database, error), code="data_dir")
    where = f"{directory.database}: " if isinstance(error, sqlite3.Error) else ""
    return LocalServerError(t("local.not_started", reason=f"{where}{error}"))


def _after_fork() -> None:
    global guard
    guard = threading.RLock()
    _stores.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
