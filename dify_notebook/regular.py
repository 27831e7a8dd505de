"""Regular files on a disk, opened without waiting.

A pipe waits for its writer, a device may do something when it is opened or never end, and what the kernel makes up
(under /proc) tells no size and may never end either. None of them is opened as the file that somebody named.
"""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

_KINDS = (
    (stat.S_ISREG, ""),
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Irregular(Exception):
    """What was named is no regular file."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
        """`folder`, `pipe`, `socket`, `device`, or `made_up` for what has content and no size."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, opened for reading in binary; an empty one too.

    Raises:
        Irregular: it is something else.
        OSError: it is not there, or cannot be read.
    """
    _check(os.stat(path))  # before it is opened
    handle = os.open(path, _FLAGS)
    file = os.fdopen(handle, "rb")
    try:
        info = os.fstat(handle)  # it may have become another meanwhile
        _check(info)
        if not info.st_size and file.read(1):
            raise Irregular("made_up")
    except BaseException:
        file.close()
        raise
    return file


def _check(info: os.stat_result) -> None:
    kind = next((name for is_kind, name in _KINDS if is_kind(info.st_mode)), "device")
    if kind:
        raise Irregular(kind)
