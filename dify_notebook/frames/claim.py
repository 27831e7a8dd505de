"""A directory that one writer has for itself, in this process or in another."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = ".lock"


class Claim:
    """Held until `release`, or until the process ends, however it ends."""

    def __init__(self, file: int) -> None:
        self._file: int | None = file

    @classmethod
    def of(cls, directory: Path) -> Claim | None:
        """The directory for oneself; None where somebody has it. Never waits.

        Raises:
            OSError: nothing can be written there.
        """
        file = os.open(directory / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                # Unlike a record lock it is the open file's, so that two fetches of one process tell each other apart.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        return cls(file)

    def release(self) -> None:
        """Let go; harmless when that was done. The file stays, so that no two writers lock two files."""
        if self._file is not None:
            file, self._file = self._file, None
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_UN)  # a forked child has the file open too
            os.close(file)

    def __del__(self) -> None:
        self.release()
