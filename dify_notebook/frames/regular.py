"""Opens files that somebody names, or that lie in a directory from elsewhere: regular ones on a disk alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from ..i18n import t

_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def open_regular(path: Path) -> BinaryIO:
    """A file on a disk that holds something, opened for reading.

    A pipe or a device is not even opened, which may wait for ever, or do something. What the kernel makes up (under
    /proc) says that it has no size, and is refused like an empty file.

    Raises:
        InputError: it is something else, or empty.
        OSError: it is not there, or cannot be read.
    """
    _check(path, path.stat())
    # It may have become another since: opened without waiting, and looked at again.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = open(handle, "rb")  # noqa: SIM115  # whoever asked closes it
    try:
        _check(path, os.fstat(handle))
    except BaseException:
        file.close()
        raise
    return file


def _check(path: Path, found: os.stat_result) -> None:
    kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), None)
    if kind:
        raise InputError(t("history.not_a_file", path=path, kind=t(f"history.kind.{kind}")), code="file")
    if not found.st_size:
        raise InputError(t("history.no_content", path=path), code="file")
