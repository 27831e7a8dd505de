"""Opens files that somebody names, or that lie in a directory from elsewhere: regular ones on a disk alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from .. import regular
from ..errors import InputError
from ..i18n import t


def open_regular(path: Path) -> BinaryIO:
    """A file on a disk that holds something, opened for reading.

    Raises:
        InputError: it is something else, or empty.
        OSError: it is not there, or cannot be read.
    """
    try:
        file = regular.open_regular(path)
    except regular.Irregular as found:
        kind = found.kind
    else:
        if os.fstat(file.fileno()).st_size:
            return file
        file.close()
        kind = "made_up"
    if kind == "made_up":
        raise InputError(t("history.no_content", path=path), code="file")
    raise InputError(t("history.not_a_file", path=path, kind=t(f"history.kind.{kind}")), code="file")
