"""A lock on a file that the kernel lets go of when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType


class DirectoryLock:
    """At most one process holds it. Within a process `registry.py` keeps count.

    POSIX record locks on purpose, not flock: a forked child does not inherit them, so a child that
    outlives its parent cannot keep the directory taken. Their known trap, that closing any other
    handle of the same file lets go of the lock, is avoided by opening it nowhere else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take it if it is free; never waits. False when another process has it."""
        if self._file is not None:
            raise RuntimeError("this lock is already held")
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let go; harmless when not held. The file stays, so that no two processes lock two files."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
