"""What people pass as a file, and what the API takes."""

from __future__ import annotations

import io
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from ..app.file_references import is_file as is_file
from ..app.file_references import is_url as is_url
from ..app.file_references import kind_of as kind_of
from ..app.file_references import mime_of as mime_of
from ..app.file_references import reference as reference
from ..app.file_references import remote as remote
from ..errors import InputError
from ..i18n import t
from ..paths import expand
from ..redact import without_login
from ..regular import Irregular, open_regular
from ..turn.state import MessageFile
from ..wire.models import UploadedFile

FileLike = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes themselves, or an open binary file."""

NewFile = FileLike | UploadedFile | Mapping[str, Any]
"""A path, URL, bytes, open file, uploaded file, or the API's own form of a file."""

FileInput = NewFile | MessageFile
"""The same, or a file of a turn."""

Progress = Callable[[int, int | None], object]
"""Called with the bytes sent so far and all of them (None where that is not known)."""


def host_of(url: str) -> str:
    """Host and port of an address, for people; `?` where it is none."""
    try:
        return without_login(urlsplit(url).netloc) or "?"
    except ValueError:
        return "?"


@contextmanager
def open_file(file: FileLike, name: str | None) -> Iterator[tuple[str, bytes | BinaryIO]]:
    """(name, content); what is opened here is closed at the end.

    Raises:
        InputError: there is no such file, it is a directory, or this is no file at all.
    """
    if isinstance(file, (str, os.PathLike)):
        path, content = _opened(file)
        try:
            yield _encodable(name or path.name), content
        finally:
            with suppress(OSError):
                content.close()
    elif isinstance(file, (bytes, bytearray, memoryview)):
        yield _encodable(name or "file"), bytes(file)
    elif isinstance(file, io.TextIOBase):
        raise InputError(t("net.text_file"), code="file")
    elif hasattr(file, "read"):
        own = getattr(file, "name", None)  # of a descriptor it is a number
        yield _encodable(name or (Path(own).name if isinstance(own, str) else "file")), file
    else:
        raise InputError(t("net.file_kind", kind=type(file).__name__), code="file")


def check_file(file: str | os.PathLike[str]) -> Path:
    """The path of a file that can be sent.

    Raises:
        InputError: there is none, it is no regular file, or it cannot be read.
    """
    path, content = _opened(file)
    content.close()
    return path


def _opened(path: str | os.PathLike[str]) -> tuple[Path, BinaryIO]:
    """A regular file of the disk, opened."""
    problem = ""
    try:
        expanded = expand(path)
        return expanded, open_regular(expanded)
    except Irregular:
        pass
    except InputError as raised:
        problem = raised.message
    except FileNotFoundError:
        raise InputError(t("net.no_file", path=str(path)), code="file") from None
    except (OSError, ValueError) as raised:  # no right to it, no name of a file
        problem = getattr(raised, "strerror", None) or str(raised)
    if problem:
        raise InputError(t("net.file_unreadable", path=str(path), problem=problem), code="file")
    raise InputError(t("net.not_a_file", path=str(path)), code="file")


def _encodable(name: str) -> str:
    """A name without what is no character: file systems allow bytes that no server can be told."""
    return name.encode("utf-8", "replace").decode()


def size_of(content: bytes | BinaryIO) -> int | None:
    """Bytes that are left to read; None for what cannot tell."""
    if isinstance(content, bytes):
        return len(content)
    try:
        position = content.tell()
        end = content.seek(0, os.SEEK_END)
        content.seek(position)
    except (OSError, AttributeError, ValueError):  # a pipe, say
        return None
    return end - position


class ProgressFile:
    """A file that tells how much of it was read, for whoever watches an upload."""

    def __init__(self, content: bytes | BinaryIO, progress: Progress) -> None:
        self._file: BinaryIO = io.BytesIO(content) if isinstance(content, bytes) else content
        self._progress = progress
        self._start = self._file.tell() if self._file.seekable() else 0
        self._total = size_of(self._file)
        self._sent = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if data or not self._sent:
            self._sent += len(data)
            self._progress(self._sent, self._total)
        return data

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET:  # from the start: it is sent anew
            self._sent = 0
        return self._file.seek(offset, whence)


def download_name(disposition: str | None, fallback: str) -> str:
    """The name that a server gives a download, as it may lie on a disk: see `safe_name`."""
    name = ""
    for part in (disposition or "").split(";")[1:]:
        key, _, value = part.strip().partition("=")
        if key.lower() == "filename*":
            name = unquote(value.partition("''")[2] or value)
            break
        if key.lower() == "filename":
            name = value.strip('"')
    return safe_name(name) or safe_name(fallback) or "file"


#: Bytes of a file's name. File systems take 255, and ` (2)` or an ending may come behind it.
_NAME_BYTES = 200
_ENDING_BYTES = 20
#: What one system or another takes for something else than a part of a name.
_NOT_IN_NAMES = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
#: Names of devices on Windows, whatever their ending.
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|$)", re.IGNORECASE)


def safe_name(name: str) -> str:
    """A name that every disk takes and that means nothing but itself; empty where nothing of it is left.

    Its last part alone, without characters that hide, turn or move (control and bidi characters, dots in
    front), no device's name, and at most 200 bytes in UTF-8, with its ending kept.

    >>> safe_name("../.x/aux.txt"), len(safe_name("長" * 300 + ".pdf").encode())
    ('_aux.txt', 199)
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter.isprintable()).translate(_NOT_IN_NAMES).strip(" .")
    if _DEVICES.match(name):
        name = "_" + name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending
    if not stem or len(ending.encode()) > _ENDING_BYTES:
        stem, ending = name, ""
    return _cut(stem, _NAME_BYTES - len(ending.encode())).rstrip(" .") + ending


def _cut(text: str, size: int) -> str:
    """As many whole characters as fit into so many bytes."""
    return text.encode()[:size].decode("utf-8", "ignore")


def new_file(directory: Path, name: str) -> tuple[Path, BinaryIO]:
    """A file that did not exist, opened for writing: `name`, else `name (2)` and so on.

    Raises:
        InputError: there can be none.
    """
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in itertools.count(1):
        path = directory / (name if number == 1 else f"{stem} ({number}){suffix}")
        try:
            return path, path.open("xb")
        except FileExistsError:
            continue
        except OSError as raised:
            problem = write_error(path, raised)
        raise problem
    raise AssertionError("unreachable")


def write_error(path: str | os.PathLike[str], problem: OSError) -> InputError:
    """The error for a place of this machine that takes no file, or no more of one."""
    message = t("net.not_written", path=str(path), problem=problem.strerror or str(problem))
    return InputError(message, code="to")
