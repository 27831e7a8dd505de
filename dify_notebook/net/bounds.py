"""How much is taken from a server, said in one place. What is larger is an error that names the bound."""

from __future__ import annotations

import msgspec

from ..errors import InputError
from ..i18n import t

#: Encodings of a body that are asked for. What others can inflate to cannot be bounded while it is read.
ENCODINGS = "gzip, deflate"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much a client takes from its server: `Dify(..., bounds=Bounds(body=200_000_000))`.

    Bytes are counted after decompression. What came before a bound was passed is kept: a turn has the
    answer so far, a list's error has the items so far (`.items`).

    Raises:
        InputError: one of them is no whole number above 0.
    """

    line: int = 16_000_000
    """Bytes of one event of a stream, all of its lines together. A longer one ends the stream."""
    stream: int = 256_000_000
    """Bytes of one stream, pings and what follows a lost connection included. A longer one ends there."""
    body: int = 64_000_000
    """Bytes of an answer that is read as one piece: JSON, or speech."""
    error: int = 1_000_000
    """Bytes of a refusal, or of a page that is no Dify's. The rest is not read."""
    items: int = 1_000_000
    """Items of a list that is read without a `limit`."""
    pages: int = 1_000_000_000
    """Bytes of all pages of a list, each time that it is read. A longer one ends there."""
    silence: int = 1_200
    """Seconds in which a stream may send nothing but pings; then it is left, and the turn's error says so. A run of
    Dify takes no longer than this by default (`WORKFLOW_MAX_EXECUTION_TIME`, `APP_MAX_EXECUTION_TIME`), and a server
    whose worker died goes on to ping for ever."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(t("net.bad_bound", name=name, value=repr(value)), code="bounds")


def size_text(size: int) -> str:
    """A number of bytes for people: `16 MB`, where it is no whole number of them `1,500 bytes`."""
    return f"{size // 1_000_000} MB" if size % 1_000_000 == 0 else f"{size:,} bytes"
