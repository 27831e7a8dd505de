"""What makes two things the same: hashes over canonical JSON, each of its own domain, and of the bytes of files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...app.file_references import reference
from ...app.files import FileInput, sources_of
from ...app.origin import Origin, Value
from ...app.values import is_missing, to_builtins, to_text, unwrap
from ...errors import InputError
from ...i18n import t
from ...net.files import open_file
from ...paths import expand
from ...wire.models import UploadedFile

_BYTES = 16
"""Of a hash: as many as a UUID has."""
_PIECE = 1 << 20
"""Bytes of a file that are held at once."""
_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def canonical(value: Any) -> bytes:
    """JSON in its one spelling: keys in order, no blanks, 1 and 1.0 apart as JSON has them.

    Raises:
        ValueError: there is a NaN or an infinite number in it.
    """
    return _JSON.encode(value).encode("utf-8", "surrogatepass")


def digest(domain: str, *parts: bytes) -> str:
    """32 hexadecimal digits for these parts, of which none can be taken for another or for those of another domain."""
    made = hashlib.blake2b(digest_size=_BYTES, person=domain.encode())
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.hexdigest()


class FileHashes:
    """What files are by their bytes. Each path is read once, in pieces; no file is held."""

    def __init__(self) -> None:
        self._paths: dict[Path, str] = {}

    def of(self, source: Any) -> str:
        """The hash of one file as `sources` gives it.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        if isinstance(source, Path):
            if source not in self._paths:
                self._paths[source] = self._read(source)
            return self._paths[source]
        if isinstance(source, bytes):
            made = hashlib.blake2b(source, digest_size=_BYTES, person=b"file")
            return made.hexdigest()
        named = reference(source) if isinstance(source, UploadedFile) else source
        return digest("reference", canonical(to_builtins(named)))

    def _read(self, path: Path) -> str:
        made = hashlib.blake2b(digest_size=_BYTES, person=b"file")
        problem: OSError | None = None
        with open_file(path, None) as (_, content):
            assert not isinstance(content, bytes)
            try:
                while piece := content.read(_PIECE):
                    made.update(piece)
            except OSError as raised:
                problem = raised
        if problem is not None:
            message = t("net.file_unreadable", path=str(path), problem=problem.strerror or str(problem))
            raise InputError(message, code="file")
        return made.hexdigest()


def repeatable(value: Any) -> Any:
    """A file, or a list of some, in a form that can be sent again and again from anywhere: whole paths, bytes.

    Raises:
        InputError: an open file, which can be read once.
    """
    if isinstance(value, list | tuple):
        return [repeatable(item) for item in value]
    if isinstance(value, os.PathLike):
        return Path(os.path.abspath(expand(value)))
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if callable(getattr(value, "read", None)):
        raise InputError(t("sweep.cases.open_file"), code="file")
    return value


def sources(value: Any) -> tuple[Any, ...]:
    """The files that a cell or an argument of Python's names: whole paths, bytes, references. None for what is missing.

    Raises:
        InvalidInput: it names no file; a text is never the path of one.
        InputError: an open file.
    """
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # a cell that is an array
        value = value.tolist()
    if not isinstance(value, list | tuple) and is_missing(value):
        return ()
    if isinstance(value, list | tuple) and not value:
        return ()
    return tuple(repeatable(source) for source in sources_of(Value(value, Origin.PYTHON)))


def cell(value: Any) -> bytes:
    """One cell of a table as a value: canonical JSON, or that it is missing. Decimals are exact.

    Raises:
        Unserializable: it has no form as JSON.
    """
    value = unwrap(value)
    if type(value) not in (str, int, bool):
        if is_missing(value):
            return b"missing"
        if isinstance(value, Decimal):
            return b"decimal" + to_text(value, strict=True).encode()
        value = to_builtins(value)
    return b"json" + canonical(value)


def files(value: Any, hashes: FileHashes) -> bytes:
    """Files by their bytes, whatever they are called and wherever they lie.

    Raises:
        InvalidInput: it names no file.
        InputError: a file is not there, or cannot be read.
    """
    return b"files" + canonical([hashes.of(source) for source in sources(value)])


def inputs_hash(inputs: Mapping[str, Any], hashes: FileHashes) -> bytes:
    """Canonical JSON of inputs that were fitted to a form; files in them count by their bytes."""
    plain: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, FileInput):
            plain[name] = ["files", value.many, [hashes.of(source) for source in value.sources]]
        else:
            plain[name] = ["json", value]
    return canonical(plain)


def message_hash(query: str | None, inputs: bytes, files: Sequence[Any], hashes: FileHashes) -> bytes:
    """What one turn sends: its query, its inputs as `inputs_hash` gives them, and the bytes of its files."""
    attached = canonical([hashes.of(source) for source in files])
    return digest("message", canonical(query), inputs, attached).encode()


def case_id(identity: str, content: str, repeat: int) -> str:
    """The case: an app, what it is sent, and for the which time, from 0."""
    return digest("case", identity.encode(), content.encode(), str(repeat).encode())
