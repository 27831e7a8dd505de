"""The directory of a store and the first line of its records, which says whose they are."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from ...errors import InputError
from ...i18n import t
from ...private import private_directory, write_private
from ...regular import Irregular, open_regular
from ..records import Header
from .hold import HOLDER, LOCK, SOFT, Hold

VERSION = 1
"""Of the form of the records; a later one is refused."""
RECORDS, TAPES = "records.jsonl", "tapes"
_BEGINNING = b'{"t":"sweep"'
_ID, _SALT = re.compile(r"[0-9a-f]{12}\Z"), re.compile(r"[0-9a-f]{1,64}\Z")
"""The sweep's user is called by the id: it is what `new_header` makes, and no text of whoever wrote the file."""
_FIRST = 10_000
"""Bytes that the first line has at most."""


def new_header(now: float) -> Header:
    """Of a new sweep; `now` is seconds since 1970."""
    return Header(id=secrets.token_hex(6), salt=secrets.token_hex(16), created_at=now)


def header_of(directory: Path) -> Header | None:
    """The header of the store in a directory; None where there is none, also where it was torn off before any record.

    Raises:
        InputError: something else is there, or one that this version does not read.
    """
    if not directory.exists():
        return None
    try:
        with open_regular(directory / RECORDS) as file:
            first = file.readline(_FIRST)
    except FileNotFoundError:
        ours = {RECORDS, LOCK, SOFT, HOLDER, TAPES}
        others = (path.name for path in directory.iterdir() if path.name not in ours)
        if any(not name.endswith(".tmp") for name in others):
            refuse("not_empty", directory)
        return None
    except (NotADirectoryError, Irregular):
        refuse("not_empty", directory)
    if not first.endswith(b"\n"):
        if first[: len(_BEGINNING)] == _BEGINNING[: len(first)]:
            return None
        refuse("damaged", directory)
    with suppress(msgspec.DecodeError, RecursionError):
        version = msgspec.json.decode(first, type=_Version).version
        if version > VERSION:
            refuse("newer", directory, version=version, known=VERSION)
        header = msgspec.json.decode(first, type=Header)
        if _ID.match(header.id) and _SALT.match(header.salt):
            return header
    refuse("damaged", directory)


class _Version(msgspec.Struct, tag="sweep", tag_field="t"):
    version: int


def refuse(why: str, directory: Path, **values: object) -> NoReturn:
    """Say what is in the way in a directory: the sentence of that name and its hint.

    Raises:
        InputError: always.
    """
    raise InputError(
        t(f"sweep.store.{why}", directory=str(directory), file=RECORDS, **values),
        code="store",
        hint=t(f"sweep.store.{why}.hint", file=RECORDS),
    )


def begin(directory: Path, now: float) -> Header:
    """Make the directory a store, unless another process does it first.

    Raises:
        InputError: something else is there.
        ConfigError: another account owns it.
        OSError: the disk refuses it.
    """
    private_directory(directory)
    hold = Hold(directory)
    hold.acquire()
    try:
        header = header_of(directory)
        if header is None:
            header = new_header(now)
            line = msgspec.json.encode(header).decode() + "\n"
            write_private(directory / RECORDS, line, last=True)
        return header
    finally:
        hold.release()
