"""Files against what an app says that it takes: all of a question's files, before the first of them is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..app import limits as rules
from ..i18n import t
from ..wire.models import Parameters, UploadedFile
from .files import FileInput, is_url, open_file, size_of


def check_attachments(files: Sequence[FileInput], parameters: Parameters | None) -> None:
    """The files of a question: their number, kinds and sizes.

    Args:
        parameters: what the app takes; None where it is not known.

    Raises:
        InputError: a file is not there, or the app does not take it, or not so many.
    """
    taken = parameters.file_upload if parameters is not None else None
    place = t("net.place_files")
    if taken:
        rules.check_count(len(files), taken.get("number_limits"), place)
    _check(files, taken, place, parameters)


def check_input(
    name: str, files: Sequence[FileInput], control: Mapping[str, Any] | None, parameters: Parameters | None
) -> None:
    """The files of one input: their number and kinds by its own control, their sizes.

    Args:
        control: of the app's form; None where it is not known.

    Raises:
        InputError: a file is not there, or this input does not take it, or not so many.
    """
    place = t("net.place_input", name=name)
    if control is not None and control.get("type") == "file-list":
        rules.check_count(len(files), control.get("max_length"), place)
    _check(files, control, place, parameters)


def _check(
    files: Sequence[FileInput], taken: Mapping[str, Any] | None, place: str, parameters: Parameters | None
) -> None:
    for file in files:
        if isinstance(file, (Mapping, UploadedFile)) or is_url(file):
            continue  # nothing of it is sent from here
        name, content, ours = open_file(file, None)
        try:
            if isinstance(file, (str, os.PathLike)):  # of bytes and open files the name says too little
                rules.check_kind(name, None, taken, place)
            if parameters is not None:
                rules.check_size(name, None, size_of(content), parameters)
                rules.check_anywhere(name, None, parameters)
        finally:
            if ours:
                with suppress(OSError):
                    content.close()  # type: ignore[union-attr]  # ours is a file
