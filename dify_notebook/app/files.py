"""Which files an input names. A text is the path of one only where the user typed it as such. Pure."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from . import stored_files
from .file_references import is_file, is_url, remote
from .invalid import InvalidInput
from .origin import Filled, Origin, Value

Picked = Callable[[str], Any]
"""From the id of an upload in the panel's form to the uploaded file; raises InputError for an unknown one."""


class Pattern(msgspec.Struct, frozen=True):
    """A path of this machine as the user typed it; may be a pattern, or begin with `~`."""

    text: str


class FileInput(msgspec.Struct, frozen=True):
    """An input that is a file or a list of files, to be uploaded when it is sent."""

    sources: tuple[Any, ...]
    """`Pattern`, or what the client takes as a file: paths, bytes, open files, uploaded files, references."""
    many: bool
    """Whether the app takes a list."""
    limit: int | None = None
    """How many files the app takes; None where it does not tell."""

    @property
    def given(self) -> Any:
        """The files as the client takes them: a list, or the one."""
        return list(self.sources) if self.many else self.sources[0]


def sources_of(value: Value, picked: Picked | None = None) -> tuple[Any, ...]:
    """What a value of the user's own names as files; addresses become references for the server to fetch.

    Raises:
        InvalidInput: `path` where a text is taken for a path that is none, `variable` where a variable's text
            is, `kind` for what names no file at all.
        InputError: it is a file of another run that cannot be named again.
    """
    if value.origin is Origin.TEMPLATE:
        return (_of_template(value),)
    listed = value.value if isinstance(value.value, list | tuple) else [value.value]
    return tuple(_source(item, value.origin, picked) for item in listed)


def holds_file(value: Any) -> bool:
    """Whether Python gives a file, or a list with files in it, whatever the app asks for."""
    listed = value if isinstance(value, list | tuple) else (value,)
    return any(is_file(item) or stored_files.is_kept(item) for item in listed)


def server_files(value: Any, *, many: bool) -> Any:
    """A server's value for files, as it came; None where it is not in a form that a question may have."""
    listed = value if many and isinstance(value, list | tuple) else [value]
    if not listed or not all(stored_files.is_reference(item) for item in listed):
        return None
    return list(value) if isinstance(value, list | tuple) else value


def _source(item: Any, origin: Origin, picked: Picked | None) -> Any:
    item = stored_files.again(item)
    if is_file(item):
        return item
    if isinstance(item, Mapping):
        return dict(item)
    if not isinstance(item, str):
        raise InvalidInput("kind", type=type(item).__name__)
    if origin is Origin.FORM and picked is not None:
        return picked(item)
    if is_url(item):
        return remote(item)
    if origin is Origin.LINE:
        return Pattern(item)
    raise InvalidInput("path", text=item[:80])


def _of_template(value: Value) -> Any:
    """A text with variables in it: only paths and whole numbers may stand in a path, and as they are."""
    if is_url(value.value):
        return remote(value.value)
    typed = []
    for part in value.parts:
        if not isinstance(part, Filled):
            typed.append(part)
        elif isinstance(part.value, PurePath) or type(part.value) is int:
            typed.append(glob.escape(str(part.value)))
        else:
            raise InvalidInput("variable", source=part.source)
    return Pattern("".join(typed))
