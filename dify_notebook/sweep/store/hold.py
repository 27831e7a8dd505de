"""Who may write into a directory: one at a time, told by a lock that ends with its process."""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...errors import InputError
from ...i18n import t
from ...printable import one_line
from ...private import make_private, write_private
from ...regular import Irregular, open_regular

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK, SOFT, HOLDER = "lock", "lock.soft", "holder"
"""Files of the directory: the lock, what is in its place where the file system has no locks, and who holds it."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_MOST = 1_000
"""Bytes of `holder` that are read."""
_WAIT_SECONDS = 0.5
"""Whoever only looks whether it is held holds it for a moment."""


class Holder(msgspec.Struct, kw_only=True):
    """Who holds it."""

    pid: int
    host: str
    since: float
    """Seconds since 1970."""
    size: int
    """Bytes of the records when it was taken: what stands behind them is the holder's."""


class Hold:
    """The lock of a directory: the system's (`flock`), which ends with the process that holds it.

    Some network drives have none. There a file is made that names the process; that of a process of this machine that
    is gone counts for nothing, one of another machine has to be deleted by hand.

    Args:
        directory: it exists.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock: BaseFileLock | None = None

    def acquire(self) -> None:
        """Take it.

        Raises:
            InputError: somebody else holds it; the message says who.
            OSError: nothing can be written there.
        """
        lock = self._acquired(_WAIT_SECONDS)
        if lock is None:
            is_soft = (self._directory / SOFT).exists()
            hint = t("sweep.store.running.soft" if is_soft else "sweep.store.running.hint", file=SOFT)
            raise InputError(self._sentence(), code="sweep_running", hint=hint)
        self._lock = lock

    def tell(self, size: int, now: float) -> None:
        """Write down who holds it, and how long the records are."""
        holder = Holder(pid=os.getpid(), host=socket.gethostname(), since=now, size=size)
        write_private(self._directory / HOLDER, msgspec.json.encode(holder).decode())

    def release(self) -> None:
        """Give it back; harmless where it is not held."""
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                (self._directory / HOLDER).unlink(missing_ok=True)
            finally:
                lock.release()

    def holder(self) -> Holder | None:
        """Who wrote down last that they hold it, whether they still do or not."""
        try:
            with open_regular(self._directory / HOLDER) as file:
                return msgspec.json.decode(file.read(_MOST), type=Holder)
        except (OSError, Irregular, msgspec.DecodeError):
            return None

    def is_held(self) -> bool:
        """Whether anybody holds it, this process too; where that cannot be tried, whether somebody said so."""
        if self._lock is not None:
            return True
        if not (self._directory / HOLDER).exists():  # it goes with the lock, but for a process that was killed
            return False
        try:
            lock = self._acquired(0)
        except OSError:
            return True
        if lock is not None:
            lock.release()
        return lock is None

    def _acquired(self, seconds: float) -> BaseFileLock | None:
        """The lock, held; None where somebody else does."""
        from filelock import FileLock, SoftFileLock, Timeout

        kinds: tuple[tuple[type[BaseFileLock], str], ...] = ((FileLock, LOCK), (SoftFileLock, SOFT))
        for kind, name in kinds:
            # Whoever releases it may be on another thread.
            lock = kind(self._directory / name, timeout=seconds, thread_local=False)
            try:
                lock.acquire(poll_interval=0.02)
            except Timeout:
                return None
            except OSError as problem:
                if problem.errno not in _NO_LOCKS or kind is SoftFileLock:
                    raise
            else:
                make_private(self._directory / name)
                return lock
        return None

    def _sentence(self) -> str:
        directory, holder = str(self._directory), self.holder()
        if holder is None:
            return t("sweep.store.running", directory=directory)
        since = "?"
        with suppress(ValueError, OverflowError, OSError):
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
        host = one_line(holder.host, 100)
        return t("sweep.store.running_by", directory=directory, pid=holder.pid, host=host, since=since)
