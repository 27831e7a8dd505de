"""A directory that one writer has for itself, in this process or in another."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = ".lock"
_TAKEN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


class Claim:
    """Held until `release`, or until the process ends, however it ends."""

    def __init__(self, file: int) -> None:
        self._file: int | None = file
        self._process = os.getpid()

    @classmethod
    def of(cls, directory: Path) -> Claim | None:
        """The directory for oneself; None where somebody has it. Never waits.

        Raises:
            OSError: nothing can be written there.
        """
        file = os.open(directory / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform == "win32":
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            else:
                # Unlike a record lock it is the open file's, so that two fetches of one process tell each other apart.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            if problem.errno in _TAKEN:
                os.close(file)
                return None
            # A file system that knows no locks must not keep anybody from writing.
        return cls(file)

    def release(self) -> None:
        """Let go; harmless when that was done. The file stays, so that no two writers lock two files."""
        if self._file is not None:
            file, self._file = self._file, None
            # A forked child has the file open too: it must neither let go for its parent nor keep what that lets go.
            if sys.platform != "win32" and os.getpid() == self._process:
                with suppress(OSError):  # of a file system that knows no locks
                    fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def __del__(self) -> None:
        self.release()
